"""`python -m benchmarks.fuzz`: what `python -m tests.fuzz --counts FILE` counted, as a table and as a result.

The counts of several runs, at several first numbers, add up in one file.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks import results
from tests.fuzz.campaign import FAULTS, MEMORY, SECONDS

KINDS = ("mutated", "net")
_OTHER = ("done", "refused", "no", "usage", "environment", "judged", "not judged")


def main() -> int:
    """Print the table; 1 where a case failed."""
    parser = argparse.ArgumentParser(description="Count what the fuzzer ran.")
    parser.add_argument("counts", nargs="+", type=Path, help="files that `tests.fuzz --counts` wrote")
    parser.add_argument("--no-write", action="store_true", help="leave the results as they are")
    chosen = parser.parse_args()
    found: dict[str, dict[str, int]] = {kind: {} for kind in KINDS}
    for path in chosen.counts:
        read: Mapping[str, int] = json.loads(path.read_text(encoding="utf-8"))
        for name, count in read.items():
            kind, _, outcome = name.partition(" ")
            found[kind][outcome] = found[kind].get(outcome, 0) + count
    names = ("run", *_OTHER, *FAULTS)
    rows = [[name, *(found[kind].get(name, 0) for kind in KINDS)] for name in names]
    print(results.table(("", "mutated files", "random networks"), rows))
    if not chosen.no_write:
        counts = {kind: {name: found[kind].get(name, 0) for name in names} for kind in KINDS}
        results.write("fuzz", {"processor_seconds": SECONDS, "memory": MEMORY, "counts": counts})
    return int(any(found[kind].get(name) for kind in KINDS for name in FAULTS))


if __name__ == "__main__":
    sys.exit(main())
