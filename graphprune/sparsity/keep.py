"""Sparse weights that are faster stay; the others get their dense values back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import cast

from graphprune.feeds import Feeds
from graphprune.model import Model
from graphprune.profiling.paired import Interval, Rounds
from graphprune.solution import Solution
from graphprune.sparsity.faster import Comparison, compare
from graphprune.sparsity.places import places
from graphprune.sparsity.sparsify import Sparse


@dataclass(frozen=True)
class Kept:
    """What came of it.

    Attributes:
        result: the model whose sparse weights are all faster, and what is known of its weights.
        backend: what was measured with.
        every: how the model with all weights sparse compares with the dense one.
        whole: the time of the result in terms of the dense model's; None where the result is the dense one.
        why: for each weight that fell back, why.
    """

    result: Sparse
    backend: str
    every: Comparison
    whole: Interval | None
    why: Mapping[str, str]

    def facts(self) -> dict[str, object]:
        """Return what is told in the record of a run: the facts of the result, with what was measured."""
        facts = self.result.facts()
        rows: list[dict[str, object]] = []
        for layer, row in zip(self.result.layers, _rows(facts), strict=True):
            timing = self.every.layers.get(layer.weight)
            told: dict[str, object] = {"picked": None, "faster": None, "ratio": None}
            if timing is not None:
                ratio = None if timing.interval is None else asdict(timing.interval)
                told = {"picked": timing.picked, "faster": timing.faster, "ratio": ratio}
            reason = self.why.get(layer.weight, layer.reason)
            rows.append({**row, "reason": reason, **(told if layer.eligible else {})})
        return {
            **facts,
            "layers": rows,
            "faster": {
                "backend": self.backend,
                "every": asdict(self.every.whole),
                "result": None if self.whole is None else asdict(self.whole),
                "kept": len(self.result.made),
                "by_layer": bool(self.every.layers),
            },
        }


def _rows(facts: Mapping[str, object]) -> Sequence[dict[str, object]]:
    return cast("Sequence[dict[str, object]]", facts["layers"])


def made_by(solution: Solution) -> dict[str, tuple[str, ...]]:
    """Return for each weight, by name, the tensors that operators make by multiplying by it."""
    return {
        place.tensor.name: tuple(use.node.outputs[0].name for use in place.uses)
        for place in places(solution)
        if place.uses
    }


def keep_faster(
    name: str,
    dense: Model,
    sparse: Sparse,
    weights: Mapping[str, Sequence[str]],
    again: Callable[[Collection[str]], Sparse],
    feeds: Feeds,
    *,
    rounds: Rounds | None = None,
    gpu: int = 0,
) -> Kept:
    """Return the model in which those weights are sparse that are faster for it.

    Each weight is judged by the steps of its operators; where the runtime does not tell of steps, all are
    judged by the whole model. The model with the weights that are left is fitted anew, and timed: where it is
    not faster than the dense model, all fall back.

    Args:
        name: the backend.
        dense: the model before.
        sparse: the model with all weights sparse that may be.
        weights: as `made_by` has them.
        again: makes the sparse model with the weights of these names dense.
        feeds: the inputs of one inference.
        rounds: how long is measured.
        gpu: the number of the GPU.

    Raises:
        Usage: there is no such backend.
        Environment: it does not run here.
        Refused: it does not accept the model.
    """
    every = [made.weight for made in sparse.made]
    asked = {weight: weights[weight] for weight in every}
    first = compare(name, dense, sparse.model, asked, feeds, rounds=rounds, gpu=gpu)
    faster = first.whole.verdict() == "faster"
    why: dict[str, str] = {}
    if first.layers:
        why = {weight: _slow(name, first, weight) for weight in every if not first.layers[weight].faster}
    elif not faster:
        why = dict.fromkeys(every, f"with {name} the model is no faster {_shown(first.whole)}")
    if len(why) == len(every):
        return Kept(_as_it_was(sparse, dense), name, first, None, why)
    whole, result = first.whole, sparse
    if why:
        result = again(tuple(why))
        whole = compare(name, dense, result.model, {}, feeds, rounds=rounds, gpu=gpu).whole
    if whole.verdict() != "faster":
        rest = dict.fromkeys(every, f"with {name} the model is no faster {_shown(whole)}")
        return Kept(_as_it_was(sparse, dense), name, first, None, {**rest, **why})
    return Kept(result, name, first, whole, why)


def _slow(name: str, found: Comparison, weight: str) -> str:
    ratio = found.layers[weight].interval
    if ratio is None:
        return f"{name} does not tell its time"
    return f"with {name} it is no faster {_shown(ratio)}"


def _shown(ratio: Interval) -> str:
    return f"({ratio.ratio:.2f} of the time, {ratio.low:.2f} to {ratio.high:.2f})"


def _as_it_was(sparse: Sparse, dense: Model) -> Sparse:
    """The facts of the dense model."""
    return replace(sparse, model=dense, made=(), kept=1.0, error=None if sparse.error is None else 0.0)
