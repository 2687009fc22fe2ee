"""What lists are worth beyond their first order: the price of the dials, and how soon lists fit somebody new.

Dials: everybody's random fifth is held out, relevant is a film of four stars or more. Onboarding: people who are not
in training are simulated, see `matinee.evaluation.simulation`. Models have their default parameters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import matinee
from bench.common import Check, report
from matinee import ImplicitALS
from matinee.data.dataset import Dataset
from matinee.evaluation.catalogue import genre_vectors, intra_list_diversity
from matinee.evaluation.metrics import LIKED
from matinee.evaluation.simulation import simulate_onboarding, training_catalogue
from matinee.evaluation.splitting import held_out_per_user
from matinee.models.bias import damped_bias
from matinee.recommend.recommender import Recommender

DIALS: dict[str, dict[str, float]] = {
    "none": {},
    **{f"diversity {dial:g}": {"diversity": dial} for dial in (0.25, 0.5, 0.75, 1)},
    **{f"popularity {dial:g}": {"popularity": dial} for dial in (-1, -0.5, 0.5, 1)},
}
LENGTH = 10
GAINS = 1 / np.log2(np.arange(2, LENGTH + 2))


def run(*, quick: bool = False, data: Iterable[str] = ("sample",)) -> list[Check]:
    """Measure every data set of `data` (a name or a file, as `matinee.load` takes it); quick: one seed, few people."""
    raw: dict[str, Any] = {}
    checks = []
    for source in data:
        name, dataset = Path(source).stem, matinee.load(source)
        seeds, people = (1, 100) if quick else (3, None)
        splits = [dialled(dataset, seed, people) for seed in range(seeds)]
        table = {dial: averaged([split[dial] for split in splits]) for dial in DIALS}
        onboarding = [
            simulate_onboarding(dataset, seed=seed, most_people=60 if quick else 200) for seed in range(seeds)
        ]
        asked = {who: averaged([asdict(result[who]) for result in onboarding]) for who in onboarding[0]}
        raw[name] = {"dials": table, "onboarding": asked}
        checks += _checks(name, table, asked)
    return report("quality_lists_quick" if quick else "quality_lists", checks, raw)


def averaged(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean of every entry, element by element."""
    return {key: np.mean([row[key] for row in rows], axis=0).tolist() for key in rows[0]}


def _checks(name: str, table: dict[str, dict[str, float]], asked: dict[str, dict[str, Any]]) -> list[Check]:
    gain = {key: table["diversity 0.5"][key] / table["none"][key] for key in table["none"]}
    others = max(value["ndcg"][-1] for who, value in asked.items() if who != "ask_next")
    return [
        Check(f"{name}: diversity 0.5, intra-list diversity of tastes", gain["diversity of tastes"], 1.25),
        Check(f"{name}: diversity 0.5, NDCG@10", gain["ndcg@10"], 0.95),
        Check(
            f"{name}: NDCG@10 after 80 films shown, ours / the best other", asked["ask_next"]["ndcg"][-1] / others, 1
        ),
    ]


def dialled(dataset: Dataset, seed: int, most_people: int | None) -> dict[str, dict[str, float]]:
    """NDCG@10, intra-list diversity of tastes (the model's factors) and of genres, and popularity, by the dial."""
    split = held_out_per_user(dataset.ratings, 0.2, seed)
    picks = ImplicitALS().fit(split.train)
    recommender = Recommender(training_catalogue(dataset.movies, split.train), damped_bias().fit(split.train), picks)
    genres = genre_vectors(dataset.movies, picks.items)
    liked = split.test.select(split.test.stars >= LIKED)
    users = liked.users.ids.tolist()[:most_people]
    results = {}
    for dial, options in DIALS.items():
        top = np.full((len(users), LENGTH), -1, np.int64)
        ndcg = []
        for row, user in enumerate(users):
            ratings = recommender.ratings_of(user)
            films = recommender.recommend(ratings, user_id=user, limit=LENGTH, **options).recommendations
            ids = [film.movie_id for film in films]
            top[row, : len(ids)] = picks.items.rows(ids)
            relevant = set(liked.items.ids[liked.by_user.row(row)[0]].tolist())
            found = sum(gain for gain, movie in zip(GAINS, ids, strict=False) if movie in relevant)
            ndcg.append(found / GAINS[: len(relevant)].sum())
        results[dial] = {
            "ndcg@10": float(np.mean(ndcg)),
            "diversity of tastes": float(intra_list_diversity(top, picks.item_factors) or 0),
            "ratings per film": float(split.train.item_counts[top].mean()),
            "diversity of genres": float("nan") if genres is None else float(intra_list_diversity(top, genres) or 0),
        }
    return results
