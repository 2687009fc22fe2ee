"""Bayesian matrix factorization."""

from __future__ import annotations

from matinee.models.bayesian.model import BayesianModel
from matinee.models.bayesian.params import BayesianMF

__all__ = ["BayesianMF", "BayesianModel"]
