"""`matinee evaluate`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from matinee.cli.common import SEED, answer, columns, data_argument, home_option, json_option, loaded, say, steps_shown
from matinee.cli.engine import Cluster, chosen_cluster, engine_options, on_spark

if TYPE_CHECKING:
    from matinee.data.dataset import Dataset
    from matinee.evaluation.protocols import Evaluation
    from matinee.evaluation.tuning import Estimator

STARS = ("als", "bayesian")
"""What is measured without being asked for."""
MOST_RATINGS = 2_000_000
"""Of data on which BayesianMF is fitted without being asked for."""
PROTOCOLS = ("random", "per-user", "hash", "k-fold", "last", "time", "strong")


@click.command()
@data_argument
@click.option("--task", type=click.Choice(["stars", "ranking"]), default="stars", show_default=True, help="What for.")
@click.option("--protocol", type=click.Choice(PROTOCOLS), help="How to split (stars: random, ranking: per-user).")
@click.option(
    "--test", default=0.2, show_default=True, help="Part held out: of the ratings, or (strong) of the people."
)
@click.option("--last", default=5, show_default=True, help="With --protocol last: ratings held out of each person's.")
@click.option("--folds", default=5, show_default=True, help="With --protocol k-fold: how many.")
@click.option("--split-seed", type=SEED, default=0, show_default=True, help="Of the split; repeats count on from it.")
@click.option("--repeats", type=click.IntRange(1), default=1, show_default=True, help="How many splits to average.")
@click.option(
    "--models",
    multiple=True,
    type=click.Choice([*STARS, "probit"]),
    help="Stars: what to measure beside damped biases; repeat. The first two, or ALS alone above "
    f"{MOST_RATINGS} ratings; probit is BayesianMF with the output of that name.",
)
@click.option("--rank", type=int, help="Length of the factors of ALS.")
@click.option("--regularization", type=float, help="Weight of the squared factors of ALS.")
@click.option("--damping", type=float, help="Stars: weight of ALS's squared factors, however many ratings.")
@click.option("--iterations", type=int, help="How often ALS solves both sides.")
@click.option("--seed", type=SEED, help="Of the models.")
@click.option("--biases/--no-biases", default=None, help="Stars: ALS with biases; without, it is Spark's objective.")
@click.option("-k", "--k", default=10, show_default=True, help="Ranking: length of the lists.")
@click.option("--relevant-from", default=4.0, show_default=True, help="Least stars of a liked (relevant) rating.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Write a plot (.png, .svg, .pdf).")
@engine_options
@json_option
@home_option
def evaluate(
    data: str,
    reading: dict[str, Any],
    task: str,
    as_json: bool,
    home: Path,
    plot: Path | None,
    engine: str,
    master: str | None,
    conf: tuple[str, ...],
    **options: Any,
) -> None:
    """Measure models on a held-out part, beside the baselines.

    Everything is fitted on the training part alone: no model is measured on ratings that it has seen. On Spark, hash is
    the protocol unless you say otherwise, and ALS and ImplicitALS have Spark's objectives.
    """
    from matinee.evaluation import report

    if task == "stars" and options["protocol"] == "strong":
        raise click.UsageError("--protocol strong is for --task ranking: it folds people in to rank for them")
    for name in ("biases", "damping", "models"):
        if task == "ranking" and options[name] not in (None, ()):
            raise click.UsageError(f"--{name} has no meaning for --task ranking")
    report.check_plot(plot)
    if cluster := chosen_cluster(engine, data, master, conf):
        evaluation = measured_on_spark(data, home, reading, cluster, task, options)
    else:
        evaluation = measured(loaded(data, home, reading), task, options)
    if plot:
        report.plot_evaluation(evaluation, plot)
    answer(evaluation.document, lambda: described(evaluation), as_json)


def measured(dataset: Dataset, task: str, options: dict[str, Any]) -> Evaluation:
    """Split, fit and measure, as the flags say."""
    import matinee
    from matinee.evaluation.protocols import evaluate_ranking, evaluate_stars
    from matinee.evaluation.rankers import ItemItem, Popularity, TutorialList
    from matinee.evaluation.splitting import make_splits

    params = named_params(options)
    default = "random" if task == "stars" else "per-user"
    how = {name: options[name] for name in ("test", "last", "folds", "repeats")}
    splits, protocol = make_splits(dataset.ratings, options["protocol"] or default, seed=options["split_seed"], **how)
    protocol["data"] = dataset.name
    liked_from = options["relevant_from"]
    models = star_models(options["models"], dataset, params) if task == "stars" else {}
    with fits_shown() as (report, progress):
        if task == "stars":
            return evaluate_stars(
                models, splits, protocol=protocol, liked_from=liked_from, report=report, progress=progress
            )
        lists: dict[str, Estimator] = {
            "ImplicitALS": matinee.ImplicitALS(**params),
            "popularity": Popularity(),
            "tutorial's list": TutorialList(),
            "item-item": ItemItem(),
        }
        return evaluate_ranking(
            lists, splits, protocol=protocol, k=options["k"], relevant_from=liked_from, movies=dataset.movies,
            report=report, progress=progress,
        )  # fmt: skip


def named_params(options: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of models that the flags name."""
    names = ("rank", "regularization", "damping", "iterations", "seed", "biases")
    return {name: options[name] for name in names if options[name] is not None}


def measured_on_spark(
    data: str, home: Path, reading: dict[str, Any], cluster: Cluster, task: str, options: dict[str, Any]
) -> Evaluation:
    """Do the same on a cluster."""
    if wrong := set(options["models"]) - {"als"}:
        raise click.UsageError(f"--models {min(wrong)}: not with --engine spark, which has ALS alone")
    with on_spark(data, home, reading, cluster) as (ratings, movies, label), fits_shown() as (report, _):
        from matinee.evaluation import distributed

        how = {name: options[name] for name in ("test", "last", "repeats")}
        splits, protocol = distributed.make_splits(
            ratings, options["protocol"] or "hash", seed=options["split_seed"], **how
        )
        params, liked_from = named_params(options), options["relevant_from"]
        protocol["data"] = label
        if task == "stars":
            return distributed.evaluate_stars(params, splits, protocol=protocol, liked_from=liked_from, report=report)
        return distributed.evaluate_ranking(
            params, splits, protocol=protocol, k=options["k"], relevant_from=liked_from, movies=movies, report=report
        )


def star_models(chosen: tuple[str, ...], dataset: Dataset, params: dict[str, Any]) -> dict[str, Estimator]:
    """Return what is measured, the baseline last; the parameters are those of ALS, but for the seed."""
    import matinee

    if not chosen and len(dataset.ratings) > MOST_RATINGS:
        count = len(dataset.ratings)
        say(f"matinee: BayesianMF is left out, as {count} ratings would take it long: --models bayesian measures it")
        chosen = ("als",)
    models: dict[str, Estimator] = {}
    for name in dict.fromkeys(chosen or STARS):
        if name == "als":
            models["ALS"] = matinee.ALS(**params)
            continue
        output = "probit" if name == "probit" else "normal"
        learner = matinee.BayesianMF(output=output, **{key: params[key] for key in params if key == "seed"})
        models["BayesianMF" + " probit" * (name == "probit")] = learner.about(dataset.movies)
    return models | {"damped bias": matinee.damped_bias()}


@contextmanager
def fits_shown() -> Iterator[tuple[Callable[[str], None], Callable[[Any], None]]]:
    """Show a bar per model while it is fitted: the `report` and the `progress` of an evaluation."""
    from matinee.training import Step

    with steps_shown() as show:
        stage = ""

        def report(name: str) -> None:
            nonlocal stage
            stage = name

        def progress(step: Any) -> None:
            if show:
                show(Step.of(stage, step))

        yield report, progress


def described(evaluation: Evaluation) -> str:
    """Write the protocol, the table, and the coverage of intervals where a model has them."""
    from matinee.evaluation import report

    protocol = evaluation.protocol
    headers, rows = report.evaluation_table(evaluation)
    how = ", ".join(f"{name} {value}" for name, value in protocol.items() if name not in ("task", "data"))
    lines = [f"{protocol['task']} of {protocol['data']}: {how}", "", columns(rows, headers)]
    for table in (report.interval_table(evaluation), report.likelihood_table(evaluation)):
        if table:
            lines += ["", columns(table[1], table[0])]
    return "\n".join(lines)
