"""Model folders: what comes back is what was saved, and damage is named."""

from __future__ import annotations

import json
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
import small_world
from hypothesis import given, settings
from hypothesis import strategies as st

import matinee
from matinee.errors import ArtifactError, ParameterError
from matinee.models.artifact import Artifact, load_model, save
from matinee.models.bias import DampedBias
from matinee.recommend.recommender import Recommender


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save(
        small_world.stars(), small_world.picks(), path=tmp_path / "m", movies=small_world.movies(),
        ratings=small_world.ratings(), metrics={"rmse": 0.9}, data="small world",
    )  # fmt: skip


def test_a_folder_gives_back_what_was_saved(folder: Path) -> None:
    artifact = Artifact.read(folder, verify=True)
    for loaded, original in ((artifact.stars, small_world.stars()), (artifact.picks, small_world.picks())):
        assert loaded is not None
        assert loaded.params == original.params
        for name, array in original.arrays().items():
            np.testing.assert_array_equal(loaded.arrays()[name], array)
        np.testing.assert_array_equal(loaded.seen.indices, original.seen.indices)
        assert loaded.recommend(7)[0].tolist() == original.recommend(7)[0].tolist()
    assert artifact.seen_times is not None
    np.testing.assert_array_equal(artifact.seen_times, small_world.ratings().timestamps)
    assert artifact.model_id == "m"
    assert artifact.movies.equals(small_world.movies())
    assert artifact.item_stats["ratings_count"].sum() == len(small_world.ratings())
    assert artifact.manifest["data"]["fingerprint"] == small_world.ratings().fingerprint
    assert artifact.manifest["metrics"] == {"rmse": 0.9}
    assert artifact.manifest["created_at"].endswith("Z")


def test_arrays_stay_on_disk(folder: Path) -> None:
    stars, _ = load_model(folder)
    assert isinstance(stars.user_factors.base, np.memmap)
    assert not stars.user_factors.flags.writeable


@settings(max_examples=15, deadline=None)
@given(
    pairs=st.dictionaries(
        st.tuples(st.integers(0, 9), st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=5)),
        st.integers(1, 10), min_size=1, max_size=30,
    )
)  # fmt: skip
def test_any_ratings_round_trip(tmp_path_factory: pytest.TempPathFactory, pairs: dict[tuple[int, str], int]) -> None:
    users, items = zip(*pairs, strict=True)
    ratings = matinee.Ratings.from_arrays(list(users), list(items), [stars / 2 for stars in pairs.values()])
    model = DampedBias().fit(ratings)
    path = save(model, path=tmp_path_factory.mktemp("models") / "m")
    loaded, picks = load_model(path)
    assert picks is None
    assert loaded.items == model.items
    np.testing.assert_array_equal(loaded.predict(list(users), list(items)), model.predict(list(users), list(items)))


def test_without_a_catalogue_films_have_plain_names(tmp_path: Path) -> None:
    artifact = Artifact.read(save(small_world.stars(), path=tmp_path / "m"))
    assert artifact.movies["title"][0] == "Movie 10"
    assert artifact.movies.height == small_world.N_RATED


def test_saving_replaces_a_model_but_nothing_else(folder: Path, tmp_path: Path) -> None:
    save(small_world.stars(), path=folder)
    assert load_model(folder)[1] is None
    (tmp_path / "precious").mkdir()
    with pytest.raises(ArtifactError, match=r"precious.*not a model folder"):
        save(small_world.stars(), path=tmp_path / "precious")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "precious"]


FILES = (
    "users.npy", "seen_indptr.npy", "seen_indices.npy", "seen_times.npy", "stars/user_factors.npy",
    "picks/item_factors.npy", "movies.parquet", "item_stats.parquet",
)  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match=name):
        Artifact.read(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\0"])
def test_a_file_of_another_size_is_named(folder: Path, name: str, change: object) -> None:
    (folder / name).write_bytes(change((folder / name).read_bytes()))  # type: ignore[operator]
    with pytest.raises(ArtifactError, match=rf"{name}: has \d+ bytes"):
        Artifact.read(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_is_found_and_named(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[-1] ^= 0x10
    (folder / name).write_bytes(data)
    with pytest.raises(ArtifactError, match=name):
        Artifact.read(folder, verify=True)


def test_an_array_of_another_shape_is_named_at_every_load(folder: Path) -> None:
    name = "stars/user_factors.npy"
    array = np.load(folder / name)
    np.save(folder / name, array.reshape(array.shape[1], array.shape[0]))
    with pytest.raises(ArtifactError, match=name):
        Artifact.read(folder)


def test_arrays_that_do_not_belong_together_are_refused(folder: Path) -> None:
    edit(folder, lambda manifest: manifest["models"]["stars"]["arrays"].remove("user_biases"))
    with pytest.raises(ArtifactError, match="manifest"):
        Artifact.read(folder)


def test_times_that_belong_to_other_ratings_are_refused(folder: Path) -> None:
    times = np.load(folder / "seen_times.npy")[:-1]
    np.save(folder / "seen_times.npy", times)
    size = (folder / "seen_times.npy").stat().st_size
    edit(folder, lambda manifest: manifest["files"]["seen_times.npy"].update(bytes=size, shape=[len(times)]))
    with pytest.raises(ArtifactError, match=r"seen_times\.npy: does not belong"):
        Artifact.read(folder)


def test_without_times_there_are_none(tmp_path: Path) -> None:
    artifact = Artifact.read(save(small_world.stars(), path=tmp_path / "m"))
    assert artifact.seen_times is None
    assert Recommender.of(artifact).times_of(7) == {}


def test_times_are_those_of_each_rating(folder: Path) -> None:
    recommender, ratings = Recommender.of(Artifact.read(folder)), small_world.ratings()
    assert ratings.timestamps is not None
    own = ratings.user_ids == 7
    expected = dict(zip(ratings.item_ids[own].tolist(), ratings.timestamps[own].tolist(), strict=True))
    assert recommender.times_of("7") == expected
    assert recommender.times_of(7).keys() == recommender.ratings_of(7).keys()
    assert recommender.times_of("nobody") == {}


def edit(folder: Path, change: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)  # type: ignore[operator]
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda manifest: manifest.update(format=99), r"manifest\.json: format 99 .*upgrade"),
        (lambda manifest: manifest["models"]["stars"].update(kind="Oracle"), "no model of kind 'Oracle'"),
        (lambda manifest: manifest["models"]["stars"]["params"].update(wings=2), "wings"),
        (lambda manifest: manifest.pop("files"), "manifest.json"),
        (lambda manifest: manifest["models"].pop("stars"), "stars"),
        (lambda manifest: manifest["models"]["stars"]["params"].update(rank=0), "rank"),
    ],
)
def test_a_manifest_that_cannot_be_right_is_refused(folder: Path, change: object, message: str) -> None:
    edit(folder, change)
    with pytest.raises(ArtifactError, match=message):
        Artifact.read(folder)


def test_a_manifest_cannot_point_outside(folder: Path) -> None:
    (folder.parent / "secret.npy").write_bytes(b"x")
    edit(folder, lambda manifest: manifest["files"].update({"../secret.npy": {"bytes": 1, "sha256": ""}}))
    with pytest.raises(ArtifactError, match="outside the folder"):
        Artifact.read(folder, verify=True)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00"])
def test_a_damaged_manifest_is_one_error(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)
    with pytest.raises(ArtifactError, match=r"manifest\.json"):
        Artifact.read(folder)


def test_no_folder_at_all(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"manifest\.json: is missing"):
        load_model(tmp_path / "nothing")


def test_numbers_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    factors = small_world.stars().item_factors.copy()
    factors[3, 1] = np.nan
    broken = small_world.replaced(small_world.stars(), item_factors=factors)
    with pytest.raises(ArtifactError, match=r"stars/item_factors.*not finite"):
        save(broken, path=tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_models_of_different_ratings_are_not_saved_together(tmp_path: Path) -> None:
    ratings = small_world.ratings()
    other = DampedBias().fit(ratings.select(ratings.user_rows > 3))
    with pytest.raises(ParameterError, match="different ratings"):
        save(other, small_world.picks(), path=tmp_path / "m")


def test_a_catalogue_without_a_rated_film_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="lacks 3 rated films, 10 among them"):
        save(small_world.stars(), path=tmp_path / "m", movies=small_world.movies()[3:])


def test_a_full_disk_leaves_nothing_behind_and_the_old_model_whole(folder: Path) -> None:
    before = (folder / "manifest.json").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, hard))
    try:
        with pytest.raises(ArtifactError, match=r"could not be written.*nothing was changed"):
            save(small_world.stars(), path=folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (folder / "manifest.json").read_bytes() == before
    assert [path.name for path in folder.parent.iterdir()] == ["m"]
    Artifact.read(folder, verify=True)


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    quick = matinee.BayesianMF(rank=2, iterations=3, burn_in=1, samples=2)
    return save(quick.fit(small_world.ratings()), path=tmp_path_factory.mktemp("models") / "m")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda stars: stars["arrays"].remove("expected"), "BayesianMF's arrays lack expected, unlike"),
        (lambda stars: stars["params"].update(depth=3), "BayesianMF's parameters have depth, unlike"),
    ],
)
def test_a_model_of_another_version_says_what_to_do(sampled: Path, tmp_path: Path, change: object, says: str) -> None:
    folder = tmp_path / "m"
    shutil.copytree(sampled, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert callable(change)
    change(manifest["models"]["stars"])
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=f"{says} those of this version: .* train again"):
        Artifact.read(folder)
