"""A model cast to 16 bits: where it can be, what stays and why, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import onnx_graphsurgeon as gs
from onnx import TensorProto

from graphprune import elements
from graphprune.duplicate import duplicate
from graphprune.errors import Refused
from graphprune.feeds import Feeds
from graphprune.ir import constants, read
from graphprune.model import Model
from graphprune.precision.block import BLOCK
from graphprune.precision.cast import cast
from graphprune.precision.opset import BFLOAT16, obstacle, raised
from graphprune.precision.places import Places, places
from graphprune.precision.ranges import magnitudes
from graphprune.precision.recast import Loss, converted, limit, loss
from graphprune.rewire import redirect

ELEMENTS: Mapping[str, int] = {"fp16": int(TensorProto.FLOAT16), "bf16": int(TensorProto.BFLOAT16)}


@dataclass(frozen=True)
class Lowered:
    """A model in a lower precision.

    Attributes:
        model: the model.
        places: where it is computed in it, in terms of the model before.
        ranges: the largest magnitude of each tensor, by name, where that overflows.
        losses: what conversion did to constants, by name, where it did anything.
        obstacle: the operator that keeps the model from an operator set with more of the type, if one does.
    """

    model: Model
    places: Places
    ranges: Mapping[str, float]
    losses: Mapping[str, Loss]
    obstacle: str

    def facts(self) -> dict[str, object]:
        """Return what is told in the record of a run."""
        return {
            "low": len(self.places.low),
            "float32": self.places.reasons(),
            "overflows": {name: float(f"{most:.4g}") for name, most in self.ranges.items()},
            "clipped": sum(loss.clipped for loss in self.losses.values()),
            "raised": sum(loss.raised for loss in self.losses.values()),
            "subnormal": sum(loss.subnormal for loss in self.losses.values()),
            "obstacle": self.obstacle,
        }


def lower(
    model: Model, to: str, batches: Sequence[Feeds], *, keep_io: bool = True, block: Sequence[str] = BLOCK
) -> Lowered:
    """Return `model` in 16 bits.

    Operators that read or make a tensor that overflows on `batches`, and those with a weight that the type
    does not hold, stay float32.

    Args:
        model: a model with float32 operators; its constants are initializers (`graphprune.fold`).
        to: `fp16` or `bf16`.
        batches: inputs to look for overflows on; the model must run on them.
        keep_io: leave inputs and outputs of the graph as they are.
        block: operators, and globs over names of nodes and results, that stay float32.

    Raises:
        Refused: nothing in the model can be cast, or an input or output overflows and is to be cast.
        Usage: `block` names something that is not there.
    """
    element = ELEMENTS[to]
    hindrance = ""
    if element == TensorProto.BFLOAT16:
        hindrance = obstacle(model.graph, BFLOAT16) if model.graph.opset < BFLOAT16 else ""
        model = raised(model, BFLOAT16)
    first = places(model.graph, element, block=block)
    losses, beyond = _constants(model.graph, first)
    ranges = _overflows(model, first, losses, batches)
    beyond |= {name: f"a value of {most:.3g}, which {to} does not hold" for name, most in ranges.items()}
    chosen = places(model.graph, element, block=block, beyond=beyond) if beyond else first
    if not chosen.low:
        reasons = "; ".join(f"{reason}: {names[0]}" for reason, names in chosen.reasons().items())
        raise Refused(
            f"no operator can be cast to {to} ({reasons or 'none is float32'})", "is it cast already?"
        )
    if not keep_io:
        for tensor in (*model.graph.inputs, *model.graph.outputs):
            if tensor.name in ranges:
                raise Refused(f"'{tensor.name}' has {beyond[tensor.name]}", "leave keep-io on")
    losses = {name: each for name, each in losses.items() if each.clipped or each.raised or each.subnormal}
    lowered = cast(model, chosen, keep_io=keep_io)
    return Lowered(lowered, chosen, ranges, losses, hindrance)


def _constants(graph: gs.Graph, chosen: Places) -> tuple[dict[str, Loss], dict[str, str]]:
    """Return what conversion does to the constants that are converted, and those that cannot be."""
    losses: dict[str, Loss] = {}
    beyond: dict[str, str] = {}
    kind = elements.NAMES[chosen.element].lower()
    for constant in constants(graph):
        if chosen.types.get(constant.name) != TensorProto.FLOAT or not _converted(constant, chosen):
            continue
        found = losses[constant.name] = loss(constant, chosen.element)
        if found.largest >= limit(chosen.element):
            beyond[constant.name] = f"a constant of {found.largest:.3g}, which {kind} does not hold"
    return losses, beyond


def _converted(tensor: gs.Tensor, chosen: Places) -> bool:
    return any(
        read is tensor and slot in chosen.low[id(node)].inputs
        for node in tensor.outputs
        if id(node) in chosen.low
        for slot, read in enumerate(node.inputs)
    )


def _overflows(
    model: Model, chosen: Places, losses: Mapping[str, Loss], batches: Sequence[Feeds]
) -> dict[str, float]:
    """Return the tensors of operators in low precision whose values round to infinity, and their magnitudes.

    What stands for infinity in the model's constants is first put to the largest number of the type, as it
    will be.
    """
    names = [tensor.name for tensor in model.graph.inputs]
    names += [tensor.name for node in model.graph.nodes for tensor in node.outputs if tensor.name]
    low = [node for node in model.graph.nodes if id(node) in chosen.low]
    touched = {tensor.name for node in low for tensor in (*node.inputs, *node.outputs)}
    wanted = [n for n in dict.fromkeys(names) if n in touched and chosen.types.get(n) == TensorProto.FLOAT]
    endless = {name for name, each in losses.items() if each.clipped and each.largest < limit(chosen.element)}
    trial = _clipped(model, endless, chosen.element) if endless else model
    found = magnitudes(trial, wanted, batches)
    least = limit(chosen.element)
    return {name: most for name, most in found.items() if most >= least}


def _clipped(model: Model, names: set[str], element: int) -> Model:
    graph = duplicate(model.graph)
    for constant in list(constants(graph)):
        if constant.name in names:
            values = read(constant)
            redirect(constant, gs.Constant(constant.name, converted(values, element).astype(values.dtype)))
    return replace(model, graph=graph)
