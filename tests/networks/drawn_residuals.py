"""Random networks of residual branches, in rows and inside each other, with inner tensors used elsewhere."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

WIDTH, INNER = 6, 9


@dataclass
class _Draft:
    draw: random.Random
    weights: np.random.Generator
    nodes: list[NodeProto] = field(default_factory=list[NodeProto])
    constants: list[TensorProto] = field(default_factory=list[TensorProto])
    inner: list[str] = field(default_factory=list[str])

    def add(self, op: str, *inputs: str) -> str:
        output = f"t{len(self.nodes)}"
        name = self.draw.choice(["", f"{op}_{output}"])
        self.nodes.append(helper.make_node(op, list(inputs), [output], name=name))
        return output

    def linear(self, x: str, rows: int, columns: int) -> str:
        known = [c.name for c in self.constants if list(c.dims) == [rows, columns]]
        if known and self.draw.random() < 0.15:
            return self.add("MatMul", x, self.draw.choice(known))
        name = f"w{len(self.constants)}"
        values = self.weights.standard_normal((rows, columns)) / rows**0.5
        self.constants.append(numpy_helper.from_array(values.astype(np.float32), name))
        return self.add("MatMul", x, name)

    def mlp(self, x: str) -> str:
        hidden = self.add(self.draw.choice(["Relu", "Sigmoid"]), self.linear(x, WIDTH, INNER))
        y = self.linear(hidden, INNER, WIDTH)
        if self.draw.random() < 0.2:
            self.inner.append(y)
        return y

    def branch(self, x: str, depth: int) -> str:
        kinds = ["mlp", "activated", "gated", "row"] + ["residual", "parallel", "aside"] * (depth > 0)
        kind = self.draw.choice(kinds)
        if kind == "activated":
            return self.mlp(self.add("Tanh", x))
        if kind == "gated":
            return self.add("Mul", self.mlp(x), self.add("Sigmoid", x))
        if kind == "row":
            return self.mlp(self.mlp(x))
        if kind == "residual":
            return self.mlp(self.residual(self.mlp(x), depth - 1))
        if kind == "parallel":
            return self.add("Add", self.branch(x, depth - 1), self.branch(x, depth - 1))
        if kind == "aside" and self.inner:
            return self.add("Add", self.branch(x, depth - 1), self.draw.choice(self.inner))
        return self.mlp(x)

    def residual(self, x: str, depth: int) -> str:
        if self.draw.random() < 0.2:
            start = self.add("Tanh", x)
            x = self.add("Add", x, self.branch(start, depth))
            return self.add("Add", x, self.mlp(start))
        operands = [x, self.branch(x, depth)]
        self.draw.shuffle(operands)
        y = self.add(self.draw.choice(["Add", "Sum"]), *operands)
        return self.add("Tanh", y) if self.draw.random() < 0.3 else y


def drawn(seed: int, blocks: int = 4) -> onnx.ModelProto:
    """A network of `blocks` random residual blocks, the same for the same seed."""
    d = _Draft(random.Random(seed), np.random.default_rng(seed))
    x = d.mlp(d.add("Identity", "x"))
    for _ in range(blocks):
        x = d.residual(x, 2)
    ends = [d.linear(x, WIDTH, 3), *(d.linear(name, WIDTH, 2) for name in d.inner[-1:])]
    graph = helper.make_graph(
        d.nodes,
        "drawn",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, WIDTH])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, [4, 3 - i]) for i, n in enumerate(ends)],
        d.constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
