"""Cases of reductions, searches and scans along axes."""

from __future__ import annotations

import numpy as np

from tests.rules.case import case, draw, ints, scalar

_NAMES = (
    "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum "
    "ReduceSumSquare"
)

_REDUCTIONS = tuple(
    item
    for op in _NAMES.split()
    for item in (
        case("one axis", f"y = {op} (x, a)", x=draw((2, 3, 4), 0.5, 2), a=ints(1), cuts=(2, 3, 4)),
        case(
            "two axes, not kept",
            f"y = {op} <keepdims = 0> (x, a)",
            x=draw((2, 3, 4), 0.5, 2),
            a=ints(-1, 0),
            cuts=(2, 3, 4),
        ),
        case("all axes", f"y = {op} (x)", x=draw((2, 3, 4), 0.5, 2), cuts=(2, 3, 4)),
        case("no axes are all axes", f"y = {op} (x, a)", x=draw((2, 3), 0.5, 2), a=ints(), cuts=(2, 3)),
        case(
            "no axes, nothing to do",
            f"y = {op} <noop_with_empty_axes = 1> (x, a)",
            x=draw((2, 3), 0.5, 2),
            a=ints(),
            cuts=(2, 3),
        ),
        case(
            "axes as an attribute",
            f"y = {op} <axes = [-2]> (x)",
            opset=12,
            x=draw((2, 3, 4), 0.5, 2),
            cuts=(2, 3, 4),
        ),
    )
)

_BY_HAND = (
    case(
        "a mean over sizes, which stay what they were",
        "h = Shape (x) n = ReduceProd <keepdims = 0> (h) f = Cast <to = 1> (n) "
        "t = ReduceSum <keepdims = 0> (x) y = Div (t, f)",
        of="ReduceSum",
        x=(3, 4),
        cuts=(3, 4),
    ),
    case(
        "a mean over a count of elements, which follows the cut",
        "m = Greater (x, c) f = Cast <to = 1> (m) n = ReduceSum <keepdims = 0> (f) "
        "t = ReduceSum <keepdims = 0> (x) y = Div (t, n)",
        of="ReduceSum",
        x=draw((2, 3), 0.5, 2),
        c=scalar(0),
        cuts=(2, 3),
    ),
    case(
        "a weight over its norm",
        "n = ReduceL2 <keepdims = 0> (w) y = Div (w, n)",
        of="ReduceL2",
        w=(2, 3),
        cuts=(2, 3),
    ),
)

_SEARCHES = (
    case("not kept", "y = ArgMax <axis = 1, keepdims = 0> (x)", outputs="int64 y", x=(2, 3, 4), cuts=(2, 4)),
    case("last axis", "y = ArgMin <axis = -1> (x)", outputs="int64 y", x=(2, 3, 4), cuts=(2, 3)),
    case(
        "", "y, i = TopK <axis = 1> (x, k)", outputs="float y, int64 i", x=(2, 5, 3), k=ints(2), cuts=(2, 3)
    ),
    case("", "y = CumSum (x, a)", x=(2, 3, 4), a=scalar(1, np.int64), cuts=(2, 4)),
    case(
        "backwards, exclusive",
        "y = CumSum <reverse = 1, exclusive = 1> (x, a)",
        x=(2, 3, 4),
        a=scalar(-1, np.int32),
        cuts=(2, 3),
    ),
    case(
        "last axis",
        "y = OneHot (i, d, v)",
        i=np.array([[0, 2, 1], [3, 0, 1]], np.int64),
        d=scalar(5, np.int64),
        v=draw((2,)),
        cuts=(2, 3),
    ),
    case(
        "an axis in between",
        "y = OneHot <axis = 1> (i, d, v)",
        i=np.array([[0, 2, 1], [3, 0, 1]], np.int64),
        d=ints(4),
        v=draw((2,)),
        cuts=(2, 3),
    ),
    case("upper", "y = Trilu (x, k)", x=(2, 4, 5), k=scalar(1, np.int64), cuts=(2,)),
    case("time first", "y = ReverseSequence (x, n)", x=(3, 2, 4, 5), n=ints(2, 3), cuts=(4, 5)),
    case(
        "batch first",
        "y = ReverseSequence <batch_axis = 0, time_axis = 1> (x, n)",
        x=(2, 3, 4),
        n=ints(2, 3),
        cuts=(4,),
    ),
)

CASES = (*_REDUCTIONS, *_BY_HAND, *_SEARCHES)
