"""If, Loop and Scan: what goes into their bodies, what comes out, and which of it is one value.

A `Tie` is such a value: the result of both branches and of the If itself; a state before, inside and behind a
loop; what is scanned, or stacked, one step at a time. Its tensors have the same dimensions, but for the one
along which steps lie. What is no part of a tie (conditions, numbers of steps) is only a number to the node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import onnx_graphsurgeon as gs

from graphprune.ir import is_default_domain
from graphprune.rules.site import Unruly


@dataclass(frozen=True)
class Tie:
    """One value on its way through a node with bodies.

    Attributes:
        given: the operand that it is when it goes in, or None.
        inside: the input of the body that it then is, or None.
        made: the outputs of bodies that it becomes: one of each branch, or one.
        result: the output of the node that it is in the end, or None.
        along: the dimension of `given`, or of `result`, along which steps lie, as counted by the node; None
            where there is none.
    """

    given: int | None = None
    inside: gs.Tensor | None = None
    made: tuple[gs.Tensor, ...] = ()
    result: int | None = None
    along: int | None = None


def ties(node: gs.Node, opset: int) -> tuple[Tie, ...]:
    """Return what ties the bodies of `node` to it.

    Args:
        node: an operator with bodies.
        opset: the version of its operator set.

    Raises:
        Unruly: the operator is not known, or its bodies do not fit it.
    """
    tell = _TIES.get(node.op) if is_default_domain(node) else None
    if tell is None:
        raise Unruly("its body reads the values around it")
    return tuple(tell(node, opset))


def _body(node: gs.Node, name: str) -> gs.Graph:
    body = node.attrs.get(name)
    if not isinstance(body, gs.Graph):
        raise Unruly("its body is missing")
    return body


def _if(node: gs.Node, opset: int) -> list[Tie]:
    branches = [_body(node, name).outputs for name in ("then_branch", "else_branch")]
    if any(len(outputs) < len(node.outputs) for outputs in branches):
        raise Unruly("its branches do not fit its outputs")
    return [
        Tie(made=tuple(outputs[slot] for outputs in branches), result=slot)
        for slot in range(len(node.outputs))
    ]


def _loop(node: gs.Node, opset: int) -> list[Tie]:
    body = _body(node, "body")
    states = len(node.inputs) - 2
    if len(body.inputs) != states + 2 or not states + 1 <= len(body.outputs) <= len(node.outputs) + 1:
        raise Unruly("its body does not fit its operands")
    carried = [Tie(n + 2, body.inputs[n + 2], (body.outputs[n + 1],), n) for n in range(states)]
    stacked = [
        Tie(made=(body.outputs[n + 1],), result=n, along=0) for n in range(states, len(body.outputs) - 1)
    ]
    return [*carried, *stacked]


def _scan(node: gs.Node, opset: int) -> list[Tie]:
    if opset < 9:
        raise Unruly("it scans in batches, as before operator set 9")
    body = _body(node, "body")
    count = int(node.attrs.get("num_scan_inputs", 0))
    states = len(node.inputs) - count
    stacks = len(body.outputs) - states
    if states < 0 or len(body.inputs) != len(node.inputs) or not 0 <= stacks <= len(node.outputs) - states:
        raise Unruly("its body does not fit its operands")
    ins, outs = (
        _numbers(node, f"scan_{what}_axes", many) for what, many in (("input", count), ("output", stacks))
    )
    carried = [Tie(n, body.inputs[n], (body.outputs[n],), n) for n in range(states)]
    scanned = [Tie(states + n, body.inputs[states + n], along=ins[n]) for n in range(count)]
    stacked = [Tie(made=(body.outputs[states + n],), result=states + n, along=outs[n]) for n in range(stacks)]
    return [*carried, *scanned, *stacked]


def _numbers(node: gs.Node, name: str, count: int) -> Sequence[int]:
    given: list[int] = list(node.attrs.get(name) or [0] * count)
    if len(given) != count:
        raise Unruly(f"its {name} do not fit its operands")
    return given


_TIES: dict[str, Callable[[gs.Node, int], list[Tie]]] = {"If": _if, "Loop": _loop, "Scan": _scan}
BODIES = frozenset(_TIES)
"""The operators whose bodies are solved with the graph around them."""
