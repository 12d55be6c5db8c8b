"""Every tensor gets numbers: symbols become primes, chains of shapes fold, what depends on data is open."""

from __future__ import annotations

import numpy as np
import pytest

from graphprune.model import from_proto
from graphprune.shapes import Shapes
from graphprune.solve import solve
from tests.networks import TEXTS
from tests.networks.fill import fill
from tests.networks.solved import solved


def shapes_of(text: str, **inputs: tuple[int, ...]) -> Shapes:
    return solve(from_proto(fill(text)).graph, inputs or None).shapes


def is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


def test_every_symbol_becomes_a_prime_of_its_own() -> None:
    shapes = shapes_of("""
        g (float[batch, length] a, float[batch, width] b, float[3, ?] c) => (float[batch, length] y)
        { y = Relu (a) z = Relu (b) w = Relu (c) }""")
    assert set(shapes.symbols) == {"batch", "length", "width", "c.1"}
    assert len(set(shapes.symbols.values())) == 4
    assert all(is_prime(size) for size in shapes.symbols.values())
    assert shapes.sizes["y"] == (shapes.symbols["batch"], shapes.symbols["length"])
    assert shapes.sizes["z"][0] == shapes.sizes["y"][0]


@pytest.mark.parametrize("name", TEXTS)
def test_every_tensor_of_every_network_has_a_size(name: str) -> None:
    _, solution = solved(name)
    shapes = solution.shapes
    read = {tensor.name for node in solution.graph.nodes for tensor in node.inputs if tensor.name}
    made = {tensor.name for node in solution.graph.nodes for tensor in node.outputs}
    assert not (read & made) - set(shapes.sizes)


def test_an_image_that_a_prime_would_not_fit_gets_a_larger_size() -> None:
    shapes = shapes_of("""
        g (float[1, 3, height, width] x) => (float[1, 3, height, width] y) <int64[2] axes = {2, 3}>
        { p = AveragePool <kernel_shape = [64, 64], strides = [32, 32]> (x) y = Relu (p) }""")
    assert all(size > 0 for size in shapes.sizes["y"])


def test_a_chain_of_shapes_folds_to_numbers() -> None:
    shapes = shapes_of("""
        g (float[batch, 6, 4] x) => (float[batch, 24] y)
        <int64 zero = {0}, int64[1] front = {0}, int64 two = {2}, int64[1] begin = {1}, int64[1] end = {3}>
        {
          shape = Shape (x)
          batch_ = Gather <axis = 0> (shape, zero)
          rest = Slice (shape, begin, end)
          both = ReduceProd <keepdims = 1> (rest)
          batch1 = Unsqueeze (batch_, front)
          target = Concat <axis = 0> (batch1, both)
          y = Reshape (x, target)
          twice = Mul (batch_, two)
        }""")
    batch = shapes.symbols["batch"]
    assert shapes.values["target"].tolist() == [batch, 24]
    assert shapes.sizes["y"] == (batch, 24)
    assert shapes.values["twice"] == 2 * batch


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ("y = Div (a, b)", [-3, 3, 2]),  # integers are divided towards zero, as in C
        ("y = Mod (a, b)", [1, 1, 1]),
        ("y = Sub (a, b)", [-9, 5, 3]),
        ("s = Slice (a, two, zero, zero, minus) y = Identity (s)", [5, 7]),
        ("c = Cast <to = 1> (a) r = Sqrt (c) y = Cast <to = 7> (r)", None),  # the root of -7 is no integer
        ("e = Equal (a, b) y = Where (e, a, b)", [2, 2, 2]),
        ("y = Concat <axis = 0> (a, b)", [-7, 7, 5, 2, 2, 2]),
        ("y = Gather <axis = 0> (a, zero)", [-7]),
        ("y = Range (start, limit, step)", [3, 5, 7]),
        ("y = ConstantOfShape <value = int64[1] {4}> (two)", [4, 4]),
        ("n = Shape (a) y = Identity (n)", [3]),
        ("o = ConstantOfShape <value = float[1] {1.0}> (two) n = NonZero (o) y = Squeeze (n, zero)", None),
        ("o = Expand (two, three) n = NonZero (o) y = Squeeze (n, zero)", [0, 1, 2]),
        ("y = Size (a)", 3),
        ("y = Shape <start = -1> (a)", [3]),
        ("y = CumSum (a, start0)", [-7, 0, 5]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_small_integers_are_computed(nodes: str, expected: list[int] | int | None) -> None:
    shapes = shapes_of(f"""
        g () => (int64 y)
        <int64[3] a = {{-7, 7, 5}}, int64[3] b = {{2, 2, 2}}, int64[1] zero = {{0}}, int64[1] two = {{2}},
         int64[1] three = {{3}},
         int64[1] minus = {{-1}}, int64 start = {{3}}, int64 limit = {{8}}, int64 step = {{2}},
         int64 start0 = {{0}}>
        {{ {nodes} }}""")
    if expected is not None:
        assert shapes.values["y"].tolist() == expected


def test_large_tensors_are_not_computed() -> None:
    shapes = shapes_of("g () => (int64 y) <int64[1] n = {100000}> { y = ConstantOfShape (n) }")
    assert "y" not in shapes.values
    assert shapes.sizes["y"] == (100000,)


def test_sizes_that_depend_on_data_are_open_and_pinned() -> None:
    solution = solve(
        from_proto(
            fill("""
        g (float[4, 6] x) => (float[n, 3] y)
        <float[6, 8] w0, float[8, 3] w1, int64[1] axis = {1}>
        {
          [first] h = MatMul (x, w0)
          sums = ReduceSum <keepdims = 0> (x, axis)
          found = NonZero (sums)
          rows = Transpose (found)
          [pick] picked = GatherND (h, rows)
          [last] y = MatMul (picked, w1)
        }""")
        ).graph
    )
    assert solution.shapes.open["found"] == {1}
    assert solution.shapes.sizes["y"][1] == 3
    assert [group.size for group in solution.groups if group.prunable] == [8]


def test_what_comes_from_constants_alone_is_fixed() -> None:
    shapes = shapes_of("""
        g (float[4, 6] x) => (float[4, 8] y) <float[8, 6] w>
        { t = Transpose <perm = [1, 0]> (w) s = Tanh (t) y = MatMul (x, s) }""")
    assert {"w", "t", "s"} <= shapes.fixed
    assert not {"x", "y"} & shapes.fixed


def test_operators_without_a_schema_get_sizes_from_their_rules() -> None:
    _, solution = solved("multi-head-attention-operator")
    assert solution.shapes.sizes["a"] == (1, 5, 32)
    _, solution = solved("grouped-query-operator")
    assert solution.shapes.sizes["a"] == (1, 3, 64)
    _, solution = solved("packed-attention-operator")
    assert solution.shapes.sizes["a"] == (1, 5, 32)
    _, solution = solved("group-norm")
    assert solution.shapes.sizes["n"] == (1, 12, 4, 4)


def test_declared_sizes_are_believed_where_nothing_else_tells_them() -> None:
    text = """<ir_version: 10, opset_import: ["" : 18, "elsewhere" : 1]>
        g (float[batch, 6] x) => (float[batch, 3] y, float[batch, 3, k] z)
        <float[6, 8] w0, float[8, 5] w1, float[5, 3] w2>
        {
          [first] h = MatMul (x, w0)
          [odd] o = elsewhere.Odd (h)
          z = elsewhere.Odd (h)
          [second] a = MatMul (o, w1)
          [last] y = MatMul (a, w2)
        }"""
    model = fill(text)
    declared = model.graph.value_info.add(name="o")
    declared.type.tensor_type.elem_type = 1
    for size in ("batch", 8):
        dim = declared.type.tensor_type.shape.dim.add()
        if isinstance(size, str):
            dim.dim_param = size
        else:
            dim.dim_value = size
    solution = solve(from_proto(model).graph)
    batch = solution.shapes.symbols["batch"]
    assert solution.shapes.sizes["o"] == (batch, 8)
    assert solution.shapes.sizes["y"] == (batch, 3)
    assert solution.shapes.open["z"] == {2}
    assert [group.size for group in solution.groups if group.prunable] == [5]


def test_given_sizes_are_taken() -> None:
    shapes = shapes_of(
        "g (float[batch, 3, height, 8] x) => (float[batch, 3, height, 8] y) { y = Relu (x) }", x=(2, 3, 10, 8)
    )
    assert shapes.sizes["y"] == (2, 3, 10, 8)


def test_the_weights_are_not_read() -> None:
    text = "g (float[1, 300] x) => (float[1, 300] y) <float[300, 300] w> { y = MatMul (x, w) }"
    shapes = shapes_of(text)
    assert shapes.sizes["w"] == (300, 300)
    assert "w" not in shapes.values
    assert not any(isinstance(value, np.ndarray) and value.size > 4096 for value in shapes.values.values())
