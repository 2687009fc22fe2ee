"""Everybody's lists, groups, lists for nobody, what to ask next, and ratings bent for once, at the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result

import matinee
from matinee.cli import cli
from matinee.recommend import batch

ANNA, BEN = {1: 5, 260: 5, 1210: 5, 1196: 4.5}, {318: 5, 356: 4.5, 2571: 1, 593: 5}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one quickly trained model and two people's files, which tests must not change."""
    folder = tmp_path_factory.mktemp("home")
    quick = ["--rank", "8", "--iterations", "3", "--picks-rank", "8", "--picks-iterations", "3", "--test", "0"]
    assert run(folder, "train", "sample", *quick).exit_code == 0
    for name, ratings in (("anna", ANNA), ("ben", BEN)):
        (folder / f"{name}.csv").write_text("".join(f"{movie},{stars}\n" for movie, stars in ratings.items()))
    return folder


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments, "--home", str(home)])


def asked(home: Path, *arguments: str) -> dict[str, Any]:
    result = run(home, *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def films(document: dict[str, Any]) -> list[int]:
    return [film["movie_id"] for film in document["recommendations"]]


def test_everybodys_lists_are_those_of_each(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "recs.parquet"
    document = asked(
        home, "recommend", "--all", "-n", "4", "--out", str(out), "--genre-any", "Drama", "--exclude", "318"
    )
    assert (document["users"], document["out"]) == (671, str(out))
    table = pl.read_parquet(out)
    for user in (1, 300, 671):
        alone = asked(home, "recommend", "--user", str(user), "-n", "4", "--genre-any", "Drama", "--exclude", "318")
        own = table.filter(pl.col("user_id") == user)
        assert own["movie_id"].to_list() == films(alone)
        assert own["score"].to_list() == [film["score"] for film in alone["recommendations"]]
    assert "671 people" in run(home, "recommend", "--all", "--out", str(out)).stdout


def test_stopped_lists_for_everybody_say_how_to_go_on(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(batch, "_join", interrupt)
    stopped = run(home, "recommend", "--all", "--out", str(tmp_path / "recs.parquet"))
    assert stopped.exit_code == 130
    assert "recs.parquet.parts: the same command goes on there" in stopped.stderr
    monkeypatch.undo()
    monkeypatch.setattr(batch, "lists_table", interrupt)  # what was made is not made again
    assert asked(home, "recommend", "--all", "--out", str(tmp_path / "recs.parquet"))["users"] == 671


@pytest.mark.parametrize("mode", ["mean", "least_misery", "most_pleasure", "fairness"])
def test_a_group_by_files(home: Path, mode: str) -> None:
    people = ["--with", str(home / "anna.csv"), "--with", str(home / "ben.csv")]
    document = asked(home, "recommend", *people, "--group", mode, "--veto", "3", "--genre-none", "Horror")
    assert (document["mode"], document["members"]) == (mode, ["anna", "ben"])
    assert len(document["recommendations"]) == 10
    assert not set(films(document)) & (ANNA.keys() | BEN.keys())
    for film in document["recommendations"]:
        assert min(film["stars"]) >= 3
        assert "Horror" not in film["genres"]
    text = run(home, "recommend", *people, "--group", mode).stdout.splitlines()
    assert text[0].split()[1:3] == ["anna", "ben"]
    assert ("chosen by" in text[0]) == (mode == "fairness")


def test_a_user_and_a_file_are_a_group(home: Path) -> None:
    document = asked(home, "recommend", "--user", "42", "--with", str(home / "anna.csv"))
    assert (document["mode"], document["members"]) == ("mean", ["42", "anna"])
    assert all(len(film["stars"]) == 2 for film in document["recommendations"])


def test_a_group_that_nothing_pleases_is_told_why(home: Path) -> None:
    result = run(home, "recommend", "--with", str(home / "anna.csv"), "--veto", "6")
    assert result.exit_code == 0
    assert "relax veto" in result.stderr


def test_lists_for_nobody(home: Path) -> None:
    ratings = matinee.load("sample").ratings
    popular = asked(home, "recommend", "--popular")["movies"]
    assert [movie["ratings_count"] for movie in popular] == sorted(ratings.item_counts, reverse=True)[:10]
    trending = asked(home, "recommend", "--trending", "-n", "5")["movies"]
    assert len({movie["movie_id"] for movie in trending}) == 5
    best = asked(home, "recommend", "--top", "--genre-any", "Western", "--year-from", "1960", "--year-to", "1969")
    assert all("Western" in movie["genres"] and 1960 <= movie["year"] <= 1969 for movie in best["movies"])
    second = run(home, "recommend", "--popular", "--offset", "5", "-n", "1").stdout.splitlines()[1]
    assert second.split() == [
        "6", *popular[5]["title"].split(), f"{popular[5]['ratings_mean']:.1f}", str(popular[5]["ratings_count"])
    ]  # fmt: skip


def test_the_best_of_every_genre_and_decade(home: Path) -> None:
    genres = asked(home, "recommend", "--top", "--per", "genre", "-n", "2", "--year-from", "1990")
    assert (genres["list"], genres["per"]) == ("top", "genre")
    assert {"Comedy", "Drama", "Film-Noir"} <= genres["lists"].keys()
    for genre, movies in genres["lists"].items():
        assert 1 <= len(movies) <= 2
        assert all(genre in movie["genres"] and movie["year"] >= 1990 for movie in movies)
    decades = asked(home, "recommend", "--popular", "--per", "decade", "-n", "1")["lists"]
    assert list(decades) == sorted(decades)
    assert decades["1990s"] == asked(home, "recommend", "--popular", "--year-from", "1990", "--year-to", "1999",
                                     "-n", "1")["movies"]  # fmt: skip
    text = run(home, "recommend", "--popular", "--per", "decade", "-n", "1").stdout
    assert "1990s\n   film" in text
    assert decades["1990s"][0]["title"] in text


def test_what_to_ask_next(home: Path) -> None:
    popular = [movie["movie_id"] for movie in asked(home, "recommend", "--popular", "-n", "12")["movies"]]
    first = asked(home, "onboarding", "--not-seen", str(popular[0]))["movies"]
    assert [movie["movie_id"] for movie in first] == popular[1:11]
    later = asked(home, "onboarding", *(flag for movie in popular[:6] for flag in ("--rate", f"{movie}=4")))["movies"]
    assert not {movie["movie_id"] for movie in later} & set(popular[:6])
    assert later[0]["title"] in run(home, "onboarding", "--user", "1", "-n", "9000").stdout


def test_one_rating_changed_for_once(home: Path) -> None:
    rated = ["--rate", "1=5", "--rate", "260=4"]
    assert films(asked(home, "recommend", *rated, "--what-if", "Toy Story (1995)=0.5")) == films(
        asked(home, "recommend", "--rate", "1=0.5", "--rate", "260=4")
    )
    assert films(asked(home, "recommend", *rated, "--what-if", "1=")) == films(
        asked(home, "recommend", "--rate", "260=4")
    )
    shown = films(asked(home, "recommend", *rated))
    rest = films(asked(home, "recommend", *rated, "--not-interested", str(shown[0])))
    assert shown[1:] == rest[:9]
    off = films(asked(home, "recommend", *rated, "--seed-off", "1"))
    assert off == films(asked(home, "recommend", "--rate", "260=4", "--exclude", "1"))
    assert asked(home, "predict", "50", *rated, "--what-if", "1=") == asked(home, "predict", "50", "--rate", "260=4")


def test_old_ratings_count_less_or_not_at_all(home: Path) -> None:
    ratings = matinee.load("sample").ratings
    user = int(ratings.users.ids[np.argmax(ratings.by_user.counts)])
    own = ratings.user_ids == user
    assert ratings.timestamps is not None
    middle = int(np.median(ratings.timestamps[own]))
    late = own & (ratings.timestamps >= middle)
    kept = [flag for movie, stars in zip(ratings.item_ids[late], ratings.stars[late], strict=True)
            for flag in ("--rate", f"{movie}={stars}")]  # fmt: skip
    unseen = [flag for movie in ratings.item_ids[own & ~late] for flag in ("--exclude", str(movie))]
    recent = films(asked(home, "recommend", "--user", str(user), "--since", str(middle)))
    assert recent == films(asked(home, "recommend", *kept, *unseen))
    plain = films(asked(home, "recommend", "--user", str(user)))
    assert plain not in (recent, films(asked(home, "recommend", "--user", str(user), "--half-life", "30")))
    assert films(asked(home, "recommend", "--user", str(user), "--since", "1990-01-01")) == plain


def test_a_film_is_explained_by_flag_or_argument(home: Path) -> None:
    why = asked(home, "explain", "--user", "42", "--movie", "300")
    assert why == asked(home, "explain", "Quiz Show (1994)", "--user", "42")
    total = why["base"] + sum(reason["contribution"] for reason in why["because"]) + why["because_rest"]
    assert total == pytest.approx(why["score"], abs=1e-4)
    not_shown = run(home, "explain", "--movie", "300", "--user", "42", "--genre-none", "Drama").stdout
    assert "removed from the list by genre_none" in not_shown
    seen = run(home, "explain", "1", "--rate", "1=4").stdout
    assert "Toy Story (1995): rated already; else it would be place" in seen


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["recommend", "--all"], 2, "--all and --out FILE.parquet belong together"),
        (["recommend", "--user", "1", "--out", "x.parquet"], 2, "belong together"),
        (["recommend", "--all", "--out", "x.parquet", "--popular"], 2, "--all and --popular are different lists"),
        (["recommend", "--top", "--user", "1"], 2, "leave --user, --rate and --ratings out"),
        (["recommend", "--user", "1", "--group", "mean"], 2, "name them by --with FILE"),
        (["recommend", "--user", "1", "--per", "genre"], 2, "add --popular, --trending or --top"),
        (["recommend", "--top", "--per", "decade", "--year-from", "1990"], 2, "--per decade sets the years itself"),
        (["recommend", "--with", "nowhere.csv"], 1, "nowhere.csv"),
        (["recommend", "--all", "--out", "x.parquet", "--diversity", "1"], 1, "diversity: no such option"),
        (["recommend", "--user", "1", "--since", "yesterday"], 2, "a date such as 2015-06-30"),
        (["recommend", "--user", "1", "--half-life", "0"], 1, "days above 0"),
        (["recommend", "--user", "1", "--what-if", "260"], 1, "--what-if '260': give MOVIE=STARS"),
        (["recommend", "--user", "1", "--what-if", "260=9"], 1, "--what-if '260=9'"),
        (["onboarding", "--limit", "-1"], 2, "Invalid value for"),
        (["onboarding", "--user", "nobody"], 1, "nobody"),
        (["explain", "--user", "1"], 2, "name one film"),
        (["explain", "1", "--movie", "2", "--user", "1"], 2, "name one film"),
    ],
)
def test_mistakes(home: Path, arguments: list[str], code: int, says: str) -> None:
    result = run(home, *arguments)
    assert result.exit_code == code, result.output
    assert says in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.output
