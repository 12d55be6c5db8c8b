"""Where weights are summed over: which constant, along which dimension, by which operator.

The dimension is what the operator's rule says: of the names of `n (g i) *, (g o) i *, (g o) -> n (g o) *`,
`i` is missing from the result, and so it is what a convolution sums over. A constant that gets there through
Transpose, Cast, QuantizeLinear or DequantizeLinear is traced through them by their rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import onnx_graphsurgeon as gs

from graphprune.ir import constants, is_default_domain, label, read, read_by_bodies, shape_of
from graphprune.notation import Factors, Operand, Rest
from graphprune.solution import Applied, Solution

PRODUCTS = {"Conv": (1,), "ConvTranspose": (1,), "Gemm": (0, 1), "MatMul": (0, 1)}
"""Operators that multiply by weights, and the operands that these may be."""
PASSING = ("Cast", "DequantizeLinear", "Identity", "QuantizeLinear", "Transpose")
"""Operators behind which a weight is still the same weight, entry by entry."""


@dataclass(frozen=True, eq=False)
class Use:
    """One operator that multiplies by a weight.

    Attributes:
        number: the position of the operator in the graph.
        node: the operator.
        slot: the operand.
        direct: whether the constant itself is the operand.
        axis: the dimension of the constant that is summed over.
        length: how many entries are summed over along it; in a grouped ConvTranspose, of one group.
        outputs: output channels of the operator, of all groups.
    """

    number: int
    node: gs.Node
    slot: int
    direct: bool
    axis: int
    length: int
    outputs: int


@dataclass(frozen=True, eq=False)
class Place:
    """A constant that an operator multiplies by.

    Attributes:
        tensor: the constant.
        label: the operator, or the first of them.
        uses: the operators; none where there is a reason.
        reason: why it has no one dimension that is summed over, or ''.
    """

    tensor: gs.Constant
    label: str
    uses: tuple[Use, ...]
    reason: str = ""

    @property
    def axis(self) -> int:
        """The dimension that is summed over."""
        return self.uses[0].axis

    @property
    def length(self) -> int:
        """How many entries are summed over."""
        return self.uses[0].length

    @property
    def outputs(self) -> int:
        """The output channels of the operator, of all groups."""
        return self.uses[0].outputs


class _Reason(Exception):
    """Why a constant is no weight that may be made sparse."""


def places(solution: Solution) -> tuple[Place, ...]:
    """Return the constants of two and more dimensions that operators multiply by, in order of first use."""
    numbers = {id(node): number for number, node in enumerate(solution.graph.nodes)}
    outside = {tensor.name for tensor in solution.graph.outputs} | read_by_bodies(solution.graph)
    found: list[Place] = []
    for tensor in constants(solution.graph):
        if sum(size > 1 for size in shape_of(tensor)) < 2:
            continue
        reads = [(numbers[id(node)], slot, chain) for node, slot, chain in _reads(tensor, solution, numbers)]
        readers = [solution.nodes[number].site.node for number, _, _ in reads]
        first = next((node for node in readers if _is_product(node)), None)
        if first is None:
            continue
        try:
            uses = tuple(_use(solution.nodes[number], number, slot, chain) for number, slot, chain in reads)
            _agree(tensor, uses, outside)
        except _Reason as reason:
            found.append(Place(tensor, label(first), (), str(reason)))
        else:
            found.append(Place(tensor, label(first), uses))
    return tuple(found)


_Chain = tuple[Applied, ...]


def _reads(
    tensor: gs.Tensor, solution: Solution, numbers: dict[int, int], chain: _Chain = ()
) -> Iterator[tuple[gs.Node, int, _Chain]]:
    """Yield who reads a constant in the end, at which operand, and what it passed through."""
    seen: set[int] = set()
    for node in tensor.outputs:
        if id(node) in seen or id(node) not in numbers:
            continue
        seen.add(id(node))
        for slot, operand in enumerate(node.inputs):
            if operand is not tensor:
                continue
            if slot == 0 and node.op in PASSING and is_default_domain(node):
                applied = solution.nodes[numbers[id(node)]]
                yield from _reads(node.outputs[0], solution, numbers, (*chain, applied))
            else:
                yield node, slot, chain


def _is_product(node: gs.Node) -> bool:
    return node.op in PRODUCTS and is_default_domain(node)


def _use(applied: Applied, number: int, slot: int, chain: _Chain) -> Use:
    """Return how an operator sums over a constant that it reads through `chain`."""
    node = applied.site.node
    if not _is_product(node):
        raise _Reason(f"{label(node)} reads it, too")
    if slot not in PRODUCTS[node.op]:
        raise _Reason(f"{label(node)} multiplies it by other weights")
    if applied.bound is None or applied.rule is None:
        raise _Reason(f"the axes of {label(node)} are not known: {applied.reason}")
    inner = [(name, dim) for name, at, dim in applied.bound.consumed if at == slot]
    operand = applied.inputs[slot]
    if len(inner) != 1 or operand is None:
        raise _Reason(f"{label(node)} sums over {len(inner)} of its dimensions")
    if node.op == "MatMul" and len(operand) > 2 and prod(axis.size for axis in operand[:-2]) > 1:
        raise _Reason("it is a batch of matrices")
    if all(not isinstance(node.inputs[other], gs.Variable) for other in (0, 1)):
        raise _Reason(f"{label(node)} multiplies constants")
    name, axis = inner[0]
    length = applied.bound.names[name].size
    for step in reversed(chain):
        axis = _before(step, axis)
    return Use(number, node, slot, not chain, axis, length, _outputs(applied, slot))


def _outputs(applied: Applied, slot: int) -> int:
    made = applied.outputs[0] or []
    if applied.site.node.op in ("Conv", "ConvTranspose"):
        return made[1].size
    return made[-1 if slot == 1 or len(made) < 2 else -2].size


def _before(step: Applied, axis: int) -> int:
    """Return the dimension of an operator's first operand that becomes dimension `axis` of its result."""
    node = step.site.node
    if step.rule is None or step.inputs[0] is None or step.outputs[0] is None:
        raise _Reason(f"the axes of {label(node)} are not known: {step.reason}")
    if node.op == "DequantizeLinear" and len(node.inputs) > 2:
        zero = node.inputs[2]
        if zero.name and not (isinstance(zero, gs.Constant) and not read(zero).any()):
            raise _Reason(f"its zero point in {label(node)} is not 0")
    wanted = _spelled(step.rule.outputs[0], len(step.outputs[0]))[axis]
    given = _spelled(step.rule.inputs[0], len(step.inputs[0]))
    if given.count(wanted) != 1:
        raise _Reason(f"{label(node)} mixes its dimensions")
    return given.index(wanted)


def _spelled(operand: Operand, rank: int) -> list[str]:
    """Return each dimension as the rule writes it, without marks; those of `...` are counted from the end."""
    out: list[str] = []
    for dim in operand or ():
        if isinstance(dim, Rest):
            count = rank - len(operand or ()) + 1
            out += [f"{dim}{count - at}" for at in range(count)]
        else:
            out.append(str(dim) if isinstance(dim, Factors) else str(dim).rstrip("!~_"))
    return out


def _agree(tensor: gs.Constant, uses: tuple[Use, ...], outside: set[str]) -> None:
    """Raise the reason why the uses of a constant do not go together."""
    names = {tensor.name, *(use.node.inputs[use.slot].name for use in uses)}
    if names & outside:
        raise _Reason("it is read outside the graph's nodes")
    for use in uses[1:]:
        if use.axis != uses[0].axis or use.length != uses[0].length:
            raise _Reason(f"{label(uses[0].node)} and {label(use.node)} sum over different dimensions of it")
