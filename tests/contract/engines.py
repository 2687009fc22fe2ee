"""What is asked of an engine, and the two that there are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from matinee import ALS, ImplicitALS, Ratings
from matinee.data import splits
from matinee.data.ratings import Int64
from matinee.evaluation.metrics import cold_counts, star_metrics
from matinee.evaluation.ranking import rank_everything
from matinee.models.factors import FactorModel
from matinee.models.lists import top_lists

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from matinee.engines.spark.fit import Factors

CUTS = ("hash_split", "hash_fractions", "last_n", "time_split")
Lists = dict[Any, list[Any]]


class Engine(Protocol):
    """Works on ratings and models of its own kind, which `brought` and `model` bring in and out."""

    def bring(self, ratings: Ratings) -> Any: ...

    def brought(self, part: Any) -> Ratings: ...

    def cut(self, ratings: Any, how: str, *arguments: Any) -> list[Any]: ...

    def cold(self, train: Any, test: Any) -> dict[str, int]: ...

    def totals(self, part: Any) -> tuple[Int64, Any]: ...

    def fit(self, train: Any, params: ALS | ImplicitALS) -> Any: ...

    def model(self, fitted: Any, train: Ratings, params: ALS | ImplicitALS) -> FactorModel: ...

    def star_metrics(self, fitted: Any, test: Any) -> dict[str, float | None]: ...

    def list_metrics(self, fitted: Any, test: Any, train: Any) -> dict[str, float]: ...

    def lists(self, fitted: Any, model: FactorModel, n: int, folder: Path) -> Lists: ...


class Local:
    """This process."""

    def bring(self, ratings: Ratings) -> Ratings:
        return ratings

    brought = bring

    def cut(self, ratings: Ratings, how: str, *arguments: Any) -> list[Ratings]:
        seed = {"seed": arguments[1]} if len(arguments) > 1 else {}
        return list(getattr(splits, how)(ratings, arguments[0], **seed))

    def cold(self, train: Ratings, test: Ratings) -> dict[str, int]:
        return cold_counts(train, test)

    def totals(self, part: Ratings) -> tuple[Int64, Any]:
        return part.item_counts, part.item_counts * part.item_means.astype(np.float64)

    def fit(self, train: Ratings, params: ALS | ImplicitALS) -> FactorModel:
        return params.fit(train)

    def model(self, fitted: FactorModel, train: Ratings, params: ALS | ImplicitALS) -> FactorModel:
        return fitted

    def star_metrics(self, fitted: Any, test: Ratings) -> dict[str, float | None]:
        return star_metrics(fitted, test)

    def list_metrics(self, fitted: Any, test: Ratings, train: Ratings) -> dict[str, float]:
        return rank_everything(fitted, test, train).means

    def lists(self, fitted: Any, model: FactorModel, n: int, folder: Path) -> Lists:
        rows = top_lists(model, np.arange(len(model.users)), n).item_rows
        return dict(zip(model.users.ids.tolist(), model.items.ids[rows].tolist(), strict=True))


class OnSpark:
    """A session of Spark's."""

    def __init__(self, session: SparkSession) -> None:
        from matinee.engines.spark import fit, frames
        from matinee.engines.spark import splits as spark_splits

        self.session, self.frames, self.fits, self.splits = session, frames, fit, spark_splits

    def bring(self, ratings: Ratings) -> Any:
        return self.frames.from_ratings(self.session, ratings)

    def brought(self, part: Any) -> Ratings:
        table = part.frame.toArrow()
        ids = part.users.ids[table["user"]], part.items.ids[table["item"]]
        times = None if table["rated_at"].null_count else table["rated_at"]
        return Ratings.from_arrays(*ids, table["stars"], times, scale=part.scale)

    def cut(self, ratings: Any, how: str, *arguments: Any) -> list[Any]:
        return list(getattr(self.splits, how)(ratings, *arguments))

    def cold(self, train: Any, test: Any) -> dict[str, int]:
        return self.splits.cold_counts(train, test)

    def totals(self, part: Any) -> tuple[Int64, Any]:
        counts, sums = part.film_counts, part.film_sums
        return counts[counts > 0], sums[counts > 0]

    def fit(self, train: Any, params: ALS | ImplicitALS) -> Any:
        if isinstance(params, ALS):
            return self.fits.fit_stars(train, self.fits.on_spark(params, train))
        return self.fits.fit_picks(train, params)

    def model(self, fitted: Any, train: Ratings, params: ALS | ImplicitALS) -> FactorModel:
        """Take what the training part lacks out of the vocabularies, as its ratings here have done."""
        from pyspark.sql import Window
        from pyspark.sql import functions as F  # noqa: N812

        items, people = fitted.items_known, fitted.people
        place = F.rank().over(Window.orderBy("user")) - 1
        known: Factors = replace(
            fitted, people=people.withColumn("user", place.cast("int")), item_factors=fitted.item_factors[items],
            item_biases=fitted.item_biases[items], items_known=items[items],
        )  # fmt: skip
        return known.stars_model(train, params) if isinstance(params, ALS) else known.picks_model(train, params)

    def star_metrics(self, fitted: Any, test: Any) -> dict[str, float | None]:
        from matinee.evaluation.distributed import measured
        from matinee.evaluation.sums import star_metrics_of, star_part

        return star_metrics_of(measured(star_part, fitted, test))

    def list_metrics(self, fitted: Any, test: Any, train: Any) -> dict[str, float]:
        from matinee.evaluation.distributed import measured
        from matinee.evaluation.sums import list_metrics_of, list_part

        return list_metrics_of(measured(list_part, fitted, test, train))

    def lists(self, fitted: Any, model: FactorModel, n: int, folder: Path) -> Lists:
        """Let Spark's own model list, long enough that what people have seen can be taken out."""
        from pyspark.ml.recommendation import ALSModel

        from matinee.engines.spark.exchange import export_model

        theirs = ALSModel.load(str(export_model(model, folder / "exported")))
        longest = int(model.seen.counts.max())
        rows = theirs.recommendForAllUsers(n + longest).selectExpr("user", "recommendations.item").toArrow().to_pylist()
        lists = {row["user"]: row["item"] for row in rows}
        for row, user in enumerate(model.users.ids.tolist()):
            seen = set(model.items.ids[model.seen.row(row)[0]].tolist())
            lists[user] = [item for item in lists[user] if item not in seen][:n]
        return lists
