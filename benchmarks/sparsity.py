"""2:4 sparsity without training: masks beside Polygraphy's, and what each method leaves of pretrained models.

    python -m benchmarks.sparsity [--models NAME ...] [--no-masks] [--no-permute] [--table]

Masks: a ResNet-18 of torchvision's (weights drawn from a seed), by `graphprune sparsify` and by Polygraphy's
`surgeon prune` in the same run: CPU and wall seconds of the whole process, which tensors each of them made
sparse, and how much of their magnitude each kept. Needs `make peers`.

Methods: each of magnitude, wanda and sparsegpt, with and without the channels put in order first, on the
assets (see `benchmarks/assets.py`). Shown are the magnitude kept, the error of the model's outputs on
held-out calibration samples (squared error over variance), the median over operators of the same error of an
operator's own results on the inputs that the dense model gives it, and the measure of the asset on its
evaluation data. A run replaces its own entries of `results/sparsity.json`.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import assets, child, results
from benchmarks.asset_data import folder
from graphprune.fitting.linear import linears, matrix
from graphprune.fitting.statistics import Statistics
from graphprune.model import Model, load, save
from graphprune.pipeline import run
from graphprune.pipeline_text import parse
from graphprune.pruning import start
from graphprune.solve import solve
from graphprune.sparsity.eligibility import layer
from graphprune.sparsity.methods import Method
from graphprune.sparsity.patterns import Pattern, best_of, magnitude
from graphprune.sparsity.places import places
from graphprune.sparsity.sequential import Aim
from graphprune.sparsity.sparsify import sparsify
from graphprune.state import State
from tests.calibrated import weights

MODELS = (*assets.CLASSIFIERS, "minilm_l3")
METHODS: tuple[Method, ...] = ("magnitude", "wanda", "sparsegpt")
TWO = Pattern(2, 4)
OURS, THEIRS = "graphprune sparsify", "polygraphy surgeon prune"


def masks(workdir: Path) -> dict[str, Any]:
    """Both tools on the ResNet-18."""
    model = workdir / "resnet18.onnx"
    made = child.run(child.peer("torch-pruning", "export_torchvision", "resnet18", "-o", model))
    if made.status:
        return {"failed": made.complaint}
    polygraphy = child.ROOT / "build" / "peers" / "polygraphy" / "bin" / "polygraphy"
    ours, theirs = workdir / "ours.onnx", workdir / "theirs.onnx"
    rows: dict[str, Any] = {}
    before = weights(load(model))
    for name, command, output in (
        (OURS, child.graphprune("sparsify", model, "-o", ours, "-q"), ours),
        (THEIRS, (polygraphy, "surgeon", "prune", model, "-o", theirs), theirs),
    ):
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = child.run(command)
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.status:
            rows[name] = {"failed": done.complaint}
            continue
        after = weights(load(output))
        sparse = sorted(key for key in before if not np.array_equal(before[key], after[key]))
        kept = sum(float(np.abs(after[key]).sum(dtype=np.float64)) for key in sparse)
        whole = sum(float(np.abs(before[key]).sum(dtype=np.float64)) for key in sparse)
        rows[name] = {
            "cpu_s": round(now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime, 2),
            "wall_s": round(done.seconds, 2),
            "tensors": sparse,
            "kept_magnitude": round(kept / whole, 6),
        }
    return {**rows, "masks_alone_cpu_s": round(_masks_alone(model), 3)}


def _masks_alone(path: Path) -> float:
    """CPU seconds of the masks of all eligible weights, which are in memory, without files and processes."""
    found = places(solve(load(path).graph))
    chosen = [place for place in found if layer(place, TWO).eligible]
    values = [place.tensor.values for place in chosen]
    begin = time.process_time()
    for place, array in zip(chosen, values, strict=True):
        best_of(magnitude(array), place.axis, TWO)
    return time.process_time() - begin


def calibrated(name: str, permute: bool) -> State:
    """An asset with its calibration data and statistics, its channels in order where they are to be."""
    calib, _ = assets.prepared(name)
    more = ",permute" if permute else ""
    return run(parse(f'fold,group{more},calibrate{{data="{calib}"}}'), start(assets.model_path(name)))


def operator_error(model: Model, sparse: Model, statistics: Statistics) -> float:
    """The median over operators of the squared error over the variance of their results, on dense inputs."""
    errors: list[float] = []
    after = dict(linears(sparse.graph))
    for number, it in linears(model.graph):
        old, new = matrix(it)[0], matrix(after[number])[0]
        if np.array_equal(old, new):
            continue
        moments = statistics.moments(number)
        gram = moments.covariance + moments.mean[:, :, None] * moments.mean[:, None, :]
        lost = np.sum((new - old) * (gram @ (new - old)))
        spread = np.sum(old * (moments.covariance @ old))
        errors.append(float(lost / spread) if spread > 0 else 0.0)
    return float(np.median(errors))


def measure(name: str, permute: bool) -> list[dict[str, Any]]:
    """All methods on one asset."""
    from graphprune.fitting.statistics_cache import gathered

    state = calibrated(name, permute)
    assert state.calibration is not None
    model = state.result
    statistics = gathered(model, state.calibration)
    rows: list[dict[str, Any]] = []
    for method in METHODS:
        begin = time.perf_counter()
        found = sparsify(model, solve(model.graph), Aim(method, TWO), samples=state.calibration)
        seconds = time.perf_counter() - begin
        with tempfile.TemporaryDirectory() as where:
            output = Path(where) / "sparse.onnx"
            save(found.model, output)
            score = assets.evaluate(output, name)
        assert found.error is not None
        rows.append(
            {
                "model": name,
                "method": method,
                "permuted": permute,
                "eligible": len(found.made),
                "weights": len(found.layers),
                "kept_magnitude": round(found.kept, 4),
                "output_error": round(found.error, 4),
                "operator_error": round(operator_error(model, found.model, statistics), 4),
                "score": round(score, 4),
                "seconds": round(seconds, 1),
            }
        )
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def stored() -> dict[str, Any]:
    """What `results/sparsity.json` holds."""
    path = results.RESULTS / "sparsity.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    kept = ("masks", "originals", "rows")
    return {"masks": {}, "originals": {}, "rows": [], **{key: content[key] for key in kept if key in content}}


def show(content: dict[str, Any]) -> None:
    """Print the tables."""
    lines: list[list[object]] = []
    for name in (OURS, THEIRS):
        row: dict[str, Any] = content["masks"].get(name, {})
        if "tensors" in row:
            kept = f"{100 * row['kept_magnitude']:.3f} %"
            lines.append([name, row["cpu_s"], row["wall_s"], len(row["tensors"]), kept])
        elif row:
            lines.append([name, row["failed"], None, None, None])
    if lines:
        print(results.table(["ResNet-18, 2:4 by magnitude", "CPU s", "wall s", "tensors", "kept"], lines))
        print(f"\nmasks alone: {content['masks']['masks_alone_cpu_s']} s CPU\n")
    header = ["model", "method", "permuted", "kept", "output error", "operator error", "score", "seconds"]
    rows = [
        [
            f"{row['model']} ({content['originals'][row['model']]:.4f})",
            row["method"],
            "yes" if row["permuted"] else "",
            *(row[key] for key in ("kept_magnitude", "output_error", "operator_error", "score", "seconds")),
        ]
        for row in content["rows"]
    ]
    print(results.table(header, rows))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write `results/sparsity.json` after every model, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="*", choices=MODELS, default=list(MODELS), metavar="NAME")
    parser.add_argument("--no-masks", action="store_true", help="leave out the ResNet-18")
    parser.add_argument("--no-permute", action="store_true", help="leave out channels put in order")
    parser.add_argument("--table", action="store_true", help="print the results that are there")
    options = parser.parse_args(arguments)
    content = stored()
    if options.table:
        show(content)
        return 0
    if options.models and not folder().exists():
        print(f"error: there is no {folder()}\nhint: set GRAPHPRUNE_ASSETS to the assets", file=sys.stderr)
        return 4
    child.keep_to_cores()
    if not options.no_masks:
        with tempfile.TemporaryDirectory() as where:
            content["masks"] = masks(Path(where))
        results.write("sparsity", content)
    for name in options.models:
        content["originals"][name] = round(assets.evaluate(assets.model_path(name), name), 4)
        for permute in (False,) if options.no_permute else (False, True):
            others = [row for row in content["rows"] if (row["model"], row["permuted"]) != (name, permute)]
            content["rows"] = sorted(
                [*others, *measure(name, permute)],
                key=lambda row: (MODELS.index(row["model"]), row["permuted"], METHODS.index(row["method"])),
            )
            results.write("sparsity", content)
    show(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
