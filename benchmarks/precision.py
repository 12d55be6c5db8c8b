"""Pruning and quantisation together: size, latency and accuracy of each stage on pretrained classifiers.

    python -m benchmarks.precision [--models NAME ...] [--target 0.7] [--table]

Each classifier is pruned to a share of its MACs with calibration data (no training), then quantised to int8
(QDQ, weights per channel) on the same data, or cast to fp16. All stages are timed against the original in one
run, in interleaved blocks on one thread of ONNX Runtime's CPU backend. A run replaces its own entries of
`results/precision.json`; --table prints what is there.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from benchmarks import assets, child, results
from benchmarks.asset_data import folder
from graphprune.backends import Setup, backend
from graphprune.model import Model, load, save
from graphprune.profiling.paired import Rounds, measure
from graphprune.pruning import run
from graphprune.tiles import QUANTISED

TARGET = 0.7
ROUND_TO = QUANTISED
"""What `prune --precision int8 --round-to auto` takes: int8 kernels are slow elsewhere."""
WORK = child.ROOT / "build" / "precision"
ROUNDS = Rounds(warmup=0.2, duration=2.0, rounds=60, longest=5.0)
HEADER = ("stage", "file kB", "size", "latency ms", "of the original", "95 %", "accuracy")


def stages(name: str, target: float) -> dict[str, Model]:
    """The original, quantised as it is, pruned, and pruned and then quantised or cast."""
    path, (calib, _) = assets.model_path(name), assets.prepared(name)
    start = f"fold,group,calibrate{{data={calib}}}"
    prune = f"{start},score,probe,select{{target=macs={target}x round-to={ROUND_TO}}},cut,verify,compensate"
    pruned = run(path, prune)
    return {
        "original": load(path),
        "int8": run(path, f"{start},quantise").result,
        "pruned": pruned.result,
        "pruned, fp16": _after(pruned, "cast"),
        "pruned, int8": _after(pruned, "quantise"),
    }


def _after(state: Any, name: str) -> Model:
    from graphprune.registry import find

    kind: Any = find(name)
    result: Model = kind().run(state).result
    return result


def latencies(models: Mapping[str, Model], name: str) -> dict[str, dict[str, float]]:
    """Medians in ms, and ratios to the first model with their intervals, all measured in one run."""
    with np.load(assets.prepared(name)[0]) as data:
        feeds = {key: data[key][:1] for key in data.files}
    runner, setup = backend("ort:cpu"), Setup(threads=1)
    with ExitStack() as stack:
        running = [stack.enter_context(runner.open(model, feeds, setup)) for model in models.values()]
        blocks = measure(running, ROUNDS)
    found: dict[str, dict[str, float]] = {}
    for number, stage in enumerate(models):
        ratio = blocks.interval(number)
        found[stage] = {
            "ms": round(1000 * float(np.median(blocks.medians(number))), 4),
            "ratio": round(ratio.ratio, 4),
            "low": round(ratio.low, 4),
            "high": round(ratio.high, 4),
        }
    return found


def measured(name: str, target: float) -> dict[str, Any]:
    """All figures of one classifier."""
    begin = time.perf_counter()
    models = stages(name, target)
    made = time.perf_counter() - begin
    workdir = WORK / name
    workdir.mkdir(parents=True, exist_ok=True)
    rows: dict[str, dict[str, Any]] = {}
    times = latencies(models, name)
    for stage, model in models.items():
        path = workdir / f"{stage.replace(', ', '-')}.onnx"
        save(model, path, force=True)
        rows[stage] = {
            "bytes": path.stat().st_size,
            "latency": times[stage],
            "accuracy": round(assets.evaluate(path, name), 4),
        }
    return {"target": target, "seconds": round(made, 1), "stages": rows}


def stored() -> dict[str, Any]:
    """What `results/precision.json` holds, by model."""
    path = results.RESULTS / "precision.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    models: dict[str, Any] = content.get("models", {})
    return models


def table(rows: Mapping[str, Any]) -> str:
    """The stages of one model."""
    first = rows["original"]
    lines: list[list[object]] = []
    for stage, row in rows.items():
        time_of = row["latency"]
        lines.append(
            [
                stage,
                f"{row['bytes'] / 1000:.0f}",
                f"x{row['bytes'] / first['bytes']:.3f}",
                f"{time_of['ms']:.3f}",
                f"x{time_of['ratio']:.3f}",
                f"{time_of['low']:.3f} to {time_of['high']:.3f}",
                f"{100 * row['accuracy']:.1f}",
            ]
        )
    return results.table(HEADER, lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write `results/precision.json` after every model, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=assets.CLASSIFIERS, default=list(assets.CLASSIFIERS))
    parser.add_argument("--target", type=float, default=TARGET, help="the share of the MACs to keep")
    parser.add_argument("--table", action="store_true", help="print the results that are there")
    options = parser.parse_args(arguments)
    if not options.table and not folder().exists():
        print(f"error: there is no {folder()}\nhint: set GRAPHPRUNE_ASSETS to the assets", file=sys.stderr)
        return 4
    names: list[str] = options.models
    for name in [] if options.table else names:
        row = measured(name, options.target)
        print(f"{name}: {row['seconds']} s", file=sys.stderr, flush=True)
        content = {**stored(), name: row}
        results.write("precision", {"models": {n: content[n] for n in assets.CLASSIFIERS if n in content}})
    for name, row in stored().items():
        print(f"\n{name}, MACs x{row['target']}\n\n{table(row['stages'])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
