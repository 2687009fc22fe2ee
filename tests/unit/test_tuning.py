"""Choosing parameters: what is tried, what is chosen, and what a difference is worth."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from matinee.data.ratings import Ratings
from matinee.errors import MissingExtraError, ParameterError
from matinee.evaluation import report
from matinee.evaluation.comparing import Score, difference, list_score, standard_error, star_score
from matinee.evaluation.metrics import rmse
from matinee.evaluation.proposals import grid, search
from matinee.evaluation.splitting import random_share
from matinee.evaluation.tuning import Parts, Trial, doublings, joined, ranking_task, stars_task, tune
from matinee.models.als import ALS
from matinee.models.bias import damped_bias
from matinee.models.implicit_als import ImplicitALS


def planted(seed: int = 0, users: int = 80, items: int = 50) -> Ratings:
    """Stars with two hidden tastes and little noise."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(users, 2)), rng.normal(size=(items, 2))
    cell = rng.permutation(users * items)[: users * 20]
    user, item = cell // items, cell % items
    stars = np.clip(3.3 + (x[user] * y[item]).sum(axis=1) + rng.normal(size=len(cell)) * 0.2, 0.5, 5)
    return Ratings.from_arrays(user, item, stars)


def parts(seed: int, *, validated: bool = True) -> Parts:
    ratings = planted()
    test = random_share(ratings, 0.2, seed)
    rest, held_out = ratings.select(~test), ratings.select(test)
    if not validated:
        return Parts(rest, None, held_out)
    chosen = random_share(rest, 0.25, seed)
    return Parts(rest.select(~chosen), rest.select(chosen), held_out)


SPACE = {"rank": [1, 2], "regularization": [0.05, 5.0], "iterations": [8]}


def test_a_grid_is_every_combination_in_order():
    assert list(grid({"a": [1, 2], "b": [3, 4]})) == [
        {"a": 1, "b": 3}, {"a": 1, "b": 4}, {"a": 2, "b": 3}, {"a": 2, "b": 4},
    ]  # fmt: skip


def test_stars_are_tuned_and_tested_once():
    split = parts(0)
    told: list[Trial] = []
    tuning = tune(stars_task(), [split], grid(SPACE), report=told.append)
    assert told == tuning.trials
    assert tuning.best.params == {"rank": 2, "regularization": 0.05, "iterations": 8}
    model = ALS(**tuning.best.params).fit(split.train)
    assert tuning.best.mean == rmse(model, split.validation)
    assert tuning.test.mean == rmse(model, split.test)
    assert tuning.baseline_test.mean == rmse(damped_bias().fit(split.train), split.test)
    assert tuning.cold == {"cold_users": 0, "cold_items": 0, "cold_pairs": 0, "pairs": len(split.validation)}
    assert [gap.value >= 0 for gap in tuning.differences] == [True] * 4
    strong = next(
        gap for gap, trial in zip(tuning.differences, tuning.trials, strict=True) if trial.params["rank"] == 2
    )
    assert not tuning.differences[1].within_noise  # regularization 5 is far worse
    assert strong.value == 0.0


def test_lists_are_tuned_against_everything_unseen():
    split = parts(1)
    space = {"rank": [2], "regularization": [0.01, 100.0], "iterations": [4]}
    tuning = tune(ranking_task(k=5), [split], grid(space))
    model = ImplicitALS(**tuning.best.params).fit(split.train)
    everything_seen = joined(split.train, split.validation)
    assert tuning.test.mean == list_score(model, split.test, everything_seen, k=5).value
    assert tuning.best.mean == max(trial.mean for trial in tuning.trials)


def test_repeated_splits_give_mean_and_standard_error():
    tuning = tune(stars_task(), [parts(seed) for seed in range(3)], grid(SPACE))
    values = [score.value for score in tuning.best.scores]
    assert tuning.best.mean == pytest.approx(np.mean(values))
    assert tuning.best.standard_error == pytest.approx(np.std(values, ddof=1) / np.sqrt(3))
    assert len(tuning.test.scores) == 3


def test_without_a_validation_part_one_combination_is_tested():
    split = parts(0, validated=False)
    tuning = tune(stars_task(), [split], grid({"rank": [2], "iterations": [5]}))
    assert tuning.trials == []
    assert tuning.test.mean == rmse(ALS(rank=2, iterations=5).fit(split.train), split.test)
    with pytest.raises(ParameterError, match="4 combinations need a validation part"):
        tune(stars_task(), [split], grid(SPACE))


@dataclass(frozen=True)
class Fake:
    """Is best at 8 iterations; counts what it was asked for."""

    iterations: int = 0
    asked: list[int] = field(default_factory=list)

    def fit(self, ratings, *, progress=None):
        self.asked.append(self.iterations)
        return self


def fake_task(asked: list[int]):
    def score(model, part, seen):
        value = 1 / (1 + abs(model.iterations - 8))
        return Score(value, np.array([value]), np.ones(1), False, {"ndcg@10": value})

    task = replace(ranking_task(), make=lambda **params: Fake(asked=asked, **params), score=score)
    return replace(task, baseline=Fake(0, []))


def test_early_stopping_doubles_until_it_helps_no_more():
    asked: list[int] = []
    tuning = tune(fake_task(asked), [parts(0)], grid({"iterations": [100]}), early_stopping=True)
    assert asked == [2, 4, 8, 16, 8]  # the last one for the test
    assert tuning.best.params == {"iterations": 8}
    assert list(tuning.best.curve) == [2, 4, 8, 16]


@pytest.mark.parametrize(("most", "steps"), [(1, [1]), (2, [2]), (3, [2, 3]), (8, [2, 4, 8]), (10, [2, 4, 8, 10])])
def test_iterations_double_up_to_the_most(most, steps):
    assert doublings(most) == steps


def test_optuna_finds_the_best_between_the_bounds():
    asked: list[int] = []
    proposals = search({"iterations": [1, 64]}, trials=25, seed=1, larger_is_better=True)
    tuning = tune(fake_task(asked), [parts(0)], proposals)
    assert len(tuning.trials) == 25
    assert all(1 <= count <= 64 for count in asked)
    assert abs(tuning.best.params["iterations"] - 8) <= 1


def test_optuna_proposes_the_same_again_for_the_same_seed():
    space = {"rank": [8], "regularization": [0.001, 0.1], "biases": [False, True]}

    def proposed():
        proposals = search(space, trials=5, seed=3, larger_is_better=False)
        first = next(proposals)
        return [first, *(proposals.send(value) for value in (0.5, 0.4, 0.6, 0.3))]

    assert proposed() == proposed()
    assert {params["rank"] for params in proposed()} == {8}
    assert all(0.001 <= params["regularization"] <= 0.1 for params in proposed())


def test_a_missing_optuna_names_the_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'matinee\[tune\]'"):
        search({"rank": [1]}, trials=3, seed=0, larger_is_better=True)


def scored(sums, weights=None, *, root=False) -> Score:
    sums = np.asarray(sums, float)
    weights = np.ones(len(sums)) if weights is None else np.asarray(weights, float)
    value = sums.sum() / weights.sum()
    return Score(np.sqrt(value) if root else value, sums, weights, root, {})


def test_a_difference_on_one_split_has_the_error_of_paired_people():
    a, b = scored([1.0, 0.0, 1.0, 1.0]), scored([0.0, 0.0, 1.0, 0.0])
    gap = difference([a], [b], larger_is_better=True, share=0.3)
    assert gap.value == 0.5
    assert gap.standard_error == pytest.approx(np.std([1, 0, 0, 1]) / np.sqrt(4))
    assert difference([b], [a], larger_is_better=True, share=0.3).value == -0.5


def test_the_error_of_an_rmse_difference_is_what_the_bootstrap_over_people_finds():
    rng = np.random.default_rng(0)
    weights = rng.integers(1, 30, 400)
    base = rng.gamma(2, 0.4, 400) * weights
    a, b = base * rng.normal(1, 0.1, 400), base * 1.02
    gap = difference(
        [scored(a, weights, root=True)], [scored(b, weights, root=True)], larger_is_better=False, share=0.3
    )
    drawn = rng.integers(0, 400, (4000, 400))
    totals = weights[drawn].sum(axis=1)
    gaps = np.sqrt(b[drawn].sum(axis=1) / totals) - np.sqrt(a[drawn].sum(axis=1) / totals)
    assert gap.standard_error == pytest.approx(gaps.std(), rel=0.1)


def test_a_difference_over_splits_is_corrected_for_their_overlap():
    a, b = [scored([value]) for value in (1.0, 2.0, 3.0)], [scored([value]) for value in (1.5, 2.1, 3.3)]
    gap = difference(a, b, larger_is_better=False, share=1 / 3)
    gaps = np.array([0.5, 0.1, 0.3])
    assert gap.value == pytest.approx(0.3)
    assert gap.standard_error == pytest.approx(gaps.std(ddof=1) * np.sqrt(1 / 3 + 1 / 3))


def test_a_model_does_not_differ_from_itself():
    split = parts(0)
    score = star_score(damped_bias().fit(split.train), split.test)
    assert score.value == pytest.approx(np.sqrt(score.sums.sum() / score.weights.sum()))
    gap = difference([score], [score], larger_is_better=False, share=0.3)
    assert (gap.value, gap.standard_error, gap.within_noise) == (0.0, 0.0, True)


def test_one_value_has_no_standard_error():
    assert standard_error([1.0]) is None
    assert standard_error([1.0, 3.0]) == 1.0


def test_the_verdict_names_what_noise_hides():
    # Regularization 5 forgets the tastes; the seed is nothing to choose by.
    space = {"rank": [2], "regularization": [0.05, 5.0], "iterations": [20], "seed": [1, 2]}
    tuning = tune(stars_task(), [parts(seed) for seed in range(3)], grid(space))
    said = report.verdict(tuning)
    assert "1 of 3 others are within noise" in said
    assert said.startswith(f"best: {report.named(tuning.best.params)}; but 1 of 3")
    assert said.endswith(f"regularization 0.05, seed {3 - tuning.best.params['seed']}")
    clear = tune(stars_task(), [parts(0)], grid({"rank": [2], "regularization": [0.05, 5.0], "iterations": [8]}))
    assert "better than every other by more than two standard errors" in report.verdict(clear)
    alone = tune(stars_task(), [parts(0)], grid({"rank": [2]}))
    assert report.verdict(alone) == "best: rank 2; only one combination was tried"


def test_the_defaults_are_taken_unless_something_beats_them_beyond_noise():
    space = {"rank": [ALS().rank], "regularization": [ALS().regularization, 5.0], "iterations": [4], "seed": [5, 6]}
    # the same model under another seed: whichever is best, the defaults are within noise of it
    tuning = tune(stars_task(), [parts(0)], grid({**space, "iterations": [ALS().iterations]}))
    assert tuning.chosen.params["regularization"] == ALS().regularization
    assert tuning.test.params == tuning.chosen.params
    # other iterations are no defaults, unless early stopping chose them
    other = tune(stars_task(), [parts(0)], grid(space))
    assert other.chosen is other.best
    stopped = tune(stars_task(), [parts(0)], grid(space), early_stopping=True)
    assert stopped.chosen.params["regularization"] == ALS().regularization
    # defaults that are clearly beaten are left
    bad = replace(stars_task(), make=lambda **params: ALS(**{"regularization": 5.0, **params}))
    beaten = tune(bad, [parts(0)], grid({"regularization": [0.05, 5.0]}))
    assert beaten.chosen is beaten.best
    assert beaten.chosen.params == {"regularization": 0.05}


def test_the_verdict_says_that_the_defaults_are_taken():
    tuning = tune(stars_task(), [parts(0)], grid({"seed": [5, 6, 7]}))
    kept = next(trial for trial in tuning.trials if trial is not tuning.best)
    said = report.verdict(replace(tuning, chosen=kept))
    assert said.endswith(f"taken: {report.named(kept.params)}, the defaults, which nothing beats beyond noise")
    document = report.tuning_document(replace(tuning, chosen=kept), {})
    assert document["chosen"] == {"params": kept.params}


def test_the_document_has_every_trial():
    tuning = tune(stars_task(), [parts(0)], grid(SPACE))
    document = report.tuning_document(tuning, {"split": "6:2:2"})
    assert document["protocol"]["split"] == "6:2:2"
    assert document["best"] == {"params": tuning.best.params, "rmse": tuning.best.mean}
    assert document["test"]["rmse"] == tuning.test.mean
    assert set(document["baselines"]["damped bias"]) == {"validation", "test"}
    assert [trial["params"] for trial in document["trials"]] == list(grid(SPACE))
    assert document["trials"][0]["rmse"] == tuning.trials[0].mean


def test_plots_are_written(tmp_path):
    tuning = tune(stars_task(), [parts(0)], grid(SPACE))
    report.plot_tuning(tuning, tmp_path / "tuning.png")
    assert (tmp_path / "tuning.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["tuning.png"]


def test_a_plot_that_cannot_be_drawn_is_refused_at_once(tmp_path, monkeypatch):
    with pytest.raises(ParameterError, match=r"\.png, \.svg or \.pdf"):
        report.check_plot(tmp_path / "plot.txt")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'matinee\[plot\]'"):
        report.check_plot(tmp_path / "plot.png")
