"""What measurements look like: rows of tables, and plots."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from matinee.errors import MissingExtraError, ParameterError
from matinee.evaluation.protocols import Evaluation
from matinee.evaluation.tuning import Trial, Tuning

Table = tuple[list[str], list[list[Any]]]
"""Headers, and rows of texts (None where there is nothing)."""
STAR_COLUMNS = {"RMSE": "rmse", "MAE": "mae", "AUC": "auc", "AUC per user": "auc_per_user"}
LIST_COLUMNS = {
    "NDCG": "ndcg@{k}",
    "recall": "recall@{k}",
    "precision": "precision@{k}",
    "hit rate": "hit_rate@{k}",
    "MAP": "map",
    "MRR": "mrr",
    "AUC": "auc",
    "coverage": "coverage@{k}",
    "novelty": "novelty@{k}",
    "diversity": "diversity@{k}",
    "popularity": "popularity@{k}",
}
SHOWN = 30
"""Most combinations in a plot."""


def evaluation_table(evaluation: Evaluation) -> Table:
    """Lay out one row per model, the one under examination first."""
    k = evaluation.protocol.get("k")
    names = STAR_COLUMNS if k is None else {head: name.format(k=k) for head, name in LIST_COLUMNS.items()}
    rows = [
        [model, *(digits(measured[name]) for name in names.values()), f"{measured['fit_seconds']:.2f}"]
        for model, measured in evaluation.results.items()
    ]
    return ["model", *names, "fit s"], rows


def interval_table(evaluation: Evaluation) -> Table | None:
    """Lay out, for each model with intervals, its coverage by tenth of width; None if there is none."""
    rows = [
        [model, f"{tenth}", digits(group["width"]), digits(group["coverage"]), digits(group["rmse"])]
        for model, measured in evaluation.results.items()
        for tenth, group in enumerate(measured.get("intervals", {}).get("by_width", []), start=1)
    ]
    return (["model", "tenth by width", "90 % width", "coverage", "RMSE"], rows) if rows else None


def likelihood_table(evaluation: Evaluation) -> Table | None:
    """Lay out, for each model with intervals, its mean negative log-likelihoods beside those of one width for all."""
    names = {"NLL": "nll", "one width": "nll_constant", "NLL of steps": "nll_steps", "one width ": "nll_steps_constant"}
    rows = [
        [model, *(digits(measured["intervals"].get(name)) for name in names.values())]
        for model, measured in evaluation.results.items()
        if "intervals" in measured
    ]
    return (["model", *(name.strip() for name in names)], rows) if rows else None


def digits(value: float | None) -> str | None:
    """Write a number with as many digits as say something."""
    return None if value is None else f"{value:.4f}" if abs(value) < 10 else f"{value:.1f}"


def tuning_table(tuning: Tuning) -> Table:
    """Lay out one row per combination, in the order of trying, and the baseline."""
    names = list(tuning.best.params)
    known = tuning.task.name == "stars"
    heads = [
        *names,
        tuning.task.metric,
        *(["of known pairs"] if known else []),
        "± s.e.",
        "behind best",
        "± s.e.",
        "fit s",
    ]
    rows = []
    for trial, gap in zip(tuning.trials, tuning.differences, strict=True):
        behind = [None, None] if trial is tuning.best else [digits(gap.value), digits(gap.standard_error)]
        rows.append([*trial.params.values(), *_measured(trial, tuning, known), *behind, f"{trial.fit_seconds:.2f}"])
    if tuning.baseline:
        label = [tuning.task.baseline_name, *[None] * (len(names) - 1)]
        seconds = f"{tuning.baseline.fit_seconds:.2f}"
        rows.append([*label, *_measured(tuning.baseline, tuning, known), None, None, seconds])
    return heads, rows


def _measured(trial: Trial, tuning: Tuning, known: bool) -> list[str | None]:
    pairs = [digits(mean_of(trial, "rmse_known"))] if known else []
    return [digits(trial.mean), *pairs, digits(trial.standard_error)]


def mean_of(trial: Trial, name: str) -> float | None:
    """Return the mean over splits of something measured; None where a split has none of it."""
    values = [score.metrics[name] for score in trial.scores]
    return None if None in values else float(np.mean(values))


def verdict(tuning: Tuning) -> str:
    """Say in a sentence which combination is best, what the differences are worth and which one to take."""
    best, names = named(tuning.best.params), varied(tuning)
    others = [pair for pair in zip(tuning.trials, tuning.differences, strict=True) if pair[0] is not tuning.best]
    close = [named(trial.params, names) for trial, gap in others if gap.within_noise]
    if not others:
        return f"best: {best}; only one combination was tried"
    if not close:
        return f"best: {best}; it is better than every other by more than two standard errors"
    listed = "; ".join(close[:5]) + (f"; and {len(close) - 5} more" if len(close) > 5 else "")
    said = (
        f"best: {best}; but {len(close)} of {len(others)} others are within noise (two standard errors) of it, and "
        f"another split may choose another: {listed}"
    )
    if tuning.chosen is tuning.best:
        return said
    return f"{said}\ntaken: {named(tuning.chosen.params)}, the defaults, which nothing beats beyond noise"


def varied(tuning: Tuning) -> list[str]:
    """Return the names of the parameters that differ between combinations."""
    params = [trial.params for trial in tuning.trials]
    return [name for name in params[0] if len({trial[name] for trial in params}) > 1]


def named(params: dict[str, Any], names: Iterable[str] | None = None) -> str:
    """Write a combination of parameters, or some of them."""
    chosen = params if names is None else {name: params[name] for name in names}
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in chosen.items()
    )


def tuning_document(tuning: Tuning, protocol: dict[str, Any]) -> dict[str, Any]:
    """Build what `matinee tune --json` prints."""
    task = tuning.task
    baseline = {"test": _means(tuning.baseline_test)}
    if tuning.baseline:
        baseline["validation"] = _means(tuning.baseline)
    return {
        "protocol": {"task": task.name, "metric": task.metric, **protocol, **tuning.cold},
        "engine": task.engine,
        "trials": [
            {
                "params": trial.params,
                "values": [score.value for score in trial.scores],
                "standard_error": trial.standard_error,
                **_means(trial),
                "behind_best": gap.value,
                "behind_best_standard_error": gap.standard_error,
                "within_noise": gap.within_noise,
                "curve": trial.curve,
                "fit_seconds": trial.fit_seconds,
            }
            for trial, gap in zip(tuning.trials, tuning.differences, strict=True)
        ],
        "best": {"params": tuning.best.params, **({task.metric: tuning.best.mean} if tuning.trials else {})},
        "chosen": {"params": tuning.chosen.params},
        "test": {"standard_error": tuning.test.standard_error, **_means(tuning.test)},
        "baselines": {task.baseline_name: baseline},
        "verdict": verdict(tuning) if tuning.trials else None,
    }


def _means(trial: Trial) -> dict[str, float | None]:
    return {name: mean_of(trial, name) for name in trial.scores[0].metrics}


def _figure(path: Path, width: float, height: float) -> tuple[Any, Any]:
    """Make a figure without a display, checking first that its file can be written."""
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise ParameterError(f"{path}: a plot is written as .png, .svg or .pdf")
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("A plot", "plot") from error
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _save(figure: Any, path: Path) -> None:
    """Write beside the file first: an interrupted plot leaves the old one."""
    unfinished = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        figure.savefig(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def check_plot(path: Path | None) -> None:
    """Refuse, before anything is fitted, a plot that could not be drawn.

    Raises
    ------
    ParameterError
        If the file name ends in nothing that can be written.
    MissingExtraError
        If matplotlib is not installed.
    """
    if path is not None:
        _figure(path, 1, 1)


def plot_tuning(tuning: Tuning, path: Path) -> None:
    """Draw the combinations from best to worst, with the baseline.

    The bars are the standard error of the mean over splits or, for a single split, that of the difference to the best.
    """
    pairs = sorted(zip(tuning.trials, tuning.differences, strict=True), key=lambda pair: pair[1].value)[:SHOWN]
    figure, axes = _figure(path, 7, 1.5 + 0.28 * len(pairs))
    values = [trial.mean for trial, _ in pairs]
    bars = [trial.standard_error if trial.standard_error is not None else gap.standard_error for trial, gap in pairs]
    axes.errorbar(values, range(len(pairs)), xerr=bars, fmt="o", capsize=3)
    names = varied(tuning) or None
    axes.set_yticks(range(len(pairs)), [named(trial.params, names) for trial, _ in pairs])
    axes.invert_yaxis()
    if tuning.baseline:
        axes.axvline(tuning.baseline.mean, linestyle="--", color="gray", label=tuning.task.baseline_name)
        axes.legend()
    of = "" if tuning.best.standard_error is not None else " of the difference to the best"
    axes.set_xlabel(f"validation {tuning.task.metric}, ± standard error{of}")
    _save(figure, path)


def plot_evaluation(evaluation: Evaluation, path: Path) -> None:
    """Draw every model's main metric, or the reliability of the intervals where a model has them."""
    reliable = {name: row["intervals"]["coverage"] for name, row in evaluation.results.items() if "intervals" in row}
    figure, axes = _figure(path, 7, 5 if reliable else 1.2 + 0.5 * len(evaluation.results))
    if reliable:
        axes.plot([0, 1], [0, 1], linestyle="--", color="gray", label="as promised")
        for name, coverage in reliable.items():
            axes.plot([float(level) for level in coverage], list(coverage.values()), marker="o", label=name)
        axes.set(xlabel="level of the interval", ylabel="share of held-out ratings inside")
        axes.legend()
    else:
        metric = f"ndcg@{evaluation.protocol['k']}" if "k" in evaluation.protocol else "rmse"
        errors = [row.get("standard_errors", {}).get(metric, 0) for row in evaluation.results.values()]
        values = [row[metric] for row in evaluation.results.values()]
        axes.barh(list(evaluation.results), values, xerr=errors)
        axes.invert_yaxis()
        axes.set_xlabel(f"{metric} on the test part")
    _save(figure, path)
