"""A folder of models, each pruned by the command line and compared with a reference at several sizes."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.child import Run
from benchmarks.counting import parameters
from benchmarks.reference import Feeds, gap, read
from benchmarks.reference import run as compute

LIMIT = 1e-3
"""The largest relative difference of a slice; float noise stays below 1e-4, a wrong unit is far above."""
Result = dict[str, Any]


def gaps(masked: Any, opened: Any, feeds: Mapping[str, Feeds]) -> dict[str, float | str]:
    """The largest difference of any output for each set of inputs; the original refuses some."""
    found: dict[str, float | str] = {}
    for label, values in feeds.items():
        try:
            expected = compute(masked, values)
        except Exception as error:  # noqa: BLE001 - the original's limits are its own
            found[label] = f"the original refuses it: {error}"[:120]
            continue
        try:
            found[label] = max(gap(a, b) for a, b in zip(expected, compute(opened, values), strict=True))
        except Exception as error:  # noqa: BLE001 - that it cannot run is a finding
            found[label] = f"fails: {error}"[:200]
    return found


def agreed(found: Mapping[str, float | str]) -> set[str] | None:
    """The sets of inputs that were compared; None where one differs or does not run."""
    numbers = {label for label, value in found.items() if isinstance(value, float)}
    wrong = any(
        value.startswith("fails") if isinstance(value, str) else value > LIMIT for value in found.values()
    )
    return None if wrong else numbers


def left(model: Path, out: Path) -> float:
    """The share of the parameters that is left."""
    return round(parameters(read(out)) / parameters(read(model)), 4)


def said(done: Run) -> str:
    """The line in which the command says what was proved."""
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines()]
    words = ("proved", "exact", "verified", "exercised")
    return " / ".join(line for line in lines if any(word in line.lower() for word in words))[:300]


def sweep(
    name: str,
    kind: str,
    description: str | None,
    folder: Path,
    build: Callable[[Path], None],
    measure: Callable[[Path, float, Path], Result],
    columns: Mapping[str, str],
    arguments: Sequence[str] | None,
) -> int:
    """Measure every model of a folder; 1 where one is wrong.

    Args:
        name: of the benchmark, and of the file of its results.
        kind: what the models are called.
        description: of the command line.
        folder: where the models are by default.
        build: exports them, where there are none.
        measure: prunes a model into a folder at a ratio, and says what came of it.
        columns: of the table, heading -> entry of a result.
        arguments: the words of the command line; those of the process by default.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=folder, help=f"where the {kind} are, or go")
    parser.add_argument("--match", default="*")
    parser.add_argument("--ratio", type=float, default=0.5)
    parser.add_argument("--out", type=Path, default=None, help="where pruned ones go (beside the others)")
    parser.add_argument("--no-write", action="store_true", help="leave benchmarks/results/ alone")
    options = parser.parse_args(arguments)
    if not any(options.folder.glob("*.onnx")):
        build(options.folder)
    out = options.out or options.folder / "pruned"
    out.mkdir(parents=True, exist_ok=True)
    rows: list[Result] = []
    for model in sorted(options.folder.glob("*.onnx")):
        if fnmatchcase(model.stem, options.match):
            rows.append(measure(model, options.ratio, out))
            print(json.dumps(rows[-1]), flush=True)
    counts = Counter(item["status"] for item in rows)
    header = (*columns, "worst gap", "why")
    print(results.table(header, [_row(item, columns) for item in rows]), "", dict(counts), sep="\n")
    if not options.no_write:
        results.write(name, {"ratio": options.ratio, "figures": dict(counts), kind: rows})
    return int(counts["wrong"] > 0)


def _row(result: Mapping[str, Any], columns: Mapping[str, str]) -> list[Any]:
    numbers = [value for value in result.get("gaps", {}).values() if isinstance(value, float)]
    worst = f"{max(numbers):.1e}" if numbers else None
    return [*(result.get(entry) for entry in columns.values()), worst, result.get("why", "")[:100]]
