"""What Bayesian matrix factorization can be told."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matinee.data.ratings import Ratings
from matinee.errors import ParameterError
from matinee.models.progress import Progress

if TYPE_CHECKING:
    import polars as pl

    from matinee.models.bayesian.model import BayesianModel

OUTPUTS = ("normal", "probit")


@dataclass(frozen=True, kw_only=True)
class BayesianMF:
    """Bayesian matrix factorization by Gibbs sampling: the most accurate rating model, and it needs no search.

    See `matinee.models.bayesian.sampler` for the model and `docs/stars.md` for what it costs. The result depends on
    the seed and the ratings, not on the number of threads.

    Parameters
    ----------
    rank
        Length of the factors in each sample.
    iterations
        Sweeps of the sampler.
    burn_in
        Sweeps before the first that counts.
    samples
        How many of the sweeps behind `burn_in` are kept, evenly spaced, to be served: memory is about
        ``4 * samples * (n_users * rank + 2 * n_items * (rank + 1))`` bytes.
    sets
        Let what people rated, and who rated films, tell about them, whatever the stars (training pairs only).
    time
        Let the day of a rating tell about its stars, where the ratings have times.
    genres, years
        Let a film's genres, and its year, tell about it, where `fit` is given the movies: most where it has few
        ratings.
    output
        "normal": stars are the score, give or take a normal error. "probit": stars are steps of latent stars with that
        error, between cut points that are learned; see docs/stars.md for when that is better.
    shrinkage
        Of intervals: with how many errors at the mean every user and item begins.
    seed
        Of all random numbers.
    threads
        None for all processors.

    Raises
    ------
    ParameterError
        If a parameter is out of range.
    """

    rank: int = 16
    iterations: int = 200
    burn_in: int = 40
    samples: int = 32
    sets: bool = True
    time: bool = True
    genres: bool = True
    years: bool = True
    output: str = "normal"
    shrinkage: float = 10.0
    seed: int = 5
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.rank < 1 or self.samples < 1:
            raise ParameterError(f"rank={self.rank}, samples={self.samples}: both must be at least 1")
        if not 0 <= self.burn_in <= self.iterations - self.samples:
            raise ParameterError(
                f"iterations={self.iterations}, burn_in={self.burn_in}, samples={self.samples}: there must be at least "
                "as many iterations behind the burn-in as samples"
            )
        if not 0 < self.shrinkage < math.inf or self.seed < 0:
            raise ParameterError(f"shrinkage={self.shrinkage}, seed={self.seed}: give a number above 0 and a seed >= 0")
        if self.output not in OUTPUTS:
            raise ParameterError(f"output={self.output!r}: {' and '.join(OUTPUTS)} are allowed")
        if self.threads is not None and self.threads < 1:
            raise ParameterError(f"threads={self.threads}: give at least 1, or None for all processors")

    def fit(
        self,
        ratings: Ratings,
        *,
        movies: pl.DataFrame | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> BayesianModel:
        """Sample, keep, and read the intervals off the samples' leave-one-out errors.

        Parameters
        ----------
        ratings
            What to learn from.
        movies
            What is known of the films, as in `Dataset.movies`: columns ``movie_id``, ``genres`` and ``year``.
        progress
            Called after every sweep, and once before the first if kernels must be compiled.

        Raises
        ------
        ParameterError
            If `movies` has no column ``movie_id``.
        """
        from matinee.models.bayesian.fit import learn  # the model's class needs this module

        return learn(self, ratings, movies, progress or (lambda _: None))

    def about(self, movies: pl.DataFrame) -> InformedBayesianMF:
        """Remember the movies, for whoever fits by ratings alone: an evaluation, say."""
        return InformedBayesianMF(self, movies)


@dataclass(frozen=True, eq=False)
class InformedBayesianMF:
    """`BayesianMF` and what is known of the movies."""

    learner: BayesianMF
    movies: pl.DataFrame

    def fit(self, ratings: Ratings, *, progress: Callable[[Progress], None] | None = None) -> BayesianModel:
        """Fit with the movies; see `BayesianMF.fit`."""
        return self.learner.fit(ratings, movies=self.movies, progress=progress)
