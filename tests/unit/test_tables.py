"""Tables of ratings: the quick and the careful way agree, columns are found, bad rows are named or counted."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import matinee
from matinee.data.columns import MOVIELENS, ColumnNames, places
from matinee.data.rows import Layout
from matinee.data.tables import _parse_carefully, _parse_quickly, read_ratings_csv
from matinee.errors import BadRowError, DataError

HEADER = "userId,movieId,rating,timestamp\n"

number = st.integers(-(10**10), 10**10).map(str)
stars = st.sampled_from(["0.5", "5", "5.0", ".5", "3.", "4e0", "+4"])
odd = st.sampled_from(
    ["", " ", " 4", "4 ", "nan", "NaN", "inf", "five", "0", "6", "-1", "0x1", "1_0", '"4"', '"', "4.0", "é", "1e3"]
)  # fmt: skip
good_row = st.tuples(number, number, stars, number).map(",".join)
any_row = st.lists(st.one_of(number, stars, odd), min_size=0, max_size=6).map(",".join)


@given(st.lists(good_row, min_size=1, max_size=8), st.lists(any_row, max_size=3), st.randoms(use_true_random=False))
def test_the_quick_and_the_careful_way_agree(good: list[str], other: list[str], random) -> None:
    rows = random.sample(good + other, len(good + other))
    data = "\n".join(rows).encode()
    layout = Layout(label="r.csv", places=MOVIELENS, skip_bad_rows=True)
    careful, quick = _parse_carefully(data, layout, 1), _parse_quickly(data, layout)
    assert len(careful.stars) >= len(good)
    if quick is None:
        assert other  # good rows alone always go the quick way
        return
    assert careful.skipped == 0
    for name in ("users", "items", "stars", "times"):
        assert getattr(quick, name).tolist() == getattr(careful, name).tolist()


def written(tmp_path: Path, text: str, name: str = "ratings.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode())
    return path


def rows(path: Path, **how: object) -> list[tuple[object, ...]]:
    ratings = matinee.load(path, **how).ratings
    columns = [ratings.user_ids, ratings.item_ids, ratings.stars]
    columns += [] if ratings.timestamps is None else [ratings.timestamps]
    return list(zip(*(column.tolist() for column in columns), strict=True))


BAD = {
    "1,2,five,3": "the rating is 'five'; 0.5 to 5 stars are allowed",
    "1,2,0,3": "the rating is '0'; 0.5 to 5 stars are allowed",
    "1,2,6,3": "the rating is '6'; 0.5 to 5 stars are allowed",
    "1,2,NaN,3": "the rating is 'NaN'; 0.5 to 5 stars are allowed",
    "1,2,,3": "the rating is ''; 0.5 to 5 stars are allowed",
    "x,2,4,3": "the user id is 'x'; an integer is needed",
    "1,,4,3": "the movie id is empty",
    "1,2.5,4,3": "the movie id is '2.5'; an integer is needed",
    "1,2,4": "3 fields; 4 are needed",
    "1,2,4,3,5": "5 fields; 4 are needed",
    "1,2,4,soon": "the time is 'soon'; seconds since 1970 are needed",
    "1,2,4,": "the time is ''; seconds since 1970 are needed",
}


@pytest.mark.parametrize("row", BAD)
@pytest.mark.parametrize("name", ["ratings.csv", "ratings.csv.gz"])
def test_a_bad_row_is_named_or_counted(row: str, name: str, tmp_path: Path) -> None:
    text = HEADER + "1,1,4,3\n" + row + "\n1,3,4,3\n" + row + "\n"
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    with pytest.raises(BadRowError, match="line 3") as caught:
        matinee.load(path)
    assert caught.value.line == 3
    assert BAD[row] in str(caught.value)
    data = matinee.load(path, skip_bad_rows=True)
    assert (len(data.ratings), data.skipped_rows) == (2, 2)


def test_only_bad_rows_is_no_ratings(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no ratings \(2 bad rows\)"):
        matinee.load(written(tmp_path, HEADER + "a,1,1,1\n1,1,9,1\n"), skip_bad_rows=True)


def test_blank_lines_and_a_missing_last_newline_are_no_rows(tmp_path: Path) -> None:
    assert len(rows(written(tmp_path, HEADER + "1,1,4,3\n\n1,2,4,3\r\n\r\n1,3,4,3"))) == 3


def test_duplicates_keep_the_newest_and_are_counted(tmp_path: Path) -> None:
    data = matinee.load(written(tmp_path, HEADER + "1,2,4,30\n1,2,1,10\n1,2,2,20\n2,2,3,5\n"))
    assert data.ratings.stars.tolist() == [4, 3]
    assert data.summary["duplicates"] == 2


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
def test_separators(separator: str, tmp_path: Path) -> None:
    text = "user_id item_id rating\nu1 i1 4\nu2 i1 3.5\n".replace(" ", separator)
    assert rows(written(tmp_path, text, "r.tsv")) == [("u1", "i1", 4), ("u2", "i1", 3.5)]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("userId,movieId,rating,timestamp", (0, 1, 2, 3)),
        ("user_id:token,item_id:token,rating:float,timestamp:float", (0, 1, 2, 3)),
        ("Rated At,Film,Stars,User", (3, 1, 2, 0)),
        ("reviewerID,asin,overall", (0, 1, 2, None)),
        ("a,rating,movie-id,b,USER ID", (4, 2, 1, None)),
    ],
)
def test_columns_are_found_by_their_usual_names(header: str, expected: tuple[int | None, ...]) -> None:
    found = places(header.split(","), ColumnNames(), "r.csv")
    assert (found.user, found.item, found.rating, found.time) == expected


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = written(tmp_path, "when,who,what,how much,rating\n5,7,8,2.5,1\n6,7,9,3,1\n")
    named = {"user_column": "who", "item_column": "what", "rating_column": "how much", "time_column": "when"}
    assert rows(path, **named) == [(7, 8, 2.5, 5), (7, 9, 3, 6)]
    with pytest.raises(DataError, match=r"columns when, who, what, how much, rating; a column 'whose' is needed"):
        rows(path, **(named | {"user_column": "whose"}))
    with pytest.raises(DataError, match="'hour' is needed for the time"):
        rows(path, **(named | {"time_column": "hour"}))


def test_ids_are_integers_or_strings_as_in_most_of_the_first_rows(tmp_path: Path) -> None:
    text = "user,item,rating\nann,0012,4\nbob,7,3\nann,7,2\n"
    assert rows(written(tmp_path, text)) == [("ann", "0012", 4), ("ann", "7", 2), ("bob", "7", 3)]
    mixed = written(tmp_path, "user,item,rating\n1,7,4\nann,7,3\n")
    with pytest.raises(BadRowError, match=r"'ann'; an integer is needed, as in most rows \(or string_ids\)"):
        matinee.load(mixed)
    assert rows(mixed, string_ids=True) == [("1", "7", 4), ("ann", "7", 3)]
    movies = matinee.load(mixed, string_ids=True).movies
    assert (movies["movie_id"].to_list(), movies["title"].to_list()) == (["7"], ["Movie 7"])


def test_empty_string_ids_are_bad_rows(tmp_path: Path) -> None:
    for empty in ("", '""'):
        with pytest.raises(BadRowError, match="line 3: the user id is empty"):
            matinee.load(written(tmp_path, f"user,item,rating\na,b,3\n{empty},b,3\nc,b,3\n"))


def test_large_ids(tmp_path: Path) -> None:
    assert rows(written(tmp_path, HEADER + "1,2,3,4\n99999999999,2,3,4\n"))[1][0] == 99_999_999_999


@pytest.mark.parametrize("time", ["964982703", "964982703.0", "2000-07-30 18:45:03", "2000-07-30T18:45:03Z"])
def test_times_may_be_seconds_or_dates(time: str, tmp_path: Path) -> None:
    assert rows(written(tmp_path, HEADER + f"1,2,3,{time}\n1,3,3,{time}\n"))[0] == (1, 2, 3, 964_982_703)


def test_dates_without_a_time(tmp_path: Path) -> None:
    assert rows(written(tmp_path, HEADER + "1,2,3,1970-01-02\n"))[0][3] == 86_400
    with pytest.raises(BadRowError, match="line 3: the time is 'never'; a date such as"):
        matinee.load(written(tmp_path, HEADER + "1,2,3,1970-01-02\n1,3,3,never\n"))


def test_another_scale(tmp_path: Path) -> None:
    path = written(tmp_path, "user,item,rating\n1,2,10\n")
    with pytest.raises(BadRowError, match=r"0\.5 to 5 stars"):
        matinee.load(path)
    assert matinee.load(path, scale=(1, 10)).ratings.scale == (1, 10)


def test_a_file_with_old_line_ends_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="bare carriage return"):
        matinee.load(written(tmp_path, "userId,movieId,rating,timestamp\r1,2,3,4\r"))


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="line of more than 100,000 bytes"):
        matinee.load(written(tmp_path, "x" * 200_000))
    monkeypatch.setattr("matinee.data.tables.BLOCK_BYTES", 1000)
    with pytest.raises(DataError, match="line of more than 1,000 bytes"):
        read_ratings_csv(written(tmp_path, HEADER + "1,2,3,4\n" * 200 + "5" * 5000 + ",2,3,4\n"))


def test_a_gz_that_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv.gz"
    packed = gzip.compress((HEADER + "1,2,3,4\n" * 1000).encode())
    for content in (packed[:-20], b"not gz", b""):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"damaged|empty"):
            matinee.load(path)


def test_what_comes_out_can_be_written_to(tmp_path: Path) -> None:
    """Kernels compiled for writable arrays must not meet a read-only one."""
    columns = read_ratings_csv(written(tmp_path, HEADER + "1,2,3,4\n1,3,3,4\n"))
    assert columns.times is not None
    assert columns.stars.flags.writeable
    assert columns.times.flags.writeable
    assert (columns.users.dtype, columns.stars.dtype, columns.times.dtype) == (np.int32, np.float32, np.int64)


# Parquet

FRAME = pl.DataFrame({"userId": [1, 1, 2], "movieId": [5, 6, 5], "rating": [4.5, 3.0, 0.5], "timestamp": [10, 20, 30]})


def parquet(tmp_path: Path, frame: pl.DataFrame) -> Path:
    path = tmp_path / "r.parquet"
    frame.write_parquet(path)
    return path


@pytest.mark.parametrize("kind", [pl.Int8, pl.Int32, pl.Int64, pl.UInt16, pl.String, pl.Categorical])
def test_parquet_with_ids_of_every_kind(kind: type[pl.DataType], tmp_path: Path) -> None:
    ids = pl.col("userId", "movieId").cast(pl.String).cast(kind)
    got = rows(parquet(tmp_path, FRAME.with_columns(ids)))
    one, two, five, six = ("1", "2", "5", "6") if kind in (pl.String, pl.Categorical) else (1, 2, 5, 6)
    assert got == [(one, five, 4.5, 10), (one, six, 3, 20), (two, five, 0.5, 30)]


@pytest.mark.parametrize(
    "times", [[datetime(1970, 1, 1, 0, 1)] * 3, [datetime(1970, 1, 1, 0, 1, tzinfo=UTC)] * 3, [60.0] * 3, [60] * 3]
)
def test_parquet_with_times_of_every_kind(times: list[object], tmp_path: Path) -> None:
    assert rows(parquet(tmp_path, FRAME.with_columns(timestamp=pl.Series(times))))[0][3] == 60
    assert rows(parquet(tmp_path, FRAME.with_columns(timestamp=pl.Series([date(1970, 1, 2)] * 3))))[0][3] == 86_400


def test_parquet_with_named_columns_and_without_times(tmp_path: Path) -> None:
    path = parquet(tmp_path, FRAME.select(a="userId", b="movieId", c="rating"))
    named = {"user_column": "a", "item_column": "b", "rating_column": "c"}
    assert rows(path, **named) == [(1, 5, 4.5), (1, 6, 3), (2, 5, 0.5)]


@pytest.mark.parametrize("column", ["userId", "rating", "timestamp"])
def test_parquet_with_bad_rows(column: str, tmp_path: Path) -> None:
    path = parquet(tmp_path, FRAME.with_columns(pl.when(pl.col("timestamp") != 20).then(pl.col(column)).alias(column)))
    with pytest.raises(BadRowError, match=r"r\.parquet, line 2: .*nothing may be missing"):
        matinee.load(path)
    data = matinee.load(path, skip_bad_rows=True)
    assert (len(data.ratings), data.skipped_rows) == (2, 1)


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (FRAME.with_columns(rating=pl.lit(float("nan"))), "line 1: .*stars nan"),
        (FRAME.with_columns(rating=pl.lit(9.0)), "0.5 to 5 stars are allowed"),
        (FRAME.with_columns(rating=pl.lit("x")), "ratings of type String"),
        (FRAME.with_columns(userId=pl.lit(1.5)), "user ids of type Float64"),
        (FRAME.with_columns(timestamp=pl.lit("x")), "times of type String"),
        (FRAME.drop("rating"), "for the rating"),
        (FRAME.clear(), "no ratings"),
    ],
)
def test_parquet_that_is_wrong(frame: pl.DataFrame, says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=says):
        matinee.load(parquet(tmp_path, frame))


def test_a_file_that_is_no_parquet(tmp_path: Path) -> None:
    for content in (b"", b"PAR1 not at all"):
        path = tmp_path / "r.parquet"
        path.write_bytes(content)
        with pytest.raises(DataError, match="not a Parquet file"):
            matinee.load(path)
