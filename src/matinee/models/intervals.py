"""From a prediction and its standard deviation to intervals of stars, and the variances read off errors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from matinee.data.ratings import Float32, Int32
from matinee.errors import ParameterError

Floats = npt.NDArray[np.floating]
Float64 = npt.NDArray[np.float64]

LOOKED_AT = 100_000
MOST_STEPS = 100


def step_of(stars: Float32) -> float:
    """Return the distance of the steps that ratings come in, read off about `LOOKED_AT` of them; 0 where there are over
    `MOST_STEPS` different numbers, or only one.
    """
    values = np.unique(stars[:: max(len(stars) // LOOKED_AT, 1)])
    return float(np.diff(values).min()) if 1 < len(values) <= MOST_STEPS else 0.0


def interval(centre: Floats, deviation: Floats, level: float, scale: tuple[float, float]) -> tuple[Float32, Float32]:
    """Return low and high ends of the central normal interval, shapes ``(n,)``, clipped to the scale.

    Raises
    ------
    ParameterError
        If `level` is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ParameterError(f"level={level}: give a probability between 0 and 1, 0.9 say")
    reach = ndtri(0.5 + level / 2) * deviation
    low, high = np.clip(centre - reach, *scale), np.clip(centre + reach, *scale)
    return low.astype(np.float32), high.astype(np.float32)


def probability_above(centre: Floats, deviation: Floats, stars: float, step: float) -> Float32:
    """Return the probability of what is rounded to at least so many stars, steps of `step` apart, shape
    ``(n,)``.
    """
    return np.asarray(ndtr((centre - stars + step / 2) / deviation), np.float32)


def product_variances(
    squares: Float64, users: Int32, items: Int32, n_users: int, n_items: int, shrinkage: float
) -> tuple[float, Float32, Float32]:
    """Explain squared errors by a product: mean times the user's ratio times the item's, both shrunken to 1.

    Parameters
    ----------
    squares
        Shape ``(n,)``: squared errors of ratings that the prediction did not use.
    users, items
        Shapes ``(n,)``: their rows.
    n_users, n_items
        How many there are.
    shrinkage
        With how many errors at the mean each user and item begins.

    Returns
    -------
    (mean, user_ratios, item_ratios)
    """
    item_ratio, user_ratio = np.ones(n_items), np.ones(n_users)
    counts = np.bincount(users, minlength=n_users), np.bincount(items, minlength=n_items)
    mean = float(squares.mean())
    for _ in range(5):
        left = squares / (mean * item_ratio[items])
        user_ratio = (shrinkage + np.bincount(users, left, n_users)) / (shrinkage + counts[0])
        left = squares / (mean * user_ratio[users])
        item_ratio = (shrinkage + np.bincount(items, left, n_items)) / (shrinkage + counts[1])
        mean = float(np.mean(squares / (user_ratio[users] * item_ratio[items])))
    return mean, user_ratio.astype(np.float32), item_ratio.astype(np.float32)
