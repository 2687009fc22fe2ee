"""What Spark reads is what we read: checked, one rating per pair, the newest, the same rows, the same split."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from pyspark.sql import SparkSession

import matinee
from matinee.data.columns import ColumnNames
from matinee.engines.spark.frames import gathered, is_table, read_ratings
from matinee.engines.spark.session import spark_session
from matinee.errors import DataError, EngineError

pytestmark = [pytest.mark.xdist_group("spark"), pytest.mark.timeout(300)]  # a timeout would break the session for all

ROWS = """userId,movieId,rating,timestamp
2,10,4.0,100
2,10,3.5,200
1,20,5.0,50
1,10,0.5,60
30,20,2.0,70
"""


def test_csv(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(ROWS)
    ours, theirs = matinee.load(tmp_path / "r.csv").ratings, read_ratings(spark, str(tmp_path / "r.csv"))
    assert gathered(theirs).fingerprint == ours.fingerprint
    assert theirs.duplicates == ours.duplicates == 1
    named = read_ratings(spark, (tmp_path / "r.csv").as_uri())  # as hdfs:// and s3a:// are passed on
    assert gathered(named).fingerprint == ours.fingerprint
    text = read_ratings(spark, str(tmp_path / "r.csv"), string_ids=True)
    assert text.users.ids.tolist() == ["1", "2", "30"]


def test_parquet_with_other_names_text_ids_and_dates(spark: SparkSession, tmp_path: Path) -> None:
    table = pl.DataFrame({"who": ["b", "a", "é"], "what": [2**40, 1, 2**40], "how good": [4, 3, 5]})
    when = pl.Series("when", ["2020-01-01", "2021-01-01", "1960-01-01"]).str.to_date()
    table.with_columns(when).write_parquet(tmp_path / "r.parquet")
    names = ColumnNames(user="who", item="what", rating="how good", time="when")
    theirs = gathered(read_ratings(spark, str(tmp_path / "r.parquet"), names))
    ours = matinee.load(
        tmp_path / "r.parquet", user_column="who", item_column="what", rating_column="how good", time_column="when"
    ).ratings
    assert theirs.fingerprint == ours.fingerprint
    assert theirs.items.ids.tolist() == [1, 2**40]


@pytest.mark.parametrize("row", ["3,10,9.0,1", "3,10,,1", ",10,4.0,1", "3,10,good,1"])
def test_malformed_rows(spark: SparkSession, tmp_path: Path, row: str) -> None:
    (tmp_path / "r.csv").write_text(f"{ROWS}{row}\n")
    with pytest.raises(DataError, match="1 of 6 rows"):
        read_ratings(spark, str(tmp_path / "r.csv"))
    left = read_ratings(spark, str(tmp_path / "r.csv"), skip_bad_rows=True)
    assert (len(left), left.skipped, left.duplicates) == (4, 1, 1)
    assert left.users.ids.tolist() == [1, 2, 30]


def test_nothing_to_read(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Spark cannot read it"):
        read_ratings(spark, str(tmp_path / "none.parquet"))
    (tmp_path / "r.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="a column userid"):
        read_ratings(spark, str(tmp_path / "r.csv"))
    (tmp_path / "e.csv").write_text("user,item,rating\n")
    with pytest.raises(DataError, match="no ratings"):
        read_ratings(spark, str(tmp_path / "e.csv"))


def test_a_file_system_that_spark_lacks_is_named(spark: SparkSession) -> None:
    with pytest.raises(EngineError, match=r"Spark gave up: java.lang.*S3AFileSystem not found"), spark_session():
        read_ratings(spark, "s3a://bucket/r.parquet")


def test_what_goes_by_the_driver(tmp_path: Path) -> None:
    for source in ("hdfs://host/ratings", "r.csv.gz", "s3a://bucket/r.parquet"):
        assert is_table(source)
    for source in ("sample", "ml-32m", "ml-latest-small.zip", str(tmp_path)):
        assert not is_table(source)
    (tmp_path / "part-0.parquet").touch()
    assert is_table(str(tmp_path))
