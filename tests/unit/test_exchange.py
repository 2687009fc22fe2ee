"""Spark's model folders, written and read without Spark."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import small_world
from hypothesis import given
from hypothesis import strategies as st

from matinee import ALS, BayesianMF, ImplicitALS, Ratings
from matinee.engines.spark.exchange import Layout, export_model, import_model, import_models, read_folder
from matinee.errors import ArtifactError, ParameterError
from matinee.models.als import ALSModel
from matinee.models.factors import RatingModel

PLAIN = ALS(rank=4, regularization=0.1, biases=False)
LAYOUTS: tuple[Layout, ...] = ("spark", "mllib")


def plain() -> ALSModel:
    return replace(PLAIN, iterations=3).fit(small_world.ratings())


def pairs() -> tuple[np.ndarray, np.ndarray]:
    users, items = small_world.ratings().users.ids, small_world.ratings().items.ids
    return np.repeat(users, len(items)), np.tile(items, len(users))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("trained", [small_world.stars, plain], ids=["biases", "plain"])
def test_a_round_trip_changes_no_prediction(trained: Callable[[], ALSModel], layout: Layout, tmp_path: Path) -> None:
    model = trained()
    export_model(model, tmp_path / "m", layout=layout)
    back = import_model(tmp_path / "m", PLAIN, small_world.ratings())
    assert isinstance(back, RatingModel)
    assert back.params == model.params  # the folder knows how it was learned, whatever is said
    assert np.abs(np.subtract(back.predict(*pairs()), model.predict(*pairs()))).max() < 1e-5
    mine = {10: 5.0, 20: 1.0}
    assert list(back.fold_in(mine).recommend(5)[0]) == list(model.fold_in(mine).recommend(5)[0])
    assert list(back.recommend(7, 10)[0]) == list(model.recommend(7, 10)[0])  # nothing that user 7 has rated


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_ranking_model_makes_the_trip_too(layout: Layout, tmp_path: Path) -> None:
    model = small_world.picks()
    export_model(model, tmp_path / "m", layout=layout)
    back = import_model(tmp_path / "m", PLAIN, small_world.ratings())
    assert back.params == model.params
    np.testing.assert_allclose(back.scores([1, 2]), model.scores([1, 2]), atol=1e-6)


@given(data=st.data())
def test_a_product_of_spark_is_our_prediction(data: st.DataObject) -> None:
    """Mean and biases become factors: what Spark multiplies is what we add up."""
    import tempfile

    n_users, n_items = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    users, items = np.divmod(np.arange(n_users * n_items), n_items)
    ratings = Ratings.from_arrays(users - 2, items * 1000, rng.uniform(0.5, 5, len(users)))
    model = ALS(rank=data.draw(st.integers(1, 3)), iterations=1).fit(ratings)
    with tempfile.TemporaryDirectory() as folder:
        read = read_folder(export_model(model, Path(folder, "m"), layout=data.draw(st.sampled_from(LAYOUTS))))
    assert list(read.user_ids) == list(ratings.users.ids)
    products = np.clip(read.user_factors @ read.item_factors.T, *model.scale)
    np.testing.assert_allclose(products.ravel(), model.predict(users - 2, items * 1000), atol=1e-5)


def written_by_spark(folder: Path, user_ids: list[int], item_ids: list[int], rank: int = 3) -> Path:
    """A folder with the columns and the metadata that Spark writes, in two parts per table and in no order."""
    rng = np.random.default_rng(0)
    for table, ids in (("userFactors", user_ids), ("itemFactors", item_ids)):
        (folder / table).mkdir(parents=True)
        for part, half in enumerate((ids[::2][::-1], ids[1::2])):
            factors = rng.normal(size=(len(half), rank)).tolist()
            schema = {"id": pl.Int32, "features": pl.List(pl.Float32)}
            pl.DataFrame({"id": half, "features": factors}, schema).write_parquet(
                folder / table / f"part-{part}.parquet"
            )
    (folder / "metadata").mkdir()
    text = {"class": "org.apache.spark.ml.recommendation.ALSModel", "rank": rank, "paramMap": {}}
    (folder / "metadata" / "part-00000-x.txt").write_text(json.dumps(text))
    return folder


def test_what_spark_knows_and_the_data_does_not_and_the_other_way_round(tmp_path: Path) -> None:
    ratings = Ratings.from_arrays([1, 1, 2, 9], [10, 20, 20, 10], [4, 3, 5, 2])
    written_by_spark(tmp_path / "m", [1, 2, 3], [10, 30])
    model = import_model(tmp_path / "m", replace(PLAIN, regularization=0.3), ratings)
    assert isinstance(model.params, ALS)
    assert (model.params.rank, model.params.regularization) == (3, 0.3)
    assert list(model.users.ids) == [1, 2, 3]
    assert model.seen.counts.tolist() == [1, 0, 0]  # user 1's film 10; nothing of film 20 or user 9
    assert list(model.recommend(1, 10)[0]) == [30]
    assert len(model.recommend(3, 10)[0]) == 2


def test_a_ranking_model_alone_gets_damped_biases_for_stars(tmp_path: Path) -> None:
    written_by_spark(tmp_path / "m", [1, 2], [10, 20])
    ratings = Ratings.from_arrays([1, 1, 2], [10, 20, 20], [4, 3, 5])
    implicit = ImplicitALS(objective="spark", alpha=3)
    stars, picks = import_models(None, tmp_path / "m", ratings, stars_params=PLAIN, picks_params=implicit)
    assert picks is not None
    assert picks.params.alpha == 3
    assert 3 < float(stars.predict(1, 10)) < 5
    assert picks.users == stars.users


def test_kinds_are_not_mixed_up(tmp_path: Path) -> None:
    export_model(small_world.picks(), tmp_path / "m")
    with pytest.raises(ArtifactError, match="ImplicitALS model, not a rating model"):
        import_models(
            tmp_path / "m", None, small_world.ratings(), stars_params=PLAIN, picks_params=ImplicitALS(objective="spark")
        )
    with pytest.raises(ArtifactError, match="format 'spark', not 'mllib'"):
        import_model(tmp_path / "m", PLAIN, layout="mllib")


def remove_users(folder: Path) -> None:
    (folder / "userFactors" / "part-00000.parquet").unlink()


def remove_metadata(folder: Path) -> None:
    (folder / "metadata" / "part-00000").unlink()


def cut_off(folder: Path) -> None:
    file = folder / "itemFactors" / "part-00000.parquet"
    file.write_bytes(file.read_bytes()[:-20])


def scribble(folder: Path) -> None:
    (folder / "metadata" / "part-00000").write_text("[")


def no_object(folder: Path) -> None:
    (folder / "metadata" / "part-00000").write_text("[]")


def changed(folder: Path, **values: object) -> None:
    file = folder / "metadata" / "part-00000"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def twice(folder: Path) -> None:
    file = folder / "userFactors" / "part-00000.parquet"
    table = pl.read_parquet(file)
    pl.concat([table, table.head(1)]).write_parquet(file)


def not_finite(folder: Path) -> None:
    file = folder / "userFactors" / "part-00000.parquet"
    table = pl.read_parquet(file)
    broken = table["features"].to_list()
    broken[0][0] = float("nan")
    table.with_columns(pl.Series("features", broken, table["features"].dtype)).write_parquet(file)


def other_columns(folder: Path) -> None:
    file = folder / "userFactors" / "part-00000.parquet"
    pl.read_parquet(file).rename({"features": "f"}).write_parquet(file)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (remove_users, "no Parquet file"),
        (remove_metadata, "not a model folder of Spark"),
        (cut_off, "cannot be read"),
        (scribble, "not JSON"),
        (no_object, "not a JSON object"),
        (lambda folder: changed(folder, rank=None), "rank=None"),
        (lambda folder: changed(folder, rank=9), "not 9 finite numbers"),
        (lambda folder: changed(folder, **{"class": "org.apache.spark.ml.PipelineModel"}), "PipelineModel"),
        (lambda folder: changed(folder, matinee={"kind": "ALS", "params": {"rank": 0}, "mean": 3}), "damaged"),
        (lambda folder: changed(folder, matinee={"kind": "ALS"}), "damaged"),
        (twice, "an id occurs twice"),
        (not_finite, "finite"),
        (other_columns, "cannot be read"),
    ],
)
def test_a_damaged_folder_is_refused_by_name(damage: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    export_model(small_world.stars(), tmp_path / "m")
    damage(tmp_path / "m")
    with pytest.raises(ArtifactError, match=said):
        import_model(tmp_path / "m", PLAIN)


@pytest.mark.parametrize("ids", [["a", "b"], [1, 2**31], [-(2**31) - 1, 1]], ids=str)
def test_ids_that_spark_cannot_take(ids: list[int | str], tmp_path: Path) -> None:
    for ratings in (Ratings.from_arrays(ids, [1, 2], [3, 4]), Ratings.from_arrays([1, 2], ids, [3, 4])):
        with pytest.raises(ParameterError, match="integers of 32 bits"):
            export_model(ALS(rank=1, iterations=1).fit(ratings), tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten_and_nothing_half_written_stays(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    with pytest.raises(ArtifactError, match="is there already"):
        export_model(small_world.stars(), tmp_path / "m")
    with pytest.raises(ParameterError, match="layout='java'"):
        export_model(small_world.stars(), tmp_path / "n", layout="java")  # type: ignore[arg-type]
    bayesian = BayesianMF(rank=2, iterations=3, samples=2, burn_in=1).fit(small_world.ratings())
    with pytest.raises(ParameterError, match="BayesianMF model cannot be written"):
        export_model(bayesian, tmp_path / "n")
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
