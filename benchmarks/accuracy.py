"""Accuracy of pretrained models that are pruned without training: graphprune beside other tools.

    python -m benchmarks.accuracy [--models NAME ...] [--methods NAME ...] [--targets 0.7 0.5] [--table]

Each method takes the ONNX file and unlabelled calibration data, and is told what fraction of the MACs to
keep. MACs of what it writes are counted by graphprune, accuracy is measured in ONNX Runtime on other data
(see `benchmarks/assets.py`). A run replaces its own entries of `results/accuracy.json` and keeps the others;
--table prints what is there. Of a tool's variants the table shows the one that is most accurate here.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import accuracy_methods, accuracy_peers, assets, child, judge, results
from benchmarks.asset_data import folder
from graphprune.cost import cost
from graphprune.fold import fold
from graphprune.model import load
from graphprune.solve import solve

METHODS = {**accuracy_methods.METHODS, **accuracy_peers.METHODS}
SHOWN = {**accuracy_methods.SHOWN, **accuracy_peers.SHOWN}
MODELS = (*assets.CLASSIFIERS, "minilm_l3")
TARGETS = (0.7, 0.5)
WORK = child.ROOT / "build" / "accuracy"
KEPT = ("status", "ratio", "sparsity", "ignored", "refitted", "versions", "verification")
"""What the results keep of a tool's report."""


@cache
def macs(path: Path, name: str) -> int:
    """Multiply-accumulates of one sample of the asset `name` in the model at `path`."""
    with np.load(assets.prepared(name)[0]) as data:
        sizes = {key: (1, *data[key].shape[1:]) for key in data.files}
    return cost(solve(fold(load(path)).graph, sizes)).macs


def measure(name: str, method: str, target: float) -> dict[str, Any]:
    """One method on one model: what it left of the MACs, how well that does, the seconds it took."""
    model, (calib, _) = assets.model_path(name), assets.prepared(name)
    workdir = WORK / name / f"{method}-{target}"
    workdir.mkdir(parents=True, exist_ok=True)
    report_file = workdir / "report.json"
    report_file.unlink(missing_ok=True)
    row: dict[str, Any] = {"model": name, "target": target, "method": method}
    begin = time.perf_counter()
    try:
        pruned = METHODS[method](model, calib, target, workdir)
        seconds = time.perf_counter() - begin
        macs.cache_clear()
        row["macs_share"] = round(macs(pruned, name) / macs(model, name), 4)
        row["accuracy"] = round(assets.evaluate(pruned, name), 4)
    except Exception as error:  # noqa: BLE001  a model that cannot be made, read or run is a result
        seconds = time.perf_counter() - begin
        row["failed"] = judge.first_line(error)
    report: dict[str, Any] = json.loads(report_file.read_text()) if report_file.exists() else {}
    said = report.get("seconds")
    row["seconds"] = round(said if isinstance(said, (int, float)) else seconds, 1)
    return {**row, "report": {key: report[key] for key in KEPT if key in report}}


def stored() -> dict[str, Any]:
    """What `results/accuracy.json` holds."""
    path = results.RESULTS / "accuracy.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {"originals": content.get("originals", {}), "rows": content.get("rows", [])}


def merge(content: dict[str, Any], row: dict[str, Any]) -> None:
    """Put `row` in the place of the one with its model, target and method."""

    def key(entry: dict[str, Any]) -> tuple[int, float, str]:
        return MODELS.index(entry["model"]), -entry["target"], entry["method"]

    others = [other for other in content["rows"] if key(other) != key(row)]
    content["rows"] = sorted([*others, row], key=key)


def best(rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The most accurate row of those that reach the target, or of all; one that failed if all did."""
    models = [row for row in rows if "accuracy" in row]
    whole = [row for row in models if row["report"].get("status") != "short"] or models
    return max(whole, key=lambda row: row["accuracy"]) if whole else next(iter(rows), None)


def _cells(row: dict[str, Any] | None) -> list[object]:
    if row is None:
        return [None] * 3
    if "failed" in row:
        return ["failed", None, f"{row['seconds']:.0f}"]
    return [f"{row['macs_share']:.3f}", f"{100 * row['accuracy']:.1f}", f"{row['seconds']:.0f}"]


def table(content: dict[str, Any], name: str, targets: Sequence[float]) -> str:
    """The rows of one model; a variant that was chosen among others is named."""
    header = ["method"]
    for target in targets:
        header += [f"MACs x{target}", "accuracy", "seconds"]
    lines: list[list[object]] = []
    for title, methods in SHOWN.items():
        found = [row for row in content["rows"] if row["model"] == name and row["method"] in methods]
        if not found:
            continue
        chosen = [best([row for row in found if row["target"] == target]) for target in targets]
        variants = [str(row["method"]).rpartition("-")[2] for row in chosen if row and len(methods) > 1]
        label = f"{title} ({', '.join(variants)})" if variants else title
        lines.append([label, *(cell for row in chosen for cell in _cells(row))])
    return results.table(header, lines)


def show(content: dict[str, Any], names: Sequence[str], targets: Sequence[float]) -> None:
    """Print a table for each model, and what failed or fell short."""
    for name in names:
        if name in content["originals"]:
            print(f"\n{name}: {100 * content['originals'][name]:.1f}\n")
            print(table(content, name, targets))
    print()
    for row in content["rows"]:
        where = f"{row['model']}, {row['method']}, x{row['target']}"
        if "failed" in row:
            print(f"{where}: {row['failed']}")
        elif row["report"].get("status") == "short":
            print(f"{where}: no setting reaches the target; this is the smallest")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write `results/accuracy.json` after every entry, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS), metavar="NAME")
    parser.add_argument(
        "--methods", nargs="+", choices=sorted(METHODS), default=list(METHODS), metavar="NAME"
    )
    parser.add_argument("--targets", nargs="+", type=float, default=TARGETS, help="fractions of MACs to keep")
    parser.add_argument("--table", action="store_true", help="print the results that are there")
    options = parser.parse_args(arguments)
    if not options.table and not folder().exists():
        print(
            f"error: there is no {folder()}\nhint: set GRAPHPRUNE_ASSETS to the assets",
            file=sys.stderr,
        )
        return 4
    child.keep_to_cores()
    content = stored()
    names: list[str] = options.models
    for name in [] if options.table else names:
        content["originals"][name] = round(assets.evaluate(assets.model_path(name), name), 4)
        for method in options.methods:
            for target in options.targets:
                row = measure(name, method, target)
                said = row.get("failed") or f"{row['accuracy']:.4f} at {row['macs_share']:.3f}"
                print(f"{name} {method} x{target}: {said} ({row['seconds']} s)", file=sys.stderr, flush=True)
                content = {**stored(), "originals": content["originals"]}
                merge(content, row)
                results.write("accuracy", content)
    show(content, names, options.targets)
    return 0


if __name__ == "__main__":
    sys.exit(main())
