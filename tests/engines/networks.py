"""Small networks to build engines of, with drawn weights, in float32 or float16."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

TEXTS = {
    "convolutions": """
        <ir_version: 8, opset_import: ["": 17]>
        g ({type}[1,3,32,32] x) => ({type}[1,10] y) {{
            a = Conv<pads=[1,1,1,1]>(x, w16x3x3x3)
            b = Relu(a)
            c = Conv<pads=[1,1,1,1], strides=[2,2]>(b, w32x16x3x3)
            d = Relu(c)
            e = GlobalAveragePool(d)
            f = Flatten(e)
            y = MatMul(f, w32x10)
        }}""",
    "residual": """
        <ir_version: 8, opset_import: ["": 17]>
        g ({type}[1,3,32,32] x) => ({type}[1,10] y) {{
            a = Conv<pads=[1,1,1,1]>(x, w16x3x3x3)
            b = Conv<pads=[1,1,1,1]>(a, w24x16x3x3)
            c = Relu(b)
            d = Conv<pads=[1,1,1,1]>(c, w16x24x3x3)
            e = Add(a, d)
            f = Relu(e)
            g = GlobalAveragePool(f)
            h = Flatten(g)
            y = MatMul(h, w16x10)
        }}""",
    "dynamic": """
        <ir_version: 8, opset_import: ["": 17]>
        g ({type}[N,3,8,8] x) => ({type}[N,4,8,8] y) {{
            a = Conv<pads=[1,1,1,1]>(x, w4x3x3x3)
            y = Relu(a)
        }}""",
    "wide": """
        <ir_version: 8, opset_import: ["": 17]>
        g ({type}[1,6000] x) => ({type}[1,6001] y) {{
            a = MatMul(x, w6000x6000)
            b = Relu(a)
            y = MatMul(b, w6000x6001)
        }}""",
    "unsupported": """
        <ir_version: 8, opset_import: ["": 17]>
        g ({type}[1,3,8,8] x) => ({type}[1,3] y, {type}[1,3] z) {{
            a = Relu(x)
            y = Det(a)
            z = Det(x)
        }}""",
}
"""Their texts; a tensor `w16x3` holds drawn weights of that shape."""


def network(name: str, kind: str = "float") -> onnx.ModelProto:
    """Return a network with its weights, of the element type `float` or `float16`."""
    model = onnx.parser.parse_model(TEXTS[name].format(type=kind))
    draw = np.random.default_rng(0)
    made = {output for node in model.graph.node for output in node.output}
    given = {tensor.name for tensor in model.graph.input}
    for needed in dict.fromkeys(each for node in model.graph.node for each in node.input):
        if needed not in made | given:
            shape = [int(size) for size in needed.removeprefix("w").split("x")]
            values = draw.normal(size=shape).astype(np.float16 if kind == "float16" else np.float32)
            model.graph.initializer.append(onnx.numpy_helper.from_array(values, needed))
    onnx.checker.check_model(model)
    return model


def write(name: str, path: Path, kind: str = "float") -> Path:
    """Write a network to `path`; returns it."""
    onnx.save(network(name, kind), path)
    return path
