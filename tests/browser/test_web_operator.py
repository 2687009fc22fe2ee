"""The operator's page: the key, the model card, another model and back, a training and how far it is, traffic."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from served_app import Served, served

import matinee
from matinee import training
from matinee.data.dataset import Dataset
from matinee.registry import Registry
from matinee.settings import Settings
from matinee.store.database import Database
from matinee.store.jobs import REFUSED, TrainingRuns

KEY = "curtain-rises-at-eight"
STARS = {"rank": 8, "iterations": 3}
PICKS = {"rank": 16, "iterations": 2}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, linked_sample: Dataset) -> Settings:
    """A home with a key and two measured models, the newer one in use."""
    settings = Settings(home=tmp_path_factory.mktemp("operator"), operator_key=KEY)
    for seed in (1, 2):
        stars, picks = matinee.ALS(**STARS, seed=seed), matinee.ImplicitALS(**PICKS, seed=seed)
        training.train(linked_sample, Registry(settings.models_dir), stars=stars, picks=picks, seed=0)
    return settings


@pytest.fixture(scope="module")
def guarded(settings: Settings) -> Iterator[Served]:
    with served(settings) as service:
        yield service


@pytest.fixture
def board(browser: Browser, guarded: Served) -> Iterator[Page]:
    """The operator's page, opened with the key."""
    context = browser.new_context(base_url=guarded.address)
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto("/operator")
    page.get_by_label("Key").fill(KEY)
    page.get_by_label("Key").press("Enter")
    expect(page.get_by_role("heading", name="Model card")).to_be_visible()
    yield page
    context.close()


def test_only_the_key_opens_the_page(browser: Browser, guarded: Served) -> None:
    context = browser.new_context(base_url=guarded.address)
    page = context.new_page()
    page.goto("/operator")
    page.get_by_label("Key").fill("not the operator's key")
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("alert")).to_contain_text("key")
    expect(page.get_by_role("heading", name="Model card")).to_have_count(0)
    context.close()


def test_the_card_says_how_good_the_model_is_and_how_it_was_measured(board: Page, settings: Settings) -> None:
    card = board.get_by_role("region", name="Model card")
    facts = Registry(settings.models_dir).read().manifest["metrics"]
    expect(card.get_by_role("row", name=re.compile("^RMSE"))).to_contain_text(f"{facts['stars']['rmse']:.4f}")
    expect(card.get_by_role("row", name=re.compile("^NDCG@10"))).to_contain_text(f"{facts['picks']['ndcg@10']:.4f}")
    expect(card).to_contain_text(f"{facts['protocol']['held_out']:,} ratings (20 %) held out")
    expect(card.get_by_role("img", name=re.compile("^Calibration of intervals: .*promised"))).to_be_visible()
    expect(card.get_by_role("img", name=re.compile("^Training error in stars: .* number 3"))).to_be_visible()
    traffic = board.get_by_role("region", name="Live traffic")
    expect(traffic.locator(".tally div").filter(has_text="answered since").locator("dd")).to_have_text(
        re.compile(r"^\d")
    )


def test_another_model_is_put_to_use_and_taken_back(board: Page, settings: Settings, guarded: Served) -> None:
    registry = Registry(settings.models_dir)
    newer, older = [info.model_id for info in registry.list()]
    board.get_by_role("button", name=re.compile("^Use the model of")).click()
    expect(board.get_by_text(f"Model {older} is in use within a second.")).to_be_visible()
    assert registry.current() == older
    guarded.models.refresh()
    assert board.request.get("/readyz").json()["model_id"] == older
    expect(board.locator(".models .in-use .badge")).to_have_text("in use")
    expect(board.locator(".card-of-model")).to_contain_text(f"{older} (in use)")
    board.get_by_role("button", name="Roll back to the one before").click()
    expect(board.get_by_text(f"Model {newer} is in use within a second.")).to_be_visible()
    expect(board.locator(".card-of-model")).to_contain_text(f"{newer} (in use)")
    assert registry.current() == newer


def test_a_training_is_asked_for_and_followed(board: Page, settings: Settings) -> None:
    """What a worker notes while it trains, this test notes: the page shows every state of it."""
    board.get_by_role("button", name="Start training").click()
    expect(board.get_by_text("Training 1 is asked for.")).to_be_visible()
    expect(board.locator(".runs .badge")).to_have_text("waits for a worker")
    expect(board.get_by_role("button", name="A training is under way")).to_be_disabled()
    database = Database(settings.database)
    runs = TrainingRuns(database)
    run_id = runs.next()
    assert run_id is not None
    runs.start(run_id)
    step = training.Step("stars, on everything", 3, 15, "training RMSE 0.7412")
    runs.note(run_id, {"progress": vars(step)})
    expect(board.get_by_text("stars, on everything: 3 of 15 training RMSE 0.7412")).to_be_visible()
    bar = board.get_by_role("progressbar", name="Training 1")
    assert (bar.get_attribute("value"), bar.get_attribute("max")) == ("3", "15")
    check = {"what": "RMSE", "candidate": 0.91, "current": 0.88, "passed": False}
    runs.finish(run_id, REFUSED, {"checks": [check]})
    expect(board.locator(".runs .badge")).to_have_text("the new model was worse and is not used")
    expect(board.get_by_text("RMSE: 0.9100, before 0.8800 (worse)")).to_be_visible()
    expect(board.get_by_role("button", name="Start training")).to_be_enabled()
    database.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_board_has_no_barriers(board: Page, scheme: str) -> None:
    board.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    board.set_viewport_size({"width": 320, "height": 700})
    assert board.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = Axe().run(board)
    assert found.violations_count == 0, found.generate_report()
