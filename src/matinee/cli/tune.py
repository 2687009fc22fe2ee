"""`matinee tune`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from matinee.cli.common import SEED, answer, columns, data_argument, home_option, json_option, loaded, steps_shown
from matinee.cli.engine import Cluster, chosen_cluster, engine_options, on_spark

if TYPE_CHECKING:
    from matinee.data.ratings import Ratings
    from matinee.evaluation.tuning import Parts, Task, Tuning

SPACES: dict[str, dict[str, list[Any]]] = {
    "stars": {
        "rank": [32, 64],
        "regularization": [0.02, 0.05, 0.1],
        "damping": [2.0, 4.0, 8.0],
        "iterations": [15],
        "biases": [True],
    },
    "ranking": {
        "rank": [64, 128],
        "shrinkage": [0.27, 0.36, 0.45],
        "alpha0": [0.08, 0.16, 0.32],
        "activity": [0.5, 0.75],
        "iterations": [10],
    },
    "tutorial": {"rank": [4, 8, 12], "regularization": [0.1], "iterations": [10], "biases": [False]},
    "stars on Spark": {"rank": [32, 64], "regularization": [0.02, 0.05, 0.1], "iterations": [15], "biases": [True]},
    "ranking on Spark": {"rank": [32, 64], "regularization": [0.05, 0.1], "alpha": [1.0, 4.0], "iterations": [10]},
}
"""What is tried where no flag names values; on Spark `ImplicitALS` has Spark's objective."""


def listed(kind: type[int] | type[float]) -> Callable[[click.Context, click.Parameter, str | None], list[Any] | None]:
    """Read comma-separated numbers; None stays None."""

    def read(ctx: click.Context, param: click.Parameter, text: str | None) -> list[Any] | None:
        try:
            return None if text is None else [kind(part) for part in text.split(",")]
        except ValueError:
            raise click.BadParameter(
                f"{text!r}: {'whole ' if kind is int else ''}numbers, separated by commas"
            ) from None

    return read


def fractions(ctx: click.Context, param: click.Parameter, text: str) -> tuple[float, ...]:
    """Read a split such as 6:2:2."""
    try:
        parts = tuple(float(part) for part in text.split(":"))
    except ValueError:
        parts = ()
    if len(parts) not in (2, 3) or min(parts) <= 0:
        raise click.BadParameter(f"{text!r}: training:validation:test as in 6:2:2, or training:test as in 7:3")
    return parts


@click.command()
@data_argument
@click.option("--task", type=click.Choice(["stars", "ranking"]), default="stars", show_default=True, help="What for.")
@click.option("--ranks", "rank", callback=listed(int), help="Lengths of the factors, as in 4,8,12.")
@click.option(
    "--regularization",
    callback=listed(float),
    help="Stars (Spark: both): weights of the squared factors, as in 0.05,0.1.",
)
@click.option("--damping", callback=listed(float), help="Stars: weights of the squared factors of any row.")
@click.option("--iterations", callback=listed(int), help="How often both sides are solved.")
@click.option("--shrinkage", callback=listed(float), help="Ranking: regularizations in units of the ratings' noise.")
@click.option("--alpha0", callback=listed(float), help="Ranking: weights of a film that a person did not like.")
@click.option("--activity", callback=listed(float), help="Ranking: how much more for people who like many.")
@click.option("--alpha", callback=listed(float), help="Ranking on Spark: confidence per star.")
@click.option("--biases/--no-biases", default=None, help="Stars: biases around the mean; none is Spark's objective.")
@click.option("--tutorial", is_flag=True, help="The tutorial's setting: ranks 4,8,12, 0.1, 10 iterations, no biases.")
@click.option("--split", default="6:2:2", show_default=True, callback=fractions, help="Training:validation:test.")
@click.option(
    "--protocol", type=click.Choice(["random", "hash"]), help="How to split (default: random; on Spark always hash)."
)
@click.option("--split-seed", type=SEED, default=0, show_default=True, help="Of the split; repeats count on from it.")
@click.option("--repeats", type=click.IntRange(1), default=1, show_default=True, help="How many splits to average.")
@click.option("--seed", type=SEED, default=5, show_default=True, help="Of the first factors.")
@click.option("--trials", type=click.IntRange(1), help="Let Optuna try so many between the least and greatest values.")
@click.option(
    "--early-stopping/--no-early-stopping", default=None, help="Choose the iterations by validation (ranking: on)."
)
@click.option("-k", "--k", default=10, show_default=True, help="Ranking: length of the lists.")
@click.option("--relevant-from", default=4.0, show_default=True, help="Ranking: least stars of a relevant rating.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Write a plot (.png, .svg, .pdf).")
@engine_options
@json_option
@home_option
def tune(
    data: str,
    reading: dict[str, Any],
    task: str,
    as_json: bool,
    home: Path,
    plot: Path | None,
    tutorial: bool,
    engine: str,
    master: str | None,
    conf: tuple[str, ...],
    **options: Any,
) -> None:
    """Try parameters on a validation set and print a table.

    The best combination is then measured, once, on the test part: of those within noise of it the model's defaults, if
    they were tried. Without a validation part (--split 7:3) one
    combination is fitted and tested.
    """
    from matinee.evaluation import report

    if tutorial and task != "stars":
        raise click.UsageError("--tutorial is about stars: leave --task ranking out")
    if options["trials"] and len(options["split"]) == 2:
        raise click.UsageError("--trials needs a validation part: split in three, as in 6:2:2")
    report.check_plot(plot)
    cluster = chosen_cluster(engine, data, master, conf)
    space = chosen_space("tutorial" if tutorial else f"{task} on Spark" if cluster else task, options)
    if cluster:
        tuning = tuned_on_spark(data, home, reading, cluster, task, space, options)
    else:
        tuning = tuned(loaded(data, home, reading).ratings, task, space, options)
    if plot and tuning.trials:
        report.plot_tuning(tuning, plot)
    protocol = {
        "data": data,
        "split": ":".join(f"{part:g}" for part in options["split"]),
        "split_by": "hash" if cluster else options["protocol"] or "random",
        "split_seed": options["split_seed"],
        "repeats": options["repeats"],
        "seed": options["seed"],
    }
    answer(report.tuning_document(tuning, protocol), lambda: described(tuning, protocol), as_json)


def tuned(ratings: Ratings, task: str, space: dict[str, list[Any]], options: dict[str, Any]) -> Tuning:
    """Split here and try."""
    from matinee.data.splits import hash_fractions, random_fractions
    from matinee.evaluation.tuning import Parts, ranking_task, stars_task

    cut = hash_fractions if options["protocol"] == "hash" else random_fractions
    cuts = [cut(ratings, options["split"], seed=seed) for seed in split_seeds(options)]
    splits = [Parts(parts[0], parts[1] if len(parts) == 3 else None, parts[-1]) for parts in cuts]
    how = {name: options[name] for name in ("k", "relevant_from")}
    return run(stars_task() if task == "stars" else ranking_task(**how), splits, space, options)


def tuned_on_spark(
    data: str,
    home: Path,
    reading: dict[str, Any],
    cluster: Cluster,
    task: str,
    space: dict[str, list[Any]],
    options: dict[str, Any],
) -> Tuning:
    """Do the same on a cluster."""
    if options["protocol"] == "random":
        raise click.UsageError("--protocol random draws on one machine: with --engine spark hash is the only one")
    with on_spark(data, home, reading, cluster) as (ratings, _, _):
        from matinee.evaluation.distributed import ranking_task_on_spark, star_task_on_spark, tuning_parts

        splits = [tuning_parts(ratings, options["split"], seed) for seed in split_seeds(options)]
        how = {name: options[name] for name in ("k", "relevant_from")}
        return run(star_task_on_spark() if task == "stars" else ranking_task_on_spark(**how), splits, space, options)


def split_seeds(options: dict[str, Any]) -> range:
    """Return the seed of every split."""
    return range(options["split_seed"], options["split_seed"] + options["repeats"])


def chosen_space(defaults: str, options: dict[str, Any]) -> dict[str, list[Any]]:
    """Take the values that the flags name, and the models' defaults for the rest; all of a space if none is named.

    The tutorial's space holds whatever flags leave it; a flag of the other task is refused.
    """
    space = SPACES[defaults]
    names = dict.fromkeys(name for one in SPACES.values() for name in one)
    given = {name: options[name] for name in names if options[name] is not None}
    for name in given.keys() - space.keys():
        raise click.UsageError(f"--{name} has no meaning here: {', '.join(space)} have")
    chosen = {name: values if isinstance(values, list) else [values] for name, values in given.items()}
    if defaults == "tutorial" or not given.keys() - {"iterations", "biases"}:
        return space | chosen
    return {name: chosen.get(name, space[name]) for name in space if name in chosen or name == "iterations"}


def run(task: Task, splits: list[Parts], space: dict[str, list[Any]], options: dict[str, Any]) -> Tuning:
    """Try the grid, or let Optuna search."""
    from matinee.evaluation.proposals import grid, search
    from matinee.evaluation.tuning import tune as tried

    trials, whole = options["trials"], space | {"seed": [options["seed"]]}
    if trials:
        proposals = search(whole, trials=trials, seed=options["seed"], larger_is_better=task.larger_is_better)
    else:
        proposals = grid(whole)
    stopping = task.name == "ranking" if options["early_stopping"] is None else options["early_stopping"]
    with counted("combinations", trials or prod(len(values) for values in space.values())) as report:
        return tried(task, splits, proposals, early_stopping=stopping, report=report)


@contextmanager
def counted(stage: str, total: int) -> Iterator[Callable[[Any], None] | None]:
    """Show a bar that grows with every call."""
    from matinee.training import Step

    with steps_shown() as show:
        done = 0

        def count(_: Any) -> None:
            nonlocal done
            done += 1
            if show:
                show(Step(stage, done, total))

        yield count


def described(tuning: Tuning, protocol: dict[str, Any]) -> str:
    """Write the table, the best combination, what it is worth, and its test."""
    from matinee.evaluation import report

    test, metric = tuning.test, tuning.task.metric
    fate = "scored by the fallback, not dropped" if tuning.task.name == "stars" else "missed by every list"
    cold = f"{tuning.cold['cold_pairs']} of {tuning.cold['pairs']} held-out ratings are of people or films that the "
    cold += f"training part lacks: {fate}"
    times = f", {protocol['repeats']} splits" if protocol["repeats"] > 1 else ""
    by = " by hash" if protocol["split_by"] == "hash" else ""
    lines = [f"split {protocol['split']}{by}, seed {protocol['split_seed']}{times}; {cold}", ""]
    if tuning.trials:
        headers, rows = report.tuning_table(tuning)
        lines += [columns(rows, headers), "", report.verdict(tuning)]
    known = report.mean_of(test, "rmse_known") if metric == "rmse" else None
    also = "" if known is None else f" ({known:.4f} without the cold pairs)"
    baseline = f"{tuning.task.baseline_name}: {tuning.baseline_test.mean:.4f}"
    lines.append(f"test {metric} of {report.named(test.params)}: {test.mean:.4f}{also}; {baseline}")
    return "\n".join(lines)
