"""What became of each class: an average hides a dead one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphprune.gate.outcome import ClassChange
from graphprune.report import estimates, numbers
from graphprune.report.charts.changes import Change, changes, changes_height
from graphprune.report.facts import Facts
from graphprune.report.numbers import plural
from graphprune.report.parts import Cell, Chart, Section, Table, folded

SHOWN = 30
_MOST = 4
_FEW = 10
"""Samples: of fewer, a class must be lost almost whole before its interval shows it."""


def section(facts: Facts) -> Section | None:
    """A chart of the classes that lost most, and a table of all, for each candidate."""
    found = list(of_candidates(facts))
    if not found:
        return None
    parts = folded(
        [
            (f"The classes of {name}", [_chart(number, name, metric, classes), _table(name, classes)])
            for number, (name, metric, classes) in enumerate(found[:_MOST], 1)
        ]
    )
    name, _, classes = found[0]
    lost = [each for each in classes if each.high < 0]
    lead = f"{plural(len(lost), 'class', 'classes')} of {len(classes)} lost beyond doubt in {name}"
    lead += f"; the worst is {class_name(classes[0])}." if lost else "."
    few = sorted(each.count for each in classes)[len(classes) // 2]
    if few < _FEW:
        lead += f" Half of the classes have {plural(few, 'sample')} or fewer: too few to find a lost one."
    if len(found) > _MOST:
        lead += f" The classes of {len(found) - _MOST} more candidates are left out."
    return Section("classes", "Classes", lead, tuple(parts))


def of_candidates(facts: Facts) -> Iterator[tuple[str, str, Sequence[ClassChange]]]:
    """Candidates, the metric, and what became of each class, the worst first."""
    judged: set[str] = set()
    for source in facts.sources:
        if source.outcome is not None and source.outcome.classes:
            main = facts.main
            name = main.name if main else source.models[1]
            judged.add(name)
            yield name, "top1", _sorted(source.outcome.classes)
    for candidate in facts.candidates:
        metric = estimates.first_metric(candidate.scores)
        if metric and candidate.name not in judged:
            classes = estimates.by_class(candidate.scores[metric])
            if classes:
                yield candidate.name, metric, _sorted(classes)


def _sorted(classes: Sequence[ClassChange]) -> list[ClassChange]:
    """What has lost most for certain first: of a class with one sample little is certain."""
    return sorted(classes, key=lambda each: (each.high, each.candidate - each.original, each.label))


def class_name(each: ClassChange) -> str:
    """A class by its name, or else by its number."""
    return f"{each.name} ({each.label})" if each.name else f"class {each.label}"


def _chart(number: int, name: str, metric: str, classes: Sequence[ClassChange]) -> Chart:
    worst = classes[:SHOWN]
    rows = [
        Change(
            class_name(each),
            100 * each.original,
            100 * each.candidate,
            100 * max(0.0, each.original + each.low),
            100 * min(1.0, each.original + each.high),
            "worse" if each.high < 0 else "better" if each.low > 0 else "",
            f"{class_name(each)}: {numbers.percent(each.original)} to {numbers.percent(each.candidate)}",
        )
        for each in worst
    ]
    first = worst[0]
    which = (
        f"The {len(worst)} that lost most" if len(worst) < len(classes) else "All classes, the worst first"
    )
    return Chart(
        f"classes-{number}",
        f"{metric} of each class in {name}",
        f"{which}. {class_name(first)} went from {numbers.percent(first.original)} to "
        f"{numbers.percent(first.candidate)} of {plural(first.count, 'sample')}.",
        {"": changes(rows, f"{metric} (%)", ("lost", "gained", "no difference found"))},
        height=changes_height(len(rows)),
    )


def _table(name: str, classes: Sequence[ClassChange]) -> Table:
    rows = tuple(
        (
            Cell(class_name(each), each.label),
            Cell(str(each.count), each.count),
            Cell(numbers.percent(each.original), each.original),
            Cell(numbers.percent(each.candidate), each.candidate),
            Cell(
                numbers.points(each.candidate - each.original),
                each.candidate - each.original,
                "bad" if each.high < 0 else "good" if each.low > 0 else "",
            ),
            Cell(
                f"{numbers.points(each.low).removesuffix(' points')} to {numbers.points(each.high)}", each.low
            ),
        )
        for each in classes
    )
    columns = ("class", "samples#", "original#", "candidate#", "change#", "95 % interval#")
    return Table(f"All classes of {name}", columns, rows, search="class")
