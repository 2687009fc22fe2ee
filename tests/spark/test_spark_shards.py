"""A model folder whose people are in Parquet shards answers as the one that was gathered."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result
from pyspark.sql import SparkSession

import matinee
from matinee.cli import cli
from matinee.data.stats import item_stats
from matinee.engines.spark import exchange
from matinee.engines.spark.frames import from_ratings
from matinee.engines.spark.shards import ShardedTraining, check_written, film_stats
from matinee.errors import ArtifactError
from matinee.models.artifact import Artifact
from matinee.models.shards import CHUNK
from matinee.recommend.recommender import Recommender
from matinee.registry import Registry
from matinee.retraining.union import base_of

pytestmark = [pytest.mark.xdist_group("spark"), pytest.mark.timeout(300)]  # a timeout would break the session for all

QUICK = ["--rank", "4", "--iterations", "2", "--picks-rank", "6", "--picks-iterations", "2", "--test", "0"]


def run(home: Path, *arguments: str) -> Result:
    done = CliRunner().invoke(cli, [*arguments, "--home", str(home)])
    assert done.exit_code == 0, done.stderr
    return done


class Homes(NamedTuple):
    """The same training twice."""

    gathered: Path
    sharded: Path

    def artifacts(self) -> list[Artifact]:
        return [Registry(home / "models").read() for home in self]

    def answers(self, *arguments: str) -> list[Any]:
        """What both answer; without the model's id, the only thing that may differ."""
        documents = [json.loads(run(home, *arguments, "--json").stdout) for home in self]
        return [{name: value for name, value in document.items() if name != "model_id"} for document in documents]


@pytest.fixture(scope="module")
def homes(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Homes:
    """Several shards of one chunk each, the last of them short."""
    rng = np.random.default_rng(1)
    users, items = np.divmod(rng.choice(600 * 40, 6000, replace=False), 40)
    table = pl.DataFrame({"userId": users * 3, "movieId": items, "rating": rng.integers(1, 11, 6000) / 2})
    folder = tmp_path_factory.mktemp("shards")
    table.with_columns(timestamp=pl.Series(rng.integers(0, 10**9, 6000))).write_parquet(folder / "r.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("matinee.engines.spark.shards.SHARD_BYTES", 1)
        for name in ("--no-shards", "--shards"):
            run(folder / name, "train", str(folder / "r.parquet"), *QUICK, "--engine", "spark", name)
    return Homes(folder / "--no-shards", folder / "--shards")


def test_both_folders_know_the_same(homes: Homes) -> None:
    ours, theirs = homes.artifacts()
    assert theirs.manifest["format"] == 2
    assert theirs.manifest["people"] == {"per_shard": CHUNK, "times": True}
    assert len([name for name in theirs.manifest["files"] if name.startswith("people/")]) == 3
    assert theirs.item_stats.equals(ours.item_stats)
    assert theirs.picks is not None
    assert ours.picks is not None
    pairs = np.repeat(ours.stars.users.ids, 40), np.tile(np.arange(40), len(ours.stars.users))
    np.testing.assert_allclose(theirs.stars.predict(*pairs), ours.stars.predict(*pairs), atol=1e-5)
    people = [3, 1797, -5]
    np.testing.assert_allclose(theirs.picks.scores(people), ours.picks.scores(people), atol=1e-5)
    average = ours.picks.user_factors.mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(theirs.picks.user_factors.mean(axis=0), average, atol=1e-6)
    for row in (0, CHUNK - 1, CHUNK, len(ours.stars.users) - 1):
        for mine, other in zip(ours.stars.seen.row(row), theirs.stars.seen.row(row), strict=True):
            np.testing.assert_array_equal(other, mine)
    assert Recommender.of(theirs).times_of(300) == Recommender.of(ours).times_of(300)
    assert theirs.stars.item_counts.tolist() == ours.stars.item_counts.tolist()


def nearly(answer: Any) -> Any:
    """Let numbers differ by what two trainings of the same do."""
    if isinstance(answer, float):
        return pytest.approx(answer, abs=2e-4)
    if isinstance(answer, dict):
        return {name: nearly(value) for name, value in answer.items()}
    return [nearly(value) for value in answer] if isinstance(answer, list) else answer


@pytest.mark.parametrize(
    "asked",
    [
        ("recommend", "--user", "300", "--explain"),
        ("recommend", "--user", "1797", "--rank-by", "stars", "--since", "1980-01-01"),
        ("predict", "5", "--user", "3"),
        ("explain", "7", "--user", "900"),
        ("recommend", "--rate", "3=5", "--rate", "4=1"),
        ("similar", "4"),
    ],
)
def test_both_answer_the_same(homes: Homes, asked: tuple[str, ...]) -> None:
    ours, theirs = homes.answers(*asked)
    assert theirs == nearly(ours)


def test_everybodys_lists(homes: Homes, tmp_path: Path) -> None:
    run(homes.sharded, "recommend", "--all", "--out", str(tmp_path / "here.parquet"))
    run(homes.sharded, "recommend", "--all", "--out", str(tmp_path / "there"), "--engine", "spark")
    run(homes.gathered, "recommend", "--all", "--out", str(tmp_path / "ours.parquet"))
    here, ours = (pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("here", "ours"))
    assert pl.read_parquet(tmp_path / "there/*.parquet").sort("user_id", "rank").equals(here)
    assert here["user_id"].equals(ours["user_id"])
    assert (here["movie_id"] == ours["movie_id"]).mean() > 0.99


def test_shards_are_exported_some_people_at_a_time(
    homes: Homes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "ROWS_PER_FILE", 250)
    ours, theirs = (exchange.read_folder(exported_of(home, tmp_path / home.name)) for home in homes)
    assert len(list((tmp_path / "--shards/userFactors").glob("*.parquet"))) == 3
    np.testing.assert_array_equal(theirs.user_ids, ours.user_ids)
    predicted, expected = (folder.user_factors @ folder.item_factors.T for folder in (theirs, ours))
    np.testing.assert_allclose(predicted, expected, atol=1e-5)


def exported_of(home: Path, folder: Path) -> Path:
    run(home, "models", "export", str(folder))
    return folder


def test_what_needs_everybody_at_once_is_refused(homes: Homes) -> None:
    with pytest.raises(ArtifactError, match="in Parquet shards, and this needs all of them at once"):
        np.asarray(homes.artifacts()[1].stars.user_factors)
    with pytest.raises(ArtifactError, match="train it again with --engine spark"):
        _ = base_of(homes.artifacts()[1]).user_ids


def test_a_worker_retrains_from_the_data_and_not_from_shards(homes: Homes, tmp_path: Path) -> None:
    home, data = tmp_path / "home", homes.sharded.parent / "r.parquet"
    shutil.copytree(homes.sharded, home)
    arguments = ["worker", "--once", "--json", "--home", str(home)]
    refused = CliRunner().invoke(cli, arguments)
    assert refused.exit_code == 1
    assert "train it again with --engine spark" in refused.stdout
    trained = CliRunner().invoke(cli, [*arguments, "--data", str(data)])
    assert trained.exit_code == 0, trained.stdout
    assert len(Registry(home / "models").read().stars.user_factors) == len(homes.artifacts()[1].stars.users)


def test_damage_is_found(homes: Homes, tmp_path: Path) -> None:
    whole = homes.sharded / "models" / homes.artifacts()[1].model_id
    folder = tmp_path / "broken"
    shutil.copytree(whole, folder)
    file, other = (next((folder / f"people/shard={number}").glob("*.parquet")) for number in (1, 0))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 255
    file.write_bytes(content)
    with pytest.raises(ArtifactError, match="SHA-256"):
        Artifact.read(folder, verify=True)
    file.write_bytes(other.read_bytes())
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][file.relative_to(folder).as_posix()]["bytes"] = file.stat().st_size
    (folder / "manifest.json").write_text(json.dumps(manifest))
    stars = Artifact.read(folder).stars
    with pytest.raises(ArtifactError, match="lacks some of the people 256 to 511"):
        stars.person(stars.users.ids[300].item())
    file.unlink()
    with pytest.raises(ArtifactError, match="missing"):
        Artifact.read(folder)


def test_films_are_counted_on_the_cluster(spark: SparkSession) -> None:
    ratings = matinee.load("sample").ratings
    ours, theirs = item_stats(ratings), film_stats(from_ratings(spark, ratings))
    assert theirs.drop("recent").equals(ours.drop("recent"))
    np.testing.assert_allclose(theirs["recent"], ours["recent"], rtol=1e-9)
    timeless = matinee.Ratings.from_arrays([1, 2, 2], [1, 1, 5], [0.5, 5, 3.3])
    assert film_stats(from_ratings(spark, timeless)).equals(item_stats(timeless))


def test_shards_that_do_not_arrive(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of another machine write into a folder of their own."""
    monkeypatch.setattr(ShardedTraining, "write", lambda self, folder: check_written(folder, 1, 2))
    (tmp_path / "r.csv").write_text("user,item,rating\n1,1,4\n2,1,3\n")
    arguments = ["train", str(tmp_path / "r.csv"), *QUICK, "--engine", "spark", "--shards", "--home", str(tmp_path)]
    refused = CliRunner().invoke(cli, arguments)
    assert refused.exit_code == 1
    assert "0 of 1 shards with 0 of 2 people arrived" in refused.stderr
    assert list((tmp_path / "models").iterdir()) == []
