"""The public surface: small, sorted, lazy, documented, and the same to a type checker as at run time."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest
from processor import python

import matinee

LAZY = ("numba", "flask", "pyspark", "sqlalchemy", "matplotlib", "scipy", "polars", "pydantic", "numpy", "click")


def test_it_is_sorted_and_small() -> None:
    assert list(matinee.__all__) == sorted(matinee.__all__)
    assert len(matinee.__all__) <= 20
    assert set(matinee.__all__) <= set(dir(matinee))


@pytest.mark.parametrize("name", matinee.__all__)
def test_every_name_loads_and_is_documented(name: str) -> None:
    thing = getattr(matinee, name)
    assert inspect.getdoc(thing)


def test_a_type_checker_sees_the_same_names() -> None:
    tree = ast.parse(Path(matinee.__file__).read_text("utf-8"))
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.asname or alias.name: f"{node.module}" for node in guarded.body for alias in node.names}
    assert seen == {name: getattr(matinee, name).__module__ for name in matinee.__all__}


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'Als'.*ALS"):
        matinee.Als  # noqa: B018


def test_importing_is_quick_and_loads_nothing_heavy() -> None:
    code = f"import matinee, sys; sys.exit(', '.join(m for m in {LAZY!r} if m in sys.modules) or 0)"
    done, seconds = python(code)
    assert done.returncode == 0, done.stderr
    assert seconds < 0.3


def test_it_is_typed() -> None:
    assert (Path(matinee.__file__).parent / "py.typed").exists()
