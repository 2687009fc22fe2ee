"""Lists that are not for one person: for everybody, for several people together, for nobody in particular."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from matinee.cli.common import answer, columns, say, steps_shown
from matinee.cli.person import Somebody, rating_lines

if TYPE_CHECKING:
    from matinee.cli.engine import Cluster
    from matinee.recommend.catalogue import Catalogue, Movie
    from matinee.recommend.groups import GroupRecommendations, Mode
    from matinee.recommend.nobody import Kind
    from matinee.recommend.recommender import Recommender

MODES = ["mean", "least_misery", "most_pleasure", "fairness"]
OPTIONS = (
    click.option("--all", "everybody", is_flag=True, help="Everybody of the data set, into the file of --out."),
    click.option(
        "--out", metavar="PATH", help="Parquet file of the lists; goes on if stopped. Spark: a folder, on any path."
    ),
    click.option(
        "--with",
        "members",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Somebody of a group, by a file of lines movieId,rating; repeat.",
    ),
    click.option(
        "--group",
        "mode",
        type=click.Choice(MODES),
        help="Who decides in a group: the average (default), the unhappiest, the happiest, or each in turn.",
    ),
    click.option("--veto", type=float, metavar="STARS", help="Leave out what anybody of the group would give less."),
    click.option("--popular", "general", flag_value="popular", help="For nobody: most ratings."),
    click.option("--trending", "general", flag_value="trending", help="For nobody: most ratings of late."),
    click.option("--top", "general", flag_value="top", help="For nobody: highest mean stars, few ratings damped."),
    click.option("--per", type=click.Choice(["genre", "decade"]), help="For nobody: a list for each of these."),
)


def list_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what says that a list is not for one person."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def check(
    described: bool,
    *,
    everybody: bool,
    out: str | None,
    members: tuple[Path, ...],
    mode: str | None,
    veto: float | None,
    general: str | None,
    per: str | None,
) -> None:
    """Refuse flags that ask for several kinds of lists at once."""
    kinds = {"--all": everybody, "--with": bool(members), f"--{general}": general is not None}
    asked = [flag for flag, given in kinds.items() if given]
    if len(asked) > 1:
        raise click.UsageError(f"{' and '.join(asked)} are different lists: ask for one of them")
    if described and asked and not members:
        raise click.UsageError(f"{asked[0]} is for nobody in particular: leave --user, --rate and --ratings out")
    if everybody != (out is not None):
        raise click.UsageError("--all and --out FILE.parquet belong together")
    if (mode or veto is not None) and not members:
        raise click.UsageError("--group and --veto are about several people: name them by --with FILE, repeated")
    if per and general is None:
        raise click.UsageError("--per cuts a list for nobody: add --popular, --trending or --top")


def for_everybody(
    recommender: Recommender, out: str, options: Mapping[str, Any], cluster: Cluster | None, as_json: bool
) -> None:
    """Write everybody's lists to a file, or on a cluster to a folder."""
    from matinee.recommend.batch import recommend_all
    from matinee.training import Step

    start = time.perf_counter()
    try:
        with steps_shown() as show:
            report = None if show is None else lambda done, total: show(Step("lists", done, total))
            if cluster is None:
                users = recommend_all(recommender, out, progress=report, **options)
            else:
                users = made_on_spark(recommender, out, options, cluster, report)
    except KeyboardInterrupt:
        if cluster is None:
            say(f"the lists made so far are kept in {out}.parts: the same command goes on there")
        raise
    seconds = time.perf_counter() - start
    document = {"model_id": recommender.model_id, "users": users, "out": out, "seconds": seconds}
    answer(document, f"lists of {users} people are in {out} ({seconds:.1f} s)", as_json)


def made_on_spark(
    recommender: Recommender,
    out: str,
    options: Mapping[str, Any],
    cluster: Cluster,
    report: Callable[[int, int], None] | None,
) -> int:
    """Let a cluster make the lists that `recommend_all` makes here."""
    from matinee.recommend.batch import Plan

    plan = Plan.of(recommender, **options)
    with cluster.session() as session:
        from matinee.engines.spark.lists import write_lists

        return write_lists(
            session, out, plan.ranker, recommender.stars, limit=plan.limit, allowed=plan.allowed,
            include_seen=plan.filters.include_seen, progress=report,
        )  # fmt: skip


def for_a_group(
    recommender: Recommender,
    somebody: Somebody | None,
    files: tuple[Path, ...],
    mode: Mode,
    veto: float | None,
    options: Mapping[str, Any],
    as_json: bool,
) -> None:
    """Print one list for several people: the one described by flags, if any, and those of the files."""
    from matinee.recommend.groups import recommend_group

    names = [path.stem for path in files]
    members = [dict(rating_lines(path, recommender.catalogue, recommender.stars.scale)) for path in files]
    if somebody is not None:
        names, members = [somebody.user_id or "you", *names], [somebody.ratings, *members]
    answered = recommend_group(recommender, members, mode=mode, veto=veto, **options)
    document = {"mode": mode, "members": names, **asdict(answered)}
    answer(document, lambda: agreed(answered, names), as_json)
    if not as_json and not answered.recommendations:
        say(nothing_left(answered.total, answered.removed, answered.relax))


def agreed(answered: GroupRecommendations, names: list[str]) -> str:
    """Lay a group's list out as text, with each member's stars and whose turn it was."""
    films = answered.recommendations
    in_turn = any(film.turn is not None for film in films)
    rows = [
        (
            film.rank,
            film.title,
            *(f"{stars:.1f}" for stars in film.stars),
            *([names[film.turn or 0]] if in_turn else []),
        )
        for film in films
    ]
    return columns(rows, ("", "film", *names, *(["chosen by"] if in_turn else [])))


def for_nobody(
    recommender: Recommender, general: Kind, per: str | None, options: Mapping[str, Any], as_json: bool
) -> None:
    """Print a list that knows nobody, or one for each genre or decade."""
    from matinee.recommend.nobody import general_list

    cuts: dict[str, dict[str, Any]] = {general: {}} if per is None else parts(recommender.catalogue, per)
    if any(options.keys() & cut.keys() for cut in cuts.values()):
        what, flags = ("years", "--year-from and --year-to") if per == "decade" else ("genre", "--genre-all")
        raise click.UsageError(f"--per {per} sets the {what} itself: leave {flags} out")
    lists = {name: general_list(recommender.catalogue, general, **options, **cut) for name, cut in cuts.items()}
    first = options.get("offset", 0) + 1
    document = {"model_id": recommender.model_id, "list": general}
    if per is None:
        answer(document | {"movies": lists[general]}, lambda: shown(lists[general], first), as_json)
    else:
        found = {name: movies for name, movies in lists.items() if movies}
        text = "\n\n".join(f"{name}\n{shown(movies, first)}" for name, movies in found.items())
        answer(document | {"per": per, "lists": found}, text, as_json)


def parts(catalogue: Catalogue, per: str) -> dict[str, dict[str, Any]]:
    """Return the filters of each genre, or of each decade in which there are rated films, by its name."""
    from matinee.recommend.nobody import decades

    if per == "genre":
        return {genre: {"genre_all": [genre]} for genre in catalogue.genres}
    return {f"{first}s": {"year_from": first, "year_to": first + 9} for first in decades(catalogue)}


def shown(movies: list[Movie], first: int = 1) -> str:
    """Lay films out as text, with what everybody thinks of them."""
    means = [None if movie.ratings_mean is None else f"{movie.ratings_mean:.1f}" for movie in movies]
    rows = [
        (place, m.title, mean, m.ratings_count)
        for place, (m, mean) in enumerate(zip(movies, means, strict=True), first)
    ]
    return columns(rows, ("", "film", "mean stars", "ratings"))


def nothing_left(total: int, removed: Mapping[str, int], relax: str | None) -> str:
    """Say why a list is empty and what would help."""
    if total:
        return f"the list ends after {total} films: choose a smaller --offset"
    account = ", ".join(f"{name} removed {count}" for name, count in removed.items())
    return f"no film is left ({account})" + (f": relax {relax}" if relax else "")
