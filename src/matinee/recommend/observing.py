"""What may be watched while lists are made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Observer(Protocol):
    """Is told of every list; whoever counts for operators is one."""

    def placed(self, seconds: float) -> None:
        """A person was placed in a model, which took so long."""

    def listed(self, length: int, removed: Mapping[str, int], seconds: float) -> None:
        """A list was made in so long; where filters left nothing, `removed` says how many films each removed."""
