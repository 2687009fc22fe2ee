"""`matinee train`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from matinee.cli.common import SEED, answer, data_argument, home_option, json_option, loaded, say, steps_shown
from matinee.cli.engine import Cluster, chosen_cluster, engine_options, on_spark
from matinee.errors import EngineError
from matinee.models.als import ALS
from matinee.models.bayesian.params import OUTPUTS, BayesianMF
from matinee.models.implicit_als import ImplicitALS
from matinee.models.parallel import free_bytes

if TYPE_CHECKING:
    from matinee.training import Trained


STARS = {
    "rank": f"Length of the rating model's factors (quality best: {BayesianMF.rank}).",
    "regularization": "Weight of the squared factors, times a row's number of ratings.",
    "damping": "Weight of the squared factors whatever the number of ratings.",
    "bias_damping": "Weight of the squared biases.",
    "iterations": f"How often both sides are solved (quality best: sweeps, {BayesianMF.iterations}).",
    "biases": "Biases around the mean; without them it is Spark's objective.",
}
"""Parameters of `matinee.ALS` that are flags."""

BEST = {
    "burn_in": "Quality best: sweeps before the first that counts.",
    "samples": "Quality best: how many sweeps are kept to be served.",
    "sets": "Quality best: let what people rated, whatever the stars, tell about them.",
    "time": "Quality best: let the day of a rating tell about its stars.",
    "genres": "Quality best: let a film's genres tell about it.",
    "years": "Quality best: let a film's year tell about it.",
    "output": "Quality best: stars with a normal error, or an ordered probit, whose stars are steps.",
}
"""Parameters of `matinee.BayesianMF` that are flags, beside rank and iterations."""

PICKS = {
    "rank": "Length of the ranking model's factors.",
    "regularization": "Weight of the ranking model's squared factors; found from the ratings by default.",
    "shrinkage": "What that weight is, in units of the ratings' noise.",
    "alpha0": "Weight of a film that a person did not like.",
    "activity": "How much more such films weigh for people who like many.",
    "iterations": "How often the ranking model solves both sides.",
}
"""Parameters of `matinee.ImplicitALS` that are flags, with `--picks-` before them."""


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add a flag per parameter; the defaults are the models' own."""
    for model, texts, prefix in ((ImplicitALS, PICKS, "picks-"), (BayesianMF, BEST, ""), (ALS, STARS, "")):
        for name, text in reversed(texts.items()):
            flag, default = prefix + name.replace("_", "-"), getattr(model, name)
            declared = f"--{flag}/--no-{flag}" if isinstance(default, bool) else f"--{flag}"
            kind: Any = float if default is None else None  # click reads a kind off any other default
            kind = click.Choice(OUTPUTS) if name == "output" else kind
            command = click.option(declared, type=kind, default=default, show_default=True, help=text)(command)
    return command


def star_params(context: click.Context, quality: str, seed: int) -> dict[str, Any]:
    """Return the parameters of the rating model among the flags; those that the quality does not know are refused."""
    other = set(STARS) - {"rank", "iterations"} if quality == "best" else set(BEST)
    given = {name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if wrong := sorted(given & other):
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in wrong)
        raise click.UsageError(f"{flags}: not a parameter of --quality {quality}")
    return {name: context.params[name] for name in given & (STARS.keys() | BEST.keys())} | {"seed": seed}


@click.command()
@data_argument
@click.option(
    "--quality", type=click.Choice(["fast", "best"]), default="fast", show_default=True,
    help="Of stars: fast is ALS, best is Bayesian factorization, which errs less and trains much longer.",
)  # fmt: skip
@click.option(
    "--time-budget", type=click.FloatRange(0, min_open=True), metavar="SECONDS",
    help="That learning stars may take, measuring included: where it would be exceeded, a simpler model is learned.",
)  # fmt: skip
@model_options
@click.option("--picks/--no-picks", default=True, show_default=True, help="Train the ranking model too.")
@click.option("--seed", type=SEED, default=ALS.seed, show_default=True, help="Of the first factors of both models.")
@click.option("--test", default=0.2, show_default=True, help="Part held out for measuring; 0 skips measuring.")
@click.option("--split-seed", type=SEED, default=0, show_default=True, help="Of the hold-out.")
@click.option("--picks-alpha", default=1.0, show_default=True, help="Spark: confidence per star of the ranking model.")
@engine_options
@click.option(
    "--shards/--no-shards", default=None,
    help="With Spark: leave people in Parquet shards, read one by one (default: where they do not fit here).",
)  # fmt: skip
@json_option
@home_option
def train(
    data: str,
    reading: dict[str, Any],
    as_json: bool,
    home: Path,
    test: float,
    split_seed: int,
    picks: bool,
    seed: int,
    quality: str,
    time_budget: float | None,
    engine: str,
    master: str | None,
    conf: tuple[str, ...],
    shards: bool | None,
    **model: Any,
) -> None:
    """Evaluate on a hold-out, refit on everything, save and promote.

    Nothing is written before the models are complete: Ctrl-C leaves the current model as it was.
    """
    from matinee import training
    from matinee.evaluation.choice import choose, learner
    from matinee.registry import Registry

    if cluster := chosen_cluster(engine, data, master, conf):
        trained = trained_on_spark(data, reading, home, cluster, test, split_seed, quality, picks, seed)
        document = {"model_id": trained.model_id, "seconds": trained.seconds, **trained.metrics}
        answer(document, lambda: summary(trained), as_json)
        return
    if shards is not None:
        raise click.UsageError("--shards and --no-shards are for --engine spark")
    params = star_params(click.get_current_context(), quality, seed)
    learner(quality, params)  # what cannot be is refused before anything is read
    ranking = ImplicitALS(**{name: model[f"picks_{name}"] for name in PICKS}, seed=seed) if picks else None
    dataset = loaded(data, home, reading)
    training.check_split(dataset.ratings, test)
    stars = choose(
        quality, dataset.ratings, params=params, movies=dataset.movies, time_budget=time_budget, test=test
    )  # fmt: skip
    say(stars.why)
    with steps_shown() as report:
        trained = training.train(
            dataset, Registry(home / "models"), stars=stars, picks=ranking, test=test, seed=split_seed, report=report
        )
    if trained.metrics["choice"] != stars.why:
        say(trained.metrics["choice"])
    document = {"model_id": trained.model_id, "seconds": trained.seconds, **trained.metrics}
    answer(document, lambda: summary(trained), as_json)


def trained_on_spark(
    data: str,
    reading: dict[str, Any],
    home: Path,
    cluster: Cluster,
    test: float,
    split_seed: int,
    quality: str,
    picks: bool,
    seed: int,
) -> Trained:
    """Train on a cluster; flags that Spark's objectives have no place for are refused."""
    from matinee import training_spark
    from matinee.registry import Registry

    context = click.get_current_context()
    flags = [*(f"picks_{name}" for name in ("shrinkage", "alpha0", "activity")), "time_budget"]
    wrong = [name for name in flags if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if wrong or quality == "best":
        named = ", ".join(f"--{name.replace('_', '-')}" for name in wrong) or "--quality best"
        raise click.UsageError(f"{named}: not with --engine spark, whose objective has no place for it")
    stars = ALS(**star_params(context, quality, seed))
    chosen = {name: context.params[f"picks_{name}"] for name in ("rank", "regularization", "iterations", "alpha")}
    ranking = ImplicitALS(**chosen, objective="spark", seed=seed) if picks else None
    with on_spark(data, home, reading, cluster) as (ratings, movies, label), steps_shown() as report:
        gathered = training_spark.gathered_bytes(ratings, stars, ranking)
        sharded = training_spark.sharded_bytes(ratings, stars, ranking)
        shards, why = kept_in_shards(context.params["shards"], gathered, sharded, free_bytes())
        say(f"{len(ratings):,} ratings on Spark; {why}")
        return training_spark.train(
            ratings, Registry(home / "models"), stars=stars, picks=ranking, movies=movies, data=label, test=test,
            seed=split_seed, shards=shards, report=report,
        )  # fmt: skip


def kept_in_shards(wanted: bool | None, gathered: int, sharded: int, free: int) -> tuple[bool, str]:
    """Choose, before anything is trained, whether people stay in shards, and say why.

    Raises
    ------
    EngineError
        If the driver could not hold its part, saying what it takes and what there is.
    """
    shards = gathered > free if wanted is None else wanted
    if (size := sharded if shards else gathered) > free:
        raise EngineError(
            f"the driver would gather {size / 1e9:.1f} GB of {'ids and films' if shards else 'factors and ratings'}, "
            f"{free / 1e9:.1f} GB are free here: start matinee where there is more memory, give a lower --rank"
            f"{'' if shards else ', or leave --no-shards out'}"
        )
    if not shards:
        return False, f"the driver will gather {gathered / 1e6:,.0f} MB of factors and ratings"
    return True, f"people stay in Parquet shards ({gathered / 1e6:,.0f} MB), the driver holds {sharded / 1e6:,.0f} MB"


def summary(trained: Trained) -> str:
    """Say in a few lines how good the model is and where it went."""
    lines = [f"trained in {trained.seconds:.1f} s and promoted: model {trained.model_id}"]
    if "stars" in trained.metrics:
        stars, held_out = trained.metrics["stars"], trained.metrics["protocol"]["held_out"]
        named = {name.replace("bias", "biases"): found["rmse"] for name, found in trained.metrics["baselines"].items()}
        others = ", ".join(f"{name}: {rmse:.4f}" for name, rmse in named.items())
        lines.append(f"RMSE {stars['rmse']:.4f} on {held_out} held-out ratings{others and f' ({others})'}")
    if "picks" in trained.metrics:
        lines.append(f"NDCG@10 {trained.metrics['picks']['ndcg@10']:.4f} of lists among all unseen films")
    return "\n".join(lines)
