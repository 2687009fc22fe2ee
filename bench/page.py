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
medians. Same matrix, same number of factors, exact solves, no biases where a peer has none; "asked" is the target that
we set ourselves before measuring. `make bench` repeats everything (about an hour), `make bench QUICK=1` a small version
of it (five minutes); the raw numbers are in `bench/results/`, one JSON document per bench.

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

```json
{shown(document["raw"])}
```
"""


def row(check: dict[str, Any]) -> str:
    """Return one target as a line of the table."""
    sign = "at least" if check["at_least"] else "at most"
    verdict = "pass" if check["passed"] else "**falls short**"
    unit = f" {check['unit']}".rstrip()
    return f"| {check['name']} | {check['measured']:.4g}{unit} | {sign} {check['target']:g}{unit} | {verdict} |"


def shown(raw: dict[str, Any]) -> str:
    """Return the raw numbers, without the single splits of a quality bench."""
    return json.dumps(rounded(raw), indent=1)


def rounded(value: Any) -> Any:
    """Keep four digits, and of long lists nothing."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {name: rounded(inner) for name, inner in value.items() if name != "splits"}
    return [rounded(inner) for inner in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
