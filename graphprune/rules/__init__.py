"""The rule table: what every operator does to axes, one row an operator.

An operator without a row pins every axis it touches and says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import onnx_graphsurgeon as gs

from graphprune.ir import is_default_domain
from graphprune.kernels import name_of, runnable
from graphprune.rules import (
    attention,
    elementwise,
    layout,
    linear,
    microsoft,
    ml,
    norms,
    recurrent,
    reduce,
    select,
)
from graphprune.rules.bodies import BODIES, Tie, ties
from graphprune.rules.offered import row_of
from graphprune.rules.pinned import PINNED
from graphprune.rules.site import Adds, Edit, Row, Site, Table, Unruly, Written

MICROSOFT = "com.microsoft"
ML = "ai.onnx.ml"
TABLE: dict[str, Table] = {
    "": {
        **elementwise.TABLE,
        **linear.TABLE,
        **norms.TABLE,
        **reduce.TABLE,
        **layout.TABLE,
        **select.TABLE,
        **recurrent.TABLE,
        **attention.TABLE,
    },
    MICROSOFT: microsoft.TABLE,
    ML: ml.TABLE,
}

BOUNDS: dict[str, tuple[int, ...]] = {
    "Gather": (1,),
    "GatherElements": (1,),
    "GatherND": (1,),
    "OneHot": (1,),
    "Pad": (1, 3),
    "ScatterElements": (1,),
    "ScatterND": (1,),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "TopK": (1,),
    "Trilu": (1,),
}
"""Operands that say where an axis is cut, or how much of it is taken: they must hold at all sizes."""
MOST_INDICES = 1 << 16
"""How many entries such an operand may have that is a constant."""
BY_ENTRY = frozenset(["Slice", "Pad"])
"""Operators that can tell the entries of such an operand apart."""

__all__ = [
    "BODIES",
    "BOUNDS",
    "BY_ENTRY",
    "MICROSOFT",
    "ML",
    "MOST_INDICES",
    "PINNED",
    "TABLE",
    "Adds",
    "Edit",
    "Row",
    "Site",
    "Tie",
    "Unruly",
    "Written",
    "domain_of",
    "element",
    "row",
    "ties",
]


def domain_of(node: gs.Node) -> str:
    """Return the domain of `node`, with the two spellings of ONNX's own made one."""
    return "" if is_default_domain(node) else node.domain or ""


def row(node: gs.Node) -> Row | None:
    """Return the row of the operator of `node`, or None where it has none.

    Raises:
        Environment: the rules of another package cannot be used.
    """
    domain = domain_of(node)
    own = TABLE.get(domain, {}).get(node.op)
    if own is not None or (not domain and node.op in PINNED):
        return own
    return row_of(domain, node.op, _OWN)


_OWN: Mapping[str, Collection[str]] = {**TABLE, "": {*TABLE[""], *PINNED}}


def element(node: gs.Node, slot: int, types: Mapping[str, int]) -> int | None:
    """Return the onnx element type of output `slot` as the row of the operator of `node` tells it.

    None where there is no row, or the type of the operand that it goes by is not in `types`.
    """
    known = row(node)
    if known is None:
        return None
    operand = known.like.get(slot, 0)
    name = node.inputs[operand].name if operand < len(node.inputs) else ""
    if slot in known.elements and (slot not in known.like or not name):
        return known.elements[slot]
    return types.get(name)


def why_pinned(node: gs.Node, graph: gs.Graph) -> str:
    """Return why an operator without a row, of a node of `graph`, pins everything."""
    known = PINNED.get(node.op) if not domain_of(node) else None
    if known is None and not runnable(node, graph):
        return f"ONNX Runtime has no {name_of(node)}; what it reads and writes keeps its sizes"
    return known or f"there is no rule for {name_of(node)}"
