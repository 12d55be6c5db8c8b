"""Time the solver on decoders of growing depth.

    python -m benchmarks.solving [--nodes 300,1500,10000] [--rounds 5] [--plot]

The decoder has what exports of language models have: RMS norms written out, grouped-query attention with
rotary halves through Slice, Neg and Concat, shared key-value heads through Expand, a gated MLP, a symbolic
batch and sequence length with reshapes assembled at run time. The times are those of `graphprune.solve`,
shape inference included; the model's own import is timed beside them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.results import RESULTS, table, write

WIDTH, HEADS, SHARED, SIZE, HIDDEN, WORDS = 32, 4, 2, 8, 48, 50


class Decoder:
    """Builds the graph of a decoder node by node."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self.random = np.random.default_rng(0)

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node and return its output."""
        number = len(self.nodes)
        node = helper.make_node(op, list(inputs), [f"v{number}"], name=f"n{number}")
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self.nodes.append(node)
        return f"v{number}"

    def constant(self, name: str, value: Any, dtype: Any = np.int64) -> str:
        """Return the name of a constant, made at the first call."""
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.asarray(value, dtype=dtype), name)
        return name

    def weight(self, *shape: int) -> str:
        """Add a random weight and return its name."""
        name = f"w{len(self.constants)}"
        value = self.random.standard_normal(shape).astype(np.float32) * 0.1
        self.constants[name] = numpy_helper.from_array(value, name)
        return name

    def norm(self, x: str) -> str:
        """Add an RMS norm as exporters write it out."""
        square = self.add("Pow", x, self.constant("two", 2.0, np.float32))
        mean = self.add("ReduceMean", square, self.constant("last", [-1]), keepdims=1)
        root = self.add("Sqrt", self.add("Add", mean, self.constant("epsilon", 1e-6, np.float32)))
        return self.add("Mul", self.add("Div", x, root), self.weight(WIDTH))

    def size(self, x: str, dim: int) -> str:
        """Add a lookup of one dimension at run time."""
        return self.add("Gather", self.add("Shape", x), self.constant(f"at{dim}", [dim]), axis=0)

    def heads(self, x: str, count: int, rows: str) -> str:
        """Add a projection split into heads, b h s d."""
        flat = self.add("MatMul", x, self.weight(WIDTH, count * SIZE))
        target = self.add(
            "Concat", rows, self.constant("rest", [-1]), self.constant(f"h{count}", [count, SIZE]), axis=0
        )
        return self.add("Transpose", self.add("Reshape", flat, target), perm=[0, 2, 1, 3])

    def rotate(self, x: str) -> str:
        """Add a rotary embedding of both halves of a head."""
        bounds = [self.constant(f"i{i}", [i]) for i in (0, SIZE // 2, SIZE)]
        axis = self.constant("last", [-1])
        first = self.add("Slice", x, bounds[0], bounds[1], axis)
        second = self.add("Slice", x, bounds[1], bounds[2], axis)
        turned = self.add("Concat", self.add("Neg", second), first, axis=-1)
        cosine, sine = (self.constant(name, np.ones((1, 1, 1, SIZE)), np.float32) for name in ("cos", "sin"))
        return self.add("Add", self.add("Mul", x, cosine), self.add("Mul", turned, sine))

    def layer(self, x: str) -> str:
        """Add one layer."""
        y = self.norm(x)
        rows = self.size(y, 0)
        query, key = self.rotate(self.heads(y, HEADS, rows)), self.rotate(self.heads(y, SHARED, rows))
        value = self.heads(y, SHARED, rows)
        shared: list[str] = []
        for each in (key, value):
            wide = self.add("Unsqueeze", each, self.constant("axis2", [2]))
            times = self.constant("times", [1, 1, HEADS // SHARED, 1, 1])
            target = self.add(
                "Concat",
                rows,
                self.constant("heads", [HEADS]),
                self.constant("rest", [-1]),
                self.constant("d", [SIZE]),
                axis=0,
            )
            shared.append(self.add("Reshape", self.add("Expand", wide, times), target))
        scores = self.add("MatMul", query, self.add("Transpose", shared[0], perm=[0, 1, 3, 2]))
        scaled = self.add("Mul", scores, self.constant("scale", SIZE**-0.5, np.float32))
        mixed = self.add("MatMul", self.add("Softmax", scaled, axis=-1), shared[1])
        joined = self.add("Transpose", mixed, perm=[0, 2, 1, 3])
        parts = (rows, self.constant("rest", [-1]), self.constant("all", [HEADS * SIZE]))
        target = self.add("Concat", *parts, axis=0)
        attended = self.add("MatMul", self.add("Reshape", joined, target), self.weight(HEADS * SIZE, WIDTH))
        x = self.add("Add", x, attended)
        y = self.norm(x)
        gate = self.add("MatMul", y, self.weight(WIDTH, HIDDEN))
        gated = self.add("Mul", self.add("Mul", gate, self.add("Sigmoid", gate)), self._up(y))
        return self.add("Add", x, self.add("MatMul", gated, self.weight(HIDDEN, WIDTH)))

    def _up(self, y: str) -> str:
        return self.add("MatMul", y, self.weight(WIDTH, HIDDEN))


def decoder(nodes: int) -> onnx.ModelProto:
    """Return a decoder of at least `nodes` nodes."""
    build = Decoder()
    x = build.add("Gather", build.weight(WORDS, WIDTH), "ids", axis=0)
    while len(build.nodes) < nodes - 8:
        x = build.layer(x)
    x = build.add("MatMul", build.norm(x), build.weight(WIDTH, WORDS))
    graph = helper.make_graph(
        build.nodes,
        "decoder",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "sequence"])],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["batch", "sequence", WORDS])],
        list(build.constants.values()),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def measure(nodes: int, rounds: int) -> dict[str, float]:
    """Return medians in seconds of importing, inferring shapes and solving a decoder of `nodes` nodes."""
    from graphprune.fold import fold
    from graphprune.model import from_proto
    from graphprune.shapes import infer
    from graphprune.solve import solve

    proto = decoder(nodes)
    times: dict[str, list[float]] = {"import": [], "shapes": [], "solve": []}
    groups = 0
    for _ in range(rounds):
        start = time.perf_counter()
        model = fold(from_proto(proto))
        imported = time.perf_counter()
        infer(model.graph)
        inferred = time.perf_counter()
        groups = sum(group.prunable for group in solve(model.graph).groups)
        for name, seconds in (
            ("import", imported - start),
            ("shapes", inferred - imported),
            ("solve", time.perf_counter() - inferred),
        ):
            times[name].append(seconds)
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {"nodes": len(proto.graph.node), "groups": groups, **medians}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", default="300,750,1500,3000,6000,10000,20000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--plot", action="store_true", help="draw results/solving.svg (extra: bench)")
    options = parser.parse_args()
    rows = [measure(int(nodes), options.rounds) for nodes in options.nodes.split(",")]
    header = ["nodes", "groups", "import s", "shapes s", "solve s", "ms per 1,000 nodes"]
    cells = [
        [
            f"{row['nodes']:,.0f}",
            f"{row['groups']:,.0f}",
            *(f"{row[name]:.3f}" for name in ("import", "shapes", "solve")),
            f"{1e6 * row['solve'] / row['nodes']:.0f}",
        ]
        for row in rows
    ]
    print(table(header, cells))
    write("solving", {"rounds": options.rounds, "rows": rows})
    if options.plot:
        from benchmarks.plots import growth

        growth(rows, RESULTS / "solving.svg")


if __name__ == "__main__":
    main()
