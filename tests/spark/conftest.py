"""A Spark session of this process, shared by all Spark tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SMALL = {"spark.driver.memory": "1g", "spark.sql.shuffle.partitions": "2", "spark.default.parallelism": "2"}


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """Two threads of a local Spark."""
    from matinee.engines.spark.session import spark_session

    with spark_session("local[2]", SMALL) as session:
        yield session
