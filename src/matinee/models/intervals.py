"""How much more, or less, than on average people's and films' ratings err: variances read off errors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from matinee.data.ratings import Float32, Int32

Float64 = npt.NDArray[np.float64]


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
