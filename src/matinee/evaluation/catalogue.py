"""What lists do to a catalogue: how much of it they show, how well known and how alike what they show is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from matinee.data.ratings import Float32, Int64, Vocabulary

if TYPE_CHECKING:
    import polars as pl


def catalogue_metrics(
    top: Int64, item_counts: Int64, n_users: int, *, item_vectors: Float32 | None = None
) -> dict[str, float | None]:
    """Measure the lists of everyone together.

    Parameters
    ----------
    top
        Shape ``(people, k)``: item rows, -1 where a list is shorter.
    item_counts
        Shape ``(n_items,)``: training ratings of each item.
    n_users
        People of the training set.
    item_vectors
        Shape ``(n_items, d)``: what items are like (genres, say), for the diversity; None leaves it out.

    Returns
    -------
    dict
        With k the length of the lists:

        - ``coverage@k``: share of the items that stand in at least one list.
        - ``popularity@k``: mean number of training ratings over all places of all lists.
        - ``novelty@k``: mean of -log2(share of the training users who rated the item), over all places (Zhou et al.
          2010, "Solving the apparent diversity-accuracy dilemma"; higher is less known), in bits.
        - ``diversity@k``: mean over lists of the mean over pairs of places of 1 - cosine of the items' vectors (Ziegler
          et al. 2005, as a distance); a zero vector resembles nothing. None without vectors or without any pair.
    """
    k = top.shape[1]
    shown = top[top >= 0]
    shares = np.maximum(item_counts[shown], 1) / n_users
    diversity = None if item_vectors is None else intra_list_diversity(top, item_vectors)
    return {
        f"coverage@{k}": len(np.unique(shown)) / len(item_counts),
        f"popularity@{k}": float(item_counts[shown].mean()) if len(shown) else None,
        f"novelty@{k}": float(-np.log2(shares).mean()) if len(shown) else None,
        f"diversity@{k}": diversity,
    }


def intra_list_diversity(top: Int64, item_vectors: Float32) -> float | None:
    """Return the mean over lists of the mean pairwise 1 - cosine; None where no list has two items."""
    norms = np.linalg.norm(item_vectors, axis=1, keepdims=True)
    unit = item_vectors / np.where(norms > 0, norms, 1)
    present = top >= 0
    lengths = present.sum(axis=1)
    sums, squares = np.zeros((len(top), unit.shape[1])), np.zeros(len(top))
    for place in range(top.shape[1]):  # one place at a time: never people x k x d
        rows = np.where(present[:, place, None], unit[top[:, place]], 0)
        sums += rows
        squares += np.einsum("ij,ij->i", rows, rows)
    pairs = lengths * (lengths - 1)
    if not pairs.any():
        return None
    cosines = (np.einsum("ij,ij->i", sums, sums) - squares)[pairs > 0] / pairs[pairs > 0]
    return float(np.mean(1 - cosines))


def genre_vectors(movies: pl.DataFrame, items: Vocabulary) -> Float32 | None:
    """Return one column per genre, 1 where an item has it, shape ``(n_items, n_genres)``; None without any genre."""
    import polars as pl

    pairs = (
        movies.select("movie_id", "genres")
        .explode("genres")
        .drop_nulls()
        .with_columns(pl.col("genres").cast(pl.String))
    )
    genres = sorted(pairs["genres"].unique().to_list())
    if not genres:
        return None
    rows = items.rows(pairs["movie_id"].to_numpy())
    columns = np.searchsorted(genres, pairs["genres"].to_list())
    vectors = np.zeros((len(items), len(genres)), np.float32)
    vectors[rows[rows >= 0], columns[rows >= 0]] = 1
    return vectors
