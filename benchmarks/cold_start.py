"""Whole-process times: graphprune beside Torch-Pruning and onnxsim, ResNet-50, ratio 0.5, two cores.

    python -m benchmarks.cold_start [--rounds 5] [--model tv__resnet50__ts]

Each round runs every command once, the next round in reverse order; the table gives medians. The commands
do the whole job that a person waits for: start Python, import, read (or build) the model, prune it, write
the file. Torch-Pruning starts from torchvision's module, the others from an ONNX file of the same network.
The peers' environments come from `make peers`; what is absent is named and left out. Needs GRAPHPRUNE_ZOO.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import child, counting, graphs, judge, results

Command = Callable[[Path, Path], Sequence[str | Path]]


@dataclass(frozen=True)
class Entry:
    """One row: `command(model, output)` is the command line; `runs` collects what it did."""

    name: str
    command: Command
    peer: str | None = None
    runs: list[child.Run] = field(default_factory=list[child.Run])
    outputs: list[Path] = field(default_factory=list[Path])


def entries() -> list[Entry]:
    """The commands to time."""

    def prune(*words: str) -> Command:
        return lambda model, output: child.graphprune("prune", model, "-o", output, "--ratio", "0.5", *words)

    def torch_pruning(exporter: str) -> Command:
        words = ("resnet50", "--exporter", exporter)
        return lambda _, output: child.peer("torch-pruning", "torch_pruning", *words, "-o", output)

    def onnxsim(*words: str) -> Command:
        return lambda model, output: child.peer("onnxsim", "onnxsim_prune", model, "-o", output, *words)

    return [
        Entry("graphprune --help", lambda _model, _output: child.graphprune("--help")),
        Entry("graphprune prune --no-verify", prune("--no-verify")),
        Entry("graphprune prune", prune()),
        Entry("Torch-Pruning, TorchScript export", torch_pruning("torchscript"), "torch-pruning"),
        Entry("Torch-Pruning, dynamo export", torch_pruning("dynamo"), "torch-pruning"),
        Entry("onnxsim: simplify, prune, save", onnxsim(), "onnxsim"),
        Entry("onnxsim: prune, save", onnxsim("--no-simplify"), "onnxsim"),
    ]


def measure(chosen: Sequence[Entry], model: Path, rounds: int, folder: Path) -> None:
    """Run every entry once unrecorded, then `rounds` times; a command that fails is not run again."""
    for number in range(rounds + 1):
        for index, entry in enumerate(chosen if number % 2 else list(reversed(chosen))):
            if any(run.status for run in entry.runs):
                continue
            where = folder / f"{number}-{index}"
            where.mkdir()
            output = where / "pruned.onnx"
            run = child.run(entry.command(model, output))
            if number or run.status:
                entry.runs.append(run)
            if output.exists():
                entry.outputs[:] = [output]
            print(f"{number}/{rounds} {entry.name}: {run.seconds:.2f} s", file=sys.stderr)


def _remaining(entry: Entry, before: int) -> float | None:
    """Fraction of parameters left: counted in the output beside the input, or as the peer says."""
    if entry.peer:
        return float(entry.runs[-1].json()["parameters"]["remaining"])
    if not entry.outputs:
        return None
    return counting.parameters(judge.read(entry.outputs[-1])) / before


def describe(entry: Entry, before: int) -> dict[str, Any]:
    """The row as JSON."""
    failed = next((run for run in entry.runs if run.status), None)
    if failed:
        return {"name": entry.name, "failed": failed.complaint}
    seconds = [round(run.seconds, 3) for run in entry.runs]
    report = entry.runs[-1].json() if entry.peer else {}
    remaining = _remaining(entry, before)
    return {
        "name": entry.name,
        "median_s": round(statistics.median(seconds), 3),
        "seconds": seconds,
        **({} if remaining is None else {"parameters_remaining": round(remaining, 4)}),
        **({"parts_s": report["seconds"], "versions": report["versions"]} if report else {}),
    }


def _cells(row: dict[str, Any]) -> list[object]:
    if "failed" in row:
        return [row["name"], "failed", None, None, None]
    seconds, remaining = row["seconds"], row.get("parameters_remaining")
    spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
    left = None if remaining is None else f"{remaining:.1%}"
    parts = row.get("parts_s")
    said = None if parts is None else ", ".join(f"{name} {value:.2f}" for name, value in parts.items())
    return [row["name"], f"{row['median_s']:.2f}", spread, left, said]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write `results/cold_start.json`; 1 where a command of graphprune's failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", default="tv__resnet50__ts", help="a name of the zoo")
    parser.add_argument("--only", default="", help="only the commands whose name contains this text")
    options = parser.parse_args(arguments)
    cores = child.keep_to_cores()
    named = [entry for entry in entries() if options.only in entry.name]
    absent = [entry for entry in named if entry.peer and not child.has_peer(entry.peer)]
    chosen = [entry for entry in named if not entry.peer or child.has_peer(entry.peer)]
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "model.onnx")
        proto = graphs.load(options.model)
        before = counting.parameters(proto)
        model.write_bytes(proto.SerializeToString())
        measure(chosen, model, options.rounds, Path(folder))
        rows = [describe(entry, before) for entry in chosen]
    header = ("command", "median s", "range s", "parameters left", "parts s (last run)")
    print(results.table(header, [_cells(row) for row in rows]))
    for row in rows:
        if "failed" in row:
            print(f"\n{row['name']} failed: {row['failed']}")
    for entry in absent:
        print(f"\nleft out: {entry.name} (run `make peers`)")
    left_out = [entry.name for entry in absent]
    content = {
        "model": options.model,
        "cores": cores,
        "rounds": options.rounds,
        "rows": rows,
        "left_out": left_out,
    }
    results.write("cold_start", content)
    return int(any("failed" in row and row["name"].startswith("graphprune") for row in rows))


if __name__ == "__main__":
    sys.exit(main())
