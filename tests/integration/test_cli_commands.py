"""Train, recommend, predict, similar, models: a person at the terminal, on the bundled sample."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import matinee
from matinee.cli import cli
from matinee.cli.demo import TUTORIAL_RATINGS
from matinee.registry import Registry

QUICK = ["--rank", "8", "--iterations", "3", "--picks-rank", "8", "--picks-iterations", "3"]
TEN = ["--rate", "260=4", "--rate", "Toy Story (1995)=3", "--rate", "858=5"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one quickly trained model, which tests must not change."""
    folder = tmp_path_factory.mktemp("home")
    result = run(folder, "train", "sample", *QUICK)
    assert result.exit_code == 0, result.stderr
    return folder


def run(home: Path, *arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, [*arguments, "--home", str(home)], input=stdin)


def asked(home: Path, *arguments: str) -> dict[str, Any]:
    result = run(home, *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def refused(home: Path, *arguments: str) -> str:
    """Run a command that must end with one clear line and exit code 1."""
    result = run(home, *arguments)
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("matinee: ")
    assert result.stderr.count("\n") == 1, result.stderr
    assert "unexpected" not in result.stderr
    return result.stderr


def test_training_measures_saves_and_promotes(tmp_path: Path) -> None:
    trained = asked(tmp_path, "train", "sample", *QUICK)
    assert trained["model_id"] == Registry(tmp_path / "models").current()
    assert 0.8 < trained["stars"]["rmse"] < 1.0
    assert trained["protocol"] | {"ranked_users": 0} == {
        "split": "random", "test": 0.2, "seed": 0, "held_out": trained["protocol"]["held_out"], "ranked_users": 0,
    }  # fmt: skip
    assert trained["protocol"]["held_out"] == pytest.approx(20_001, abs=1)
    assert trained["baselines"]["damped bias"]["rmse"] < 1.0
    assert 0.0 < trained["picks"]["ndcg@10"] < 1.0
    artifact = Registry(tmp_path / "models").read()
    assert artifact.manifest["metrics"]["stars"] == trained["stars"]
    assert len(artifact.stars.users) == 671  # refitted on everything
    assert artifact.stars.rank == artifact.picks.rank == 8


def test_training_without_measuring_and_without_picks(tmp_path: Path) -> None:
    trained = asked(tmp_path, "train", "sample", *QUICK, "--test", "0", "--no-picks", "--no-biases")
    assert trained.keys() == {"model_id", "seconds", "choice"}
    artifact = Registry(tmp_path / "models").read()
    assert artifact.picks is None
    assert artifact.stars.mean == 0


def test_flags_reach_the_models(tmp_path: Path) -> None:
    asked(tmp_path, "train", "sample", *QUICK, "--test", "0", "--damping", "7", "--picks-alpha0", "0.5", "--seed", "9")
    artifact = Registry(tmp_path / "models").read()
    assert artifact.stars.params == matinee.ALS(rank=8, iterations=3, damping=7, seed=9)
    picks = artifact.picks.params
    assert (picks.rank, picks.iterations, picks.alpha0, picks.seed) == (8, 3, 0.5, 9)


def test_any_table_of_ratings_will_do(tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text("who,what,how\na,x,3\na,y,2\nb,x,1\nb,z,2\nc,y,3\nc,z,1\nd,x,2\nd,y,3\n")
    columns = ["--user-column", "who", "--item-column", "what", "--rating-column", "how"]
    trained = asked(tmp_path, "train", str(table), *columns, "--rank", "2", "--picks-rank", "2", "--test", "0.4")
    assert "picks" not in trained  # nobody liked anything that was held out
    films = asked(tmp_path, "recommend", "--user", "a")["recommendations"]
    assert [film["movie_id"] for film in films] == ["z"]


def test_interrupted_training_leaves_the_old_model(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Registry(home / "models").list()

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(matinee.ImplicitALS, "fit", interrupt)
    result = run(home, "train", "sample", *QUICK, "--test", "0")
    assert result.exit_code == 130
    assert Registry(home / "models").list() == before
    assert not [path for path in (home / "models").iterdir() if path.name.endswith(".tmp")]


def test_a_list_for_a_user_of_the_data_set(home: Path) -> None:
    seen = {int(movie) for movie in matinee.load("sample").ratings.item_ids[:20]}  # user 1 has rated twenty films
    document = asked(home, "recommend", "--user", "1", "--limit", "30")
    films = document["recommendations"]
    assert document["model_id"] == Registry(home / "models").current()
    assert [film["rank"] for film in films] == list(range(1, 31))
    assert not seen & {film["movie_id"] for film in films}
    text = run(home, "recommend", "--user", "1", "--limit", "30").stdout
    assert all(film["title"] in text for film in films)


def test_a_list_for_ratings_by_id_and_by_title(home: Path) -> None:
    films = asked(home, "recommend", *TEN)["recommendations"]
    assert len(films) == 10
    assert not {260, 1, 858} & {film["movie_id"] for film in films}
    assert asked(home, "recommend", "--rate", "1=3", "--rate", "260=4", "--rate", "858=5")["recommendations"] == films


def test_a_list_for_the_tutorials_file(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "user_ratings.file"
    file.write_text(TUTORIAL_RATINGS)
    films = asked(
        home, "recommend", "--ratings", str(file), "--limit", "25", "--min-ratings", "25", "--rank-by", "stars"
    )
    ids = [film["movie_id"] for film in films["recommendations"]]
    assert len(ids) == 25
    assert not {260, 1, 16, 25, 32, 335, 379, 296, 858, 50} & set(ids)
    assert all(film["ratings_count"] >= 25 for film in films["recommendations"])
    piped = run(home, "recommend", "--ratings", "-", "--json", stdin=TUTORIAL_RATINGS)
    assert json.loads(piped.stdout)["recommendations"]


def test_filters_carry_the_apis_names(home: Path) -> None:
    films = asked(
        home, "recommend", *TEN, "--genre-any", "Drama", "--genre-none", "Comedy", "--year-from", "1990",
        "--year-to", "1999", "--exclude", "Schindler's List (1993)", "--max-ratings", "100",
    )["recommendations"]  # fmt: skip
    assert films
    for film in films:
        assert "Drama" in film["genres"]
        assert "Comedy" not in film["genres"]
        assert 1990 <= film["year"] <= 1999
        assert film["ratings_count"] <= 100
        assert film["movie_id"] != 527
    only = asked(home, "recommend", *TEN, "--only", "527", "--only", "260", "--include-seen")
    assert {film["movie_id"] for film in only["recommendations"]} == {527, 260}
    second = asked(home, "recommend", *TEN, "--limit", "5", "--offset", "5")["recommendations"]
    assert second == asked(home, "recommend", *TEN)["recommendations"][5:]


def test_an_empty_list_says_why(home: Path) -> None:
    result = run(home, "recommend", *TEN, "--year-from", "1990", "--year-to", "1980")
    assert result.exit_code in (0, 1)
    assert "year" in result.stderr


def test_a_list_that_ended_says_where(home: Path) -> None:
    total = asked(home, "recommend", *TEN, "--limit", "1")["total"]
    result = run(home, "recommend", *TEN, "--offset", str(total))
    assert result.stderr == f"the list ends after {total} films: choose a smaller --offset\n"


@pytest.mark.parametrize("wrong", [["--limit", "0"], ["--limit", "many"], ["--offset", "-1"]], ids=" ".join)
def test_a_list_of_no_films_is_wrong_usage(home: Path, wrong: list[str]) -> None:
    result = run(home, "recommend", *TEN, *wrong)
    assert (result.exit_code, result.stdout) == (2, "")
    assert wrong[0] in result.stderr


def test_one_prediction(home: Path) -> None:
    document = asked(home, "predict", "Quiz Show (1994)", "--user", "42")
    assert document["title"] == "Quiz Show (1994)"
    assert 0.5 <= document["stars"] <= 5
    assert document["known"] is True
    assert document == asked(home, "predict", str(document["movie_id"]), "--user", "42")
    assert (
        f"Quiz Show (1994): {document['stars']:.1f} stars"
        in run(home, "predict", "Quiz Show (1994)", "--user", "42").stdout
    )


def test_similar_films(home: Path) -> None:
    document = asked(home, "similar", "Toy Story (1995)", "--limit", "5")
    assert len(document["similar"]) == 5
    assert document["movie_id"] == 1
    assert 1 not in {film["movie_id"] for film in document["similar"]}


def test_models_are_listed_shown_promoted_and_rolled_back(tmp_path: Path) -> None:
    assert "no models" in run(tmp_path, "models", "list").stdout
    first, second = (asked(tmp_path, "train", "sample", *QUICK, "--test", "0")["model_id"] for _ in range(2))
    listed = asked(tmp_path, "models", "list")["models"]
    assert [(model["model_id"], model["current"]) for model in listed] == [(second, True), (first, False)]
    assert second in run(tmp_path, "models", "list").stdout
    assert asked(tmp_path, "models", "rollback") == {"current": first}
    assert asked(tmp_path, "models", "promote", second) == {"current": second}
    shown = asked(tmp_path, "models", "show", first)
    assert shown["data"]["ratings"] == 100_004
    assert "data.ratings" in run(tmp_path, "models", "show").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["recommend"], "--user ID"),
        (["recommend", "--user", "nobody"], "nobody"),
        (["recommend", "--user", "672"], "672"),
        (["recommend", "--rate", "260"], "MOVIE=STARS"),
        (["recommend", "--rate", "260=good"], "'good' is not a number"),
        (["recommend", "--rate", "260=9"], "0.5 to 5"),
        (["recommend", "--rate", "260=nan"], "0.5 to 5"),
        (["recommend", "--rate", "260=0"], "0.5 to 5"),
        (["recommend", "--rate", "Toy Stori (1995)=4"], "did you mean Toy Story (1995)"),
        (["recommend", "--rate", "999999=4"], "999999"),
        (["recommend", "--ratings", "nowhere.csv"], "nowhere.csv"),
        (["recommend", "--user", "1", "--genre-any", "Dramma"], "Drama"),
        (["recommend", "--user", "1", "--min-ratings", "-1"], "min_ratings"),
        (["recommend", "--user", "1", "--exclude", "No Such Film Anywhere"], "No Such Film Anywhere"),
        (["recommend", "--user", "1", "--model", "nope"], "there is no model 'nope'"),
        (["recommend", "--user", "1", "--model", "../../etc"], "there is no model"),
        (["predict", "Quiz Show (1994)"], "--user ID"),
        (["predict", "Quizz Shw", "--user", "1"], "Quiz Show"),
        (["similar", "Godfather"], "did you mean"),
        (["models", "show", "nope"], "there is no model 'nope'"),
        (["models", "promote", "nope"], "there is no model 'nope'"),
        (["models", "rollback"], "no earlier model"),
        (["train", "nowhere.zip"], "nowhere.zip"),
        (["train", "ml-31m"], "ml-3"),
        (["train", "sample", "--rank", "0"], "rank"),
        (["train", "sample", "--regularization", "-1"], "regularization"),
        (["train", "sample", "--test", "1.5"], "between 0 and 1"),
        (["data", "show", "sample", "--scale", "5", "1"], "the scale is 5 to 1"),
        (["serve", "--port", "99999"], "port='99999'"),
        (["serve", "--threads", "many"], "threads='many'"),
    ],
    ids=" ".join,
)
def test_a_mistake_gets_one_clear_line(home: Path, arguments: list[str], says: str) -> None:
    assert says in refused(home, *arguments)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"260,4\n1;3\n", "line 2: '1;3' is not movieId,rating"),
        (b"260,4\n1,five\n", "line 2"),
        (b"\n\n260,4\nno film of this name,3\n", "line 4"),
        (b"", "is empty"),
        (b"\xff\xfe2\x006\x00", "not UTF-8"),
        (b"260,6\n", "0.5 to 5"),
    ],
)
def test_a_bad_file_of_ratings_names_the_line(home: Path, tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "mine.csv"
    file.write_bytes(content)
    assert says in refused(home, "recommend", "--ratings", str(file))


def test_a_data_set_given_as_one_persons_ratings_is_refused(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "ratings.csv"
    file.write_bytes(b"260,4\n" * 2_000_000)
    assert "larger than" in refused(home, "recommend", "--ratings", str(file))


@pytest.mark.parametrize("command", [["recommend", "--user", "1"], ["similar", "1"], ["models", "show"], ["serve"]])
def test_without_a_model_the_cure_is_named(tmp_path: Path, command: list[str]) -> None:
    assert "matinee train" in refused(tmp_path, *command)


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run(tmp_path / "file", "train", "sample", *QUICK, "--test", "0")
    assert result.exit_code in (1, 2)
    assert "Traceback" not in result.output


def test_doctor_finds_a_damaged_model(tmp_path: Path) -> None:
    asked(tmp_path, "train", "sample", *QUICK, "--test", "0", "--no-picks")
    well = asked(tmp_path, "doctor")
    assert well["works"]
    assert {"Python", "cores", "vector width", "BLAS", "Java", "home", "data", "model"} <= {
        finding["what"] for finding in well["findings"]
    }
    factors = next((tmp_path / "models").glob("*/stars/item_factors.npy"))
    content = bytearray(factors.read_bytes())
    content[-3] ^= 1
    factors.write_bytes(content)
    result = run(tmp_path, "doctor", "--json")
    assert result.exit_code == 1
    broken = [finding for finding in json.loads(result.stdout)["findings"] if finding["state"] == "broken"]
    assert [finding["what"] for finding in broken] == ["model"]
    assert "item_factors.npy" in broken[0]["found"]


def test_training_on_an_altered_release_says_so_and_remembers(small_zip: Path, tmp_path: Path) -> None:
    altered = tmp_path / "ml-latest-small.zip"
    with zipfile.ZipFile(small_zip) as original, zipfile.ZipFile(altered, "w") as copy:
        for name in original.namelist():
            text = original.read(name)
            copy.writestr(name, text.replace(b"\n1,1,4.0,", b"\n1,1,3.0,") if name.endswith("ratings.csv") else text)
    flags = ["--rank", "4", "--iterations", "1", "--no-picks", "--test", "0"]
    trained = run(tmp_path / "home", "train", str(altered), *flags)
    assert trained.exit_code == 0
    assert "calls itself ml-latest-small but is altered" in trained.stderr
    assert asked(tmp_path / "home", "models", "show")["data"]["name"] == "ml-latest-small (altered)"


def test_serving_a_damaged_model_is_refused_before_anything_starts(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "models", tmp_path / "models")
    current = Registry(tmp_path / "models").current()
    (tmp_path / "models" / str(current) / "stars" / "item_factors.npy").unlink()
    refused = run(tmp_path, "serve", "--port", "0")
    assert refused.exit_code == 1
    assert "item_factors.npy" in refused.stderr


@pytest.mark.parametrize("stars", ["0", "6", "five", "nan"])
def test_a_rating_off_the_scale_is_named_with_its_film_or_line(home: Path, tmp_path: Path, stars: str) -> None:
    rated = run(home, "recommend", "--rate", f"260={stars}")
    assert (rated.exit_code, stars in rated.stderr, "0.5 to 5" in rated.stderr) == (1, True, True)
    lines = tmp_path / "mine.txt"
    lines.write_text(f"260,4\n1,{stars}\n")
    filed = run(home, "recommend", "--ratings", str(lines))
    assert (filed.exit_code, "line 2" in filed.stderr, "0.5 to 5" in filed.stderr) == (1, True, True)
