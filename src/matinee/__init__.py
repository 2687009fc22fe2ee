"""matinee: movie recommendations that answer at once, obey every filter and can say why.

The names below load on first use, so that `import matinee` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matinee.client import Client
    from matinee.data.dataset import Dataset
    from matinee.data.movielens import load
    from matinee.data.ratings import Ratings
    from matinee.data.splits import random_split
    from matinee.errors import MatineeError
    from matinee.evaluation.metrics import rmse
    from matinee.models.als import ALS
    from matinee.models.artifact import load_model, save
    from matinee.models.bayesian.params import BayesianMF
    from matinee.models.bias import damped_bias
    from matinee.models.implicit_als import ImplicitALS

__all__ = [
    "ALS",
    "BayesianMF",
    "Client",
    "Dataset",
    "ImplicitALS",
    "MatineeError",
    "Ratings",
    "damped_bias",
    "load",
    "load_model",
    "random_split",
    "rmse",
    "save",
]

__version__ = "0.1.0"

_HOMES = {
    "ALS": "matinee.models.als",
    "BayesianMF": "matinee.models.bayesian.params",
    "Client": "matinee.client",
    "Dataset": "matinee.data.dataset",
    "ImplicitALS": "matinee.models.implicit_als",
    "MatineeError": "matinee.errors",
    "Ratings": "matinee.data.ratings",
    "damped_bias": "matinee.models.bias",
    "load": "matinee.data.movielens",
    "load_model": "matinee.models.artifact",
    "random_split": "matinee.data.splits",
    "rmse": "matinee.evaluation.metrics",
    "save": "matinee.models.artifact",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'matinee' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
