"""One row of a table of ratings: what it must look like, and what is wrong with it if it does not."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from matinee.data.columns import Places
from matinee.data.ratings import STAR_SCALE

INTEGER = re.compile(r"[+-]?\d{1,18}$")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the rows of a file are written and what is allowed in them."""

    label: str
    places: Places
    separator: str = ","
    first_line: int = 2
    strings: tuple[bool, bool] = (False, False)  # are user and item ids strings?
    time: Literal["integer", "number", "date"] = "integer"
    scale: tuple[float, float] = STAR_SCALE
    skip_bad_rows: bool = False
    double_colon: bool = False


def parse_row(text: str, layout: Layout) -> tuple[int | str, int | str, float, int]:
    """Read user, movie, stars and seconds (0 where there is no time); a ValueError says what is wrong."""
    where, fields = layout.places, next(csv.reader([text], delimiter=layout.separator))
    if len(fields) != where.width:
        raise ValueError(f"{len(fields)} fields; {where.width} are needed")
    user = _id(fields[where.user], "user", layout.strings[0])
    item = _id(fields[where.item], "movie", layout.strings[1])
    time = 0 if where.time is None else _seconds(fields[where.time], layout.time)
    return user, item, _stars(fields[where.rating], layout.scale), time


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


def _id(text: str, what: str, string: bool) -> int | str:
    if not text:
        raise ValueError(f"the {what} id is empty")
    if string:
        return text
    if not INTEGER.match(text.strip()):
        raise ValueError(f"the {what} id is {_shown(text)}; an integer is needed, as in most rows (or string_ids)")
    return int(text)


def _stars(text: str, scale: tuple[float, float]) -> float:
    low, high = scale
    if not NUMBER.match(text.strip()) or not low <= np.float32(text) <= high:
        raise ValueError(f"the rating is {_shown(text)}; {low:g} to {high:g} stars are allowed")
    return float(text)


def _seconds(text: str, kind: str) -> int:
    if kind == "date":
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"the time is {_shown(text)}; a date such as 2015-03-28 17:05:00 is needed") from None
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    if not (INTEGER if kind == "integer" else NUMBER).match(text.strip()):
        raise ValueError(f"the time is {_shown(text)}; seconds since 1970 are needed")
    return int(float(text)) if kind == "number" else int(text)
