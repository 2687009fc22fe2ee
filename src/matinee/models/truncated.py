"""The standard normal distribution cut off on both sides, as ordered probit models need it, exact far out too."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

Float64 = npt.NDArray[np.float64]

REACH = 37.0
"""Standard deviations beyond which float64 knows no probability; all of the mass there is at the near end."""
_ROOT = float(np.sqrt(2 * np.pi))


def mass(low: Float64, high: Float64) -> Float64:
    """Return the probability between `low` and `high`, shape ``(n,)``, with a small relative error in both tails."""
    right = low > 0
    return np.asarray(ndtr(np.where(right, -low, high)) - ndtr(np.where(right, -high, low)), np.float64)


def density(x: Float64) -> Float64:
    """Return the standard normal density; 0 where x is infinite."""
    return np.asarray(np.exp(-0.5 * np.square(x)) / _ROOT, np.float64)


def moments(low: Float64, high: Float64) -> tuple[Float64, Float64]:
    """Return mean and variance of what is left between `low` and `high`, shapes ``(n,)``."""
    near = np.clip(0.0, low, high)
    inside = mass(low, high)
    known = inside > 0
    inside = np.where(known, inside, 1.0)
    below, above = density(low), density(high)
    mean = np.clip(np.where(known, (below - above) / inside, near), low, high)
    ends = np.nan_to_num(low, neginf=0.0) * below - np.nan_to_num(high, posinf=0.0) * above
    variance = np.where(known, 1 + ends / inside - mean**2, 0.0)
    return mean, np.clip(variance, 0.0, 1.0)


def draw(low: Float64, high: Float64, uniform: Float64) -> Float64:
    """Turn uniform numbers into draws between `low` and `high`, shape ``(n,)``, by inversion in the left tail."""
    right = low > 0
    left, end = np.where(right, -high, low), np.where(right, -low, high)
    start = ndtr(left)
    inside = ndtri(start + uniform * (ndtr(end) - start))
    drawn = np.clip(np.where(end < -REACH, end, inside), left, end)
    return np.asarray(np.where(right, -drawn, drawn), np.float64)
