"""`matinee train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from matinee.cli.common import answer, data_argument, home_option, json_option, steps_shown

if TYPE_CHECKING:
    from matinee.training import Trained


@click.command()
@data_argument
@click.option("--rank", default=64, show_default=True, help="Length of the rating model's factors.")
@click.option("--regularization", default=0.1, show_default=True, help="Of the rating model, times a row's ratings.")
@click.option("--iterations", default=15, show_default=True, help="How often the rating model solves both sides.")
@click.option("--biases/--no-biases", default=True, show_default=True, help="Biases around the mean; none is Spark's.")
@click.option("--picks/--no-picks", default=True, show_default=True, help="Train the ranking model too.")
@click.option("--picks-rank", default=128, show_default=True, help="Length of the ranking model's factors.")
@click.option("--picks-regularization", default=0.01, show_default=True, help="Of the ranking model.")
@click.option("--picks-iterations", default=10, show_default=True, help="How often it solves both sides.")
@click.option("--seed", default=5, show_default=True, help="Of the first factors of both models.")
@click.option("--test", default=0.2, show_default=True, help="Part held out for measuring; 0 skips measuring.")
@click.option("--split-seed", default=0, show_default=True, help="Of the hold-out.")
@json_option
@home_option
def train(data: str, as_json: bool, home: Path, test: float, split_seed: int, picks: bool, **model: Any) -> None:
    """Evaluate on a hold-out, refit on everything, save and promote.

    Nothing is written before the models are complete: Ctrl-C leaves the current model as it was.
    """
    import matinee
    from matinee import training
    from matinee.registry import Registry

    picks_model = {name.removeprefix("picks_"): model.pop(name) for name in list(model) if name.startswith("picks_")}
    stars = matinee.ALS(**model)
    ranking = matinee.ImplicitALS(**picks_model, seed=model["seed"]) if picks else None
    dataset = matinee.load(data)
    with steps_shown() as report:
        trained = training.train(
            dataset, Registry(home / "models"), stars=stars, picks=ranking, test=test, seed=split_seed, report=report
        )
    document = {"model_id": trained.model_id, "seconds": trained.seconds, **trained.metrics}
    answer(document, lambda: summary(trained), as_json)


def summary(trained: Trained) -> str:
    """Say in a few lines how good the model is and where it went."""
    lines = [f"trained in {trained.seconds:.1f} s and promoted: model {trained.model_id}"]
    if trained.metrics:
        stars, baseline = trained.metrics["stars"], trained.metrics["baselines"]["damped bias"]
        held_out = trained.metrics["protocol"]["held_out"]
        lines.append(f"RMSE {stars['rmse']:.4f} on {held_out} held-out ratings (damped biases: {baseline['rmse']:.4f})")
    if "picks" in trained.metrics:
        lines.append(f"NDCG@10 {trained.metrics['picks']['ndcg@10']:.4f} of lists among all unseen films")
    return "\n".join(lines)
