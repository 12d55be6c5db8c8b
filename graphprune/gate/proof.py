"""Whether a candidate is what its plan, or the run that made it, says: a corrupted one never passes.

A plan says what was cut out, so that the candidate must equal the original with that masked, and must hold
the very weights that stay. Where weights were changed after the cut (made up for what went, set to zero,
cast) only the record of the run knows them: by the hash of the model that it wrote.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from graphprune.errors import GraphpruneError, Negative, Refused, Usage
from graphprune.gate.evidence import Proof
from graphprune.model import Model
from graphprune.model_hash import model_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from graphprune.checks import Verification
    from graphprune.feeds import Feeds, Sizes
    from graphprune.proof.structure import Difference
    from graphprune.runs.run import Run

_OUTPUT, _MODEL = ("--output", "output", "-o"), ("model", "MODEL")
"""How the record of a run names the model that it wrote, and the one that it read."""
_CHANGED = "where weights were changed after the cut (prune --data), give --run, the record of the run"


def interface(original: Model, candidate: Model, sizes: Mapping[str, Sizes], seed: int) -> Proof | None:
    """Return what is wrong with the candidate by itself; None where nothing is.

    Its inputs and outputs must be the original's, and what it answers to random inputs must be finite where
    the original's answer is.
    """
    from graphprune.verify import check_interface

    try:
        check_interface(original, candidate)
        wrong = _not_finite(original, candidate, sizes, seed)
    except Negative as error:
        return Proof("interface", "", passed=False, reason=error.what)
    return Proof("interface", "", passed=False, reason=wrong) if wrong else None


def _not_finite(original: Model, candidate: Model, sizes: Mapping[str, Sizes], seed: int) -> str:
    from graphprune.around import Drawn, pair
    from graphprune.feeds import random_feeds, shapes_to_try
    from graphprune.runtime import run, session
    from graphprune.shapes import infer

    inputs: Iterable[Feeds] = (
        random_feeds(original.graph, shapes, seed + number)
        for number, shapes in enumerate(shapes_to_try(original.graph, sizes))
    )
    holes = pair(original, original, candidate, infer(original.graph).types)
    if holes is not None:
        inputs = Drawn(original.graph, holes, None, sizes, seed)
        original, candidate = holes.left, holes.right
    for feeds in inputs:
        with session(original) as opened:
            names = [output.name for output in opened.get_outputs()]
            try:
                expected = run(opened, feeds)
            except Refused:
                continue  # another shape may suit the original better
        try:
            with session(candidate) as opened:
                found = run(opened, feeds)
        except Refused as error:
            return f"the original runs and the candidate does not: {error.what}"
        for name, a, b in zip(names, expected, found, strict=False):
            if b.dtype.kind in "fc" and np.isfinite(a).all() and not np.isfinite(b).all():
                return f"output {name} of the candidate is not finite, the original's is"
        return ""
    return ""


def by_plan(original: Model, candidate: Model, plan: Path, sizes: Mapping[str, Sizes], seed: int) -> Proof:
    """Compare the candidate with the masked original, and by place its nodes and weights with the original's.

    Where it computes some of that by other operators, the numbers alone decide, and the reason says so.

    Raises:
        Usage: the plan cannot be read, or does not fit the original.
    """
    from graphprune.options import Item
    from graphprune.pipeline import run
    from graphprune.proof.structure import left_out
    from graphprune.proof.weights import differences
    from graphprune.pruning import passes
    from graphprune.state import State, made
    from graphprune.verify import verify

    chain = passes({"plan": (Item(str(plan)),), "allow-noop": ()}, "cut")
    state = run(chain, State(original))
    cut, model, solution = (
        made(state.cut, "cut"),
        made(state.model, "model"),
        made(state.solution, "solution"),
    )
    differ = differences(model, cut, candidate, solution.shapes)
    wrong = _explained(differ)
    try:
        found = verify(model, replace(cut, model=candidate), solution.shapes, sizes=sizes, seed=seed)
    except Negative as error:
        return Proof("plan", str(plan), passed=False, reason=_joined(wrong, error.what))
    distance = found.worst.error / found.worst.limit
    reason = _joined(wrong, _reason(found), left_out(differ))
    return Proof("plan", str(plan), not wrong and not found.vacuous, distance, reason)


def _explained(differ: Sequence[Difference]) -> str:
    """Return what is wrong with a candidate, with a hint where many weights are."""
    from graphprune.proof.structure import wrong

    many = sum(each.certain and bool(each.weight) for each in differ) > 1
    return "; ".join([wrong(differ), *([_CHANGED] if many else [])])


def _reason(found: Verification) -> str:
    worst = found.worst
    if found.vacuous:
        return "nothing is proved: all that was compared is constant"
    if found.passed:
        return f"its outputs equal those of the masked original, in {len(found.checks)} comparisons"
    return (
        f"output {worst.output} differs from the masked original by {worst.error:.2g}, "
        f"the limit is {worst.limit:.2g}"
    )


def _joined(*reasons: str) -> str:
    return "; ".join(reason for reason in reasons if reason)


def by_run(original: Model | None, candidate: Model, path: Path) -> tuple[Proof, Run]:
    """Compare the candidate with the model that a run has written, by the hash that its record keeps.

    Raises:
        Usage: there is no such record, or the run has written no model.
    """
    from graphprune.runs.files import read_run

    run = read_run(path)
    written = [file for file in run.files if file.written and file.option in _OUTPUT]
    if not written:
        raise Usage(f"the run in {path} has written no model", "give the record of the run that made it")
    reason = _mismatch(run, original, candidate, written[-1].hash)
    passed = not reason
    return Proof("run", str(path), passed, reason=reason or f"the model that {run.verb} has written"), run


def _mismatch(run: Run, original: Model | None, candidate: Model, expected: str) -> str:
    if run.exit_code:
        return f"the run ended with exit code {run.exit_code}"
    read_from = [file.hash for file in run.files if not file.written and file.option in _MODEL]
    if original is not None and read_from and model_hash(original) != read_from[0]:
        return "the run has pruned another model than the original"
    found = model_hash(candidate)
    if found != expected:
        return (
            f"the candidate is not the model that the run has written: its hash is {found[:12]}, "
            f"the record says {expected[:12]}"
        )
    return ""


def keeps_weights(run: Run) -> bool:
    """Whether the run left the weights that stay as they were, so that a plan says all of the candidate."""
    result = cast("dict[str, Any]", run.result or {})
    facts = cast("dict[str, Any]", result.get("facts") or {})
    compensated = cast("dict[str, Any]", facts.get("compensate") or {})
    return not result.get("stages") and not compensated.get("kept", False)


def prove(
    original: Model,
    candidate: Model,
    plan: Path | None,
    run: Path | None,
    sizes: Mapping[str, Sizes],
    seed: int,
) -> Proof | None:
    """Return what is known of the candidate; None where neither a plan nor a record was given.

    Raises:
        Usage: the plan or the record cannot be read, or does not fit.
    """
    found: Proof | None = None
    if run is not None:
        found, record = by_run(original, candidate, run)
        if not keeps_weights(record):
            return found
    if plan is None:
        return found
    try:
        planned = by_plan(original, candidate, plan, sizes, seed)
    except Usage:
        raise
    except GraphpruneError as error:
        planned = Proof("plan", str(plan), passed=False, reason=error.what)
    if found is not None and not found.passed:
        return replace(planned, passed=False, reason=_joined(found.reason, planned.reason))
    return planned
