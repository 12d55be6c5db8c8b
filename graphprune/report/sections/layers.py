"""What each step of the runtime takes, before and after: what got slower comes first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from graphprune.profiling.layers import align
from graphprune.report import numbers
from graphprune.report.charts.changes import Change, changes, changes_height
from graphprune.report.facts import Facts, base_name
from graphprune.report.load import Source
from graphprune.report.numbers import plural
from graphprune.report.parts import Cell, Chart, Section, Table, folded

_SHOWN = 24
_MOST = 4


@dataclass(frozen=True)
class Step:
    """A step: the tensors that it makes, its kinds, seconds before and after; None where it is not there."""

    name: str
    ops: str
    before: float | None
    after: float | None
    slower: bool
    note: str

    @property
    def lost(self) -> float:
        """Seconds that it takes more."""
        return (self.after or 0.0) - (self.before or 0.0)


def section(facts: Facts) -> Section | None:
    """A chart of the largest changes, and a table of all, for each candidate."""
    found = list(of_candidates(facts))
    if not found:
        return None
    parts = folded(
        [
            (f"The steps of {name}", [_chart(number, name, steps), _table(name, steps)])
            for number, (name, steps) in enumerate(found[:_MOST], 1)
        ]
    )
    slow = [(name, sum(step.slower for step in steps)) for name, steps in found]
    lead = "; ".join(f"{plural(count, 'step')} of {name} got slower" for name, count in slow[:_MOST]) + "."
    return Section("layers", "Layers", lead, tuple(parts))


def of_candidates(facts: Facts) -> Iterator[tuple[str, Sequence[Step]]]:
    """Candidates and their steps: slower ones first, the worst of them on top; then what saved most."""
    for source in facts.sources:
        rows = dict(_printed(source))
        if not rows:
            rows = dict(_aligned(source))
        for name, steps in rows.items():
            yield (
                name,
                sorted(steps, key=lambda step: (not step.slower, -step.lost if step.slower else step.lost)),
            )


def _printed(source: Source) -> Iterator[tuple[str, list[Step]]]:
    """What `profile` itself has put side by side: it knows the graphs."""
    if source.verb != "profile":
        return
    for model in source.result.get("models", ()):
        layers: Sequence[Mapping[str, object]] = model.get("layers") or ()
        if model.get("ratio") is None or not layers:
            continue
        at = "" if model.get("batch") in (None, 1) else f", batch {model['batch']}"
        yield (
            f"{base_name(model['name'])}{at}",
            [
                Step(
                    _name(each["outputs"]),  # type: ignore[arg-type]
                    _ops(each["ops"]),  # type: ignore[arg-type]
                    each["before"],  # type: ignore[arg-type]
                    each["after"],  # type: ignore[arg-type]
                    bool(each["slower"]),
                    str(each["note"]),
                )
                for each in layers
            ],
        )


def _aligned(source: Source) -> Iterator[tuple[str, list[Step]]]:
    for profile in source.profiles:
        for batch in profile.batches:
            base = batch.models[profile.reference]
            for number, timed in enumerate(batch.models):
                if number == profile.reference or not timed.layers or not base.layers:
                    continue
                rows = align(base, timed, margin=profile.margin)
                at = "" if batch.batch in (None, 1) else f", batch {batch.batch}"
                yield (
                    f"{base_name(timed.name)}{at}",
                    [
                        Step(_name(row.outputs), _ops(row.ops), row.before, row.after, row.slower, row.note)
                        for row in rows
                    ],
                )


def _name(outputs: Sequence[str]) -> str:
    return ", ".join(outputs) if outputs else "changes of layout and the like"


def _ops(ops: Sequence[str]) -> str:
    first, second = ops
    return first if first == second else f"{first or 'none'} → {second or 'none'}"


def _chart(number: int, name: str, steps: Sequence[Step]) -> Chart:
    slower = [step for step in steps if step.slower][: _SHOWN // 2]
    rest = sorted((step for step in steps if not step.slower), key=lambda step: -abs(step.lost))
    shown = [*slower, *rest[: _SHOWN - len(slower)]]
    largest = max((max(step.before or 0, step.after or 0) for step in shown), default=0.0)
    factor, unit = (1e3, "ms") if largest >= 1e-3 else (1e6, "µs")
    rows = [
        Change(
            step.name,
            None if step.before is None else factor * step.before,
            None if step.after is None else factor * step.after,
            factor * (step.after or 0.0),
            factor * (step.after or 0.0),
            _verdict(step),
            f"{step.name} ({step.ops}): {_time(step.before)} to {_time(step.after)}",
        )
        for step in shown
    ]
    saved = -sum(step.lost for step in steps)
    lost = sum(step.lost for step in steps if step.slower)
    words = (
        f"All steps together save {numbers.duration(saved)}."
        if saved > 0
        else (f"All steps together take {numbers.duration(-saved)} more.")
    )
    if slower:
        words += f" {slower[0].name} lost most; what got slower costs {numbers.duration(lost)}."
    return Chart(
        f"layers-{number}",
        f"Steps of {name} beside the original's",
        words,
        {
            "": changes(
                rows, f"time of the step ({unit})", ("slower", "faster", "the same, or in one model only")
            )
        },
        height=changes_height(len(rows)),
    )


def _verdict(step: Step) -> str:
    if step.before is None or step.after is None:
        return ""
    return "worse" if step.slower else "better" if step.lost < 0 else ""


def _words(step: Step) -> str:
    if step.before is None or step.after is None:
        return "only before" if step.after is None else "only after"
    return "slower" if step.slower else ""


def _time(seconds: float | None) -> str:
    return "none" if seconds is None else numbers.duration(seconds)


def _table(name: str, steps: Sequence[Step]) -> Table:
    rows = tuple(
        (
            Cell(numbers.shortened(step.name, 60), code=True),
            Cell(step.ops),
            Cell(_time(step.before), step.before),
            Cell(_time(step.after), step.after),
            Cell(
                numbers.signed(numbers.duration(step.lost), step.lost),
                step.lost,
                "bad" if step.slower else "",
            ),
            Cell(_words(step)),
            Cell(step.note),
        )
        for step in steps
    )
    columns = ("makes", "runtime's operator", "before#", "after#", "change#", "verdict", "note")
    return Table(f"All steps of {name}", columns, rows, search="tensor, operator or note")
