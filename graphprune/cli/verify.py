"""`graphprune verify`: compare two models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphprune.cli.common import Verb, check_used, emit, running_models, shared

if TYPE_CHECKING:
    from graphprune.checks import Verification
    from graphprune.metrics import Score
    from graphprune.shape_text import Shapes


PLANLESS = "B is smaller: if it was pruned, say how with --plan PLAN (`prune --save-plan PLAN` writes it)"


@click.command(cls=Verb)
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option(
    "--plan", type=click.Path(path_type=Path), help="What was cut out of A: B must equal A with that masked."
)
@click.option("--data", metavar="DATA", help="Judge B beside A on it: a .npz, a folder, data.py, random.")
@click.option("--label-key", default="labels", help="The key of the labels in the data.")
@click.option(
    "--metric",
    multiple=True,
    metavar="NAME,...",
    help="What to judge by: top1 top5 agreement cosine mse kl spearman, metric.py:func (default: cosine).",
)
@click.option("--samples", type=click.IntRange(min=1), help="At most so many samples of the data.")
@click.option(
    "--output", type=click.IntRange(min=0), default=0, help="The output that is judged, counted from 0."
)
@click.option("--shape", multiple=True, metavar="TEXT,...", help="Shapes of inputs, as x:1x3x224x224.")
@click.option("--rtol", type=float, help="Largest relative L2 difference (default: by element type).")
@click.option("--atol", type=float, default=0.0, help="An output that differs by no more than this passes.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="The seed of the random inputs.")
@shared
@running_models
def command(
    a: Path,
    b: Path,
    plan: Path | None,
    data: str | None,
    label_key: str,
    metric: tuple[str, ...],
    samples: int | None,
    output: int,
    shape: tuple[str, ...],
    rtol: float | None,
    atol: float,
    seed: int,
    output_format: str,
    quiet: bool,
    verbose: bool,
    debug: bool,
) -> None:
    """Compare B with A: the interface, and the outputs on random inputs in unoptimised ONNX Runtime.

    With --plan, B is compared with A in which the removed units are masked, which a pruned model must equal,
    in stages: outputs, and tensors inside; and by place every weight, attribute and wire of B with what the
    plan takes from A. What no input was seen to exercise is named.
    With --data, B is judged by --metric beside A on real inputs, and need not equal it (with --plan, what is
    masked of it still). Exits with 1 where an output differs by more than the tolerance, or a weight at all.
    """
    from graphprune.checks import check_tolerances
    from graphprune.cli.before_after import unexercised
    from graphprune.cli.score_tables import score_tables
    from graphprune.cli.tables import text
    from graphprune.record import prove
    from graphprune.shape_text import parse_shapes
    from graphprune.verdict import demand_equal

    if data is None:
        check_used(("metric", "label_key", "samples", "output"), "it judges on data: give --data")
    elif plan is None:
        check_used(("rtol", "atol"), "with --data outputs need not be equal: leave it out, or give --plan")
    check_tolerances(rtol, atol)
    shapes = parse_shapes(shape)
    reference = f"{a} with the removed units masked" if plan else str(a)
    scores: dict[str, Score] = {}
    if data is not None:
        scores = _judge(a, b, data, label_key, metric, samples, output, shapes, seed)
    verification, left_out = None, ""
    if data is None or plan is not None:
        verification, left_out = _compare(a, b, plan, shapes, rtol, atol, seed)
    result: dict[str, object] = {"version": 1, "a": str(a), "b": str(b)}
    if data is not None:
        result |= {"data": data, "scores": {name: score.to_dict() for name, score in scores.items()}}
    if verification is not None:
        result |= _compared(verification, plan, left_out)

    def tables() -> Iterator[object]:
        if scores:
            yield from score_tables(scores, f"{b} beside {a} on {data}", ("A", "B"))
        if verification is not None:
            yield from _tables(verification, f"{b} beside {reference}")
            yield text(unexercised(prove(verification)))
        if left_out:
            yield text(left_out)

    emit(result, output_format, tables)
    if verification is not None:
        planless = plan is None and not verification.passed and _smaller(a, b)
        demand_equal(verification, reference, PLANLESS if planless else "")


def _compared(verification: Verification, plan: Path | None, left_out: str) -> dict[str, object]:
    """What was compared, as JSON values."""
    from graphprune.record import prove

    checks = [{**asdict(check), "passed": check.passed} for check in verification.checks]
    found = {"plan": str(plan) if plan else None, "verification": asdict(prove(verification))}
    more = {} if plan is None else {"left_out": left_out or None}
    return {**found, "checks": checks, **more}


def _judge(
    a: Path,
    b: Path,
    data: str,
    label_key: str,
    metric: tuple[str, ...],
    samples: int | None,
    output: int,
    shapes: Shapes,
    seed: int,
) -> dict[str, Score]:
    from graphprune.cli.score_tables import names
    from graphprune.fidelity import fidelity
    from graphprune.judging import open_for
    from graphprune.model import load
    from graphprune.verify import check_interface

    one, other = load(a), load(b)
    check_interface(one, other)
    opened = open_for(one, data, label_key, shapes, samples, seed)
    return fidelity(one, other, opened, names(metric) or ("cosine",), output=output)


def _compare(
    a: Path, b: Path, plan: Path | None, shapes: Shapes, rtol: float | None, atol: float, seed: int
) -> tuple[Verification, str]:
    """Return what was compared by numbers, and in words what could not be compared as weights."""
    from graphprune.errors import Negative
    from graphprune.feeds import fitted_sizes
    from graphprune.model import load
    from graphprune.options import Item
    from graphprune.pipeline import run
    from graphprune.proof.structure import left_out, wrong
    from graphprune.proof.weights import differences
    from graphprune.pruning import passes
    from graphprune.state import State, made
    from graphprune.verify import compare, verify

    one, other = load(a), load(b)
    sizes = fitted_sizes(one.graph, shapes)
    if plan is None:
        return compare(one, other, sizes=sizes, rtol=rtol, atol=atol, seed=seed), ""
    chain = passes({"plan": (Item(str(plan)),), "allow-noop": ()}, "cut")
    state = run(chain, State(one))
    expected = replace(made(state.cut, "cut"), model=other)
    model, solution = made(state.model, "model"), made(state.solution, "solution")
    differ = differences(model, made(state.cut, "cut"), other, solution.shapes)
    if said := wrong(differ):
        raise Negative(
            f"'{b}' is not what the plan makes of '{a}': {said}",
            "weights that were changed after the cut are known to the record of the run alone: gate --run",
        )
    found = verify(model, expected, solution.shapes, sizes=sizes, rtol=rtol, atol=atol, seed=seed)
    return found, left_out(differ)


def _smaller(a: Path, b: Path) -> bool:
    """Whether B has fewer bytes than A, as a pruned model has."""
    from graphprune.model import read
    from graphprune.profiling.subjects import bytes_of

    return bytes_of(read(b)) < bytes_of(read(a))


def _tables(verification: Verification, title: str) -> Iterator[object]:
    from graphprune.cli.before_after import not_run
    from graphprune.cli.tables import table, text

    yield text(title)
    rows = [
        (
            f"{check.output} (inside)" if check.inside else check.output,
            check.shape,
            f"{check.error:.1e}",
            f"{check.limit:.0e}",
            f"{check.largest:.1e}",
            "equal" if check.passed else "differs",
        )
        for check in verification.checks
    ]
    yield table(("tensor", "inputs", "error#", "limit#", "largest#", ""), rows)
    if verification.not_run:
        yield text(not_run(verification.not_run).strip())
