"""Processor time of the proof over the zoo, beside another version of graphprune, interleaved in one run.

    python -m benchmarks.proof_time --beside PYTHON [--stride 10] [--match GLOB] [--no-write]

PYTHON is the interpreter of an environment that has the other version. Each graph of GRAPHPRUNE_ZOO is
pruned to half by both, with the proof and without it, in processes of their own and in an order that
alternates. What a proof takes is the difference: user and system seconds of the command and all of its
children.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.graphs import load, loader
from benchmarks.reference import store

SECONDS = 900


def spent(python: str, model: Path, out: Path, proof: bool) -> tuple[int, float]:
    """Exit status and processor seconds of a run of `prune`; its own processes and all that it waited for."""
    words = ["prune", str(model), "-o", str(out), "--ratio", "0.5", "--force", "--no-config"]
    command = [python, "-m", "graphprune", *words, *([] if proof else ["--no-verify"])]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
        "OMP_NUM_THREADS": "1"
    }
    quiet = subprocess.DEVNULL
    child = subprocess.Popen(
        ["timeout", str(SECONDS), *command], cwd=out.parent, env=env, stdout=quiet, stderr=quiet
    )
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, used.ru_utime + used.ru_stime


def measure(name: str, versions: Mapping[str, str], backwards: bool, folder: Path) -> dict[str, Any]:
    """Time one graph in all versions, with and without the proof."""
    store(load(name), folder / "model.onnx")
    runs = [(label, proof) for label in versions for proof in (True, False)]
    row: dict[str, Any] = {"name": name}
    for label, proof in reversed(runs) if backwards else runs:
        status, seconds = spent(versions[label], folder / "model.onnx", folder / "out.onnx", proof)
        row[f"{label} {'with' if proof else 'without'}"] = round(seconds, 3)
        if proof:
            row[f"{label} exit"] = status
    for label in versions:
        row[f"{label} proof"] = round(row[f"{label} with"] - row[f"{label} without"], 3)
    return row


def figures(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Totals over the graphs that both versions emitted, and their ratios."""
    both = [row for row in rows if not row["this exit"] and not row["beside exit"]]
    total = {
        f"{label} {part}": round(sum(row[f"{label} {part}"] for row in both), 1)
        for label in ("this", "beside")
        for part in ("proof", "with", "without")
    }
    return {
        "graphs": len(rows),
        "emitted by both": len(both),
        **total,
        "ratio of the proof": round(total["this proof"] / max(total["beside proof"], 1e-9), 3),
        "ratio of the whole command": round(total["this with"] / max(total["beside with"], 1e-9), 3),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--beside", required=True, metavar="PYTHON", help="the interpreter of the other version"
    )
    parser.add_argument("--stride", type=int, default=10, help="take every n-th graph (10)")
    parser.add_argument("--match", default="*")
    parser.add_argument("--no-write", action="store_true", help="leave benchmarks/results/ alone")
    options = parser.parse_args(arguments)
    versions = {"this": sys.executable, "beside": str(Path(options.beside).absolute())}
    names = [entry["name"] for entry in loader().entries() if fnmatchcase(entry["name"], options.match)]
    rows: list[dict[str, Any]] = []
    for number, name in enumerate(names[:: options.stride]):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(name, versions, bool(number % 2), Path(folder)))
        print(rows[-1], flush=True)
    found = figures(rows)
    print(results.table(("figure", "value"), list(found.items())))
    if not options.no_write:
        results.write("proof_time", {"stride": options.stride, "figures": found, "graphs": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())
