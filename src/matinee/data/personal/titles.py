"""Film titles as keys: the same film written by two services ends in the same key."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

ARTICLES = frozenset(
    """the a an le la les l un une des il lo i gli uno una el los las der die das ein eine het een o os as um uma
    de den det en et ett""".split()  # noqa: SIM905
)
UNDECOMPOSED = str.maketrans(
    {"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "&": " and ", "½": " 1 2 "}
)
MOVED_ARTICLE = re.compile(r"^(?P<rest>.+), (?P<article>[^\W\d_]{1,4}'?)$")
GROUP = re.compile(r"\(([^()]*)\)")
KNOWN_AS = re.compile(r"^(a\.?k\.?a\.?:?|aka)\s+", re.IGNORECASE)
SUBTITLE = re.compile(r"\s*(?::|;|\s[-–—]\s|,?\sor:\s)\s*", re.IGNORECASE)


def key(title: str) -> str:
    """Fold case, accents and punctuation: letters and digits with single spaces between words."""
    text = title.casefold().translate(UNDECOMPOSED)
    text = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    text = re.sub(r"['’‘`´]", "", text)
    return " ".join(re.findall(r"\w+", text.replace("_", " ")))


def in_order(title: str) -> str:
    """Move an article from the end back to the front: "Godfather, The" is "The Godfather"."""
    match = MOVED_ARTICLE.match(title.strip())
    if not match or key(match["article"]) not in ARTICLES:
        return title.strip()
    glue = "" if match["article"].endswith("'") else " "
    return f"{match['article']}{glue}{match['rest']}"


def without_article(folded: str) -> str:
    """Drop a leading article of a folded title, unless nothing else is left."""
    first, _, rest = folded.partition(" ")
    return rest if rest and first in ARTICLES else folded


def main_title(name: str) -> str:
    """Return the title without what stands in parentheses after it."""
    return in_order(re.split(r"\s\(", name, maxsplit=1)[0])


def alternatives(name: str) -> Iterator[str]:
    """Yield other titles that a catalogue's title holds: those in parentheses, and the whole of it."""
    yield in_order(name)
    for group in GROUP.findall(name):
        yield in_order(KNOWN_AS.sub("", group.strip()))
    before = GROUP.sub(" ", name)
    yield in_order(" ".join(before.split()))


def squeezed(folded: str) -> str:
    """Leave the spaces of a folded title out: "old boy" is "oldboy"."""
    return folded.replace(" ", "")


def heads(title: str) -> list[str]:
    """Fold what stands before each subtitle: "star wars" of "Star Wars: Episode IV - A New Hope"."""
    return [folded for match in SUBTITLE.finditer(title) if (folded := key(title[: match.start()]))]


def tails(title: str) -> list[str]:
    """Fold each subtitle of two words or more: "a new hope" of "Star Wars: Episode IV - A New Hope"."""
    return [folded for match in SUBTITLE.finditer(title) if " " in (folded := key(title[match.end() :]))]
