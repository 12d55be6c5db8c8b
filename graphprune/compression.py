"""The models on the way from an original to a refined result, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from graphprune.state import State

if TYPE_CHECKING:
    from graphprune.model import Model


@dataclass(frozen=True)
class Stage:
    """A model on its way, in numbers: what each pass made of it.

    Attributes:
        name: the pass that made it; `original` for the first.
        params: elements of weights, zeros and quantised ones included.
        macs: multiply-accumulates of one sample, counted as if no weight were 0; None where nobody counted.
        bytes: bytes of weights.
    """

    name: str
    params: int
    macs: int | None
    bytes: int


def stages(state: State, before: tuple[int, int, int] | None, cut_macs: int | None) -> tuple[Stage, ...]:
    """Return the models on the way to a result that was refined after the surgery; nothing for others.

    Args:
        state: the state of a pipeline.
        before: parameters, MACs and bytes of the original, where they were counted.
        cut_macs: MACs of the cut model, where they were counted.
    """
    if not state.stages:
        return ()
    params, size = held(state.original)
    first = Stage("original", params, None, size) if before is None else Stage("original", *before)
    found, macs = [first], first.macs
    if state.cut is not None:
        macs = cut_macs
        made = [("cut", state.cut.model)]
        if state.compensated is not None and state.compensated is not state.cut.model:
            made.append(("compensate", state.compensated))
        for name, model in made:
            params, size = held(model)
            found.append(Stage(name, params, macs, size))
    for name, model in state.stages:
        params, size = held(model)
        found.append(Stage(name, params if _is_plain(model) else found[-1].params, macs, size))
    return tuple(found)


def held(model: Model) -> tuple[int, int]:
    """Return the elements of the floating-point constants of a model, and the bytes of all."""
    import numpy as np

    from graphprune.ir import body_constants, constants, shape_of
    from graphprune.weights import stored

    params = size = 0
    found = {id(tensor): tensor for tensor in (*constants(model.graph), *body_constants(model.graph))}
    for tensor in found.values():
        params += prod(shape_of(tensor)) if np.dtype(tensor.dtype).kind in "fV" else 0
        size += int(stored(tensor).nbytes)
    return params, size


def _is_plain(model: Model) -> bool:
    """Whether the weights of a model are floating-point numbers, and not quantised."""
    return not any(node.op == "DequantizeLinear" for node in model.graph.nodes)
