"""Finding films by what people type: words in any order, beginnings of words, typing errors."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Int64

CANDIDATES = 60
"""Titles sharing most trigrams with a query that finds nothing as it stands: these are compared word by word."""
CLOSE = 0.75
"""Two words so alike (0 to 1) are taken for a typing error of one another."""
_ARTICLE = re.compile(r"^(.*), (the|a|an|le|la|les|l'|il|el|der|die|das)( \(.*)?$")
_NOT_WORD = re.compile(r"[^\w]+")


def normalise(text: str) -> str:
    """Fold a title to what matters when searching: no case, accents or punctuation, the article in front."""
    folded = text
    for _ in range(2):  # taking a letter apart may leave a capital, as mathematical ones do
        folded = unicodedata.normalize("NFKD", folded.casefold())
    folded = folded.replace("&", " and ")
    plain = "".join(char for char in folded if not unicodedata.combining(char)).strip()
    if match := _ARTICLE.match(plain):
        plain = f"{match[2]} {match[1]}{match[3] or ''}"
    return _NOT_WORD.sub(" ", plain.replace("'", "")).strip()


class _Index(NamedTuple):
    codes: Int64  # the trigrams of all titles, sorted
    rows: npt.NDArray[np.int32]  # the title of each
    sizes: Int64  # how many trigrams a title has


class TitleIndex:
    """Titles, ranked by how well they answer a query; among equals those that more people rated first.

    Parameters
    ----------
    titles
        Shape ``(n,)``.
    weights
        Shape ``(n,)``: how often each was rated.
    """

    def __init__(self, titles: Sequence[str], weights: Int64) -> None:
        self._titles = [normalise(title) for title in titles]
        self._weights = weights
        self._index = _trigrams(self._titles)

    def find(self, query: str, limit: int) -> list[int]:
        """Return the places of at most `limit` titles, best first; typing errors are forgiven if nothing else fits."""
        wanted = normalise(query)
        if not wanted or limit < 1:
            return []
        found = {row: _fit(wanted, self._titles[row]) for row in self._candidates(wanted)}
        good = [row for row, fit in found.items() if fit > 0]
        if not good:
            found = {row: _likeness(wanted, self._titles[row]) for row in self._closest(wanted)}
            good = [row for row, likeness in found.items() if likeness >= CLOSE]
        return sorted(good, key=lambda row: (-found[row], -int(self._weights[row]), row))[:limit]

    def _candidates(self, wanted: str) -> list[int]:
        longest = max(wanted.split(), key=len)
        return [row for row, title in enumerate(self._titles) if longest in title]

    def _closest(self, wanted: str) -> list[int]:
        codes = np.unique(_codes(f" {wanted} "))
        first, last = (np.searchsorted(self._index.codes, codes, side) for side in ("left", "right"))
        hits = [self._index.rows[start:stop] for start, stop in zip(first, last, strict=True)]
        shared = np.bincount(np.concatenate(hits), minlength=len(self._titles)) if hits else np.zeros(0)
        # Dice's coefficient, with long titles punished less: a query is rarely the whole title.
        score = shared / (len(codes) + np.sqrt(self._index.sizes * max(len(codes), 1)))
        best = np.argsort(-score, kind="stable")[:CANDIDATES]
        return [int(row) for row in best if shared[row]]


def _fit(wanted: str, title: str) -> float:
    """Grade how a title answers a query: 0 not at all, 4 word for word."""
    if title == wanted:
        return 4
    if title.startswith((f"{wanted} ", f"the {wanted} ")):
        return 3
    words = title.split()
    if all(any(word.startswith(part) for word in words) for part in wanted.split()):
        return 2 + 0.5 * (wanted in title)
    return 1 if wanted in title else 0


def _likeness(wanted: str, title: str) -> float:
    """Average, over the words of a query, how alike the closest word of the title is."""
    if wanted.replace(" ", "") in title.replace(" ", ""):
        return 1
    words = title.split()
    parts = wanted.split()
    return sum(max((_alike(part, word) for word in words), default=0.0) for part in parts) / len(parts)


@lru_cache(maxsize=4096)
def _alike(one: str, other: str) -> float:
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.ratio() if matcher.real_quick_ratio() >= 0.5 else 0.0


def _codes(text: str) -> Int64:
    points = np.frombuffer(text.encode("utf-32-le"), np.uint32).astype(np.int64)
    return (points[:-2] << 42) | (points[1:-1] << 21) | points[2:]


def _trigrams(titles: Sequence[str]) -> _Index:
    text = "".join(f" {title} \n" for title in titles)
    points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    owner = np.cumsum(points == ord("\n")).astype(np.int32)[2:]
    codes = _codes(text)
    inside = (points[:-2] != ord("\n")) & (points[1:-1] != ord("\n")) & (points[2:] != ord("\n"))
    codes, owner = codes[inside], owner[inside]
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(owner, minlength=len(titles)).astype(np.int64)
    return _Index(codes[order], owner[order], np.maximum(sizes, 1))
