"""Documentation runs, is current, and leaves nothing out."""

from __future__ import annotations

import importlib.util
import re
import socket
from pathlib import Path

import pytest
from docs_runner import Page, agree, environment

from matinee.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
RUN = ["README.md", "docs/tutorial.md", "docs/service.md"]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", RUN)
def test_every_block_prints_what_the_page_shows(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in environment(tmp_path / "home").items():
        monkeypatch.setenv(variable, value)
    monkeypatch.chdir(tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    page = Page(ROOT / name, tmp_path, port)
    try:
        page.run()
    finally:
        page.stop()


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a 0.8701", "a   0.8702", True),
        ("a 0.87", "a 0.97", False),
        ("10 films", "11 films", False),
        ("a\n...\nz", "a\nb\nc\nz", True),
        ("a\n...", "b\na", False),
        ("took ... s", "took 2.3 s", True),
        ("took ... s", "took s", False),
        ('{"id":"...","n":1}', '{"id":"ab","n":1}', True),
        ('{"id":"...","n":1}', '{"id":"ab","n":2}', False),
        ("[0,4.0]", "[0,4.5]", False),
        ("a", "a\nb", False),
        ("a", "", False),
    ],
)
def test_the_runner_can_tell(shown: str, printed: str, same: bool) -> None:
    assert agree(shown.splitlines(), printed.splitlines()) is same


def test_the_runner_fails_where_a_page_is_wrong(tmp_path: Path) -> None:
    page = Page(tmp_path / "page.md", tmp_path, "1")
    page.path.write_text("```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n")
    with pytest.raises(AssertionError, match="the page shows"):
        page.run()
    page.path.write_text("```console\n$ false\n```\n")
    with pytest.raises(AssertionError, match="line 2: false"):
        page.run()


def generator():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_current() -> None:
    assert generator().stale() == [], "run `make docs`"


def test_every_setting_is_on_its_page() -> None:
    page = (ROOT / "docs/settings.md").read_text("utf-8")
    missing = [name for name in Settings.model_fields if f"`MATINEE_{name.upper()}`" not in page]
    assert not missing


def test_readme_is_short_and_starts_with_two_commands() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert len(lines) <= 120
    commands = re.findall(r"^(make \w+)", "\n".join(lines), re.MULTILINE)
    assert commands[:2] == ["make demo", "make test"]


PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
