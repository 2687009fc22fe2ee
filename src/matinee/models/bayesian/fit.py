"""Run the chain, keep samples in the form in which they are served, and learn how far they are off."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from matinee.data.ratings import Float32, Ratings
from matinee.models.bayesian.calibration import LeftOut, uncertainties
from matinee.models.bayesian.features import movie_features
from matinee.models.bayesian.model import BayesianModel
from matinee.models.bayesian.params import BayesianMF
from matinee.models.bayesian.sampler import Chain, Float64, Rows
from matinee.models.bayesian.side import Unrated
from matinee.models.intervals import product_variances
from matinee.models.kernels import warm
from matinee.models.outputs import fitted_cuts
from matinee.models.progress import COMPILING, Progress

if TYPE_CHECKING:
    import polars as pl

LEFT_OUT_EVERY = 4
"""Of the sweeps behind the burn-in, how many pass for each that left-out errors are read off: neighbours are alike."""
HELD_OUT_BELOW, FOLDS = 10_000, 5
"""With fewer ratings parts are held out, so many in turn: errors read off samples are too small there, by a tenth."""
LATENT_ROUNDS = 4
"""Of explaining squared errors of latent stars, each with the variances that the one before found."""
SETS_FROM = 1.5
"""Ratings of the average person, and of the average film: with fewer, sets take away from the biases of new pairs."""


def learn(
    params: BayesianMF, ratings: Ratings, movies: pl.DataFrame | None, tell: Callable[[Progress], None]
) -> BayesianModel:
    """Run the chain, keep samples, and read the intervals off leave-one-out errors; see `BayesianMF.fit`.

    Of few ratings parts are held out too, and learned from the others, for intervals to be as wide as errors there ask.
    """
    model = sampled(params, ratings, movies, tell)
    ratio = held_out_ratio(params, ratings, movies) if len(ratings) < HELD_OUT_BELOW else 1.0
    return replace(model, variance=(model.variance * ratio).astype(np.float32))


def held_out_ratio(params: BayesianMF, ratings: Ratings, movies: pl.DataFrame | None) -> float:
    """Return the ratio of squared errors of held-out ratings to what the model without them expects, shrunken to 1."""
    part = np.random.default_rng([params.seed, len(ratings)]).permutation(len(ratings)) % FOLDS
    squares, n = 0.0, 0
    for fold in range(FOLDS if len(ratings) >= FOLDS else 0):
        train, test = ratings.select(part != fold), ratings.select(part == fold)
        model = sampled(params, train, movies, lambda _: None)
        centre, deviation = model.latent(test.user_ids, test.item_ids, test.timestamps)
        errors = model.output.squares(centre, deviation, test.stars) / deviation**2
        squares, n = squares + float(errors.sum()), n + len(test)
    return (params.shrinkage + squares) / (params.shrinkage + n)


def sampled(
    params: BayesianMF, ratings: Ratings, movies: pl.DataFrame | None, tell: Callable[[Progress], None]
) -> BayesianModel:
    """Learn all of a model but what held-out ratings say of its errors."""
    warm(lambda: tell(Progress(0, params.iterations, math.nan, COMPILING)))
    known = [] if movies is None else movie_features(movies, ratings.items, genres=params.genres, years=params.years)
    chain = Chain(
        ratings, rank=params.rank, seed=params.seed, sets=params.sets and sets_tell(ratings), time=params.time,
        threads=params.threads, features=known, probit=params.output == "probit",
    )  # fmt: skip
    unrated = Unrated.of(movies, ratings.items, genres=params.genres, years=params.years)
    kept, left_out = Kept(chain, params.samples, unrated), LeftOut(chain)
    span = params.iterations - params.burn_in
    keep = {params.burn_in + n * span // params.samples - 1 for n in range(1, params.samples + 1)}
    for sweep in range(params.iterations):
        rmse = chain.step()
        if sweep >= params.burn_in and (sweep - params.burn_in) % LEFT_OUT_EVERY == 0:
            left_out.add()
        if sweep in keep:
            kept.add()
        tell(Progress(sweep + 1, params.iterations, rmse))
    model = kept.model(ratings, params, calibration(left_out, ratings, params))
    model.variance[1] *= model.undated_ratio(ratings)
    return model


def calibration(left_out: LeftOut, ratings: Ratings, params: BayesianMF) -> Calibration:
    """Explain left-out errors: what the numbers of ratings let expect, times a ratio of the user and of the item."""
    counts, expected = (ratings.by_user.counts, ratings.item_counts), left_out.expected()
    users, items = ratings.user_rows, ratings.item_rows
    before = expected[0, 0] + sum(
        uncertainties(side, n - 1, params.rank)[rows]
        for side, n, rows in zip(expected, counts, (users, items), strict=True)
    )
    output, stars = left_out.output(ratings), ratings.stars.astype(np.float64)
    centre, variances = stars - left_out.errors(), before
    for _ in range(LATENT_ROUNDS if output.latent else 1):  # squares of latent errors depend on their variance
        scale, user_ratios, item_ratios = product_variances(
            output.squares(centre, np.sqrt(variances), stars) / before, users, items, len(ratings.users),
            len(ratings.items), params.shrinkage,
        )  # fmt: skip
        variances = scale * before * user_ratios[users] * item_ratios[items]
    cuts = output.cuts if output.latent else fitted_cuts(output.steps, stars, centre, np.sqrt(variances))
    return Calibration(
        expected.astype(np.float32), np.full(2, scale, np.float32), user_ratios, item_ratios,
        output.steps.astype(np.float32), cuts.astype(np.float32),
    )  # fmt: skip


def sets_tell(ratings: Ratings) -> bool:
    """Return whether there are ratings enough to tell what a film is from who rated it."""
    return len(ratings) >= SETS_FROM * max(len(ratings.users), len(ratings.items))


class Calibration(NamedTuple):
    """What `BayesianModel` keeps of errors; see its attributes."""

    expected: Float32
    variance: Float32
    user_variances: Float32
    item_variances: Float32
    steps: Float32
    cuts: Float32


class Kept:
    """Collects samples in the form in which they are served: factors without their means."""

    def __init__(self, chain: Chain, samples: int, unrated: Unrated) -> None:
        self.chain, self.n, self.samples, self.unrated = chain, 0, samples, unrated
        self.means = Rows.zeros(len(chain.users.rows.biases), chain.rank)
        self.dated = len(chain.days) > 0
        shape = samples, chain.rank
        n_users, n_items = len(self.means.biases), len(chain.items.rows.biases)
        self.user_factors, self.user_biases = np.zeros((n_users, *shape), np.float32), np.zeros(n_users)
        dated_users = n_users if self.dated else 0
        self.dated_user_factors, self.dated_user_biases = (
            np.zeros((dated_users, *shape), np.float32),
            np.zeros(dated_users),
        )
        self.item_factors, self.item_biases = np.zeros((n_items, *shape), np.float32), np.zeros((n_items, samples))
        self.new_factors = np.zeros((len(unrated.ids), *shape), np.float32)
        self.new_biases = np.zeros(len(unrated.ids))
        self.shifts = np.zeros((n_items, samples, chain.rank + 1), np.float32)
        self.day_factors, self.day_biases = np.zeros((len(chain.days), *shape), np.float32), np.zeros(len(chain.days))
        self.item_means, self.alphas = np.zeros(shape, np.float32), np.zeros(samples, np.float32)
        self.precisions = np.zeros((samples, chain.rank + 1), np.float32)
        self.constants = np.zeros(samples)

    def add(self) -> None:
        """Keep the chain's present state, users by their conditional means: less noise at the same expectation."""
        chain, n, rank = self.chain, self.n, self.chain.rank
        items = chain.items.rows.factors[:, :rank]
        user_side, item_side = chain.users.rows, chain.items.rows
        user_mean = user_side.mean[:rank]
        item_mean, item_bias = chain.items.usual()
        item_mean = item_mean[:rank]
        own_items = items - item_mean
        self.item_factors[:, n] = own_items
        self._add_users(self.user_factors, self.user_biases, dated=False)
        new, new_biases = self.unrated.means(chain.items)
        self.new_factors[:, n] = new[:, :rank] - item_mean
        self.new_biases += new_biases - item_bias + self.new_factors[:, n] @ user_mean
        self.item_biases[:, n] = item_side.biases - item_bias + own_items @ user_mean
        self.constants[n] = user_side.mean[-1] + item_bias + user_mean @ item_mean
        if self.dated:
            self._add_users(self.dated_user_factors, self.dated_user_biases, dated=True)
            days = chain.day_side.rows
            self.day_factors[:, n] = days.factors[:, :rank]
            self.day_biases += days.biases + days.factors[:, :rank] @ (user_mean + item_mean)
        for sets in chain.users.sets:
            self.shifts[:, n, :rank] = sets.rows.factors[:, :rank]
            self.shifts[:, n, rank] = sets.rows.biases
        self.item_means[n], self.alphas[n] = item_mean, chain.alpha * np.mean(chain.tau)
        self.precisions[n] = np.append(user_side.precision[:rank], user_side.precision[-1])
        self.n += 1

    def _add_users(self, factors: Float32, biases: Float64, *, dated: bool) -> None:
        chain, rank = self.chain, self.chain.rank
        chain.draw(chain.users, 0, means=self.means, dated=dated)
        own = self.means.factors[:, :rank] - chain.users.rows.mean[:rank]
        factors[:, self.n] = own
        biases += self.means.biases - chain.users.rows.mean[-1] + own @ chain.items.usual()[0][:rank]

    def model(self, ratings: Ratings, params: BayesianMF, calibration: Calibration) -> BayesianModel:
        """Lay the samples side by side."""
        root = np.float32(np.sqrt(self.samples))
        item_sample_biases = self.item_biases + self.constants - self.constants.mean()
        stacks = self.user_factors, self.item_factors, self.day_factors, self.dated_user_factors, self.new_factors
        users, items, days, dated, new = (
            (rows / root).reshape(len(rows), self.samples * self.chain.rank) for rows in stacks
        )
        return BayesianModel(
            users=ratings.users, items=ratings.items, user_factors=users, item_factors=items,
            user_biases=(self.user_biases / self.samples).astype(np.float32),
            item_biases=self.item_biases.mean(axis=1).astype(np.float32),
            mean=ratings.mean + float(self.constants.mean()), seen=ratings.by_user, scale=ratings.scale, params=params,
            item_sample_biases=item_sample_biases.astype(np.float32),
            item_shifts=self.shifts.reshape(len(self.shifts), -1), item_means=self.item_means,
            precisions=self.precisions, alphas=self.alphas, days=self.chain.days, day_factors=days,
            day_biases=(self.day_biases / self.samples).astype(np.float32), dated_user_factors=dated,
            dated_user_biases=(self.dated_user_biases / self.samples).astype(np.float32), new_items=self.unrated.ids,
            new_factors=new, new_biases=(self.new_biases / self.samples).astype(np.float32), **calibration._asdict(),
        )  # fmt: skip
