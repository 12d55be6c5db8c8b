"""What a rule cannot describe is pinned, and the reason says why; a model that makes no sense is no crash."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from graphprune.model import from_proto
from graphprune.rules.check import bare
from graphprune.solution import Solution
from graphprune.solve import solve
from tests.rules.case import Case, case, draw, ints, scalar, whole

PINNED = (
    (
        case("", "y = EyeLike (x)", x=(3, 4), cuts=()),
        "its values depend on positions",
    ),
    (
        case("allowzero", "y = Reshape <allowzero = 1> (x, s)", x=draw((0, 3)), s=ints(3, 0), cuts=()),
        "it is empty",
    ),
    (
        case("in training", "y = Dropout (x, r, t)", x=(3, 4), r=scalar(0.5), t=np.array(True), cuts=()),
        "it draws at random",
    ),
    (
        case("", "y = Det (x)", x=(3, 4, 4), cuts=()),
        "it transforms whole axes",
    ),
    (
        case("of a diagonal", 'y = Einsum <equation = "ii->i"> (x)', x=(4, 4), cuts=()),
        "an index appears twice in one operand",
    ),
    (
        case("cropping", 'y = Resize <coordinate_transformation_mode = "tf_crop_and_resize"> (x, r, , s)',
             x=(2, 3, 4, 4), r=draw((8,), 0, 1), s=ints(2, 3, 7, 7), cuts=()),
        "it crops",
    ),
    (
        case("with its indices", "y, i = MaxPool <kernel_shape = [2, 2]> (x)", outputs="float y, int64 i",
             x=(2, 3, 4, 4), cuts=()),
        "its second output numbers the elements of the whole tensor",
    ),
    (
        case("flattening", "y = Compress (x, c)", x=(3, 4), c=np.array([True, False, True]), cuts=()),
        "it flattens",
    ),
    (
        case("with packed zero points",
             "y = com.microsoft.MatMulNBits <K = 64, N = 6, bits = 4, block_size = 32> (a, b, s, z)",
             a=(3, 64), b=whole((6, 2, 16), 0, 9, np.uint8), s=(6, 2), z=whole((6, 1), 0, 9, np.uint8),
             cuts=()),
        "its zero points or groups are packed",
    ),
    (
        case("of a domain that nobody knows", "y = com.microsoft.Inverse (x)", x=(4, 4), cuts=()),
        "there is no rule for com.microsoft.Inverse",
    ),
)  # fmt: skip

NONSENSE = (
    case("too many axes", "y = Transpose <perm = [0, 1, 2]> (x)", x=(3, 4), cuts=()),
    case("an axis that is not there", "y = Concat <axis = 5> (x, x)", x=(3, 4), cuts=()),
    case("no groups", "y = Conv <group = 0> (x, w)", x=(2, 3, 5, 5), w=(4, 3, 3, 3), cuts=()),
    case("groups that do not divide", "y = Conv <group = 2> (x, w)", x=(2, 3, 5, 5), w=(4, 2, 3, 3), cuts=()),
    case("other volumes", "y = Reshape (x, s)", x=(3, 4), s=ints(5, 5), cuts=()),
    case("a rank that no convolution has", "y = Conv (x, w)", x=(3,), w=(4, 3, 3, 3), cuts=()),
    case("no blocks", "y = DepthToSpace <blocksize = 0> (x)", x=(2, 3, 4, 4), cuts=()),
    case("an axis of a scalar", "y = CumSum (x, a)", x=scalar(1), a=scalar(0, np.int64), cuts=()),
    case("no heads", "y = com.microsoft.MultiHeadAttention <num_heads = 0> (x, x, x)", x=(2, 3, 4), cuts=()),
    case("heads of nobody", "y = com.microsoft.MultiHeadAttention (x, x, x)", x=(2, 3, 4), cuts=()),
    case("a target of another rank", "y = Reshape (x, s)", outputs="float[3, 4] y",
         x=(3, 4), s=ints(2, 2, 2, -1), cuts=()),
    case("sizes of nothing", "y = ConstantOfShape (s)", outputs="float[3] y", s=ints(-3, 4), cuts=()),
    case("more sizes than dimensions", "y = Resize (x, , , s)", outputs="float[2, 3, 4, 4] y",
         x=(2, 3, 4, 4), s=ints(2, 3, 4, 4, 5), cuts=()),
    case("a scale too few", "y = DequantizeLinear <axis = -2> (x, s, z)",
         x=whole((2, 8, 1, 1), 0, 9, np.int8), s=(2,), z=whole((2,), 0, 9, np.int8), cuts=()),
    case("points of another axis", "y = DequantizeLinear <axis = 0> (x, s, z)",
         x=whole((2, 8), 0, 9, np.int8), s=(2,), z=whole((8,), 0, 9, np.int8), cuts=()),
    case("an equation of others", 'y = Einsum <equation = "ij,jk->ik"> (x)', x=(3, 4), cuts=()),
)  # fmt: skip


def solved(case: Case) -> Solution:
    return solve(bare(case.model, case.operands).graph, bare=True)


@pytest.mark.parametrize(("case", "reason"), PINNED, ids=[str(item) for item, _ in PINNED])
def test_what_cannot_be_described_is_pinned_with_the_reason(case: Case, reason: str) -> None:
    solution = solved(case)
    (applied,) = solution.nodes
    assert applied.reason == reason
    assert all(reason in group.reason for group in solution.groups)


@pytest.mark.parametrize("case", NONSENSE, ids=str)
def test_a_model_that_makes_no_sense_is_pinned(case: Case) -> None:
    assert not [group for group in solved(case).groups if group.prunable]


MYSTERY = (
    '<ir_version: 10, opset_import: ["": 21, "com.example": 1]> g (float[2] x) => (float{sizes} y) '
    "<float[3, 4] w = {{{ones}}}, float[4, 3] v = {{{ones}}}> "
    "{{ u = com.example.Mystery (x) t = Add (u, w) y = MatMul (t, v) }}"
)


@pytest.mark.parametrize(
    ("sizes", "reason"), [("", "the rank of an operand is unknown"), ("[3, 3]", "")], ids=["nothing", "rank"]
)
def test_an_operator_that_nobody_knows_pins_what_meets_its_result(sizes: str, reason: str) -> None:
    """Where the rank follows from what is behind, the operand is taken to be as large as it can be."""
    model = onnx.parser.parse_model(MYSTERY.format(sizes=sizes, ones=", ".join(["1"] * 12)))
    if not sizes:
        model.graph.output[0].type.tensor_type.ClearField("shape")
    solution = solve(from_proto(model).graph)
    assert [group.size for group in solution.groups if group.prunable] == []
    assert [applied.reason for applied in solution.nodes] == [
        "ONNX Runtime has no com.example.Mystery; what it reads and writes keeps its sizes",
        reason,
        reason,
    ]


@pytest.mark.parametrize(("operator", "text"), [("Shape", "- -> _"), ("Size", "- -> ")])
def test_sizes_are_not_looked_at_since_they_follow_the_cut(operator: str, text: str) -> None:
    item = case("", f"y = {operator} (x)", outputs="int64 y", x=(3, 4), cuts=())
    (applied,) = solved(item).nodes
    assert str(applied.rule) == text
