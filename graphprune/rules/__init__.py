"""The rule table: what every operator does to axes, one row an operator.

An operator without a row pins every axis it touches and says so.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from graphprune.ir import is_default_domain
from graphprune.kernels import name_of, runnable
from graphprune.rules import (
    attention,
    elementwise,
    layout,
    linear,
    microsoft,
    norms,
    recurrent,
    reduce,
    select,
)
from graphprune.rules.bodies import BODIES, Tie, ties
from graphprune.rules.pinned import PINNED
from graphprune.rules.site import Edit, Row, Site, Table, Unruly, Written

MICROSOFT = "com.microsoft"
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
}

__all__ = [
    "BODIES",
    "MICROSOFT",
    "PINNED",
    "TABLE",
    "Edit",
    "Row",
    "Site",
    "Tie",
    "Unruly",
    "Written",
    "domain_of",
    "row",
    "ties",
]


def domain_of(node: gs.Node) -> str:
    """Return the domain of `node`, with the two spellings of ONNX's own made one."""
    return "" if is_default_domain(node) else node.domain or ""


def row(node: gs.Node) -> Row | None:
    """Return the row of the operator of `node`, or None where it has none."""
    return TABLE.get(domain_of(node), {}).get(node.op)


def why_pinned(node: gs.Node, graph: gs.Graph) -> str:
    """Return why an operator without a row, of a node of `graph`, pins everything."""
    known = PINNED.get(node.op) if not domain_of(node) else None
    if known is None and not runnable(node, graph):
        return f"ONNX Runtime has no {name_of(node)}; what it reads and writes keeps its sizes"
    return known or f"there is no rule for {name_of(node)}"
