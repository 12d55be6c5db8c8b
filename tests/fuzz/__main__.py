"""`python -m tests.fuzz`: run cases for some minutes, or repeat one; exit 1 where one fails."""

from __future__ import annotations

import argparse
import itertools
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import cast

from tests.fuzz.campaign import FAULTS, MEMORY, SECONDS, Case, Kind, Outcome, Room, campaign, case

_MUTATED = 5
"""Mutated files for each random network."""


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="how long")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the number of the first case")
    parser.add_argument("--only", choices=["mutated", "net"], help="cases of one kind")
    parser.add_argument("--repeat", metavar="NAME", help="run one case, as net-4, and say how it ends")
    parser.add_argument("--found", type=Path, default=Path("build/fuzz"), help="where files that fail go")
    parser.add_argument("--counts", type=Path, help="add the counts to this JSON file")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    signal.signal(signal.SIGTERM, _stop)
    with tempfile.TemporaryDirectory(prefix="graphprune-fuzz-") as folder:
        room = Room(Path(folder))
        try:
            if options.repeat:
                return _repeat(options.repeat, room)
            end = time.monotonic() + options.minutes * 60
            cases = _cases(options.first, options.only, end)
            with suppress(KeyboardInterrupt):
                campaign(cases, room, options.found, _tell, counts)
        finally:
            room.close()
            if counts:
                print(json.dumps(dict(sorted(counts.items())), indent=1))
                if options.counts:
                    add(options.counts, counts)
    return int(any(name.partition(" ")[2] in FAULTS for name in counts))


def _stop(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def add(path: Path, counts: Mapping[str, int]) -> None:
    """Add counts to those in a file."""
    before: dict[str, int] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    total = {name: before.get(name, 0) + counts.get(name, 0) for name in sorted({*before, *counts})}
    path.write_text(json.dumps(total, indent=1) + "\n", encoding="utf-8")


def _cases(first: int, only: Kind | None, end: float) -> Iterator[Case]:
    for number in itertools.count(first):
        if time.monotonic() > end:
            return
        if only != "net":
            yield case("mutated", number)
        if only == "net" or (only is None and number % _MUTATED == 0):
            yield case("net", number if only else number // _MUTATED)


def _tell(done: Case, outcome: Outcome) -> None:
    if outcome.kind in FAULTS:
        last = (outcome.said.strip().splitlines() or [""])[-1]
        print(
            f"{done.name} {outcome.kind} in {outcome.seconds:.1f} s: {last[:150]}",
            file=sys.stderr,
            flush=True,
        )


def _repeat(name: str, room: Room) -> int:
    kind, _, number = name.partition("-")
    found = case(cast("Kind", kind), int(number))
    outcome = room.run(found)
    limits = f"{SECONDS:.0f} s of processor time, {MEMORY >> 30} GB"
    print(f"{name}: {outcome.kind} in {outcome.seconds:.1f} s ({limits})\n{found}\n{outcome.said}")
    return int(outcome.kind in FAULTS)


if __name__ == "__main__":
    sys.exit(main())
