"""Facts hold at all sizes: onnx's own inference at even and large numbers finds what they say."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
import pytest
from onnx import shape_inference

from graphprune.model import from_proto
from graphprune.symbols.facts import Facts, facts
from tests.networks import TEXTS
from tests.networks.fill import fill

WINDOWS = """g (float[b, 3, h, w] x) => (float[b, n] y)
<float[8, 3, 3, 3] k, float[8, 8, 4, 4] t, float[8] c, float[8, 5] d, int64[4] pads4 = {0, 0, 1, 2},
 int64[8] pads = {0, 0, 1, 0, 0, 0, 2, 3}, int64 i0 = {0}, int64[3] flat = {0, 8, -1}, int64[1] two = {2},
 float[4] scales = {1, 1, 2, 0.5}, int64[1] start = {3}, int64[1] end = {-2}, int64[1] step = {2}>
{
    p = Pad (x, pads)
    a = Conv <strides = [2, 3], pads = [1, 1, 1, 1]> (p, k, c)
    m = MaxPool <kernel_shape = [3, 2], strides = [2, 2], ceil_mode = 1> (a)
    e = Conv <auto_pad = "SAME_UPPER", strides = [2, 2]> (m, k8)
    r = Resize <mode = "nearest"> (a, , scales)
    u = ConvTranspose <strides = [2, 2], output_padding = [1, 1]> (r, t)
    s = Slice (u, start, end, two, step)
    l = Reshape (s, flat)
    q = ReduceMean <keepdims = 0> (l, two)
    y = MatMul (q, d)
}""".replace("float[8] c,", "float[8] c, float[8, 8, 3, 3] k8,")
_UNTOLD = ("packed-attention-operator", "weight-that-is-an-output")
"""Networks of which onnx infers no size of what is computed."""
MODELS = {name: text for name, text in {**TEXTS, "windows": WINDOWS}.items() if name not in _UNTOLD}


def assignments(found: Facts) -> list[dict[str, int]]:
    even = {name: 64 + 2 * place for place, name in enumerate(found.free)}
    large = {
        name: (4098 if place == len(found.free) - 1 else 34) + 2 * place
        for place, name in enumerate(found.free)
    }
    odd = {name: 35 + 2 * place for place, name in enumerate(found.free)}
    return [even, large, odd]


def inferred(proto: onnx.ModelProto, sizes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """The sizes that onnx finds, without the facts, where inputs have these."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    for value in copy.graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, sizes.get(value.name, ())):
            dim.dim_value = size
    for value in copy.graph.output:
        value.type.tensor_type.ClearField("shape")
    graph = shape_inference.infer_shapes(copy, data_prop=True).graph
    return {
        value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in (*graph.value_info, *graph.output)
        if value.type.tensor_type.HasField("shape")
        and all(dim.HasField("dim_value") for dim in value.type.tensor_type.shape.dim)
    }


@pytest.mark.parametrize("text", MODELS.values(), ids=MODELS)
def test_sizes_at_other_numbers_are_what_onnx_infers_there(text: str) -> None:
    proto = fill(text)
    found = facts(from_proto(proto).graph)
    for numbers in assignments(found):
        if any(zero.value(numbers) for zero in found.pending if zero.symbols <= numbers.keys()):
            continue
        sizes = found.sizes(numbers)
        reference = inferred(proto, {name: sizes[name] for name in found.inputs})
        assert reference
        wrong = {
            name: (sizes[name], size) for name, size in reference.items() if sizes.get(name, size) != size
        }
        assert not wrong


def test_the_windows_are_all_told() -> None:
    found = facts(from_proto(fill(WINDOWS)).graph)
    assert found.free == ("b", "h", "w")
    assert not found.data
    assert not found.pending
