"""`python -m bench [--quick] [--data FILE]... [NAME]...`: run benches, print one line per target, keep the JSON."""

from __future__ import annotations

import argparse
import inspect
import json
import time
from importlib import import_module

from bench.common import Check, machine

NAMES = (
    "latency",
    "lists",
    "quality_als",
    "quality_lists",
    "quality_ranking",
    "speed_als",
    "speed_ranking",
    "reading",
    "quality_stars",
    "quality_few_ratings",
    "service",
    "web",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all by default")
    parser.add_argument("--quick", action="store_true", help="small data, few runs: five minutes in all")
    parser.add_argument("--data", action="append", metavar="DATA", help="a data set for the quality benches (repeat)")
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no bench called {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    print(json.dumps(machine()), flush=True)
    checks: list[Check] = []
    for name in options.names or NAMES:
        run = import_module(f"bench.{name}").run
        arguments = {"quick": options.quick}
        if options.data and "data" in inspect.signature(run).parameters:
            arguments["data"] = options.data
        print(f"--- {name}", flush=True)
        start = time.perf_counter()
        checks += run(**arguments)
        print(f"({time.perf_counter() - start:.0f} s)", flush=True)
    short = [check for check in checks if not check.passed]
    print(f"--- {len(checks) - len(short)} of {len(checks)} targets reached")
    for check in short:
        print(check.line())


if __name__ == "__main__":
    main()
