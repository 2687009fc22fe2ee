"""Synthetic ratings in the shapes of the large releases, made once and kept under `bench/data/`."""

from __future__ import annotations

import numpy as np

from bench.common import DATA
from matinee import Ratings

SHAPES = {  # ratings, users, films
    "ml-20m": (20_000_263, 138_493, 26_744),
    "ml-32m": (32_000_204, 200_948, 84_432),
}


def shaped(release: str, *, divide: int = 1, seed: int = 0) -> Ratings:
    """Return synthetic ratings with the counts of a release, all divided by `divide`."""
    from matinee.data.synthetic import synthetic

    n_ratings, n_users, n_items = (count // divide for count in SHAPES[release])
    path = DATA / f"{release}-{divide}-{seed}.npz"
    if not path.exists():
        ratings = synthetic(n_ratings, n_users, n_items, seed=seed)
        DATA.mkdir(exist_ok=True)
        stars = (ratings.stars * 2).astype(np.uint8)
        np.savez(path, users=ratings.user_ids.astype(np.int32), items=ratings.item_ids.astype(np.int32), stars=stars)
    with np.load(path) as kept:
        return Ratings.from_arrays(kept["users"], kept["items"], kept["stars"].astype(np.float32) / 2)
