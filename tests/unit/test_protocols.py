"""How models are examined: what is held out, of whom, and that nothing leaks."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matinee.data.ratings import Ratings
from matinee.errors import DataError, ParameterError
from matinee.evaluation import report
from matinee.evaluation.catalogue import genre_vectors
from matinee.evaluation.metrics import refuse_leaks, star_metrics
from matinee.evaluation.protocols import (
    FoldedIn,
    averaged,
    evaluate_ranking,
    evaluate_stars,
)
from matinee.evaluation.rankers import ItemItem, Popularity, TutorialList
from matinee.evaluation.splitting import Split, held_out_per_user, strong_generalization
from matinee.models.als import ALS
from matinee.models.bias import damped_bias
from matinee.models.implicit_als import ImplicitALS


def tastes(users: int = 60, items: int = 40, seed: int = 0) -> Ratings:
    """Two kinds of people, two kinds of films: everyone loves 18 of their own kind and dislikes 3 of the other."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        own, other = (np.flatnonzero(np.arange(items) % 2 == kind) for kind in (user % 2, 1 - user % 2))
        rows += [(user, item, 5.0) for item in rng.permutation(own)[:18]]
        rows += [(user, item, 2.0) for item in rng.permutation(other)[:3]]
    user_ids, item_ids, stars = zip(*rows, strict=True)
    return Ratings.from_arrays(user_ids, item_ids, stars)


RATINGS = tastes()
MOVIES = pl.DataFrame(
    {"movie_id": list(range(40)), "genres": [["Drama"] if i % 2 else ["Comedy", "War"] for i in range(40)]}
)


@given(st.floats(0.05, 0.95), st.integers(0, 1000))
def test_everyone_gives_the_same_share(share, seed):
    split = held_out_per_user(RATINGS, share, seed)
    refuse_leaks(split.train, split.test)
    assert len(split.train) + len(split.test) == len(RATINGS)
    assert split.train.users == RATINGS.users
    assert set(split.test.by_user.counts) == {min(20, int(np.floor(21 * share + 0.5)))}


def test_the_seed_draws_the_same_split_again():
    first, again, other = (held_out_per_user(RATINGS, 0.2, seed).test.fingerprint for seed in (1, 1, 2))
    assert first == again != other


def test_somebodys_only_rating_stays_in_training():
    ratings = Ratings.from_arrays([1, 2, 2, 2, 2], [1, 1, 2, 3, 4], [5] * 5)
    assert held_out_per_user(ratings, 0.9, 0).train.users.ids.tolist() == [1, 2]


@given(st.integers(0, 1000))
def test_strong_generalization_never_trains_on_the_people_it_tests(seed):
    split = strong_generalization(RATINGS, 0.3, seed)
    assert split.history is not None
    refuse_leaks(split.history, split.test)
    assert split.test.users == split.history.users
    assert not set(split.test.users.ids) & set(split.train.users.ids)
    assert len(split.test.users) == 18
    assert len(split.train) + len(split.test) + len(split.history) == len(RATINGS)
    assert set(split.test.by_user.counts) == {11}


@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_shares_are_checked(share):
    with pytest.raises(ParameterError, match="between 0 and 1"):
        held_out_per_user(RATINGS, share, 0)


def test_someone_must_be_left_to_train_on():
    with pytest.raises(ParameterError, match="leaves nobody to train on"):
        strong_generalization(RATINGS, 0.999, 0)


def test_stars_beside_the_baseline():
    split = held_out_per_user(RATINGS, 0.2, 0)
    fitted: list[str] = []
    models = {"ALS": ALS(rank=2), "damped bias": damped_bias()}
    document = evaluate_stars(models, [split], protocol={"seed": 0}, report=fitted.append).document
    assert fitted == ["ALS", "damped bias"]
    assert document["engine"] == "local"
    assert document["protocol"] == {
        "task": "stars", "liked_from": 4.0, "seed": 0, "train": len(split.train), "test": len(split.test), "splits": 1,
        "cold_users": 0, "cold_items": 0, "cold_pairs": 0,
    }  # fmt: skip
    model, baseline = document["model"], document["baselines"]["damped bias"]
    assert model.pop("name") == "ALS"
    assert model.pop("fit_seconds") > 0
    assert model == star_metrics(ALS(rank=2).fit(split.train), split.test)
    assert model["rmse"] < 0.75 * baseline["rmse"]
    assert model["auc"] > max(0.9, baseline["auc"])


def test_training_on_the_test_set_is_refused():
    with pytest.raises(DataError, match="also in the training set"):
        evaluate_stars({"bias": damped_bias()}, [Split(RATINGS, RATINGS)], protocol={})


RANKERS = {
    "ImplicitALS": ImplicitALS(rank=4),
    "popularity": Popularity(),
    "tutorial's list": TutorialList(min_ratings=5),
    "item-item": ItemItem(),
}


@pytest.mark.parametrize(
    "split", [held_out_per_user(RATINGS, 0.4, 0), strong_generalization(RATINGS, 0.3, 0)], ids=["per user", "strong"]
)
def test_rankers_that_know_tastes_beat_popularity(split):
    evaluation = evaluate_ranking(RANKERS, [split], protocol={}, k=5, movies=MOVIES)
    assert evaluation.protocol["cold_users"] == evaluation.protocol["cold_pairs"] == 0  # folded in counts as known
    results = evaluation.results
    ndcg = {name: measured["ndcg@5"] for name, measured in results.items()}
    assert ndcg["popularity"] < 0.6
    assert min(ndcg["ImplicitALS"], ndcg["item-item"]) > 0.75
    for measured in results.values():
        assert {"recall@5", "map", "mrr", "auc", "coverage@5", "novelty@5", "popularity@5", "fit_seconds"} <= set(
            measured
        )
        assert measured["people"] == len(split.test.users)
    assert results["ImplicitALS"]["diversity@5"] < 0.2  # one kind of film each, so one set of genres


def test_folding_in_a_training_user_gives_their_own_scores():
    for estimator in RANKERS.values():
        model = estimator.fit(RATINGS)
        ids = RATINGS.users.ids[:7]
        np.testing.assert_allclose(FoldedIn(model, RATINGS).scores(ids), model.scores(ids), atol=1e-3)


def test_people_of_whom_nothing_is_known_can_be_ranked_for():
    for estimator in RANKERS.values():
        model = estimator.fit(RATINGS)
        assert FoldedIn(model, RATINGS).scores([987]).shape == model.scores([987]).shape == (1, 40)


def test_several_splits_are_averaged():
    splits = [held_out_per_user(RATINGS, 0.2, seed) for seed in (0, 1)]
    together = evaluate_stars({"bias": damped_bias()}, splits, protocol={}).results["bias"]
    single = [evaluate_stars({"bias": damped_bias()}, [split], protocol={}).results["bias"] for split in splits]
    assert together["rmse"] == pytest.approx(np.mean([row["rmse"] for row in single]))
    assert together["standard_errors"]["rmse"] == pytest.approx(abs(single[0]["rmse"] - single[1]["rmse"]) / 2)


def test_what_is_no_number_everywhere_is_not_averaged():
    assert averaged([{"a": 1.0, "b": None}, {"a": 2.0, "b": 3.0}]) == {
        "a": 1.5,
        "b": None,
        "standard_errors": {"a": 0.5},
    }


def test_genres_become_columns():
    vectors = genre_vectors(MOVIES, RATINGS.select(RATINGS.item_ids < 3).items)
    assert vectors.tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
    nothing = MOVIES.with_columns(genres=pl.lit([], dtype=pl.List(pl.String)))
    assert genre_vectors(nothing, RATINGS.items) is None


def test_baselines_are_what_they_say():
    model = Popularity().fit(RATINGS)
    np.testing.assert_array_equal(model.scores([0, 1])[1], RATINGS.item_counts)
    tutorial = TutorialList(min_ratings=32).fit(RATINGS)
    np.testing.assert_array_equal(np.isfinite(tutorial.scores([0]))[0], RATINGS.item_counts >= 32)
    assert 0 < np.isfinite(tutorial.scores([0])).sum() < 40
    with pytest.raises(ParameterError, match="neighbours=0"):
        ItemItem(neighbours=0)


def test_similar_items_by_hand():
    ratings = Ratings.from_arrays([1, 1, 2, 2, 3], [10, 20, 10, 30, 20], [4.5, 4.5, 3.5, 4.5, 2])
    # Stars above 2.5: item 10 = (2, 1, 0), item 20 = (2, 0, 0), item 30 = (0, 2, 0) over people 1, 2, 3.
    scores = ItemItem().fit(ratings).fold_in({10: 4.5}).scores()
    np.testing.assert_allclose(scores, [0, 2 * 4 / (np.sqrt(5) * 2), 2 * 2 / (np.sqrt(5) * 2)], rtol=1e-6)
    assert ItemItem(neighbours=1).fit(ratings).similarity.nnz == 3


class Sure:
    """Damped biases that claim to be within two stars with whatever probability is asked for."""

    def fit(self, ratings, *, progress=None):
        return SureModel(damped_bias().fit(ratings))


class SureModel:
    def __init__(self, model):
        self.users, self.items, self.predict = model.users, model.items, model.predict

    def predict_interval(self, user_ids, item_ids, level=0.9):
        stars = self.predict(user_ids, item_ids)
        return stars - 2, stars + 2


def test_intervals_are_measured_where_a_model_has_them(tmp_path):
    split = held_out_per_user(RATINGS, 0.2, 0)
    evaluation = evaluate_stars({"sure": Sure(), "bias": damped_bias()}, [split], protocol={})
    measured = evaluation.document["model"]["intervals"]
    assert measured["coverage"]["0.5"] == measured["coverage"]["0.9"] > 0.5
    assert "intervals" not in evaluation.document["baselines"]["bias"]
    heads, rows = report.interval_table(evaluation)
    assert [row[:3] for row in rows] == [["sure", str(tenth), "4.0000"] for tenth in range(1, 11)]
    assert len(heads) == len(rows[0])
    heads, [row] = report.likelihood_table(evaluation)
    assert row == ["sure", *(f"{measured[name]:.4f}" for name in ("nll", "nll_constant")), None, None]
    assert len(heads) == len(row)
    report.plot_evaluation(evaluation, tmp_path / "reliability.png")
    report.plot_evaluation(evaluate_stars({"bias": damped_bias()}, [split], protocol={}), tmp_path / "bars.png")
    assert all((tmp_path / name).stat().st_size > 1000 for name in ("reliability.png", "bars.png"))


def test_without_intervals_there_is_no_table_of_them():
    split = held_out_per_user(RATINGS, 0.2, 0)
    evaluation = evaluate_stars({"bias": damped_bias()}, [split], protocol={})
    assert report.interval_table(evaluation) is None
    assert report.likelihood_table(evaluation) is None
