"""`python -m bench.page`: write docs/benchmarks.md from the results that are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.common import RESULTS

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
INTRO = """# Benchmarks

<!-- Written by `python -m bench.page` from bench/results/: run `make bench` to measure again. -->

Peers and matinee run in one process tree on one machine, in turns, so that its drift hits all alike; a ratio is of
medians. Same matrix, same number of factors, same objective, no biases where a peer has none; "asked" is the target
that we set ourselves before measuring. `make bench` repeats everything (about an hour), `make bench QUICK=1` a small
version of it (five minutes); the raw numbers are in `bench/results/`, one JSON document per bench.

What the shapes are: synthetic ratings with the counts of a MovieLens release (`matinee.data.synthetic`): films are seen
by taste and popularity, so that a ranking means something. `matinee` of one iteration is both sides solved, training
error included.
"""


def main() -> None:
    """Write the page."""
    documents = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))]
    parts = [INTRO, *(section(document) for document in documents if not document["bench"].endswith("_quick"))]
    PAGE.write_text("\n".join(parts))


def section(document: dict[str, Any]) -> str:
    """Return one bench as a section."""
    machine = document["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    rows = "\n".join(row(check) for check in document["checks"])
    size = f"{machine['cores']} cores, {machine['vector_bits']}-bit vectors, {machine['memory_gib']} GiB"
    return f"""## {document["bench"]}

{document["when"][:10]}, commit {machine["commit"]}. {machine["cpu"]}, {size}.
Python {machine["python"]}, {versions}.

| what | measured | asked | |
|---|---|---|---|
{rows}

<details><summary>All numbers</summary>

{shown(document["raw"])}

</details>
"""


def row(check: dict[str, Any]) -> str:
    """Return one target as a line of the table."""
    sign = "at least" if check["at_least"] else "at most"
    verdict = "pass" if check["passed"] else "**falls short**"
    unit = f" {check['unit']}".rstrip()
    return f"| {check['name']} | {check['measured']:.4g}{unit} | {sign} {check['target']:g}{unit} | {verdict} |"


def shown(raw: dict[str, Any], title: str = "") -> str:
    """Return the raw numbers as tables, without the single splits of a quality bench."""
    plain = {name: value for name, value in raw.items() if not isinstance(value, dict) and name != "splits"}
    inner = {name: value for name, value in raw.items() if isinstance(value, dict)}
    columns = list(next(iter(inner.values()), {}))
    alike = len(inner) > 1 and all(list(value) == columns and _flat(value) for value in inner.values())
    parts = [f"**{title}**"] if title and (plain or alike) else []
    if plain:
        parts.append(table(["", ""], [[name, text(value)] for name, value in plain.items()]))
    if alike:
        lines = [[name, *(text(value[column]) for column in columns)] for name, value in inner.items()]
        return "\n\n".join([*parts, table(["", *columns], lines)])
    return "\n\n".join(parts + [shown(value, f"{title}, {name}" if title else name) for name, value in inner.items()])


def table(head: list[str], lines: list[list[str]]) -> str:
    """Return a table, the first column being names."""
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *lines])


def text(value: Any) -> str:
    """Return a number with four digits, and of lists every member."""
    if isinstance(value, list):
        return ", ".join(text(inner) for inner in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("|", "/")


def _flat(value: dict[str, Any]) -> bool:
    return not any(isinstance(inner, dict) for inner in value.values())


if __name__ == "__main__":
    main()
