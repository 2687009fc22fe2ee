"""Which combinations of parameters to try next: all of a grid, or what Optuna makes of the results so far."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from itertools import product
from typing import Any

from matinee.errors import MissingExtraError, ParameterError

Params = dict[str, Any]
Space = Mapping[str, Sequence[Any]]
Proposals = Generator[Params, float, None]
"""Yields combinations, and is sent the validation mean of each."""


def grid(space: Space) -> Proposals:
    """Propose every combination, the last parameter changing fastest."""
    for values in product(*space.values()):
        yield dict(zip(space, values, strict=True))


def search(space: Space, *, trials: int, seed: int, larger_is_better: bool) -> Proposals:
    """Propose combinations between the least and the greatest value of each parameter, learning from what came of
    them (Optuna's tree-structured Parzen estimator); positive numbers are searched on a logarithmic scale.

    Raises
    ------
    MissingExtraError
        If Optuna is not installed.
    ParameterError
        If there is no trial to make.
    """
    if trials < 1:
        raise ParameterError(f"trials={trials}: at least 1 is needed")
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("Searching parameters with Optuna", "tune") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=min(10, max(1, trials // 2)))
    study = optuna.create_study(direction="maximize" if larger_is_better else "minimize", sampler=sampler)
    return _asked(study, space, trials)


def _asked(study: Any, space: Space, trials: int) -> Proposals:
    for _ in range(trials):
        trial = study.ask()
        study.tell(trial, (yield {name: _suggested(trial, name, values) for name, values in space.items()}))


def _suggested(trial: Any, name: str, values: Sequence[Any]) -> Any:
    low, high = min(values), max(values)
    if low == high:
        return low
    if all(isinstance(value, int) for value in values):
        return trial.suggest_int(name, low, high, log=low > 0)
    return trial.suggest_float(name, low, high, log=low > 0)
