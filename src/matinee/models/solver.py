"""The one equation of matinee, in readable NumPy: the reference that every fast kernel is tested against.

Explicit ALS, implicit ALS, Bayesian sampling, fold-in, what-if and explanations all solve, for one row (a user given
the items, or an item given the users),

    A x = b,   A = gram + sum_j w_j y_j y_j^T + reg * I,   b = sum_j t_j y_j

where y_j are the fixed factors of the row's entries, w_j their weights and t_j their (weighted) targets. Explicit
feedback has w = 1, t = the stars and no gram; implicit feedback has a weight on every item, which is the gram
(Hu, Koren, Volinsky 2008, "Collaborative Filtering for Implicit Feedback Datasets").

A bias of the row is one more unknown whose factor is 1: bordering the system with s = sum_j w_j y_j and eliminating
the bias leaves a system of the same size.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]


class RowSolution(NamedTuple):
    """What solving one row gives."""

    factors: npt.NDArray[np.float64]  # (rank,)
    bias: float  # 0 where the row has none


def solve_row(
    factors: Floats,
    targets: Floats,
    *,
    regularization: float,
    weights: Floats | None = None,
    gram: Floats | None = None,
    bias_regularization: float | None = None,
) -> RowSolution:
    """Solve one row exactly, in float64.

    Parameters
    ----------
    factors
        Shape ``(k, rank)``: the fixed factors of the row's k entries.
    targets
        Shape ``(k,)``: t_j, already multiplied by the weight where there is one.
    regularization
        Added to the diagonal of A (already scaled by the row's count where the objective asks for it).
    weights
        Shape ``(k,)``: w_j; None for ones.
    gram
        Shape ``(rank, rank)``: what every row shares; None for zeros.
    bias_regularization
        None for a row without bias, else the weight of bias² in the objective.

    Returns
    -------
    RowSolution
        Zeros for a row without entries.
    """
    y = np.asarray(factors, np.float64)
    t = np.asarray(targets, np.float64)
    w = np.ones(len(t)) if weights is None else np.asarray(weights, np.float64)
    rank = y.shape[1]
    if not len(t):
        return RowSolution(np.zeros(rank), 0.0)
    a = (y * w[:, None]).T @ y + regularization * np.eye(rank)
    if gram is not None:
        a += gram
    b = y.T @ t
    if bias_regularization is None:
        return RowSolution(np.linalg.solve(a, b).astype(np.float64), 0.0)
    s = y.T @ w
    total = w.sum() + bias_regularization
    x = np.linalg.solve(a - np.outer(s, s) / total, b - s * (t.sum() / total)).astype(np.float64)
    return RowSolution(x, float((t.sum() - s @ x) / total))
