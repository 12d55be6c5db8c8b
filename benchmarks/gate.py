"""The gate's statistics: how often is it wrong, and what does it find?

    python -m benchmarks.gate [--record] [--machine] [--trials 25] [--simulated 1000] [--draws 4000]

By default all is simulated: the latency gate with the noise of recorded pairs of blocks
(`results/gate_blocks.json`), the coverage of the 95 % intervals of accuracy, and how many samples of a class
it takes to see that it is dead. `--record` makes the recordings anew on this machine (about 5 minutes).
`--machine` judges real measurements of MobileNetV2 against itself, as it is and slowed down by 5 %, by limits
1 point inside and 1 point beyond the truth: 4 measurements a trial, about 10 s each.

The exit status is 1 where a limit that holds by 1 point fails, less than 97 % of those that are broken by 1
point are found, or the coverage of a realistic cell leaves 93 to 97 %.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks import child, gate_accuracy, gate_latency, results
from graphprune.profiling.paired import Rounds

FOUND = 0.97
_LATENCY = (
    "false fails 1 point inside",
    "passes 1 point inside",
    "found 1 point beyond",
    "fails at the limit",
)


def simulated(options: argparse.Namespace) -> dict[str, Any]:
    """All that needs no machine."""
    return {
        "latency": gate_latency.simulate(options.simulated, Rounds()),
        "coverage": gate_accuracy.coverage(options.draws),
        "dead class": gate_accuracy.dead_class(max(50, options.draws // 20)),
        "false alarm of a class": gate_accuracy.false_alarm(max(50, options.draws // 10)),
    }


def shown(found: dict[str, Any]) -> str:
    """The figures as tables."""
    parts: list[str] = []
    kinds = [(kind, found[kind]) for kind in ("latency", "machine") if kind in found]
    if kinds:
        rows = [
            [kind, *(each[name]["share"] if name in each else None for name in _LATENCY)]
            for kind, each in kinds
        ]
        parts.append(results.table(("latency gate", *_LATENCY), rows))
    if "coverage" in found:
        heads = ("95 % interval of", "cells", "within 93 to 97 %", "least", "largest", "mean")
        lines = [
            [name, *(each[key] for key in ("cells", "within", "least", "largest", "mean"))]
            for name, each in found["coverage"].items()
        ]
        parts.append(results.table(heads, lines))
        dead = found["dead class"]
        counts = sorted({row["count"] for row in dead})
        lines = [
            [f"1 dead of {classes}", *(row["found"] for row in dead if row["classes"] == classes)]
            for classes in sorted({row["classes"] for row in dead})
        ]
        parts.append(results.table(("found, by samples of a class", *map(str, counts)), lines))
    return "\n\n".join(parts)


def good(found: dict[str, Any]) -> bool:
    """Whether the targets are met."""
    gates = [found[kind] for kind in ("latency", "machine") if kind in found]
    judged = [
        each["false fails 1 point inside"]["count"] == 0 and each["found 1 point beyond"]["share"] >= FOUND
        for each in gates
    ]
    cover = found.get("coverage", {}).get("difference")
    return all(judged) and (cover is None or cover["within"] == cover["cells"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; write `results/gate.json` and `results/gate.svg`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--record", action="store_true", help="record pairs of blocks on this machine")
    parser.add_argument("--machine", action="store_true", help="judge real measurements")
    parser.add_argument("--trials", type=int, default=25, help="of `--machine`, of 4 measurements each")
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="that each model is timed in them, at least"
    )
    parser.add_argument("--slowdown", type=float, default=0.05, help="of the model that is slowed down")
    parser.add_argument("--simulated", type=int, default=1000, help="simulated measurements")
    parser.add_argument("--draws", type=int, default=4000, help="simulated data sets of each cell")
    parser.add_argument("--no-write", action="store_true", help="do not write the results")
    options = parser.parse_args(arguments)
    child.keep_to_cores()
    if options.record:
        results.write("gate_blocks", {"recordings": gate_latency.record()})
    if options.machine:
        rounds = Rounds(duration=options.seconds, longest=4 * options.seconds)
        found = {"machine": gate_latency.machine(options.trials, rounds, options.slowdown)}
    else:
        found = simulated(options)
    if not options.no_write:
        path = results.RESULTS / "gate.json"
        kept: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        parts = ("latency", "machine", "coverage", "dead class", "false alarm of a class")
        whole = {part: {**kept, **found}[part] for part in parts if part in kept or part in found}
        results.write("gate", whole)
        if "latency" in found:
            from benchmarks.plots import operating  # needs matplotlib

            operating(found["latency"]["rows"], found["latency"]["trials"], results.RESULTS / "gate.svg")
    print(shown(found))
    return 0 if good(found) else 1


if __name__ == "__main__":
    sys.exit(main())
