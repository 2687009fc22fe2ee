"""What comes out, as the OpenAPI document shows it; the views' tests hold the answers to it."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field

ModelId = Field(description="The model that answered.", examples=["20261124T040512-271828-3f9a"])
Total = Field(description="How many there are on all pages.")


class Film(BaseModel):
    """What every answer says of a film."""

    movie_id: int | str = Field(examples=[260])
    title: str = Field(description="As in the data set, year included.", examples=["Toy Story (1995)"])
    name: str = Field(description="Without the year.", examples=["Toy Story"])
    year: int | None = Field(examples=[1995])
    genres: list[str] = Field(examples=[["Animation", "Comedy"]])


class Movie(Film):
    """A film of the catalogue."""

    imdb_id: str | None = Field(examples=["0114709"])
    tmdb_id: int | None = Field(examples=[862])
    ratings_count: int = Field(description="How many people of the data set rated it.")
    ratings_mean: float | None = Field(description="Their mean stars; null for a film that nobody rated.")


class OneMovie(Movie):
    """A film of the catalogue, and which model knows it."""

    model_id: str = ModelId


class Movies(BaseModel):
    """Films of the catalogue."""

    model_id: str = ModelId
    movies: list[Movie]
    total: int | None = Field(None, description="How many there are on all pages; unknown for searches.")
    next_cursor: str | None = Field(None, description="Ask with it for the next page; null on the last one.")


class MovieList(BaseModel):
    """Films, best first."""

    model_id: str = ModelId
    movies: list[Movie]


class SimilarMovie(Film):
    """A film like another one."""

    rank: int
    score: float = Field(description="The model's likeness, at most 1.")
    ratings_count: int


class SimilarMovies(BaseModel):
    """Films like another one, the most alike first."""

    model_id: str = ModelId
    movie_id: int | str
    similar: list[SimilarMovie]


class Step(BaseModel):
    """How often a number of stars was given."""

    stars: float = Field(examples=[4.5])
    count: int


class Histogram(BaseModel):
    """How the data set's people rated a film."""

    model_id: str = ModelId
    movie_id: int | str
    ratings_count: int
    ratings_mean: float | None
    histogram: list[Step]


class Genre(BaseModel):
    """A genre and how many films have it."""

    genre: str = Field(examples=["Comedy"])
    movies: int


class Genres(BaseModel):
    """Genres, and decades that have films."""

    model_id: str = ModelId
    genres: list[Genre]
    decades: list[int] = Field(description="First years.", examples=[[1980, 1990]])


class Place(Film):
    """A film's place on the map."""

    x: float = Field(description="-1 to 1; films close to each other please the same people.")
    y: float
    ratings_count: int


class Map(BaseModel):
    """The catalogue's most rated films in two dimensions."""

    model_id: str = ModelId
    movies: list[Place]


class Because(BaseModel):
    """What one rating adds to a film's score."""

    movie_id: int | str
    title: str
    contribution: float
    share: float = Field(description="Of the score less its base.")


class Recommendation(Film):
    """A recommended film; base, contributions and because_rest sum to its score."""

    rank: int = Field(description="1 is best.")
    score: float = Field(description="The model's own, before clipping, dials and re-ranking.")
    stars: float = Field(description="Predicted stars.")
    stars_low: float | None = Field(description="With stars_high, holds the rating with a probability of 90 %.")
    stars_high: float | None = Field(description="Null, as stars_low, where the model knows no interval.")
    ratings_count: int
    because: list[Because] | None = Field(description="What raises the score most; null unless asked for by `explain`.")
    because_rest: float | None
    base: float | None = Field(description="The score before any rating of the person counts.")


class Recommendations(BaseModel):
    """A list of recommended films."""

    model_id: str = ModelId
    recommendations: list[Recommendation]
    total: int = Field(description="How many films passed the filters.")
    removed: dict[str, int] = Field(description="How many films each filter removes by itself.")
    relax: str | None = Field(description="Of an empty list, the filters to relax.")


class GroupRecommendation(Film):
    """A film for several people."""

    rank: int
    score: float = Field(description="0 to 1: the share of films that would please less.")
    stars: list[float] = Field(description="Each member's predicted stars, in the order of the members.")
    ratings_count: int
    turn: int | None = Field(description="With mode fairness, the member whose turn it was, from 0.")


class GroupRecommendations(BaseModel):
    """A list for several people."""

    model_id: str = ModelId
    recommendations: list[GroupRecommendation]
    total: int
    removed: dict[str, int]
    relax: str | None


class Prediction(BaseModel):
    """Stars that a person would give a film."""

    model_id: str = ModelId
    movie_id: int | str
    title: str
    stars: float
    stars_low: float | None = Field(description="With stars_high, holds the rating with a probability of 90 %.")
    stars_high: float | None
    known: bool = Field(description="False where nobody rated the film.")
    ratings_count: int
    stars_low_50: float | None = Field(description="With stars_high_50, holds the rating with a probability of 50 %.")
    stars_high_50: float | None
    probability_4: float | None = Field(description="Of a rating of at least 4 stars.")


class Explanation(BaseModel):
    """Why a film is on a person's list, or why not."""

    model_id: str = ModelId
    movie_id: int | str
    title: str
    score: float
    base: float
    because: list[Because]
    because_rest: float
    known: bool
    rank: int = Field(description="Among all films that the person has not rated, filters and dials apart.")
    rank_in_list: int | None = Field(description="With filters and dials; null where a filter removed it.")
    removed_by: list[str]
    lacks: float = Field(description="How much score it lacks to be on the list; 0 where it has enough.")


class GenreTaste(BaseModel):
    """How somebody likes a genre or a decade."""

    name: str = Field(examples=["Comedy"])
    rated: int
    mean: float = Field(description="The person's mean stars.")
    liking: float = Field(description="How much more than everybody they give, damped: few ratings say little.")


class Surprise(Film):
    """A rating that the model would not have guessed from the others."""

    stars: float
    expected: float = Field(description="Stars predicted from all the person's other ratings.")


class Taste(BaseModel):
    """A person's profile."""

    model_id: str = ModelId
    user_id: str
    ratings: int
    mean: float | None
    everybody: float | None = Field(description="What everybody gives the same films on average.")
    popularity: float | None = Field(description="How many people rated the person's median film.")
    histogram: list[Step]
    genres: list[GenreTaste] = Field(description="The most liked first.")
    decades: list[GenreTaste]
    error: float | None = Field(description="In stars, of predicting each of their ratings from all the others.")
    error_of_average: float | None = Field(description="The same for the films' means, which know nothing of them.")
    surprises: list[Surprise] = Field(description="The ratings furthest from what was predicted, those first.")


class RatedMovie(Film):
    """A film that the person rated."""

    stars: float
    rated_at: AwareDatetime | None = Field(description="Null for ratings that came with the data set.")
    seed: bool = Field(description="False: counts as seen, but does not shape lists.")


class Ratings(BaseModel):
    """A person's ratings: those given here, newest first, then the data set's."""

    model_id: str = ModelId
    user_id: str
    ratings: list[RatedMovie]
    total: int = Total


class MarkedMovie(Movie):
    """A film with a mark."""

    marked_at: AwareDatetime


class Marked(BaseModel):
    """A person's marked films, the latest first."""

    model_id: str = ModelId
    user_id: str
    movies: list[MarkedMovie]
    total: int = Total


class Saved(BaseModel):
    """What became of new ratings."""

    saved: int = Field(description="How many are now the person's rating of that film.")
    model_id: str = ModelId
    recommendations: list[Recommendation] | None = Field(None, description="Where `recommend` asked for them.")


class SeedSet(BaseModel):
    """Whether a rating shapes lists now."""

    model_id: str = ModelId
    movie_id: int | str
    seed: bool


class NewUser(BaseModel):
    """A person."""

    user_id: str = Field(examples=["u-Zm9vYmFyYmF6cXV4"])
    token: str = Field(
        description="Proves that it is them, as `Authorization: Bearer …`; browsers keep it in a cookie. "
        "Only a hash of it is kept: it cannot be asked for again."
    )


class Link(BaseModel):
    """A way for another browser to become a person's."""

    code: str = Field(description="For the body of `POST /api/v1/links`.")
    expires_at: AwareDatetime


class Readiness(BaseModel):
    """Whether this process can answer."""

    status: Literal["ready", "not ready"]
    missing: dict[str, str] = Field(description="What is missing, and why, by name.")
    model_id: str | None = Field(None, description="The model that answers.")
    warning: str | None = Field(None, description="Why a newer model does not answer.")


class Candidate(BaseModel):
    """A film that a line may mean."""

    movie_id: int | str
    title: str


class UnclearLine(BaseModel):
    """A line of a history that did not match."""

    file: str
    line: int = Field(description="The header is line 1; in JSON the number of the entry.")
    title: str
    year: int | None
    kind: str
    status: Literal["ambiguous", "unknown", "not_a_movie", "unreadable"]
    why: str
    candidates: list[Candidate]


class Imported(BaseModel):
    """What an import kept, and what it could not."""

    import_id: str | None = Field(description="For resolving and undoing; null for a dry run.")
    model_id: str = ModelId
    user_id: str
    dry_run: bool
    source: str = Field(description="Which service wrote the file.", examples=["letterboxd"])
    lines: int
    counts: dict[str, int] = Field(description="How many lines are matched, ambiguous, unknown, …")
    ratings: int = Field(description="How many films the matched lines rate.")
    not_matched: list[UnclearLine]
    saved: int = Field(description="How many are now the person's rating of that film.")


class Resolved(BaseModel):
    """What became of decisions about unclear lines."""

    import_id: str
    model_id: str = ModelId
    saved: int
    open: int = Field(description="How many lines are still to be decided.")


class Undone(BaseModel):
    """What undoing an import did."""

    import_id: str
    restored: int = Field(description="How many films have the rating again that they had before.")
