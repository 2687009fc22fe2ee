"""What a person's ratings say: which of them shape the list, how much, and which only count as seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from matinee.errors import ParameterError
from matinee.models.factors import Id

SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, kw_only=True)
class Taste:
    """One person's ratings with everything that bends them.

    Parameters
    ----------
    ratings
        Stars by movie id.
    rated_at
        Seconds since 1970 by movie id; needed by `since` and `half_life`.
    since
        Seconds since 1970: older ratings count as seen but do not shape the list.
    half_life
        Days: a rating counts half as much for every so many days before the person's newest one.
    seed_off
        Movies whose rating counts as seen but does not shape the list.
    user_id
        The user of the data set whose ratings these are, if they are: unless something was changed, the model knows
        them already.
    what_if
        Ratings to change for this once, None to take one away.

    Raises
    ------
    ParameterError
        If `half_life` is not above 0, or a time is needed and missing.
    """

    ratings: Mapping[Id, float]
    rated_at: Mapping[Id, float] = field(default_factory=dict)
    since: float | None = None
    half_life: float | None = None
    seed_off: tuple[Id, ...] = ()
    user_id: Id | None = None
    what_if: Mapping[Id, float | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.half_life is not None and not self.half_life > 0:
            raise ParameterError(f"half_life={self.half_life}: a number of days above 0 is allowed")
        if self.since is not None or self.half_life is not None:
            missing = [movie_id for movie_id in self.ratings if movie_id not in self.rated_at]
            if missing:
                raise ParameterError(
                    f"since and half_life need the time of every rating: rated_at lacks movie {missing[0]!r} "
                    f"and {len(missing) - 1} more"
                )

    @cached_property
    def seen(self) -> Mapping[Id, float]:
        """Every rating of the person, what-if included."""
        if not self.what_if:
            return self.ratings
        changed = {**self.ratings, **self.what_if}
        return {movie_id: stars for movie_id, stars in changed.items() if stars is not None}

    @cached_property
    def seeds(self) -> Mapping[Id, float]:
        """The ratings that shape the list: `seen` itself where all of them do."""
        if not self.seed_off and self.since is None:
            return self.seen
        off = set(self.seed_off)
        return {movie: stars for movie, stars in self.seen.items() if movie not in off and self._recent(movie)}

    def _recent(self, movie_id: Id) -> bool:
        return self.since is None or movie_id in self.what_if or self.rated_at[movie_id] >= self.since

    @property
    def emphasis(self) -> dict[Id, float] | None:
        """How much each seed counts; None where all count in full."""
        if self.half_life is None or not self.ratings:
            return None
        newest = max(self.rated_at[movie_id] for movie_id in self.ratings)
        halvings = {
            movie_id: (newest - self.rated_at[movie_id]) / SECONDS_PER_DAY / self.half_life for movie_id in self.ratings
        }
        return {movie_id: 0.5**count for movie_id, count in halvings.items() if movie_id not in self.what_if}
