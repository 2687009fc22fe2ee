"""Reasons that add up: what each of a person's ratings adds to a film's score."""

from __future__ import annotations

from dataclasses import dataclass

from matinee.models.factors import Person
from matinee.recommend.catalogue import Catalogue
from matinee.recommend.results import Because
from matinee.recommend.scoring import Float64, Rows, Scorer


@dataclass(frozen=True)
class Reasons:
    """One film's score taken apart: base, contributions and rest sum to it."""

    base: float
    because: tuple[Because, ...]
    because_rest: float


def reasons(
    scorer: Scorer, catalogue: Catalogue, person: Person, rows: Rows, scores: Float64, most: int | None
) -> list[Reasons]:
    """Take the scores of films apart (Hu, Koren, Volinsky 2008, section 5; a person's bias falls apart as well).

    Parameters
    ----------
    rows, scores
        Shapes ``(n,)``: films by their rows in the catalogue, and what they score.
    most
        How many reasons at most, those that raise the score most; None for all, in the order of their size.
    """
    contributions, base = scorer.contributions(person, rows), scorer.base(person, rows)
    movie_rows = catalogue.ids.rows(scorer.model.items.ids[person.item_rows])
    found = []
    for film in range(len(rows)):
        own = contributions[film]
        order = (-own).argsort(kind="stable") if most is not None else (-abs(own)).argsort(kind="stable")
        named = [int(place) for place in order if most is None or own[place] > 0][:most]
        whole = float(scores[film] - base[film])
        because = tuple(
            Because(catalogue.id_at(int(movie_rows[place])), catalogue.title_at(int(movie_rows[place])),
                    float(own[place]), float(own[place]) / whole if whole else 0.0)
            for place in named
        )  # fmt: skip
        found.append(Reasons(float(base[film]), because, float(own.sum()) - sum(one.contribution for one in because)))
    return found
