"""`matinee models export` and `import`: no Spark and no Java is needed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from matinee.cli import cli
from matinee.registry import Registry

QUICK = ["--rank", "4", "--iterations", "2", "--picks-rank", "4", "--picks-iterations", "2", "--test", "0"]


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments, "--home", str(home)])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    result = run(folder, "train", "sample", *QUICK)
    assert result.exit_code == 0, result.stderr
    return folder


@pytest.mark.parametrize("layout", ["spark", "mllib"])
def test_both_models_leave_and_come_back(home: Path, layout: str, tmp_path: Path) -> None:
    for role, flags in (("stars", []), ("picks", ["--picks"])):
        done = run(home, "models", "export", str(tmp_path / role), "--format", layout, *flags)
        assert done.exit_code == 0, done.stderr
    other = tmp_path / "other"
    folders = [str(tmp_path / "stars"), "--picks", str(tmp_path / "picks"), "--format", layout]
    done = run(other, "models", "import", *folders, "--data", "sample", "--json")
    assert done.exit_code == 0, done.stderr
    back, first = Registry(other / "models").read(), Registry(home / "models").read()
    assert back.model_id == json.loads(done.stdout)["model_id"]
    assert back.manifest["data"] == first.manifest["data"]
    users, items = np.repeat(first.stars.users.ids[:50], 100), np.tile(first.stars.items.ids[:100], 50)
    difference = np.subtract(back.stars.predict(users, items), first.stars.predict(users, items))
    assert np.abs(difference).max() < 1e-5
    lists = [json.loads(run(place, "recommend", "--user", "42", "--json").stdout) for place in (home, other)]
    films = [[film["movie_id"] for film in answer["recommendations"]] for answer in lists]
    assert films[0] == films[1]


def test_a_ranking_model_alone(home: Path, tmp_path: Path) -> None:
    assert run(home, "models", "export", str(tmp_path / "picks"), "--picks").exit_code == 0
    done = run(tmp_path / "other", "models", "import", "--picks", str(tmp_path / "picks"), "--data", "sample")
    assert done.exit_code == 0, done.stderr
    artifact = Registry(tmp_path / "other" / "models").read()
    assert type(artifact.stars.params).__name__ == "DampedBias"
    assert artifact.picks is not None


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["models", "import", "--data", "sample"], 2, "give PATH, --picks or both"),
        (["models", "import", "nowhere"], 2, "--data"),
        (["models", "import", "nowhere", "--data", "sample"], 1, "not a model folder of Spark"),
        (["models", "export", "m", "--model", "none"], 1, "no model 'none'"),
        (["models", "export", "m", "--format", "onnx"], 2, "'onnx'"),
    ],
)
def test_mistakes_are_one_clear_line(
    arguments: list[str], code: int, said: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(home, *arguments)
    assert done.exit_code == code
    assert said in done.stderr
    assert done.stdout == ""
    assert "unexpected" not in done.stderr
