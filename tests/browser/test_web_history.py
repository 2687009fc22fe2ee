"""Histories of other services come in, unclear lines are decided about, and everything goes back and out again."""

from __future__ import annotations

import base64
import io
import re
import zipfile

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

RATINGS = (
    "Date,Name,Year,Letterboxd URI,Rating\n"
    "2021-04-02,Pulp Fiction,1994,https://boxd.it/29Pq,4.5\n"
    "2021-04-02,The Matrix,1999,https://boxd.it/2a1m,4\n"
    "2021-04-05,Léon: The Professional,1994,https://boxd.it/2aHi,4\n"
    "2021-04-09,Mrs Doubtfyre,1993,https://boxd.it/2akw,3.5\n"
    "2021-05-11,Jeanne Dielman,1975,https://boxd.it/28oe,5\n"
)
"""Two films whose titles say which is meant, one under another title, one ambiguous, one that the sample lacks."""
IMDB = (
    "Const,Your Rating,Date Rated,Title,Original Title,URL,Title Type,IMDb Rating,Runtime (mins),Year,Genres,Num Votes,"
    "Release Date,Directors\n"
    "tt0076759,9,2020-01-05,Star Wars: Episode IV - A New Hope,Star Wars,https://www.imdb.com/title/tt0076759,Movie,8.6,"
    '121,1977,"Action, Adventure, Fantasy, Sci-Fi",1500000,1977-05-25,George Lucas\n'
    "tt0113277,8,2020-01-06,Some other title,Heat,https://www.imdb.com/title/tt0113277,Movie,8.3,170,1995,"
    '"Action, Crime, Drama",760000,1995-12-06,Michael Mann\n'
    "tt0903747,10,2020-01-07,Breaking Bad,Breaking Bad,https://www.imdb.com/title/tt0903747,TV Series,9.5,49,2008,"
    '"Crime, Drama, Thriller",2300000,2008-01-20,\n'
)


def letterboxd_zip() -> bytes:
    """Return an archive as Letterboxd makes it: more files than ratings."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ratings.csv", RATINGS)
        archive.writestr("watched.csv", "Date,Name,Year,Letterboxd URI\n2021-04-02,Fargo,1996,https://boxd.it/2a9q\n")
        archive.writestr("profile.csv", "Date Joined,Username,Given Name\n2020-01-01,ann,Ann\n")
        archive.writestr(
            "likes/films.csv", "Date,Name,Year,Letterboxd URI\n2021-04-02,Fargo,1996,https://boxd.it/2a9q\n"
        )
    return packed.getvalue()


def choose(page: Page, name: str, content: bytes) -> Locator:
    """Choose a file, and return what the page says of it."""
    payload = FilePayload(name=name, mimeType="application/octet-stream", buffer=content)
    page.locator("input[type=file]").set_input_files(payload)
    return page.get_by_role("region", name=re.compile("line"))


def tally(report: Locator, name: str) -> int:
    """Return a number of the report."""
    return int(report.locator(".tally div").filter(has_text=name).locator("dd").inner_text())


def ratings_of(page: Page) -> dict[str, float]:
    """Return the person's ratings as the service keeps them."""
    path = page.evaluate("`/api/v1/users/${localStorage.getItem('matinee-user')}/ratings?limit=100`")
    return {film["name"]: film["stars"] for film in page.request.get(path).json()["ratings"]}


def test_a_letterboxd_file_is_seen_decided_stored_and_undone(page: Page) -> None:
    page.goto("/import")
    report = choose(page, "ratings.csv", RATINGS.encode())
    expect(report.get_by_role("heading", name="Letterboxd: 5 lines")).to_be_visible()
    assert [tally(report, name) for name in ("clear", "ambiguous", "not found")] == [3, 1, 1]
    assert ratings_of(page) == {}
    expect(page.get_by_role("button", name="Store 3 ratings")).to_be_visible()
    report.get_by_label("Which film does “Mrs Doubtfyre” mean?").select_option("Mrs. Doubtfire (1993)")
    page.get_by_role("button", name="Store 4 ratings").click()
    expect(page.get_by_role("heading", name="4 ratings stored")).to_be_visible()
    kept = ratings_of(page)
    assert (kept["Pulp Fiction"], kept["Mrs. Doubtfire"], len(kept)) == (4.5, 3.5, 4)
    page.get_by_role("button", name="Undo the import").click()
    expect(page.get_by_text("Undone: 4 films as before.")).to_be_visible()
    expect(page.get_by_text("Drop a file here")).to_be_visible()
    assert ratings_of(page) == {}


def test_an_archive_is_dropped_and_a_film_found_by_hand(page: Page) -> None:
    page.goto("/import")
    transfer = page.evaluate_handle(
        """letters => {
            const transfer = new DataTransfer();
            const bytes = Uint8Array.from(atob(letters), letter => letter.charCodeAt(0));
            transfer.items.add(new File([bytes], "letterboxd-ann.zip"));
            return transfer;
        }""",
        base64.b64encode(letterboxd_zip()).decode(),
    )
    page.locator(".drop").dispatch_event("drop", {"dataTransfer": transfer})
    page.get_by_label("Which film does “Jeanne Dielman” mean?").select_option("Find it by its title…")
    page.get_by_label("Find the film that “Jeanne Dielman” means").fill("amelie")
    page.get_by_role("button", name=re.compile("Amelie")).click()
    page.get_by_label("Which film does “Mrs Doubtfyre” mean?").select_option("None of these")
    page.get_by_role("button", name="Store 4 ratings").click()
    expect(page.get_by_role("heading", name="4 ratings stored")).to_be_visible()
    page.get_by_role("link", name="See what is for you").click()
    expect(page.locator(".choice .why").first).to_contain_text("Because you liked")


def test_imdb_knows_films_by_their_numbers_and_series_are_passed_over(page: Page) -> None:
    page.goto("/import")
    report = choose(page, "ratings.csv", IMDB.encode())
    expect(report.get_by_role("heading", name="IMDb: 3 lines")).to_be_visible()
    assert [tally(report, name) for name in ("clear", "passed over")] == [2, 1]
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Drop a file here")).to_be_visible()
    assert ratings_of(page) == {}


@pytest.mark.parametrize(
    ("name", "content"), [("holiday.csv", b"place,cost\nRome,120\n"), ("broken.zip", b"PK\x03\x04")]
)
def test_a_file_that_is_no_history_is_refused_in_words(
    page: Page, problems: list[str], name: str, content: bytes
) -> None:
    page.goto("/import")
    choose(page, name, content)
    expect(page.get_by_role("alert")).to_contain_text(name)
    expect(page.get_by_text("Drop a file here")).to_be_visible()
    assert [problem for problem in problems if "422" not in problem] == []
    problems.clear()


@pytest.mark.parametrize("kind", ["CSV", "JSON"])
def test_what_is_taken_along_comes_back(page: Page, kind: str) -> None:
    page.goto("/import")
    choose(page, "ratings.csv", IMDB.encode())
    page.get_by_role("button", name="Store 2 ratings").click()
    with page.expect_download() as started:
        page.get_by_role("link", name=kind, exact=True).click()
    before, content = ratings_of(page), started.value.path().read_bytes()
    page.get_by_role("button", name="Undo the import").click()
    choose(page, started.value.suggested_filename, content)
    page.get_by_role("button", name="Store 2 ratings").click()
    expect(page.get_by_role("heading", name="2 ratings stored")).to_be_visible()
    assert ratings_of(page) == before
