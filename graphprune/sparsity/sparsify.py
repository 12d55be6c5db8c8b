"""A model with sparse weights: everything that may be sparse is, by one of the methods."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
import onnx_graphsurgeon as gs

from graphprune.duplicate import duplicate
from graphprune.errors import GraphpruneError
from graphprune.fitting.calibration import Calibration
from graphprune.fitting.linear import Linear, linears
from graphprune.ir import read
from graphprune.model import Model
from graphprune.progress import Tell
from graphprune.sensitivity import output_error
from graphprune.solution import Solution
from graphprune.sparsity.eligibility import Layer, check_globs, layer
from graphprune.sparsity.patterns import best_of, highest, holds, magnitude, masked
from graphprune.sparsity.places import Place, places
from graphprune.sparsity.sequential import Aim, sparsify_in_order

Scope = Literal["local", "global"]
_JUDGED = 64


@dataclass(frozen=True)
class Made:
    """One weight that was made sparse.

    Attributes:
        weight: its name.
        method: what chose which entries go.
        zeros: the share of its entries that are zero.
        kept: the share of the magnitude that it had before, of the entries that stay.
    """

    weight: str
    method: str
    zeros: float
    kept: float


@dataclass(frozen=True)
class Sparse:
    """What came of it.

    Attributes:
        model: the sparse model.
        layers: every weight that is summed over, with the reason where it stayed dense.
        made: those that were made sparse.
        kept: the share of the magnitude of all of these that stays where it was.
        error: how far the outputs are from those before, on samples that nothing was fitted to: squared
            error over variance; None without data.
    """

    model: Model
    layers: tuple[Layer, ...]
    made: tuple[Made, ...]
    kept: float
    error: float | None

    def facts(self) -> dict[str, object]:
        """Return what is told in the record of a run."""
        made = {each.weight: each for each in self.made}
        table: list[Mapping[str, object]] = []
        for each in self.layers:
            row: dict[str, object] = {**asdict(each), "shape": list(each.shape)}
            if each.weight in made:
                one = made[each.weight]
                row |= {"method": one.method, "zeros": round(one.zeros, 6), "kept": round(one.kept, 6)}
            table.append(row)
        return {
            "eligible": sum(each.eligible for each in self.layers),
            "likely": sum(each.likely for each in self.layers),
            "kept_magnitude": round(self.kept, 6),
            "output_error": None if self.error is None else round(self.error, 6),
            "layers": table,
        }


def sparsify(
    model: Model,
    solution: Solution,
    aim: Aim,
    *,
    samples: Calibration | None = None,
    scope: Scope = "local",
    ignore: Sequence[str] = (),
    dense: Collection[str] = (),
    tell: Tell | None = None,
) -> Sparse:
    """Return `model`, which is not changed, with sparse weights where they may be.

    Args:
        model: the model.
        solution: the axes of its graph.
        aim: the method, and the pattern or the share that goes. A weight whose operator's inputs are not
            looked at, since it gets there through another operator or is shared, is judged by magnitude.
        samples: calibration data; needed by all methods but `magnitude`.
        scope: without a pattern, whether magnitudes are compared within each weight or among all.
        ignore: globs over names of weights and operators that stay dense.
        dense: names of further weights that stay as they are, though they may be sparse.
        tell: is told how many operators are done, of how many.

    Raises:
        Usage: a glob matches nothing.
        Refused: the model cannot be run on the samples; a weight is not a number.
    """
    found = places(solution)
    check_globs(found, ignore)
    table = tuple(layer(place, aim.pattern, ignore) for place in found)
    chosen = [
        place
        for place, row in zip(found, table, strict=True)
        if row.eligible and place.tensor.name not in dense
    ]
    working = replace(model, graph=duplicate(model.graph))
    twins = _twins(model.graph, working.graph)
    # Magnitudes need no data; but with data biases take up the mean of what goes.
    by_data = aim.method != "magnitude" or (samples is not None and aim.bias and scope == "local")
    seen = _looked_at(model, working, chosen) if by_data else {}
    fitted = {id(pair[0].weight) for pair in seen.values()}
    _by_magnitude([place for place in chosen if id(place.tensor) not in fitted], twins, aim, scope)
    if seen:
        assert samples is not None
        sparsify_in_order(model, working, seen, samples.fitted, aim, tell)
    made, kept = _summed(chosen, twins, aim, fitted)
    error = None
    if samples is not None:
        error = output_error(model, list(samples.held_out(_JUDGED)))(working)
    return Sparse(working, table, made, kept, error)


def _twins(graph: gs.Graph, copy: gs.Graph) -> dict[int, gs.Constant]:
    """Return the constants of a copy by the ids of those that they were copied from."""
    pairs = (
        (old, new)
        for before, after in zip(graph.nodes, copy.nodes, strict=True)
        for old, new in zip(before.inputs, after.inputs, strict=True)
    )
    return {id(old): new for old, new in pairs if isinstance(new, gs.Constant)}


def _looked_at(model: Model, working: Model, chosen: Sequence[Place]) -> dict[int, tuple[Linear, Linear]]:
    """Return the operators whose inputs tell what becomes of a weight, by position: here, and in the copy."""
    eligible = {id(place.tensor) for place in chosen}
    copies = dict(linears(working.graph))
    return {number: (it, copies[number]) for number, it in linears(model.graph) if id(it.weight) in eligible}


def _by_magnitude(chosen: Sequence[Place], twins: Mapping[int, gs.Constant], aim: Aim, scope: Scope) -> None:
    if not chosen:
        return
    if aim.pattern is None and scope == "global":
        stay = highest([magnitude(read(place.tensor)) for place in chosen], aim.sparsity)
        for place, mask in zip(chosen, stay, strict=True):
            twins[id(place.tensor)].values = masked(read(place.tensor), mask)
        return
    for place in chosen:
        values = read(place.tensor)
        scores = magnitude(values)
        if aim.pattern is not None:
            mask = best_of(scores, place.axis, aim.pattern)
        else:
            mask = highest([scores], aim.sparsity)[0]
        twins[id(place.tensor)].values = masked(values, mask)


def _summed(
    chosen: Sequence[Place], twins: Mapping[int, gs.Constant], aim: Aim, fitted: set[int]
) -> tuple[tuple[Made, ...], float]:
    """Check that every weight has the pattern, and say what stayed of it."""
    made: list[Made] = []
    before = after = 0.0
    for place in chosen:
        old, new = read(place.tensor), read(twins[id(place.tensor)])
        if aim.pattern is not None and not holds(new, place.axis, aim.pattern):
            raise GraphpruneError(f"'{place.tensor.name}' has not become {aim.pattern}", "report this")
        size = magnitude(old)
        all_of, stays = float(size.sum()), float((size * (new != 0)).sum())
        before, after = before + all_of, after + stays
        name = aim.method if id(place.tensor) in fitted else "magnitude"
        share = 1 - np.count_nonzero(new) / max(1, new.size)
        made.append(Made(place.tensor.name, name, float(share), stays / all_of if all_of else 1.0))
    return tuple(made), after / before if before else 1.0
