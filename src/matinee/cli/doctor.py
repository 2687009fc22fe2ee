"""`matinee doctor`: what works on this machine, what is missing, and the cure."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import click

from matinee.cli.common import answer, columns, home_option, json_option
from matinee.errors import MatineeError

NOT_FOR_USERS = {"bench", "test"}
"""Extras for people who work on matinee itself."""


class Finding(NamedTuple):
    """One thing looked at: it works, is missing though matinee can do without, or is broken."""

    what: str
    state: Literal["ok", "missing", "broken"]
    found: str
    cure: str = ""


@click.command()
@json_option
@home_option
def doctor(as_json: bool, home: Path) -> None:
    """Say what works here, what is missing, and the cure.

    Exits 1 if something is broken; what is merely missing is optional.
    """
    findings = [*machine(), blas(), java(), *extras(), *home_folder(home), *models(home)]
    broken = [finding for finding in findings if finding.state == "broken"]
    answer(
        {"works": not broken, "findings": [finding._asdict() for finding in findings]},
        lambda: columns(findings, ("", "state", "found", "cure")),
        as_json,
    )
    if broken:
        raise SystemExit(1)


def machine() -> Iterator[Finding]:
    """Look at the interpreter, the cores and the width of the vector units."""
    version = platform.python_version()
    old = sys.version_info < (3, 11)
    yield Finding("Python", "broken" if old else "ok", version, "install Python 3.11 or newer" if old else "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("cores", "ok", f"{cores} of {os.cpu_count()} usable")
    import numpy as np

    found = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    width = 512 if {"X86_V4", "AVX512F"} & set(found) else 256 if {"X86_V3", "AVX2"} & set(found) else 128
    cure = "" if width > 128 or platform.machine() not in ("x86_64", "AMD64") else "training is slower without AVX2"
    yield Finding("vector width", "ok", f"{width} bits ({platform.machine()})", cure)


def blas() -> Finding:
    """Look at the linear algebra that NumPy and SciPy brought along."""
    import scipy.linalg  # noqa: F401  so that its BLAS is loaded too
    from threadpoolctl import threadpool_info

    libraries = {
        f"{pool['internal_api']} {pool.get('version')} ({pool.get('architecture')}, {pool['num_threads']} threads)"
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    }
    if libraries:
        return Finding("BLAS", "ok", "; ".join(sorted(libraries)))
    return Finding("BLAS", "missing", "not recognised", "pip install --force-reinstall numpy scipy")


def java() -> Finding:
    """Look for the Java that Spark needs."""
    from matinee.engines.spark.java import CURE, find_java

    java = find_java()
    if java.version is None:
        return Finding("Java", "missing", java.found, f"only Spark needs it: {CURE}")
    return Finding("Java", "ok", java.found)


def extras() -> Iterator[Finding]:
    """Look at each optional feature of the installed package."""
    wanted: dict[str, list[str]] = {}
    for requirement in importlib.metadata.requires("matinee") or ():
        if match := re.match(r"""([\w.-]+).*extra == ['"]([\w-]+)['"]""", requirement):
            wanted.setdefault(match[2], []).append(match[1])
    for extra in sorted(wanted.keys() - NOT_FOR_USERS):
        absent = [package for package in wanted[extra] if not installed(package)]
        cure = f"pip install 'matinee[{extra}]'" if absent else ""
        found = f"without {', '.join(absent)}" if absent else ", ".join(wanted[extra])
        yield Finding(f"extra {extra}", "missing" if absent else "ok", found, cure)


def installed(package: str) -> bool:
    """Say whether a distribution is installed."""
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def home_folder(home: Path) -> Iterator[Finding]:
    """Look at the home folder, its free space and the data in it."""
    parent = next(folder for folder in (home, *home.parents) if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        yield Finding("home", "broken", f"{home} cannot be written", "give another one with --home or MATINEE_HOME")
        return
    free = shutil.disk_usage(parent).free / 1e9
    yield Finding("home", "ok", f"{home}{'' if home.exists() else ' (will be made)'}, {free:.0f} GB free")
    zips = sorted(path.name for path in (home / "data").glob("*.zip"))
    hint = "" if zips else "matinee data fetch ml-latest-small, or use `sample`"
    yield Finding("data", "ok" if zips else "missing", ", ".join(zips) or "only the bundled sample", hint)


def models(home: Path) -> Iterator[Finding]:
    """Read the current model in full and check it."""
    from matinee.models.artifact import Artifact
    from matinee.registry import Registry

    registry = Registry(home / "models")
    try:
        current = registry.current()
        if current is None:
            yield Finding("model", "missing", "none yet", "matinee train sample")
            return
        Artifact.read(registry.path(current), verify=True)
    except MatineeError as error:
        yield Finding("model", "broken", str(error), "matinee models rollback, or train again")
        return
    yield Finding("model", "ok", f"{current}, of {len(registry.list())} kept, is intact")
