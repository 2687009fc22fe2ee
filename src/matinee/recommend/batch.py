"""Lists of everybody in the training set, as one Parquet file: constant memory, and what was done is not done again."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from matinee.data.ratings import Bools
from matinee.errors import ArtifactError, ParameterError
from matinee.models.factors import FactorModel
from matinee.models.lists import lists_table
from matinee.recommend.filters import Filters, left
from matinee.recommend.recommender import Recommender
from matinee.recommend.rerank import Dials, RankBy

if TYPE_CHECKING:
    import polars as pl

PEOPLE_PER_PART = 16_384


@dataclass(frozen=True, eq=False)
class Plan:
    """What everybody's lists are chosen by.

    Attributes
    ----------
    ranker
        Orders them.
    limit
        How long they are.
    filters
        What was asked for.
    allowed
        Shape ``(n_items,)``: the ranker's items that the filters leave.
    """

    ranker: FactorModel
    limit: int
    filters: Filters
    allowed: Bools

    @classmethod
    def of(cls, recommender: Recommender, *, limit: int = 10, rank_by: RankBy = "picks", **filters: Any) -> Plan:
        """Check the options, those of `recommend_all`.

        Raises
        ------
        ParameterError
            If one is out of range or unknown, or `rank_by` needs more than a model's scores.
        """
        if Dials(rank_by=rank_by).rank_by == "stars_low":
            raise ParameterError("rank_by='stars_low': lists for everybody are ranked by 'picks' or 'stars'")
        if limit < 1:
            raise ParameterError(f"limit={limit}: a list has at least one place")
        chosen = Filters.of(filters)
        return cls(recommender.scorer(rank_by).model, limit, chosen, _allowed(recommender, rank_by, chosen))


def recommend_all(
    recommender: Recommender,
    out: str | Path,
    *,
    limit: int = 10,
    rank_by: RankBy = "picks",
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    **filters: Any,
) -> int:
    """Write the lists of all users of the data set.

    The lists are those that `FactorModel.recommend` gives one by one. Parts are kept in a folder beside `out` until all
    are there: called again with the same model and options after an interruption, this goes on where it stopped.

    Parameters
    ----------
    recommender
        What recommends.
    out
        The Parquet file: ``user_id``, ``rank`` (from 1), ``movie_id``, ``score`` and predicted ``stars``, by user and
        rank. It appears whole, replacing an older one.
    limit
        Length of the lists.
    rank_by
        "picks" or "stars".
    threads
        None for all processors.
    progress
        Called with the number of users done and of all.
    **filters
        Fields of `Filters`.

    Returns
    -------
    int
        How many users there are.

    Raises
    ------
    ParameterError
        If an option is out of range or unknown, or `rank_by` needs more than a model's scores.
    ArtifactError
        If the file cannot be written.
    """
    target = Path(out)
    plan = Plan.of(recommender, limit=limit, rank_by=rank_by, **filters)
    users = len(recommender.stars.users)
    parts = target.with_name(f"{target.name}.parts")
    try:
        _begin(parts, {"limit": limit, "rank_by": rank_by, "model": _identity(recommender), **asdict(plan.filters)})
        for start in range(0, users, PEOPLE_PER_PART):
            rows = np.arange(start, min(start + PEOPLE_PER_PART, users))
            part = parts / f"{start:012d}.parquet"
            if not part.exists():
                table = lists_table(
                    plan.ranker, recommender.stars, rows, limit, allowed=plan.allowed,
                    include_seen=plan.filters.include_seen, threads=threads,
                )  # fmt: skip
                _write(table.lazy(), part)
            if progress:
                progress(int(rows[-1]) + 1, users)
        _join(parts, target)
    except OSError as error:
        raise ArtifactError(f"{target} could not be written: {error.strerror or error}") from error
    return users


def _allowed(recommender: Recommender, rank_by: RankBy, filters: Filters) -> Bools:
    """Return which items of the model the filters leave, shape ``(n_items,)``."""
    scorer = recommender.scorer(rank_by)
    masks = filters.removing(recommender.catalogue)
    films = np.flatnonzero(scorer.rated & left(scorer.rated, masks))
    allowed = np.zeros(len(scorer.model.items), np.bool_)
    allowed[scorer.item_of[films]] = True
    return allowed


def _identity(recommender: Recommender) -> str:
    digest = hashlib.sha256(recommender.model_id.encode())
    for model in (recommender.stars, recommender.picks):
        if model is not None:
            digest.update(np.ascontiguousarray(model.user_factors[:PEOPLE_PER_PART]).data)
            digest.update(np.ascontiguousarray(model.item_factors).data)
    return digest.hexdigest()


def _begin(parts: Path, plan: dict[str, Any]) -> None:
    """Go on with parts of the same plan; throw away those of another."""
    stated = json.dumps(plan, sort_keys=True, default=str)
    note = parts / "plan.json"
    if parts.exists() and not (note.exists() and note.read_text(encoding="utf-8") == stated):
        shutil.rmtree(parts)
    parts.mkdir(parents=True, exist_ok=True)
    note.write_text(stated, encoding="utf-8")


def _write(table: pl.LazyFrame, path: Path) -> None:
    fresh = path.with_name(f".{path.name}.tmp")
    table.sink_parquet(fresh)
    fresh.replace(path)


def _join(parts: Path, target: Path) -> None:
    import polars as pl

    _write(pl.scan_parquet(sorted(parts.glob("[0-9]*.parquet"))), target)
    shutil.rmtree(parts)
