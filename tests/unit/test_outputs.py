"""From scores to stars: by hand, against SciPy and against draws of what each output believes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import kstest, norm, truncnorm

from matinee.errors import ParameterError
from matinee.models.outputs import NormalOutput, ProbitOutput, fitted_cuts, steps_of
from matinee.models.truncated import draw, mass, moments

HALVES = np.arange(0.5, 5.5, 0.5)
BOUNDS = [(-1.0, 0.3), (0.2, 0.25), (-np.inf, -2.0), (1.5, np.inf), (-np.inf, np.inf), (6.0, 6.5), (-9.0, -8.0)]


@pytest.mark.parametrize(("low", "high"), BOUNDS)
def test_truncated_normals_are_scipys(low: float, high: float) -> None:
    known = truncnorm(low, high)
    ends = np.array([low]), np.array([high])
    assert mass(*ends)[0] == pytest.approx(norm.sf(low) - norm.sf(high), rel=1e-8)
    mean, variance = moments(*ends)
    assert mean[0] == pytest.approx(known.mean(), rel=1e-6)
    assert variance[0] == pytest.approx(known.var(), rel=1e-4)
    uniform = np.random.default_rng(1).random(20_000)
    drawn = draw(np.full(20_000, low), np.full(20_000, high), uniform)
    assert np.all((drawn >= low) & (drawn <= high))
    assert kstest(drawn, known.cdf).pvalue > 0.01


@pytest.mark.parametrize(("low", "high", "near"), [(50.0, 51.0, 50.0), (50.0, np.inf, 50.0), (-np.inf, -60.0, -60.0)])
def test_where_there_is_no_probability_left_all_of_it_is_at_the_near_end(low: float, high: float, near: float) -> None:
    ends = np.array([low]), np.array([high])
    assert draw(*ends, np.array([0.3]))[0] == near
    assert [part[0] for part in moments(*ends)] == [near, 0.0]


def test_normal_stars_by_hand() -> None:
    output = NormalOutput.of((0.5, 5.0), HALVES)
    centre, half = np.array([3.0, 6.0]), np.array([0.5, 0.5])
    low, high = output.interval(centre, half, 0.9)
    assert low[0] == pytest.approx(3 - 1.6449 * 0.5, abs=1e-3)
    assert high.tolist() == [pytest.approx(3 + 1.6449 * 0.5, abs=1e-3), 5.0]
    assert output.expectation(centre, None).tolist() == [3.0, 5.0]
    assert output.at_least(np.array([3.75]), np.ones(1), 4)[0] == pytest.approx(0.5)
    assert output.at_least(np.array([3.75]), np.ones(1), 3.8)[0] == pytest.approx(0.5), "4 is the least of so many"
    assert output.squares(centre, half, np.array([4.0, 5.0])).tolist() == [1.0, 1.0]
    with pytest.raises(ParameterError, match=r"level=1\.5"):
        output.interval(centre, half, 1.5)


def test_without_steps_so_many_stars_are_so_many() -> None:
    output = NormalOutput.of((-10, 10))
    assert output.at_least(np.array([1.0]), np.array([2.0]), 0.0)[0] == pytest.approx(ndtr(0.5))


@pytest.mark.parametrize(
    ("stars", "steps"),
    [([1, 3, 2, 5], [1, 2, 3, 5]), ([0.5, 4, 3.5], [0.5, 3.5, 4]), ([3, 3], []), (np.linspace(1, 5, 500), [])],
)
def test_steps_are_those_of_the_data(stars: list[float], steps: list[float]) -> None:
    assert steps_of(np.array(stars, np.float32)).tolist() == steps


@pytest.mark.parametrize("kind", [NormalOutput, ProbitOutput])
def test_a_distribution_sums_to_one_and_agrees_with_all_that_is_read_off_it(kind: type[NormalOutput]) -> None:
    output = kind.of((0.5, 5.0), HALVES, [0.9, 1.6, 1.8, 2.4, 2.6, 3.3, 3.5, 4.3, 4.6])
    centre, deviation = np.array([-40.0, 1.0, 3.4, 4.9, 40.0]), np.array([0.4, 2.0, 0.01, 0.8, 1.0])
    p = output.distribution(centre, deviation)
    assert np.all(p >= 0)
    assert np.allclose(p.sum(axis=1), 1)
    for step, stars in enumerate(HALVES):
        assert np.allclose(output.at_least(centre, deviation, stars), p[:, step:].sum(axis=1), atol=1e-6)
        likelihood = output.log_likelihood(centre, deviation, np.full(5, stars))
        assert np.allclose(np.exp(likelihood), np.maximum(p[:, step], 1e-12), rtol=1e-6)
    if output.latent:
        assert np.allclose(output.expectation(centre, deviation), p @ HALVES)
        assert output.expectation(centre, deviation)[[0, -1]].tolist() == [0.5, 5.0]


def test_probit_intervals_hold_what_they_promise_of_its_own_draws() -> None:
    rng = np.random.default_rng(0)
    output = ProbitOutput.of((0.5, 5.0), HALVES, [0.9, 1.6, 1.8, 2.4, 2.6, 3.3, 3.5, 4.3, 4.6])
    centre, deviation = rng.normal(3.0, 0.6, 100_000), rng.uniform(0.4, 1.0, 100_000)
    latent = centre + deviation * rng.normal(size=len(centre))
    stars = HALVES[np.searchsorted(output.cuts, latent)]
    assert stars.mean() == pytest.approx(output.expectation(centre, deviation).mean(), abs=0.01)
    assert np.mean(output.squares(centre, deviation, stars) / deviation**2) == pytest.approx(1, abs=0.01)
    assert np.allclose(output.expected_latent(centre, deviation, stars).mean(), latent.mean(), atol=0.01)
    for level in (0.5, 0.9):
        low, high = output.interval(centre, deviation, level)
        assert np.mean((low <= stars) & (stars <= high)) == pytest.approx(level, abs=0.02)
    with pytest.raises(ParameterError, match="how sure"):
        output.expectation(centre, None)


def test_probit_stars_follow_latent_ones() -> None:
    output = ProbitOutput.of((1, 5), [1, 2, 3, 5], [1.2, 2.0, 4.0])
    assert output.shown(np.array([1.2, 1.6, 2.0, 3.0, 4.0])).tolist() == [1.5, 2.0, 2.5, 3.25, 4.0]
    shown = output.shown(np.linspace(-3, 9, 500))
    assert np.all(np.diff(shown) > 0)
    assert shown[0] == pytest.approx(1.5 - 4.2)


def test_cut_points_make_promises_come_true() -> None:
    rng = np.random.default_rng(3)
    centre, deviation = rng.normal(3, 0.7, 30_000), rng.uniform(0.5, 1.0, 30_000)
    steps, cuts = np.array([1.0, 2, 3, 4, 5]), np.array([1.7, 2.2, 3.6, 4.1])
    stars = steps[np.searchsorted(cuts, centre + deviation * rng.normal(size=30_000))]
    found = fitted_cuts(steps, stars, centre, deviation)
    assert np.allclose(found, cuts, atol=0.03)
    output = NormalOutput.of((1, 5), steps, found)
    for least in steps[1:]:
        assert output.at_least(centre, deviation, least).mean() == pytest.approx(np.mean(stars >= least), abs=1e-3)
    assert not len(fitted_cuts(np.empty(0), stars, centre, deviation))
    lone = fitted_cuts(steps, np.array([3.0]), np.array([3.0]), np.array([1.0]))
    assert np.all(np.diff(lone) >= 0), "steps that nobody gave have cut points too"
