"""ResNet-50 in float16, whole and pruned, built by TensorRT-RTX for GPUs that are not there.

    GRAPHPRUNE_ZOO=folder python -m benchmarks.engines [--ratio 0.5] [--batch 64] [--builds 3] [--no-write]

The graph is torchvision's, with drawn weights, from the folder that GRAPHPRUNE_ZOO names; the weights do not
decide what an engine costs. It is cast to float16, then pruned by the command line, groups in multiples of 8.
Both are built for SM80, SM86, SM89 and SM120, and for SM90, which TensorRT-RTX refuses. A product of float8
matrices is built beside them, a type that the older GPUs lack. `make engines` fetches TensorRT-RTX. An engine
holds weights, and a program that is compiled on the GPU when it is loaded: its size is mostly the weights'.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks import child, counting, graphs, judge, results

TARGETS = (80, 86, 89, 90, 120)
NAME = "tv__resnet50__ts"
PLACE = child.ROOT / "build" / "engines"


def halved(model: onnx.ModelProto, batch: int) -> onnx.ModelProto:
    """Return a network of convolutions in float16, its batch of fixed size."""
    half = onnx.ModelProto()
    half.CopyFrom(model)
    for tensor in half.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    for info in (*half.graph.input, *half.graph.output):
        if info.type.tensor_type.elem_type == TensorProto.FLOAT:
            info.type.tensor_type.elem_type = TensorProto.FLOAT16
        info.type.tensor_type.shape.dim[0].dim_value = batch
    del half.graph.value_info[:]
    return half


def of_float8() -> onnx.ModelProto:
    """Return a product of matrices that are quantised to float8."""
    zero = helper.make_tensor("zero", TensorProto.FLOAT8E4M3FN, [], [0])
    scale = helper.make_tensor("scale", TensorProto.FLOAT16, [], [0.1])
    weight = helper.make_tensor("w", TensorProto.FLOAT16, [64, 64], [0.5] * 4096)
    nodes = [
        helper.make_node(kind, [start, "scale", "zero"], [end], name=f"{kind} {start}")
        for kind, start, end in (
            ("QuantizeLinear", "x", "x8"),
            ("DequantizeLinear", "x8", "xd"),
            ("QuantizeLinear", "w", "w8"),
            ("DequantizeLinear", "w8", "wd"),
        )
    ]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT16, [64, 64]) for name in "xy")
    product = helper.make_node("MatMul", ["xd", "wd"], ["y"], name="product")
    graph = helper.make_graph([*nodes, product], "float8", [x], [y], [zero, scale, weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def surroundings() -> dict[str, str]:
    """Return the environment in which TensorRT-RTX is found, and a cache that is empty."""
    found = sorted(PLACE.glob("*/rtx/tensorrt_rtx"))
    if not found:
        raise SystemExit("TensorRT-RTX is not there: `make engines` fetches it")
    paths = [str(found[-1].parent), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def built(path: Path, builds: int, env: dict[str, str]) -> dict[str, Any]:
    """Build for every target; return sizes, seconds, and what is refused."""
    targets = ("--compute-capability", ",".join(map(str, TARGETS)), "--builds", str(builds))
    words = ("build", path, "--backend", "trt-rtx", *targets, "--force", "--output-format", "json")
    run = child.run(child.graphprune(*words), env)
    if run.status not in (0, 3) or not run.json():
        raise SystemExit(f"{path.name}: exit {run.status}: {run.complaint}")
    found: dict[str, Any] = {}
    for engine in run.json()["engines"]:
        place = found.setdefault(engine["target"], {})
        entry, refusal = engine["entry"], engine["refusal"]
        if refusal is not None:
            place["refused"] = refusal["what"]
            continue
        place["bytes"] = entry["bytes"]
        place.setdefault("seconds", []).append(entry["seconds"])
        place.setdefault("sha256", []).append(entry["sha256"])
        place["version"] = entry["version"]
    for place in found.values():
        if "sha256" in place:
            place["distinct_engines"] = len(set(place.pop("sha256")))
    return found


def rows(measured: dict[str, Any]) -> Sequence[Sequence[object]]:
    """One row a target: bytes and seconds of the whole network and of the pruned one."""
    whole, small = measured["engines"]["whole"], measured["engines"]["pruned"]
    made: list[list[object]] = []
    for target, before in whole.items():
        after = small[target]
        if "refused" in before:
            made.append([target, "refused", "refused", "", ""])
            continue
        share = f"{after['bytes'] / before['bytes']:.1%}"
        seconds = [f"{statistics.median(each['seconds']):.2f}" for each in (before, after)]
        made.append(
            [target, f"{before['bytes'] / 1e6:.1f}", f"{after['bytes'] / 1e6:.1f} ({share})", *seconds]
        )
    return made


def main() -> None:
    """Prune, build, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ratio", default="0.5")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--builds", type=int, default=3)
    parser.add_argument("--no-write", action="store_true", help="leave benchmarks/results/ alone")
    options = parser.parse_args()
    cores = child.keep_to_cores()
    env = surroundings()
    measured: dict[str, Any] = {"model": NAME, "type": "float16", "ratio": options.ratio, "cores": cores}
    measured |= {
        "batch": options.batch,
        "round_to": 8,
        "builds": options.builds,
        "engines": {},
        "model_facts": {},
    }
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        env["XDG_CACHE_HOME"] = place
        paths = {name: folder / f"{name}.onnx" for name in ("whole", "pruned", "float8")}
        paths["whole"].write_bytes(halved(graphs.load(NAME), options.batch).SerializeToString())
        paths["float8"].write_bytes(of_float8().SerializeToString())
        words = ("--ratio", options.ratio, "--round-to", "8", "--output-format", "json")
        run = child.run(child.graphprune("prune", paths["whole"], "-o", paths["pruned"], *words), env)
        if run.status:
            raise SystemExit(f"prune: exit {run.status}: {run.complaint}")
        measured["verification"] = run.json()["verification"]
        for name, path in paths.items():
            model = judge.read(path)
            facts = {"bytes": path.stat().st_size, "parameters": counting.parameters(model)}
            measured["model_facts"][name] = {**facts, "macs": counting.macs(model)}
            measured["engines"][name] = built(path, options.builds, env)
    header = ["target", "whole MB", "pruned MB", "whole s", "pruned s"]
    print(results.table(header, rows(measured)))
    for target, engine in measured["engines"]["float8"].items():
        print(f"float8 on {target}: {engine.get('refused', 'built')}")
    if not options.no_write:
        results.write("engines", measured)


if __name__ == "__main__":
    main()
