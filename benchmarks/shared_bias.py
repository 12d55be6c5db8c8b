"""Three convolutions that share one bias: do graphprune and onnxsim emit valid and exact models?

    python -m benchmarks.shared_bias

Exporters store equal parameters once, and simplifiers merge them; then one initializer serves layers that
lose different channels. Three spellings: one initializer read three times, the same through Identity, and
three equal initializers. Exactness is judged without the pruner's help: which channels stayed is read off the
weights that were written; the original with the others masked at their consumers is what must come out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from benchmarks import child, counting, judge, results

WIDTH = 16
EXACT = 1e-5
SPELLINGS = ("one initializer", "through Identity", "equal initializers")
Weights = list[NDArray[np.float32]]
Command = Callable[[Path, Path], Sequence[str | Path]]


def weights() -> Weights:
    """Of the three convolutions and of the one that ends the network, (out, in, 3, 3) each."""
    rng = np.random.default_rng(0)
    widths = (3, WIDTH, WIDTH, WIDTH, 10)
    shapes = [(after, before, 3, 3) for before, after in pairwise(widths)]
    return [
        rng.standard_normal(s, dtype=np.float32) * np.float32((2 / np.prod(s[1:])) ** 0.5) for s in shapes
    ]


def model(spelling: str, kernels: Weights) -> onnx.ModelProto:
    """The network with `kernels`: three times conv and relu, biases as `spelling` says; then a conv."""
    bias = np.random.default_rng(1).standard_normal(WIDTH, dtype=np.float32)
    initializers = [numpy_helper.from_array(k, f"w{i}") for i, k in enumerate(kernels)]
    nodes: list[onnx.NodeProto] = []
    if spelling == "equal initializers":
        names = ["b0", "b1", "b2"]
        initializers += [numpy_helper.from_array(bias, name) for name in names]
    else:
        names = ["b", "b", "b"]
        initializers.append(numpy_helper.from_array(bias, "b"))
    if spelling == "through Identity":
        names = ["b", "b_1", "b_2"]
        nodes += [helper.make_node("Identity", ["b"], [name], name=f"alias{name}") for name in names[1:]]
    for i, name in enumerate(names):
        source = "x" if i == 0 else f"r{i - 1}"
        nodes.append(
            helper.make_node("Conv", [source, f"w{i}", name], [f"c{i}"], name=f"conv{i}", pads=[1] * 4)
        )
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"r{i}"], name=f"relu{i}"))
    nodes.append(helper.make_node("Conv", ["r2", "w3"], ["y"], name="conv3", pads=[1] * 4))
    graph = helper.make_graph(
        nodes,
        "shared_bias",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10, 16, 16])],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def kernels_of(pruned: onnx.ModelProto) -> Weights:
    """The weights of the pruned model's convolutions, in the order of its nodes."""
    tensors = {t.name: numpy_helper.to_array(t) for t in pruned.graph.initializer}
    return [tensors[node.input[1]].astype(np.float32) for node in pruned.graph.node if node.op_type == "Conv"]


def kept(original: Weights, pruned: Weights) -> list[list[int]] | None:
    """Output channels of the first three convolutions that are still there, in order; None if unknown."""
    inputs = list(range(3))
    found: list[list[int]] = []
    for before, after in zip(original[:-1], pruned[:-1], strict=True):
        rows = [r.tobytes() for r in before[:, inputs]]
        wanted = [r.tobytes() for r in after]
        if any(row not in rows for row in wanted):
            return None
        inputs = [rows.index(row) for row in wanted]
        found.append(inputs)
    return found


def masked(original: Weights, keep: list[list[int]]) -> Weights:
    """Weights in which the consumers of removed channels read zeros."""
    twin = [kernel.copy() for kernel in original]
    for kernel, stay in zip(twin[1:], keep, strict=True):
        kernel[:, [c for c in range(WIDTH) if c not in stay]] = 0
    return twin


def judged(spelling: str, path: Path) -> dict[str, Any]:
    """What became of the model at `path`: does it pass the checker and run, how far is it from the twin."""
    pruned, original = judge.read(path), weights()
    feeds = judge.feeds(model(spelling, original))
    verdict: dict[str, Any] = {"checker": judge.valid(pruned), "runs": judge.runs(pruned, feeds)}
    before = counting.parameters(model("one initializer", original))
    verdict["parameters_remaining"] = round(counting.parameters(pruned) / before, 4)
    keep = kept(original, kernels_of(pruned))
    verdict["channels"] = None if keep is None else [len(stay) for stay in keep]
    if keep is not None and verdict["runs"] == "yes":
        expected = judge.outputs(model(spelling, masked(original, keep)), feeds)
        verdict["distance"] = judge.distance(judge.outputs(pruned, feeds), expected)
    return verdict


def tools() -> dict[str, Command | None]:
    """Command lines by name; None where the peer's environment is absent."""

    def onnxsim(*words: str) -> Command | None:
        if not child.has_peer("onnxsim"):
            return None
        return lambda source, output: child.peer("onnxsim", "onnxsim_prune", source, "-o", output, *words)

    return {
        "graphprune": lambda source, output: child.graphprune(
            "prune", source, "-o", output, "--ratio", "0.5"
        ),
        "onnxsim": onnxsim(),
        "onnxsim, C++": onnxsim("--cpp"),
        "onnxsim, no simplify": onnxsim("--no-simplify"),
    }


def measure(folder: Path) -> list[dict[str, Any]]:
    """One row for every tool and spelling."""
    rows: list[dict[str, Any]] = []
    for spelling in SPELLINGS:
        source = folder / f"{spelling}.onnx"
        source.write_bytes(model(spelling, weights()).SerializeToString())
        for name, command in tools().items():
            row: dict[str, Any] = {"tool": name, "bias": spelling}
            rows.append(row)
            if command is None:
                row["failed"] = "left out: run `make peers`"
                continue
            output = folder / f"{spelling}-{name}.onnx"
            run = child.run(command(source, output))
            if output.exists():
                row.update(judged(spelling, output))
            else:
                row["failed"] = f"exit {run.status}: {run.complaint}"
    return rows


def _cells(row: dict[str, Any]) -> list[object]:
    if "failed" in row:
        return [row["tool"], row["bias"], "no model", None, None, None]
    far = row.get("distance")
    exact = None if far is None else f"{'yes' if far <= EXACT else 'NO'} ({far:.0e})"
    answers = [row["checker"].partition(":")[0], row["runs"].partition(":")[0]]
    return [row["tool"], row["bias"], *answers, exact, f"{row['parameters_remaining']:.1%}"]


def notes(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What went wrong in words, each once."""
    said = [
        f"{row['tool']}, {row['bias']}: {row[key]}"
        for row in rows
        for key in ("failed", "checker", "runs")
        if row.get(key, "yes") != "yes"
    ]
    return list(dict.fromkeys(said))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, write `results/shared_bias.json`; 1 where graphprune's is not valid and exact."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args(arguments)
    child.keep_to_cores()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder))
    header = ("tool", "bias", "checker passes", "runs", "exact (relative L2)", "parameters left")
    print(results.table(header, [_cells(row) for row in rows]))
    print("", *notes(rows), sep="\n")
    results.write("shared_bias", {"rows": rows})
    ours = [row for row in rows if row["tool"] == "graphprune"]
    good = all(
        row.get("runs") == row.get("checker") == "yes" and row.get("distance", np.inf) <= EXACT
        for row in ours
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
