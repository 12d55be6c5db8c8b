"""Mutation testing of the proof: what a fault in the written file must do to survive `graphprune verify`.

    python -m benchmarks.proof [--count 60] [--match GLOB] [--kinds NAME ...] [--layers all numbers]

Graphs of GRAPHPRUNE_ZOO and the models of GRAPHPRUNE_ASSETS are pruned to half with a plan. Faults are put
into the written file (`benchmarks.mutations`), and `verify --plan` judges each: with all its layers, and
by numbers alone, weights and structure not looked at. Whether a fault has
an effect is found by running both files: several seeds, magnitudes and batches. Files that are only renamed,
reordered or deduplicated, and the untouched one, must pass. Each graph has a process of its own with limits.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import onnx

from benchmarks import results
from benchmarks.child import ROOT
from benchmarks.mutations import HARMLESS, KINDS
from benchmarks.reference import read, store

LARGEST, HEAVIEST, LONGEST = 3_000_000, 0.25, 800
"""Parameters, thousand millions of multiply-accumulates, and nodes of the largest graph that is taken."""
SEEDS = (0, 1, 2)
MAGNITUDES = (1.0, 0.02, 20.0, None)
"""What normal inputs are multiplied by; None stands for 0 to 255."""
EFFECT, CLEAR = 1e-5, 1e-3
ENOUGH = 1e-2
"""An effect of this size is not looked at any further."""
DRAWS = 5
"""How often a place is drawn for a fault until the file can be run."""
SECONDS, GIGABYTES = 1500, 12
ASSETS = Path(os.environ.get("GRAPHPRUNE_ASSETS", ROOT.parent / "shared" / "assets"))

Feeds = dict[str, Any]


def chosen(count: int, match: str) -> list[str]:
    """Names of zoo graphs, evenly spread over kinds, and the assets' files after them."""
    from benchmarks.graphs import loader

    small = [
        entry
        for entry in loader().entries(max_params=LARGEST)
        if entry.get("params") and (entry.get("gflops") or 0) <= HEAVIEST and entry["nodes"] <= LONGEST
    ]
    ordered = [entry["name"] for entry in sorted(small, key=lambda entry: (entry["kind"], entry["name"]))]
    picked = [ordered[i * len(ordered) // count] for i in range(min(count, len(ordered)))]
    files = [f"assets/{path.stem}" for path in sorted(ASSETS.glob("models/*.onnx"))]
    return [name for name in (*picked, *files) if fnmatchcase(name, match)]


def load(name: str) -> tuple[onnx.ModelProto, list[Feeds]]:
    """A model by the name that `chosen` gives, and inputs to look for effects on."""
    if name.startswith("assets/"):
        model = read(ASSETS / "models" / f"{name[7:]}.onnx")
        return model, list(_magnitudes(_specs(model), SEEDS[:1]))
    from benchmarks.graphs import load as zoo
    from benchmarks.graphs import loader

    model = zoo(name)
    specs = loader().entry(name)["inputs"]
    return model, [*_magnitudes(specs), *_magnitudes(_in_batches(model, specs), SEEDS[:1])]


def _specs(model: onnx.ModelProto) -> list[dict[str, Any]]:
    constants = {tensor.name for tensor in model.graph.initializer}
    return [
        {
            "name": value.name,
            "shape": [d.dim_value or 1 for d in value.type.tensor_type.shape.dim],
            "dtype": onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name,
        }
        for value in model.graph.input
        if value.name not in constants
    ]


def _in_batches(model: onnx.ModelProto, specs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The inputs in a batch of three where the model leaves the batch open; else none."""
    free = {
        value.name
        for value in model.graph.input
        if value.type.tensor_type.shape.dim and not value.type.tensor_type.shape.dim[0].HasField("dim_value")
    }
    if not free:
        return []
    return [
        {
            **spec,
            "shape": [3, *spec["shape"][1:]] if spec["name"] in free and spec["shape"] else spec["shape"],
        }
        for spec in specs
    ]


def _magnitudes(specs: Sequence[Mapping[str, Any]], seeds: Sequence[int] = SEEDS) -> Iterator[Feeds]:
    from benchmarks.graphs import loader

    floats = any("float" in spec["dtype"] for spec in specs)
    for seed in seeds if specs else ():
        for number, size in enumerate(MAGNITUDES):
            made: Feeds = loader().make_inputs(specs, seed if floats else 10 * seed + number)
            for name, values in made.items():
                if values.dtype.kind != "f":
                    continue
                if size is None:
                    shape: tuple[int, ...] = values.shape
                    pixels = np.random.default_rng(seed).uniform(0, 255, shape)
                    made[name] = pixels.astype(values.dtype)
                else:
                    made[name] = values * values.dtype.type(size)
            yield made


def effect(right: Sequence[tuple[Feeds, list[Any]]], mutant: onnx.ModelProto) -> float | None:
    """The largest difference that a fault makes to any output on any input; None where it cannot run."""
    from benchmarks.reference import gap, run, session

    worst = 0.0
    try:
        opened = session(mutant)
        for feeds, expected in right:
            found = run(opened, feeds)
            worst = max(worst, *(gap(a, b) for a, b in zip(expected, found, strict=True)))
            if worst > ENOUGH:
                break
    except Exception:  # noqa: BLE001 - ONNX Runtime raises what it likes
        return None
    return worst


def judge(original: Path, pruned: Path, plan: Path, layers: str) -> tuple[int, float]:
    """The exit status of `verify`, in this process, and its processor seconds with those of its children."""
    from graphprune.cli import main

    words = ["verify", str(original), str(pruned), "--plan", str(plan), "--no-config"]
    before = _spent()
    with ExitStack() as stack:
        if layers == "numbers":
            stack.enter_context(patch("graphprune.proof.weights.differences", _none))
        status = _quiet(main, words)
    return status, _spent() - before


def _none(*_: object) -> tuple[()]:
    """What a comparison of weights that does not look finds."""
    return ()


def _spent() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _quiet(main: Any, words: list[str]) -> int:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return int(main(words))


def modes(wanted: Sequence[str]) -> list[str]:
    """Those of the wanted layers that this version has; without a comparison of weights all are numbers."""
    compares = find_spec("graphprune.proof") is not None and find_spec("graphprune.proof.weights") is not None
    return [layers for layers in wanted if layers == "all" or compares]


def one(name: str, kinds: Sequence[str], wanted: Sequence[str], folder: Path) -> dict[str, Any]:
    """All faults of one graph."""
    from benchmarks.reference import run, session
    from graphprune.cli import main

    model, inputs = load(name)
    original, pruned, plan = folder / "original.onnx", folder / "pruned.onnx", folder / "plan.json"
    store(model, original)
    words = ["prune", str(original), "-o", str(pruned), "--ratio", "0.5", "--save-plan", str(plan)]
    status = _quiet(main, [*words, "--no-verify", "--no-config"])
    result: dict[str, Any] = {"name": name, "prune": status, "faults": [], "harmless": []}
    if status:
        return result
    small = read(pruned)
    opened = session(small)
    right: list[tuple[Feeds, list[Any]]] = []
    for feeds in inputs:
        with contextlib.suppress(
            Exception
        ):  # sizes and magnitudes are a try; the right model's limits are its own
            right.append((feeds, run(opened, feeds)))
    if not right:
        return result | {"prune": "cannot be run"}
    ways = modes(wanted)
    result["harmless"].append({"kind": "untouched"} | _verdicts(original, pruned, plan, ways))
    for number, (kind, change) in enumerate(HARMLESS.items()):
        mutant = read(pruned)
        where = change(mutant, np.random.default_rng(number))
        if where is not None and effect(right, mutant) == 0:
            store(mutant, folder / "mutant.onnx")
            verdicts = _verdicts(original, folder / "mutant.onnx", plan, ways)
            result["harmless"].append({"kind": kind, "where": where} | verdicts)
    for kind in kinds:
        found = _fault(kind, name, pruned, right)
        if found is not None:
            mutant, row = found
            if row["effect"] is not None:
                store(mutant, folder / "mutant.onnx")
                row |= _verdicts(original, folder / "mutant.onnx", plan, ways)
            result["faults"].append(row)
    return result


def _fault(
    kind: str, name: str, pruned: Path, right: Sequence[tuple[Feeds, list[Any]]]
) -> tuple[onnx.ModelProto, dict[str, Any]] | None:
    """A file with one fault, drawn until it runs and has an effect; the last one that runs where none has."""
    best: tuple[onnx.ModelProto, dict[str, Any]] | None = None
    for attempt in range(DRAWS):
        mutant = read(pruned)
        seed = [attempt, list(KINDS).index(kind), *name.encode()]
        where = KINDS[kind](mutant, np.random.default_rng(seed))
        if where is None:
            return best
        size = effect(right, mutant)
        row = {"kind": kind, "where": where, "effect": None if size is None else _number(size)}
        if size is not None and size > EFFECT:
            return mutant, row
        if best is None or best[1]["effect"] is None:
            best = mutant, row
    return best


def _number(size: float) -> float:
    return size if math.isfinite(size) else 1e30


def _verdicts(original: Path, pruned: Path, plan: Path, ways: Sequence[str]) -> dict[str, Any]:
    verdicts: dict[str, Any] = {}
    for layers in ways:
        status, seconds = judge(original, pruned, plan, layers)
        verdicts[layers] = status
        verdicts[f"{layers} seconds"] = round(seconds, 3)
    return verdicts


def measure(name: str, kinds: Sequence[str], layers: Sequence[str]) -> dict[str, Any]:
    """Run one graph in a process with limits of time and memory."""
    words = [sys.executable, "-m", "benchmarks.proof", "--one", name, "--kinds", *kinds, "--layers", *layers]
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                [*words, "--folder", folder],
                cwd=ROOT,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {"name": name, "failed": f"took more than {SECONDS} s"}
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        said = done.stderr.strip().splitlines()[-1:] or ["said nothing"]
        return {"name": name, "failed": f"exit {done.returncode}: {said[0]}"[:200]}
    return {**json.loads(lines[-1]), "seconds": round(time.perf_counter() - started, 1)}


def figures(rows: Sequence[Mapping[str, Any]], layers: str) -> dict[str, Any]:
    """How many faults with an effect were refused, by kind and in all, and how many right files were."""
    faults = [fault for row in rows for fault in row.get("faults", []) if layers in fault]
    effective = [fault for fault in faults if fault["effect"] > EFFECT]
    clear = [fault for fault in effective if fault["effect"] > CLEAR]
    harmless = [case for row in rows for case in row.get("harmless", []) if layers in case]
    by_kind = {
        kind: [
            sum(fault["kind"] == kind and fault[layers] != 0 for fault in effective),
            sum(fault["kind"] == kind for fault in effective),
        ]
        for kind in KINDS
    }
    caught, seen = (sum(fault[layers] != 0 for fault in group) for group in (effective, clear))
    return {
        "faults that change an output by 1e-5": len(effective),
        "refused": caught,
        "share": round(caught / max(len(effective), 1), 4),
        "faults that change an output by 1e-3": len(clear),
        "of those refused": seen,
        "share of those": round(seen / max(len(clear), 1), 4),
        "refused and counted by exit status": _statuses(effective, layers),
        "without an effect": len(faults) - len(effective),
        "right files": len(harmless),
        "false alarms": sum(case[layers] != 0 for case in harmless),
        "processor seconds": round(sum(case[f"{layers} seconds"] for case in (*faults, *harmless)), 1),
        "by kind": by_kind,
    }


def _statuses(faults: Sequence[Mapping[str, Any]], layers: str) -> dict[str, int]:
    codes = sorted({fault[layers] for fault in faults})
    return {str(code): sum(fault[layers] == code for fault in faults) for code in codes}


def missed(rows: Sequence[Mapping[str, Any]], layers: str) -> list[list[Any]]:
    """The faults with an effect that passed, and the right files that did not."""
    return [
        [row["name"], case["kind"], case.get("effect"), case[layers], case.get("where", "")]
        for row in rows
        for case in (*row.get("faults", []), *row.get("harmless", []))
        if layers in case
        and (case[layers] == 0) == (case.get("effect", 0) > EFFECT)
        and not ("effect" in case and case["effect"] <= EFFECT)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; 1 where a fault of the clear ones passed all layers, or a right file did not."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=60, help="graphs of the zoo (60)")
    parser.add_argument("--match", default="*")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--layers", nargs="+", default=["all", "numbers"])
    parser.add_argument("--no-write", action="store_true", help="leave benchmarks/results/ alone")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        resource.setrlimit(resource.RLIMIT_AS, (GIGABYTES * 2**30, GIGABYTES * 2**30))
        print(json.dumps(one(options.one, options.kinds, options.layers, options.folder)))
        return 0
    rows: list[dict[str, Any]] = []
    for name in chosen(options.count, options.match):
        rows.append(measure(name, options.kinds, options.layers))
        print(_line(rows[-1]), flush=True)
    found = {layers: figures(rows, layers) for layers in options.layers}
    found = {layers: figure for layers, figure in found.items() if figure["right files"]}
    for layers, figure in found.items():
        print(f"\n{layers}", results.table(("figure", "value"), list(figure.items())), sep="\n")
        print(results.table(("graph", "fault", "effect", "exit", "where"), missed(rows, layers)))
    if not options.no_write:
        results.write("proof", {"figures": found, "graphs": rows})
    return int(any(figure["false alarms"] for figure in found.values()))


def _line(row: Mapping[str, Any]) -> str:
    if "failed" in row:
        return f"{row['name']:50s} {row['failed']}"
    parts = [f"{row['name']:50s} {row['seconds']:6.1f} s, prune exit {row['prune']}"]
    for layers in ("all", "numbers"):
        cases = [case for case in row["faults"] if layers in case and case["effect"] > EFFECT]
        if cases:
            passed = [case["kind"] for case in cases if case[layers] == 0]
            parts.append(
                f"{layers}: {len(cases) - len(passed)} of {len(cases)}, missed {' '.join(passed) or 'none'}"
            )
        alarms = [case["kind"] for case in row["harmless"] if case.get(layers)]
        if alarms:
            parts.append(f"FALSE ALARMS {layers}: {' '.join(alarms)}")
    return "; ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
