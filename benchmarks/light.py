"""The nine `light_*` networks of the onnx package at ratio 0.5: graphprune, and onnxsim beside it.

    python -m benchmarks.light [NAME ...] [--keep FOLDER]

The weights are drawn (see `benchmarks/light_models.py`); the opset is 9 as in the package. Parameters and
multiply-accumulates are counted in what was written, apart from graphprune's own counts. Exactness is what
its verification says; onnxsim does not say what it removed, so its models are only checked and run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import child, counting, judge, light_models, results

RATIO = "0.5"


def _written(run: child.Run, path: Path, before: dict[str, int | None]) -> dict[str, Any]:
    """What lies at `path` after `run`: counts, what is left of `before`, valid, runs; or what went wrong."""
    if run.status or not path.exists():
        return {"failed": f"exit {run.status}: {run.complaint}"}
    model = judge.read(path)
    counts = {"parameters": counting.parameters(model), "macs": counting.macs(model)}
    remaining = {f"{key}_remaining": _fraction(counts[key], start) for key, start in before.items()}
    verdict = {"checker": judge.valid(model), "runs": judge.runs(model, judge.feeds(model))}
    return {**counts, **remaining, **verdict, "seconds": round(run.seconds, 2)}


def _fraction(after: int | None, before: int | None) -> float | None:
    return None if after is None or not before else round(after / before, 4)


KEPT = ("version", "pipeline", "before", "after", "verification")
"""What the results keep of graphprune's report; the rest names temporary files."""


def measure(name: str, folder: Path) -> dict[str, Any]:
    """One network through both tools."""
    model = light_models.load(name)
    source = folder / f"{name}.onnx"
    source.write_bytes(model.SerializeToString())
    before = {"parameters": counting.parameters(model), "macs": counting.macs(model)}
    row: dict[str, Any] = {"network": name, **before}
    output = folder / f"{name}-graphprune.onnx"
    words = ("prune", source, "-o", output, "--ratio", RATIO, "--output-format", "json")
    run = child.run(child.graphprune(*words))
    report = {key: value for key, value in run.json().items() if key in KEPT}
    row["graphprune"] = {**_written(run, output, before), "report": report}
    if child.has_peer("onnxsim"):
        output = folder / f"{name}-onnxsim.onnx"
        run = child.run(child.peer("onnxsim", "onnxsim_prune", source, "-o", output, "--ratio", RATIO))
        row["onnxsim"] = _written(run, output, before)
    return row


def exactness(report: dict[str, Any]) -> float | None:
    """The relative L2 distance to the masked twin in graphprune's report; None where it says none."""
    said: dict[str, float] = report.get("verification") or {}
    return said.get("distance")


def _percent(part: dict[str, Any], key: str) -> str | None:
    value = part.get(key)
    return None if value is None else f"{value:.1%}"


def _cells(row: dict[str, Any]) -> list[object]:
    ours, theirs = row["graphprune"], row.get("onnxsim", {})
    far = exactness(ours.get("report", {}))
    good = ours.get("runs") == ours.get("checker") == "yes"
    return [
        row["network"],
        f"{row['parameters'] / 1e6:.1f} M",
        _percent(ours, "parameters_remaining") or "failed",
        _percent(ours, "macs_remaining"),
        "yes" if good else "no",
        None if far is None else f"{far:.0e}",
        _percent(theirs, "parameters_remaining") or ("failed" if theirs else None),
        _percent(theirs, "macs_remaining"),
        theirs.get("runs", "no").partition(":")[0] if theirs else None,
    ]


HEADER = (
    "network",
    "parameters",
    "left by graphprune",
    "MACs left",
    "valid, runs",
    "relative L2 to the masked model",
    "left by onnxsim",
    "its MACs left",
    "it runs",
)


def notes(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What went wrong, in words."""
    return [
        f"{row['network']}, {tool}: {row[tool][key]}"
        for row in rows
        for tool in ("graphprune", "onnxsim")
        for key in ("failed", "checker", "runs")
        if row.get(tool, {}).get(key, "yes") != "yes"
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, write `results/light.json`; 1 where graphprune's model is not valid or not halved."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks, without `light_`; all by default")
    parser.add_argument("--keep", type=Path, help="leave the models in this folder")
    options = parser.parse_args(arguments)
    child.keep_to_cores()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder: Path = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for name in options.names or light_models.names():
            rows.append(measure(name, folder))
            print(f"{name}: done", file=sys.stderr)
    print(results.table(HEADER, [_cells(row) for row in rows]))
    if not child.has_peer("onnxsim"):
        print("\nonnxsim is left out (run `make peers`)")
    print("", *notes(rows), sep="\n")
    results.write("light", {"ratio": float(RATIO), "rows": rows})
    halved = [row["graphprune"].get("parameters_remaining", 1.0) < 0.5 for row in rows]
    return 0 if all(halved) and not any(note.find(", graphprune:") >= 0 for note in notes(rows)) else 1


if __name__ == "__main__":
    sys.exit(main())
