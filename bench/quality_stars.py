"""Accuracy, intervals and fit time of rating models beside myFM, on the same random splits.

    python bench/quality_stars.py ml-latest-small.zip --splits 5 --peer /path/to/python-with-myfm

myFM's configuration is "timeSVD++ flipped" (Rendle, Zhang, Koren 2019): rank 10, 200 iterations, implicit sets of the
training pairs only, days; and its plain Bayesian matrix factorization. Fits run one after the other in this process's
turn; kernels are compiled before the first is timed. Prints one JSON line per fit.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import matinee
from matinee.evaluation.calibration import interval_metrics

PEER = """
import sys, time, numpy as np, scipy.sparse as sp, myfm
path, kind, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
d = np.load(path)
nu, ni, nd = int(d["nu"]), int(d["ni"]), int(d["nd"])
def onehot(ix, n):
    k = np.flatnonzero(ix >= 0)
    return sp.csr_matrix((np.ones(len(k)), (k, ix[k])), (len(ix), n))
def sets(a, b, n, m):
    s = sp.csr_matrix((np.ones(len(a)), (a, b)), (n, m))
    return sp.diags(1 / np.sqrt(np.maximum(np.asarray(s.sum(1)).ravel(), 1))) @ s
full = kind == "timeSVD++ flipped"
def block(n, extra):
    parts = [sp.identity(n)] + extra
    m = sp.hstack(parts)
    return sp.vstack([m, sp.csr_matrix((1, m.shape[1]))]).tocsr()
u, i = d["u"], d["i"]
ub = block(nu, [sets(u, i, nu, ni)] if full else [])
ib = block(ni, [sets(i, u, ni, nu)] if full else [])
groups = ([nd] if full else []) + [nu] + ([ni] if full else []) + [ni] + ([nu] if full else [])
def rel(p):
    a, b = d[p + "u"], d[p + "i"]
    return [myfm.RelationBlock(np.where(a < 0, nu, a), ub), myfm.RelationBlock(np.where(b < 0, ni, b), ib)]
fm = myfm.MyFMRegressor(rank=10, random_seed=seed)
t = time.perf_counter()
fm.fit(onehot(d["t"], nd) if full else None, d["r"], X_rel=rel(""), group_shapes=groups, n_iter=200, n_kept_samples=200)
t = time.perf_counter() - t
p = fm.predict(onehot(d["tt"], nd) if full else None, X_rel=rel("t"))
print(t, np.sqrt(np.mean((np.clip(p, d["r"].min(), d["r"].max()) - d["tr"]) ** 2)))
"""


def peer(python: str, kind: str, seed: int, train: matinee.Ratings, test: matinee.Ratings) -> dict[str, float]:
    days, test_days = train.timestamps // 86_400, test.timestamps // 86_400
    known = np.unique(days)
    place = np.minimum(np.searchsorted(known, test_days), len(known) - 1)
    with tempfile.TemporaryDirectory() as folder:
        np.savez(
            f"{folder}/d.npz", u=train.user_rows, i=train.item_rows, r=train.stars, t=np.searchsorted(known, days),
            tu=train.users.rows(test.user_ids), ti=train.items.rows(test.item_ids), tr=test.stars,
            tt=np.where(known[place] == test_days, place, -1), nu=len(train.users), ni=len(train.items), nd=len(known),
        )  # fmt: skip
        Path(folder, "peer.py").write_text(PEER)
        command = [python, f"{folder}/peer.py", f"{folder}/d.npz", kind, str(seed)]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return {"seconds": float(out[0]), "rmse": float(out[1])}


def measure(model: object, train: matinee.Ratings, test: matinee.Ratings) -> dict[str, object]:
    start = time.perf_counter()
    fitted = model.fit(train)
    row: dict[str, object] = {"seconds": time.perf_counter() - start, "rmse": matinee.rmse(fitted, test)}
    if hasattr(fitted, "predict_interval"):
        predicted = fitted.predict(test.user_ids, test.item_ids)
        row["rmse_without_day"] = float(np.sqrt(np.mean((predicted - test.stars) ** 2)))
        intervals = interval_metrics(fitted, test)
        tenths = intervals["by_width"]
        fifths = [tenths[n : n + 2] for n in range(0, 10, 2)]
        errors = [np.mean([t["rmse"] ** 2 for t in fifth]) ** 0.5 for fifth in fifths]
        row |= {
            "coverage": intervals["coverage"]["0.9"],
            "coverage_by_fifth": [float(np.mean([t["coverage"] for t in fifth])) for fifth in fifths],
            "nll_gain": intervals["nll_constant"] - intervals["nll"], "certain_over_uncertain": errors[0] / errors[-1],
        }  # fmt: skip
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--peer", help="a Python with myfm; without one, no peer")
    parser.add_argument("--peer-seeds", type=int, default=1)
    options = parser.parse_args()
    ratings = matinee.load(options.data).ratings
    small = matinee.BayesianMF(rank=2, iterations=2, burn_in=0, samples=1)
    small.fit(ratings)
    matinee.ALS(iterations=1).fit(ratings)
    models = {
        "damped bias": matinee.damped_bias(), "ALS": matinee.ALS(), "BayesianMF": matinee.BayesianMF(),
        "BayesianMF, plain": matinee.BayesianMF(sets=False, time=False),
    }  # fmt: skip
    for split in range(options.splits):
        train, test = matinee.random_split(ratings, test=0.2, seed=split)
        rows = {name: measure(model, train, test) for name, model in models.items()}
        if options.peer:
            for kind in ("plain", "timeSVD++ flipped"):
                for seed in range(options.peer_seeds):
                    rows[f"myFM {kind}, seed {seed}"] = peer(options.peer, kind, seed, train, test)
        for name, row in rows.items():
            json.dump({"data": options.data, "split": split, "model": name, **row}, sys.stdout)
            print(flush=True)


if __name__ == "__main__":
    main()
