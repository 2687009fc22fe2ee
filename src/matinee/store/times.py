"""Times as the database keeps them: whole microseconds since 1970, UTC."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def now() -> int:
    """Return this moment."""
    return time.time_ns() // 1000


def kept(moment: datetime) -> int:
    """Return what is kept of an aware time."""
    return (moment - _EPOCH) // _MICROSECOND


def shown(microseconds: int) -> datetime:
    """Return the time that was kept."""
    return _EPOCH + microseconds * _MICROSECOND
