"""Everybody's lists in one file: the lists one by one, whole or not at all, and not made twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import small_world
from hypothesis import given, settings
from hypothesis import strategies as st

from matinee.errors import ArtifactError, ParameterError
from matinee.recommend import batch
from matinee.recommend.batch import recommend_all
from matinee.recommend.recommender import Recommender


def one_by_one(limit: int, **options: Any) -> list[tuple[Any, ...]]:
    recommender = small_world.recommender()
    return [
        (user_id, film.rank, film.movie_id, film.score)
        for user_id in recommender.stars.users.ids.tolist()
        for film in recommender.recommend(
            recommender.ratings_of(user_id), limit=limit, user_id=str(user_id), **options
        ).recommendations
    ]


@pytest.mark.parametrize(
    "options",
    [
        {}, {"rank_by": "stars"}, {"genre_any": ["Comedy"], "year_to": 1990}, {"include_seen": True, "min_ratings": 20},
        {"exclude": [10, 20, 30], "genre_none": ["Horror"]},
    ],
)  # fmt: skip
def test_the_file_holds_the_lists_one_by_one(tmp_path: Path, options: dict[str, Any]) -> None:
    out = tmp_path / "recs.parquet"
    assert recommend_all(small_world.recommender(), out, limit=7, **options) == small_world.N_USERS
    table = pl.read_parquet(out)
    assert table.columns == ["user_id", "rank", "movie_id", "score", "stars"]
    assert table.select("user_id", "rank", "movie_id", "score").rows() == one_by_one(7, **options)
    predicted = small_world.stars().predict(table["user_id"].to_numpy(), table["movie_id"].to_numpy())
    assert table["stars"].to_list() == predicted.tolist()  # type: ignore[union-attr]
    assert [path.name for path in tmp_path.iterdir()] == ["recs.parquet"]


some_genres = st.lists(st.sampled_from(small_world.GENRES), max_size=2)
some_movies = st.lists(st.integers(1, small_world.N_MOVIES).map(lambda row: 10 * row), max_size=40)


@settings(max_examples=12, deadline=None)
@given(
    limit=st.integers(1, 100),
    options=st.fixed_dictionaries(
        {"rank_by": st.sampled_from(["picks", "stars"])},
        optional={
            "genre_any": some_genres, "genre_none": some_genres, "year_from": st.integers(1930, 1990),
            "max_ratings": st.integers(5, 60), "exclude": some_movies, "only": some_movies,
            "include_seen": st.booleans(),
        },
    ),
)  # fmt: skip
def test_whatever_the_filters_the_file_holds_the_lists_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, limit: int, options: dict[str, Any]
) -> None:
    out = tmp_path_factory.mktemp("batch") / "recs.parquet"
    if "only" in options:  # the file holds no films that nobody rated; a person's list does if they are asked for
        options["only"] = [movie for movie in options["only"] if movie <= 10 * small_world.N_RATED]
    recommend_all(small_world.recommender(), out, limit=limit, **options)
    table = pl.read_parquet(out)
    assert table.select("user_id", "rank", "movie_id", "score").rows() == one_by_one(limit, **options)


class StoppedError(Exception):
    pass


def stop_after(users: int) -> Any:
    def progress(done: int, total: int) -> None:
        assert total == small_world.N_USERS
        if done >= users:
            raise StoppedError

    return progress


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "PEOPLE_PER_PART", 16)


@pytest.mark.usefixtures("small_parts")
def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    out = tmp_path / "recs.parquet"
    with pytest.raises(StoppedError):
        recommend_all(small_world.recommender(), out, progress=stop_after(32))
    assert not out.exists()
    parts = sorted((tmp_path / "recs.parquet.parts").glob("*.parquet"))
    assert len(parts) == 2
    written = [part.stat().st_mtime_ns for part in parts]
    with pytest.raises(StoppedError):
        recommend_all(small_world.recommender(), out, progress=stop_after(48))
    assert [part.stat().st_mtime_ns for part in parts] == written
    recommend_all(small_world.recommender(), out)
    assert pl.read_parquet(out).select("user_id", "rank", "movie_id", "score").rows() == one_by_one(10)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("other", [{"limit": 3}, {"rank_by": "stars"}, {"genre_any": ["Drama"]}])
def test_parts_of_another_plan_are_not_mixed_in(tmp_path: Path, other: dict[str, Any]) -> None:
    out = tmp_path / "recs.parquet"
    with pytest.raises(StoppedError):
        recommend_all(small_world.recommender(), out, progress=stop_after(32), **other)
    recommend_all(small_world.recommender(), out)
    assert pl.read_parquet(out).select("user_id", "rank", "movie_id", "score").rows() == one_by_one(10)


@pytest.mark.usefixtures("small_parts")
def test_parts_of_another_model_are_not_mixed_in(tmp_path: Path) -> None:
    out = tmp_path / "recs.parquet"
    catalogue = small_world.recommender().catalogue
    factors = small_world.stars().item_factors[::-1].copy()
    other = Recommender(catalogue, small_world.replaced(small_world.stars(), item_factors=factors), model_id="m1")
    with pytest.raises(StoppedError):
        recommend_all(other, out, progress=stop_after(32))
    recommend_all(small_world.recommender(), out)
    assert pl.read_parquet(out).select("user_id", "rank", "movie_id", "score").rows() == one_by_one(10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 0}, "at least one place"),
        ({"rank_by": "stars_low"}, "'picks' or 'stars'"),
        ({"rank_by": "magic"}, "are allowed"),
        ({"genre_any": ["Noir"]}, "there are: Comedy"),
        ({"diversity": 0.5}, "diversity: no such option; there are: .*genre_any"),
    ],
)
def test_what_is_not_allowed_is_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        recommend_all(small_world.recommender(), tmp_path / "recs.parquet", **options)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match=r"recs\.parquet could not be written"):
        recommend_all(small_world.recommender(), tmp_path / "file" / "recs.parquet")
