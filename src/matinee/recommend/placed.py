"""A person as both models see them: what lists are made of, so that whoever keeps it solves nothing twice."""

from __future__ import annotations

from dataclasses import dataclass

from matinee.data.ratings import Bools, Int32, Int64
from matinee.models.factors import Person
from matinee.recommend.scoring import Float64, Scorer


@dataclass(frozen=True, eq=False, slots=True)
class Placed:
    """A person placed in the models of one recommender.

    Attributes
    ----------
    seen
        Shape ``(n,)``: rows in the catalogue of everything that they rated, -1 for what it lacks.
    picks, stars
        They in the ranking model and in the rating model; the same one where there is no ranking model.
    """

    seen: Int32
    picks: Person
    stars: Person

    def kept(self) -> Placed:
        """Return what is worth keeping: everything but the systems that were solved."""
        stars = self.stars.kept()
        return Placed(self.seen, stars if self.picks is self.stars else self.picks.kept(), stars)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays, those that are parts of a model's included."""
        people = {id(person): person for person in (self.picks, self.stars)}.values()
        of_people = sum(one.factors.nbytes + one.item_rows.nbytes + one.stars.nbytes for one in people)
        return self.seen.nbytes + of_people


@dataclass(frozen=True, eq=False)
class Ordered:
    """A person's films in order, and what made the order.

    Attributes
    ----------
    rows, scores
        Shapes ``(n,)``: films by their rows in the catalogue, and the scores of the model that ordered them.
    allowed
        Shape ``(n_movies,)``: everything that passes the filters.
    """

    scorer: Scorer
    person: Person
    rows: Int64
    scores: Float64
    allowed: Bools

    def place(self, row: int, by_score: bool) -> int | None:
        """Return the place of a film, from 1, None where it is not allowed; unless `by_score`, `rows` must be all."""
        if not self.allowed[row]:
            return None
        return self.scorer.rank(self.person, row, self.allowed) if by_score else self.rows.tolist().index(row) + 1
