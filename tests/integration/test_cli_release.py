"""The whole path on GroupLens's own ml-latest-small: what the tutorial does, correctly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from matinee.cli import cli
from matinee.cli.demo import TUTORIAL_RATINGS

TEN = {260, 1, 16, 25, 32, 335, 379, 296, 858, 50}


def asked(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(cli, [*arguments, "--json"])
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_from_the_zip_to_a_list(small_zip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATINEE_HOME", str(tmp_path))
    trained = asked("train", str(small_zip), "--no-picks")
    assert trained["stars"]["rmse"] < trained["baselines"]["damped bias"]["rmse"] < 0.88
    file = tmp_path / "user_ratings.file"
    file.write_text(TUTORIAL_RATINGS)
    for rank_by in ("picks", "stars"):
        films = asked("recommend", "--ratings", str(file), "--limit", "25", "--min-ratings", "25", "--rank-by", rank_by)
        ids = {film["movie_id"] for film in films["recommendations"]}
        assert len(ids) == 25
        assert not ids & TEN
    shown = asked("models", "show")
    assert (shown["data"]["ratings"], shown["data"]["movies"], shown["data"]["items"]) == (100_836, 9_742, 9_724)
    for title in ("Godfather: Part II, The (1974)", "11'09\"01 - September 11 (2002)"):
        assert asked("predict", title, "--ratings", str(file))["title"] == title
    unrated = asked("predict", "34482", "--user", "42")  # Browning Version, The: in the catalogue, rated by nobody
    assert unrated["known"] is False
    assert 0.5 <= unrated["stars"] <= 5
