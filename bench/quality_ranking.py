"""NDCG@10 of the ranking model, defaults and tuned, beside popularity, the tutorial's list, irspack's iALS and EASE.

Everybody's random fifth is held out, relevant is a film of four stars or more, all unseen films compete. Everything
tuned is chosen on a validation part (another fifth, of the rest) of the same split, fitted again on all but the test
part, and tested once; ours as `matinee tune` chooses, which leaves the defaults for what beats them beyond noise.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

import matinee
from bench import peers
from bench.common import Check, report
from matinee import ImplicitALS, Ratings
from matinee.data.ratings import Vocabulary
from matinee.evaluation.proposals import grid
from matinee.evaluation.rankers import Popularity, TutorialList
from matinee.evaluation.ranking import rank_everything
from matinee.evaluation.splitting import Split, held_out_per_user
from matinee.evaluation.tuning import Parts, ranking_task, tune

Options = dict[str, Any]
Fit = Callable[[Ratings, Options], Any]
POSITIVES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "stars >= 4": lambda stars: (stars >= 4).astype(np.float32),
    "(stars - 2.5)+": lambda stars: np.maximum(stars - np.float32(2.5), 0),
}
IRSPACK = {"positives": tuple(POSITIVES), "k": (64, 128), "alpha0": (0.1, 0.3, 1.0), "reg": (0.008, 0.012, 0.02)}
EASE = {"positives": tuple(POSITIVES), "lambda": (100.0, 300.0, 1000.0)}
EPOCHS = 16
"""Of irspack, as it has them by default."""
OURS = {"rank": (64, 128), "alpha0": (0.08, 0.16, 0.32), "shrinkage": (0.25, 0.36, 0.5)}


def run(*, quick: bool = False, data: Iterable[str] = ("sample",)) -> list[Check]:
    """Measure every data set of `data` (a name or a file, as `matinee.load` takes it); quick: one seed, small grids."""
    raw: dict[str, Any] = {}
    checks = []
    for source in data:
        name = Path(source).stem
        ratings = matinee.load(source).ratings
        splits = [_one_split(ratings, seed, quick=quick) for seed in range(1 if quick else 3)]
        means = {who: float(np.mean([split[who]["ndcg@10"] for split in splits])) for who in splits[0]}
        raw[name] = {"means": means, "splits": splits}
        checks += _checks(name, means)
    return report("quality_ranking_quick" if quick else "quality_ranking", checks, raw)


def _checks(name: str, means: dict[str, float]) -> list[Check]:
    peer = max(means["irspack iALS, tuned"], means["EASE, tuned"])
    ours, tuned = means["matinee, defaults"], means["matinee, tuned"]
    return [
        Check(f"{name}: NDCG@10 of our defaults against the tutorial's list", ours / means["tutorial's list"], 3.8),
        Check(f"{name}: NDCG@10 of our defaults against popularity", ours / means["popularity"], 1.9),
        Check(f"{name}: NDCG@10 of our defaults against the better of tuned iALS and EASE", ours / peer, 0.98),
        Check(f"{name}: NDCG@10 of ours tuned against the better of tuned iALS and EASE", tuned / peer, 1.0),
    ]


def _one_split(ratings: Ratings, seed: int, *, quick: bool) -> dict[str, dict[str, Any]]:
    outer = held_out_per_user(ratings, 0.2, seed)
    inner = held_out_per_user(outer.train, 0.2, seed + 1000)
    rows = {
        "popularity": {"ndcg@10": _ndcg(Popularity().fit(outer.train), outer)},
        "tutorial's list": {"ndcg@10": _ndcg(TutorialList().fit(outer.train), outer)},
        "matinee, defaults": {"ndcg@10": _ndcg(ImplicitALS().fit(outer.train), outer)},
    }
    start = time.perf_counter()
    rows["matinee, tuned"] = _ours_tuned(_cut(OURS, quick), inner, outer) | {"seconds": time.perf_counter() - start}
    tuned: dict[str, tuple[Fit, dict[str, tuple[Any, ...]]]] = {
        "irspack iALS, tuned": (_irspack, IRSPACK),
        "EASE, tuned": (_ease, EASE),
    }
    for name, (fit, space) in tuned.items():
        start = time.perf_counter()
        row = _tuned(fit, _cut(space, quick), inner, outer)
        rows[name] = row | {"seconds": time.perf_counter() - start}
    return rows


def _cut(space: Mapping[str, tuple[Any, ...]], quick: bool) -> Mapping[str, tuple[Any, ...]]:
    return {name: values[-2:] if quick else values for name, values in space.items()}


def _ours_tuned(space: Mapping[str, tuple[Any, ...]], inner: Split, outer: Split) -> dict[str, Any]:
    tuning = tune(ranking_task(), [Parts(inner.train, inner.test, outer.test)], grid(space))
    chosen = tuning.chosen.params
    ndcg = _ndcg(ImplicitALS(**chosen).fit(outer.train), outer)
    return {"ndcg@10": ndcg, "chosen": chosen, "validation ndcg@10": tuning.chosen.mean}


def _tuned(fit: Fit, space: Mapping[str, tuple[Any, ...]], inner: Split, outer: Split) -> dict[str, Any]:
    tried = [dict(zip(space, values, strict=True)) for values in product(*space.values())]
    validation = [_ndcg(fit(inner.train, options), inner) for options in tried]
    best = tried[int(np.argmax(validation))]
    return {"ndcg@10": _ndcg(fit(outer.train, best), outer), "chosen": best, "validation ndcg@10": max(validation)}


def _ndcg(ranker: Any, split: Split) -> float:
    return rank_everything(ranker, split.test, split.train).means["ndcg@10"]


class Scored(NamedTuple):
    """A ranker that scores by a function of user rows."""

    users: Vocabulary
    items: Vocabulary
    score: Callable[[np.ndarray], np.ndarray]

    def scores(self, user_ids: Any) -> np.ndarray:
        return self.score(self.users.rows(user_ids))


def _positives(train: Ratings, how: str) -> csr_matrix:
    matrix = peers.matrix(train).copy()  # its values are the ratings' own
    matrix.data = POSITIVES[how](matrix.data)
    matrix.eliminate_zeros()
    return matrix


def _irspack(train: Ratings, options: Options) -> Scored:
    from irspack import IALSRecommender

    trainer = IALSRecommender(
        _positives(train, options["positives"]), n_components=options["k"], alpha0=options["alpha0"],
        reg=options["reg"], nu=1.0, n_threads=2,
    )._create_trainer()  # fmt: skip
    for _ in range(EPOCHS):
        trainer.run_epoch()
    users, items = np.asarray(trainer.core_trainer.user), np.asarray(trainer.core_trainer.item)
    return Scored(train.users, train.items, lambda rows: users[rows] @ items.T)


def _ease(train: Ratings, options: Options) -> Scored:
    """Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data": all scores in closed form.

    With P = (X'X + lambda I)^-1 the scores are X - (X P) / diag(P). As there are fewer people than films, P is not
    formed: with K = X X' + lambda I, X P = K^-1 X and diag(P) = (1 - diag(X' K^-1 X)) / lambda, exactly.
    """
    x = _positives(train, options["positives"]).toarray().astype(np.float64)
    reach = np.linalg.solve(x @ x.T + options["lambda"] * np.eye(len(x)), x)
    diagonal = (1 - np.einsum("ui,ui->i", x, reach)) / options["lambda"]
    scores = (x - reach / diagonal).astype(np.float32)
    return Scored(train.users, train.items, lambda rows: scores[rows])
