"""Check a rule against the operator itself: cut what it permits, run both, compare.

The operator's operands become constants, so that nothing pins their axes. Every group that the rule yields
is cut to half, in a shuffled order; the cut operator must give what the masked operator gives at the
positions that stay. This is how every row of the table is tested, and how a row of your own can be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.blocks import Blocks
from graphprune.cut import cut
from graphprune.cuts import cuts_of, take
from graphprune.errors import Refused
from graphprune.model import Model, from_proto
from graphprune.plan import Plan
from graphprune.runtime import run, session
from graphprune.solution import Solution
from graphprune.solve import solve
from graphprune.twin import twin

TOGETHER = "all groups together"
BY_BLOCKS = "a group whose blocks choose for themselves"


@dataclass(frozen=True)
class Finding:
    """What came of one cut.

    Attributes:
        group: the name of the group that was cut, `TOGETHER`, or `BY_BLOCKS`.
        size: how many units it has, or how many groups there are.
        problem: '' where the cut and the masked operator agree, else the difference.
    """

    group: str
    size: int
    problem: str


def bare(proto: onnx.ModelProto, operands: Mapping[str, NDArray[Any]]) -> Model:
    """Return the operator's model with its operands as constants and outputs of any size."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    copy.ir_version = max(copy.ir_version, 4)  # before that, initializers had to be inputs as well
    for value in list(copy.graph.input):
        if value.name in operands:
            copy.graph.initializer.append(onnx.numpy_helper.from_array(operands[value.name], value.name))
    del copy.graph.input[:]
    for value in copy.graph.output:
        value.type.tensor_type.ClearField("shape")
    return from_proto(copy)


def check(proto: onnx.ModelProto, operands: Mapping[str, NDArray[Any]], seed: int = 0) -> list[Finding]:
    """Cut every group of the operator and compare: each by itself, and then all of them at once.

    Where the blocks of a group may choose for themselves, they also do so.

    The list is empty where nothing may be cut.

    Raises:
        Refused: ONNX Runtime cannot run the operator as it is.
    """
    model = bare(proto, operands)
    solution = solve(model.graph, bare=True)
    generator = np.random.default_rng(seed)
    sizes = {group.name: group.size for group in solution.groups if group.prunable}
    stay = {
        name: generator.permutation(size)[: max(1, size // 2)].astype(np.int64)
        for name, size in sizes.items()
    }
    findings = [
        Finding(name, size, _compare(model, solution, Plan({name: stay[name]}, {name: size})))
        for name, size in sizes.items()
    ]
    if len(sizes) > 1:
        findings.append(Finding(TOGETHER, len(sizes), _compare(model, solution, Plan(stay, sizes))))
    for name, found in solution.blocks.items():
        if isinstance(found, Blocks):
            rows = [generator.permutation(sizes[name])[: stay[name].size] for _ in range(found.count)]
            plan = Plan({name: np.stack(rows).astype(np.int64)}, {name: sizes[name]})
            findings.append(Finding(BY_BLOCKS, sizes[name], _compare(model, solution, plan)))
    return findings


def _compare(model: Model, solution: Solution, plan: Plan) -> str:
    small = cut(model, solution, plan)
    masked = replace(model, graph=twin(model.graph, small, solution.shapes))
    try:
        with session(masked) as opened:
            expected = run(opened, {})
    except Refused as error:
        with session(model) as opened:
            run(opened, {})
        return f"the masked operator does not run: {error.what}"
    try:
        with session(small.model) as opened:
            found = run(opened, {})
    except Refused as error:
        return f"the cut operator does not run: {error.what}"
    for tensor, wanted, got in zip(model.graph.outputs, expected, found, strict=True):
        problem = _difference(_stay(tensor, wanted, solution, plan), got)
        if problem:
            return f"output '{tensor.name}': {problem}"
    return ""


def _stay(tensor: gs.Tensor, full: NDArray[Any], solution: Solution, plan: Plan) -> NDArray[Any]:
    """Return what stays of an output of the masked operator."""
    stays = solution.stays(plan.keep)
    for applied in solution.nodes:
        for output, axes in zip(applied.site.node.outputs, applied.outputs, strict=True):
            if output.name != tensor.name:
                continue
            full = take(full, cuts_of(axes or (), stays))
    return full


def _difference(expected: NDArray[Any], found: NDArray[Any]) -> str:
    if expected.shape != found.shape:
        return f"sizes {list(found.shape)}, not {list(expected.shape)}"
    if expected.dtype.kind in "OSUb" or expected.dtype.kind in "iu":
        # One step of rounding may fall the other way where a quantised sum is taken in another order.
        step = expected.dtype.kind in "iu" and expected.dtype.itemsize == 1
        equal = np.array_equal(expected, found) or (
            step and int(np.max(np.abs(expected.astype(int) - found.astype(int)))) <= 1
        )
        return "" if equal else "values differ"
    a, b = expected.astype(np.float64), found.astype(np.float64)
    tolerance = 1e-5 if expected.dtype.itemsize >= 4 else 2e-2
    scale = float(np.nanmax(np.abs(np.where(np.isfinite(a), a, 0)), initial=1e-6))
    return (
        "" if np.allclose(a, b, rtol=tolerance, atol=tolerance * scale, equal_nan=True) else "values differ"
    )
