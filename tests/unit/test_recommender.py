"""Lists: what may never be on them, paging, ties, dials, reasons, and the account of filters."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import small_world
from hypothesis import given, settings
from hypothesis import strategies as st

from matinee.errors import ParameterError, UnknownMovieError, UnknownUserError
from matinee.models.artifact import Artifact, save
from matinee.models.bias import DampedBias
from matinee.recommend.catalogue import Catalogue
from matinee.recommend.recommender import Recommender
from matinee.recommend.results import Recommendations

IDS = [10 * (row + 1) for row in range(small_world.N_MOVIES)]
UNRATED = set(IDS[small_world.N_RATED :])
RATINGS = {10: 5.0, 40: 1.0, 250: 4.5, 330: 3.0}

people = st.dictionaries(st.sampled_from(IDS), st.integers(1, 10).map(lambda steps: steps / 2), max_size=12)
some_movies = st.lists(st.sampled_from(IDS), max_size=20)
some_genres = st.lists(st.sampled_from(small_world.GENRES), max_size=2)
filters = st.fixed_dictionaries(
    {},
    optional={
        "genre_any": some_genres, "genre_all": some_genres, "genre_none": some_genres,
        "year_from": st.integers(1930, 1975), "year_to": st.integers(1975, 2019), "min_ratings": st.integers(0, 15),
        "max_ratings": st.integers(15, 60), "exclude": some_movies, "only": some_movies,
        "include_seen": st.booleans(), "not_interested": some_movies,
    },
)  # fmt: skip
dials = st.fixed_dictionaries(
    {"rank_by": st.sampled_from(["picks", "stars"])},
    optional={"popularity": st.floats(-1, 1), "diversity": st.floats(0, 1)},
)


def recommend(ratings: dict[int, float] = RATINGS, **options: Any) -> Recommendations:
    return small_world.recommender().recommend(ratings, **options)


def ids(answer: Recommendations) -> list[Any]:
    return [film.movie_id for film in answer.recommendations]


@settings(max_examples=150, deadline=None)
@given(ratings=people, options=filters, order=dials)
def test_every_filter_holds_for_every_film_shown(
    ratings: dict[int, float], options: dict[str, Any], order: dict[str, Any]
) -> None:
    answer = recommend(ratings, limit=100, **options, **order)
    shown = ids(answer)
    assert len(shown) == len(set(shown)) == answer.total
    if not options.get("include_seen"):
        assert not set(shown) & ratings.keys()
    assert not set(shown) & {*options.get("exclude", ()), *options.get("not_interested", ())}
    assert set(shown) <= set(options["only"]) if "only" in options else not set(shown) & UNRATED
    for film in answer.recommendations:
        genres = set(film.genres)
        assert genres & set(options.get("genre_any") or genres) or not options.get("genre_any")
        assert genres >= set(options.get("genre_all", ()))
        assert not genres & set(options.get("genre_none", ()))
        assert options.get("min_ratings", 0) <= film.ratings_count <= options.get("max_ratings", 1000)
        if "year_from" in options or "year_to" in options:
            assert film.year is not None
            assert options.get("year_from", 0) <= film.year <= options.get("year_to", 3000)


@settings(max_examples=60, deadline=None)
@given(
    ratings=people, order=dials, seed_off=some_movies, not_interested=some_movies,
    what_if=st.dictionaries(st.sampled_from(IDS), st.none() | st.integers(1, 10).map(lambda n: n / 2), max_size=5),
)  # fmt: skip
def test_however_ratings_are_bent_nothing_seen_or_unwanted_is_shown(
    ratings: dict[int, float],
    order: dict[str, Any],
    seed_off: list[int],
    not_interested: list[int],
    what_if: dict[int, float | None],
) -> None:
    bent = {"seed_off": seed_off, "not_interested": not_interested, "what_if": what_if}
    answer = recommend(ratings, limit=100, **bent, **order)
    seen = {movie for movie, stars in {**ratings, **what_if}.items() if stars is not None}
    assert set(ids(answer)) == set(IDS) - UNRATED - seen - set(not_interested)
    assert recommend(ratings, limit=100, **bent, **order) == answer  # ties and all


@settings(max_examples=60, deadline=None)
@given(ratings=people, order=dials, sizes=st.lists(st.integers(1, 30), min_size=1, max_size=8))
def test_pages_have_neither_gaps_nor_repeats(
    ratings: dict[int, float], order: dict[str, Any], sizes: list[int]
) -> None:
    whole = recommend(ratings, limit=200, **order)
    paged: list[Any] = []
    for size in sizes:
        page = recommend(ratings, offset=len(paged), limit=size, **order)
        assert [film.rank for film in page.recommendations] == [len(paged) + n + 1 for n in range(len(ids(page)))]
        paged += ids(page)
    assert paged == ids(whole)[: len(paged)]
    assert len(paged) == min(sum(sizes), whole.total)


@settings(max_examples=60, deadline=None)
@given(ratings=people, options=filters, rank_by=st.sampled_from(["picks", "stars"]))
def test_reasons_add_up(ratings: dict[int, float], options: dict[str, Any], rank_by: str) -> None:
    answer = recommend(ratings, explain=True, limit=20, rank_by=rank_by, **options)
    for film in answer.recommendations:
        assert film.because is not None
        assert film.base is not None
        assert film.because_rest is not None
        parts = [one.contribution for one in film.because]
        assert film.base + sum(parts) + film.because_rest == pytest.approx(film.score, abs=1e-4)
        assert parts == sorted(parts, reverse=True)
        assert all(part > 0 for part in parts)
        assert {one.movie_id for one in film.because} <= ratings.keys()
        for one in film.because:
            assert one.share == pytest.approx(one.contribution / (film.score - film.base))


@settings(max_examples=40, deadline=None)
@given(ratings=people.filter(bool), movie=st.sampled_from(IDS), rank_by=st.sampled_from(["picks", "stars"]))
def test_an_explanation_names_every_rating_and_agrees_with_the_list(
    ratings: dict[int, float], movie: int, rank_by: str
) -> None:
    why = small_world.recommender().explain(ratings, movie, rank_by=rank_by)
    whole = recommend(ratings, limit=200, rank_by=rank_by)
    assert {one.movie_id for one in why.because} == ratings.keys() - UNRATED
    assert why.base + sum(one.contribution for one in why.because) == pytest.approx(why.score, abs=1e-4)
    assert sum(one.share for one in why.because) == pytest.approx(1, abs=1e-3) or abs(why.score - why.base) < 1e-3
    assert why.known == (movie not in UNRATED)
    if movie in ids(whole):
        assert why.rank == why.rank_in_list == ids(whole).index(movie) + 1
        assert why.removed_by == ()
        assert (why.lacks == 0) == (why.rank <= 10)
    elif movie in ratings:
        assert why.removed_by == ("include_seen",)
        assert why.rank_in_list is None


@settings(max_examples=80, deadline=None)
@given(ratings=people, movie=st.sampled_from(IDS), options=filters, order=dials, limit=st.integers(0, 30))
def test_the_place_in_the_list_is_that_of_the_whole_list(
    ratings: dict[int, float], movie: int, options: dict[str, Any], order: dict[str, Any], limit: int
) -> None:
    why = small_world.recommender().explain(ratings, movie, limit=limit, **options, **order)
    whole = recommend(ratings, limit=200, **options, **order)
    assert why.rank_in_list == (ids(whole).index(movie) + 1 if movie in ids(whole) else None)
    scores = [film.score for film in whole.recommendations][:limit]
    assert why.lacks == (max(scores[-1] - why.score, 0) if scores else 0)


def test_why_not_names_the_filter_and_the_place_it_would_have() -> None:
    movie = ids(recommend())[2]
    genres = next(film.genres for film in recommend().recommendations if film.movie_id == movie)
    why = small_world.recommender().explain(RATINGS, movie, genre_none=genres, max_ratings=1)
    assert set(why.removed_by) == ({"genre_none", "max_ratings"} if genres else {"max_ratings"})
    assert why.rank == 3
    assert why.rank_in_list is None


def test_a_disliked_film_argues_against_its_like_in_stars() -> None:
    why = small_world.recommender().explain({10: 0.5}, small_world.recommender().similar(10, 1)[0].movie_id,
                                            rank_by="stars")  # fmt: skip
    assert why.because[0].contribution < 0


def test_equal_scores_go_by_id() -> None:
    """Every film twice, under two ids, with the same factors: the two must stand side by side, lower id first."""
    model = small_world.stars()
    twin_ids = np.sort(np.concatenate([model.items.ids, model.items.ids + 1]))
    twins = dataclasses.replace(
        model, items=type(model.items)(twin_ids), item_factors=np.repeat(model.item_factors, 2, axis=0),
        item_biases=np.repeat(model.item_biases, 2),
    )  # fmt: skip
    movies = small_world.movies().head(small_world.N_RATED)
    doubled = movies.vstack(movies.with_columns(movies["movie_id"] + 1))
    shown = ids(Recommender(Catalogue(doubled), twins).recommend(RATINGS, limit=40))
    rest = [movie for movie in shown if movie - movie % 10 not in RATINGS]
    assert [movie % 10 for movie in rest] == ([0, 1] * len(rest))[: len(rest)]  # the list may end between twins
    assert rest[1::2] == [movie + 1 for movie in rest[::2]][: len(rest) // 2]


def test_for_nobody_the_list_is_the_average_persons() -> None:
    answer = recommend({}, explain=True)
    picks = small_world.picks()
    expected = picks.item_factors @ picks.user_factors.mean(axis=0)
    assert ids(answer) == picks.items.ids[np.argsort(-expected, kind="stable")][:10].tolist()
    assert all(film.base == film.score and film.because == () for film in answer.recommendations)


def test_a_user_of_the_data_set_gets_the_models_own_list() -> None:
    ratings = small_world.recommender().ratings_of("7")
    expected_ids, expected_scores = small_world.picks().recommend(7, n=10)
    answer = recommend(ratings)
    assert ids(answer) == expected_ids.tolist()
    assert [film.score for film in answer.recommendations] == pytest.approx(expected_scores.tolist(), abs=1e-4)
    predicted = small_world.stars().predict([7] * 10, ids(answer))
    assert [film.stars for film in answer.recommendations] == pytest.approx(np.asarray(predicted).tolist(), abs=1e-4)


def test_without_a_ranking_model_stars_order_the_list() -> None:
    only_stars = Recommender(small_world.recommender().catalogue, small_world.stars())
    assert ids(only_stars.recommend(RATINGS)) == ids(recommend(rank_by="stars"))


def test_the_account_of_filters_and_what_to_relax() -> None:
    answer = recommend(genre_any=["Western"], year_from=1975, min_ratings=1000)
    counts = small_world.recommender().catalogue
    assert answer.total == 0
    assert answer.removed == {
        "genre_any": int((~counts.has_genre["Western"][: small_world.N_RATED]).sum()),
        "year_from": int(((counts.years < 1975) | (counts.years == 0))[: small_world.N_RATED].sum()),
        "min_ratings": small_world.N_RATED,
        "include_seen": len(RATINGS),
    }
    assert answer.relax == "min_ratings"
    assert recommend(min_ratings=1000, only=[900]).relax == "min_ratings"
    both = recommend(min_ratings=1000, max_ratings=1000, exclude=IDS)
    assert set(str(both.relax).split(" and ")) == {"min_ratings", "exclude"}
    assert recommend().relax is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"genre_any": ["Noir"]}, r"'Noir'.*there are: Comedy, Drama, Horror, Western"),
        ({"genre_any": "Comedy"}, "give a list"),
        ({"exclude": 10}, "give a list"),
        ({"year_from": 2050}, "year_from=2050: the catalogue has films of 1930 to"),
        ({"year_to": 1900}, "year_to=1900"),
        ({"year_from": 1990, "year_to": 1980}, "swap"),
        ({"min_ratings": 5, "max_ratings": 4}, "at least the first"),
        ({"min_ratings": -1}, "0 or more"),
        ({"rank_by": "magic"}, "picks, stars, stars_low are allowed"),
        ({"rank_by": "stars_low"}, "knows no interval"),
        ({"popularity": 1.5}, "-1 .obscure. to 1"),
        ({"diversity": float("nan")}, "0 to 1"),
        ({"limit": -1}, "negative"),
        ({"offset": -1}, "negative"),
        ({"genre": "Comedy"}, "genre: no such option; there are: .*genre_any"),
        ({"half_life": 0}, "days above 0"),
        ({"since": 0}, "rated_at lacks movie 10 and 3 more"),
        ({"ratings": {10: 6.0}}, "0.5 to 5 stars are allowed"),
    ],
)
def test_what_is_not_allowed_is_refused_with_what_is(options: dict[str, Any], message: str) -> None:
    ratings = options.pop("ratings", RATINGS)
    with pytest.raises(ParameterError, match=message):
        recommend(ratings, **options)


@pytest.mark.parametrize("name", ["exclude", "only"])
def test_a_film_outside_the_catalogue_is_refused_in_filters(name: str) -> None:
    with pytest.raises(UnknownMovieError, match="no movie 5"):
        recommend(**{name: [10, 5]})


def test_ratings_of_films_outside_the_catalogue_are_passed_over() -> None:
    assert recommend({**RATINGS, 7: 3.0, "seven": 2.0}) == recommend()  # type: ignore[dict-item]


def test_films_that_nobody_rated_come_only_when_asked_for_and_get_the_fallback() -> None:
    answer = recommend(only=[900, 890, 20], rank_by="stars")
    assert set(ids(answer)) == {20, 890, 900}
    person = small_world.stars().fold_in(RATINGS)
    fallback = small_world.stars().mean + person.bias
    assert [film.stars for film in answer.recommendations if film.movie_id > 800] == pytest.approx([fallback] * 2)
    prediction = small_world.recommender().predict(RATINGS, 900)
    assert (prediction.known, prediction.ratings_count) == (False, 0)
    assert prediction.stars == pytest.approx(fallback)
    assert small_world.recommender().similar(900) == ()


def test_a_seed_that_is_off_counts_as_seen_but_not_as_taste() -> None:
    without = {movie: stars for movie, stars in RATINGS.items() if movie != 250}
    assert recommend(seed_off=[250]).recommendations == recommend(without, exclude=[250]).recommendations


def test_since_and_half_life() -> None:
    day = 86_400
    rated_at = {movie: n * 100 * day for n, movie in enumerate(RATINGS)}
    late = dict(list(RATINGS.items())[2:])
    shown = recommend(rated_at=rated_at, since=150 * day)
    assert ids(shown) == ids(recommend(late, exclude=[10, 40]))
    assert ids(recommend(rated_at=rated_at, half_life=1e9)) == ids(recommend())
    forgetful = recommend(rated_at=rated_at, half_life=5, limit=5)
    newest = recommend({330: 3.0}, exclude=[10, 40, 250], limit=5)
    assert ids(forgetful) == ids(newest)


def test_what_if_changes_one_rating_for_once() -> None:
    assert ids(recommend(what_if={10: 0.5})) == ids(recommend({**RATINGS, 10: 0.5}))
    assert ids(recommend(what_if={90: 5.0})) == ids(recommend({**RATINGS, 90: 5.0}))
    without = {movie: stars for movie, stars in RATINGS.items() if movie != 10}
    assert ids(recommend(what_if={10: None})) == ids(recommend(without))
    assert RATINGS[10] == 5.0


def mean_count(answer: Recommendations) -> float:
    return float(np.mean([film.ratings_count for film in answer.recommendations]))


def test_the_popularity_dial_turns_both_ways_and_leaves_scores_alone() -> None:
    counts = [mean_count(recommend(popularity=dial)) for dial in (-1, -0.5, 0, 0.5, 1)]
    assert counts == sorted(counts)
    assert counts[0] < counts[2] < counts[4]
    scores = {film.movie_id: film.score for film in recommend(limit=200).recommendations}
    assert all(film.score == scores[film.movie_id] for film in recommend(popularity=-1).recommendations)


def likeness(answer: Recommendations) -> float:
    picks = small_world.picks()
    vectors = picks.item_factors[picks.items.rows(ids(answer))]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return float((vectors @ vectors.T)[np.triu_indices(len(vectors), 1)].mean())


def test_the_diversity_dial_makes_lists_more_varied_but_keeps_the_first_film() -> None:
    plain, varied, most = (recommend(diversity=dial) for dial in (0, 0.5, 1))
    assert likeness(plain) > likeness(varied) > likeness(most)
    assert ids(plain)[0] == ids(varied)[0]
    assert sorted(ids(recommend(diversity=1, limit=200))) == sorted(ids(recommend(limit=200)))


def test_similar_films_leave_the_film_itself_out() -> None:
    found = small_world.recommender().similar(30, 5)
    assert [film.rank for film in found] == [1, 2, 3, 4, 5]
    assert 30 not in [film.movie_id for film in found]
    assert [film.score for film in found] == sorted((film.score for film in found), reverse=True)
    with pytest.raises(UnknownMovieError):
        small_world.recommender().similar(5)


@pytest.mark.parametrize("model", [small_world.stars(), small_world.picks()], ids=["stars", "picks"])
def test_films_that_few_rated_are_less_similar_than_their_factors_say(model: Any) -> None:
    units = model.item_factors / np.linalg.norm(model.item_factors, axis=1, keepdims=True)
    shrunk = (units @ units[2]) * model.item_counts / (model.item_counts + 10)
    found, scores = model.similar_items(30, small_world.N_RATED)
    rows = model.items.rows(found)
    assert scores == pytest.approx(shrunk[rows], abs=1e-5)
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)
    assert sorted(rows.tolist()) == [row for row in range(small_world.N_RATED) if row != 2]


def test_users_of_the_data_set_by_number_or_text() -> None:
    recommender = small_world.recommender()
    assert recommender.ratings_of(7) == recommender.ratings_of("7")
    for user in (0, "nobody", "61", "٣"):
        with pytest.raises(UnknownUserError, match="has no user"):
            recommender.ratings_of(user)


def test_a_catalogue_must_hold_all_items() -> None:
    with pytest.raises(ParameterError, match="lacks movie 10"):
        Recommender(Catalogue(small_world.movies()[1:]), small_world.stars())


def test_the_recommender_of_a_folder_answers_the_same(tmp_path: Any) -> None:
    path = save(small_world.stars(), small_world.picks(), path=tmp_path / "m1", movies=small_world.movies())
    assert Recommender.of(Artifact.read(path)).recommend(RATINGS, explain=True) == recommend(explain=True)


def test_biases_alone_recommend_and_explain() -> None:
    biases = DampedBias().fit(small_world.ratings())
    answer = Recommender(small_world.recommender().catalogue, biases).recommend(RATINGS, explain=True)
    order = biases.items.ids[np.argsort(-biases.item_biases, kind="stable")]
    assert ids(answer) == [movie for movie in order.tolist() if movie not in RATINGS][:10]
    first = answer.recommendations[0]
    assert first.base is not None
    assert first.because is not None
    assert first.base + sum(b.contribution for b in first.because) + (first.because_rest or 0) == pytest.approx(
        first.score
    )
