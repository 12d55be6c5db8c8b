"""onnxsim's calibrated structured pruning on an ONNX file, and its closed-form refit.

Run it with the environment that `make peers` builds:

    build/peers/onnxsim/bin/python -m benchmarks.peers.onnxsim_wanda model.onnx --data calib.npz --macs 0.5 \
        --scope local --refit -o pruned.onnx

The model is simplified (batch norms are folded), then `apply_structured_wanda_pruning` removes channels by
|W| * |X|; with --refit, `apply_pruning_finetune` solves the weights of its linear layers anew (ridge
regression to the original's activations; it takes MatMul and Gemm, and leaves convolutions alone). The
sparsity is bisected until the MACs lie under the target. In the local scope they do not depend on the data,
so the search uses `apply_structured_pruning_cpp`; in the global scope it uses the first samples alone where
they are large.

Prints one JSON object: status (`ok`; `short` where no sparsity reaches the target: then the smallest model
is written; `none` where it removes nothing; or `crash` and the error), versions, sparsity, MACs, what the
refit changed, seconds. The exit status is 1 where there is no model.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from benchmarks import counting

BATCH = 32
FIRST = 64
LARGE = 2**24
STEPS = 12
NEAR = 0.005
MOST = 0.995
Batches = list[dict[str, Any]]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="where the pruned ONNX file goes")
    parser.add_argument("--data", type=Path, required=True, help="an .npz of unlabelled inputs")
    parser.add_argument("--macs", type=float, required=True, help="the fraction of MACs to keep")
    parser.add_argument("--scope", choices=("local", "global"), default="local")
    parser.add_argument("--refit", action="store_true", help="solve the weights of linear layers anew")
    return parser.parse_args(arguments)


def batches(path: Path) -> Batches:
    """The samples of an .npz, a batch at a time."""
    with np.load(path) as data:
        arrays = dict(data)
    count = len(next(iter(arrays.values())))
    return [{k: v[at : at + BATCH] for k, v in arrays.items()} for at in range(0, count, BATCH)]


def macs(model: Any, batch: dict[str, Any]) -> int:
    """Multiply-accumulates of one sample with the sizes of the samples in `batch`.

    Raises:
        ValueError: a shape is not known.
    """
    single = onnx.ModelProto()
    single.CopyFrom(model)
    for value in single.graph.input:
        if value.name in batch:
            dims = value.type.tensor_type.shape.dim
            for dim, size in zip(dims, (1, *batch[value.name].shape[1:]), strict=True):
                dim.dim_value = size
    del single.graph.value_info[:]
    with contextlib.redirect_stdout(sys.stderr):
        single, _ = import_module("onnxsim").simplify(single)
    counted = counting.macs(single)
    if counted is None:
        raise ValueError("the MACs cannot be counted")
    return counted


def search(prune: Callable[[float], Any], share: Callable[[Any], float], target: float) -> tuple[float, bool]:
    """The least sparsity whose model is at most `target`; False where even the greatest is not enough."""
    low, high = 0.0, MOST
    if share(prune(high)) > target:
        return high, False
    for _ in range(STEPS):
        middle = (low + high) / 2
        reached = share(prune(middle))
        low, high = (middle, high) if reached > target else (low, middle)
        if target - NEAR < reached <= target:
            break
    return high, True


def changed(before: Any, after: Any) -> list[str]:
    """The names of initializers that the refit has given other values, beyond rounding."""
    old = {t.name: numpy_helper.to_array(t) for t in before.graph.initializer}
    new = {t.name: numpy_helper.to_array(t) for t in after.graph.initializer}
    return sorted(name for name in new if name not in old or not np.allclose(old[name], new[name]))


def attempt(options: argparse.Namespace) -> dict[str, Any]:
    """Simplify, prune, refit and save; what came of it."""
    onnxsim: Any = import_module("onnxsim")
    data = batches(options.data)
    with contextlib.redirect_stdout(sys.stderr):
        model, _ = onnxsim.simplify(onnx.ModelProto.FromString(options.model.read_bytes()))
    whole = macs(model, data[0])

    def share(pruned: Any) -> float:
        return macs(pruned, data[0]) / whole

    def wanda(sparsity: float, part: Batches) -> Any:
        return onnxsim.apply_structured_wanda_pruning(
            model, part, sparsity=sparsity, global_sparsity=options.scope == "global"
        )

    def rough(sparsity: float) -> Any:
        if options.scope == "local":
            return onnxsim.apply_structured_pruning_cpp(model, sparsity)
        large = sum(array.size for batch in data for array in batch.values()) > LARGE
        return wanda(sparsity, data[: FIRST // BATCH] if large else data)

    if share(onnxsim.apply_structured_pruning_cpp(model, MOST)) == 1:
        return {"status": "none", "error": "onnxsim finds nothing that it can remove"}
    sparsity, reached = search(rough, share, options.macs)
    pruned = wanda(sparsity, data)
    while reached and share(pruned) > options.macs and sparsity < MOST:  # other samples, another ranking
        sparsity = min(sparsity + 0.004, MOST)
        pruned = wanda(sparsity, data)
    final = onnxsim.apply_pruning_finetune(model, pruned, data) if options.refit else pruned
    options.output.write_bytes(final.SerializeToString())
    found = {"macs_share": round(share(final), 4), "sparsity": round(sparsity, 4)}
    refitted = {"refitted": changed(pruned, final)} if options.refit else {}
    return {"status": "ok" if reached else "short", **found, **refitted}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prune once; what happened goes to standard output as JSON."""
    options = _options(arguments)
    begin = time.perf_counter()
    try:
        outcome = attempt(options)
    except Exception as error:  # noqa: BLE001  a crash of the peer's is a result
        lines = str(error).strip().splitlines() or [""]
        outcome = {"status": "crash", "error": f"{type(error).__name__}: {lines[0][:200]}"}
    report = {
        "peer": "onnxsim",
        "scope": options.scope,
        "versions": {name: version(name) for name in ("onnxsim", "onnx", "onnxruntime")},
        "seconds": round(time.perf_counter() - begin, 2),
        **outcome,
    }
    print(json.dumps(report))
    return int("error" in outcome)


if __name__ == "__main__":
    sys.exit(main())
