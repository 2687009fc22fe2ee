"""matinee: movie recommendations that answer at once, obey every filter and can say why.

The names below load on first use, so that `import matinee` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matinee.data.dataset import Dataset
    from matinee.data.ratings import Ratings
    from matinee.errors import MatineeError
    from matinee.models.als import ALS

__all__ = ["ALS", "Dataset", "MatineeError", "Ratings"]

__version__ = "0.1.0"

_HOMES = {
    "ALS": "matinee.models.als",
    "Dataset": "matinee.data.dataset",
    "MatineeError": "matinee.errors",
    "Ratings": "matinee.data.ratings",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'matinee' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
