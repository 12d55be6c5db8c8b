"""What is counted of a model: bytes, parameters, multiply-accumulates."""

from __future__ import annotations

from dataclasses import replace

from graphprune.gate.evidence import Figures
from graphprune.model import Model


def figures(model: Model, name: str, *, graph: bool) -> Figures:
    """Return the figures of a model; `graph` says whether parameters and MACs are counted, too.

    Raises:
        Refused: its graph cannot be followed.
    """
    from graphprune.model_hash import model_hash
    from graphprune.profiling.subjects import bytes_of

    counted = Figures(name, model_hash(model), bytes_of(model))
    if not graph:
        return counted
    from graphprune.cost import cost
    from graphprune.pipeline import run
    from graphprune.registry import find
    from graphprune.state import State, made

    price = cost(made(run([find("fold")(), find("group")()], State(model)).solution, "solution"))
    return replace(counted, params=price.params, macs=price.macs)
