"""Accuracy against what it costs, of all candidates of all files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from graphprune.report import answers, estimates, numbers
from graphprune.report.charts.tradeoff import Point, front, tradeoff
from graphprune.report.facts import Candidate, Facts
from graphprune.report.numbers import plural
from graphprune.report.parts import Cell, Chart, Part, Section, Table, name_cell

_COSTS = ("macs", "params", "bytes")
_WORDS = {"macs": "MACs", "params": "parameters", "bytes": "bytes"}


def section(facts: Facts) -> Section | None:
    """A chart for each cost that is known, and a table of all."""
    if not facts.candidates:
        return None
    metric = _metric(facts.candidates)
    views: dict[str, dict[str, object]] = {}
    best: tuple[Point, ...] = ()
    if metric:
        for word, title, points in _views(facts.candidates, metric):
            better = estimates.higher_is_better(metric)
            share = metric in estimates.SHARES
            figure = tradeoff(
                points,
                title,
                f"{metric} (%)" if share else metric,
                higher_is_better=better,
                scale=100.0 if share else 1.0,
            )
            best = best or front(points, higher_is_better=better)
            views[word] = dict(figure)
    parts: list[Part] = []
    if views:
        names = [point.name for point in best if not point.original]
        summary = _summary(names, len(facts.candidates), next(iter(views)))
        parts.append(Chart("tradeoff", f"{metric} against {next(iter(views))}", summary, views, height=400))
    if facts.main is not None:
        parts.append(candidates_table(facts))
    lead = f"{plural(len(facts.candidates), 'candidate')}"
    lead += f", judged by {metric}." if metric else "; none was judged on data, so that only costs are known."
    return Section("candidates", "Accuracy against cost", lead, tuple(parts))


def best(facts: Facts) -> str:
    """Which candidates nothing beats, in a sentence; empty where none was judged."""
    metric = _metric(facts.candidates)
    views = _views(facts.candidates, metric) if metric else []
    if not views:
        return ""
    word, _, points = views[0]
    names = [
        each.name
        for each in front(points, higher_is_better=estimates.higher_is_better(metric))
        if not each.original
    ]
    return f"{metric} against {word}: {_summary(names, len(facts.candidates), word)}"


def _summary(names: Sequence[str], count: int, cost: str) -> str:
    if count == 1:
        return f"The candidate beside its original; {cost} is a share of the original's."
    if not names:
        return "Every candidate is beaten by the original: it is better and costs no more."
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    is_are = "is" if len(names) == 1 else "are"
    return f"{shown} {is_are} on the Pareto front: nothing here is both better and cheaper."


def _metric(candidates: Sequence[Candidate]) -> str:
    """The metric that most candidates have; of several the one that people look at first."""
    counted = Counter(metric for each in candidates for metric in each.scores)
    if not counted:
        return ""
    most = max(counted.values())
    known = {metric: each.scores[metric] for each in candidates for metric in each.scores}
    return estimates.first_metric({metric: known[metric] for metric in counted if counted[metric] == most})


def _views(candidates: Sequence[Candidate], metric: str) -> list[tuple[str, str, list[Point]]]:
    """For each cost: the word on its button, the title of its axis, and the points."""
    judged = [each for each in candidates if metric in each.scores]
    found: list[tuple[str, str, list[Point]]] = []
    counted = Counter(
        speed.device for each in judged for speed in {s.device: s for s in each.speeds}.values()
    )
    for device, _ in counted.most_common(2):
        points = _original(judged, metric)
        for each in judged:
            speeds = [speed for speed in each.speeds if speed.device == device]
            if speeds:
                ratio = speeds[0].ratio
                points.append(_point(each, metric, (ratio.ratio, ratio.low, ratio.high)))
        word = "latency" if len(counted) == 1 else f"latency on {device}"
        found.append((word, "latency beside the original (×)", points))
    for cost in _COSTS:
        points = _original(judged, metric)
        for each in judged:
            before, after = getattr(each, cost)
            if before and after is not None:
                points.append(_point(each, metric, (after / before,) * 3))
        if len(points) > 1 or (points and not points[0].original):
            found.append((_WORDS[cost], f"{_WORDS[cost]} beside the original (×)", points))
    return found


def _original(candidates: Sequence[Candidate], metric: str) -> list[Point]:
    """The original, where all candidates have the same."""
    names = {each.original for each in candidates}
    for each in candidates:
        reference = each.scores[metric].reference
        if reference is not None and len(names) == 1:
            return [Point(each.original, 1, 1, 1, reference, reference, reference, original=True)]
    return []


def _point(candidate: Candidate, metric: str, cost: tuple[float, float, float]) -> Point:
    scored = candidate.scores[metric]
    value, found = scored.value, estimates.change(scored)
    low = high = value
    if found is not None and scored.reference is not None:
        # the interval of the difference: both were judged on the same samples
        low, high = scored.reference + found.low, scored.reference + found.high
    elif found is None:
        own = estimates.value(scored)
        low, high = own.low, own.high
    return Point(candidate.name, *cost, value, low, high)


def candidates_table(facts: Facts) -> Table:
    """All candidates with the figures that decide."""
    candidates, metric = facts.candidates, _metric(facts.candidates)
    rows: list[tuple[Cell, ...]] = []
    for each in candidates:
        speed = each.speeds[0] if each.speeds else None
        cells = [name_cell(each.name)]
        if metric:
            cells += _scores(each, metric)
        cells.append(
            Cell(answers.interval_words(speed), speed.ratio.ratio, answers.tone_of(speed))
            if speed
            else Cell("")
        )
        for cost in _COSTS:
            before, after = getattr(each, cost)
            share = after / before if before and after is not None else None
            cells.append(Cell("" if share is None else numbers.ratio(share), share))
        if each.exact is None:
            cells.append(Cell(""))
        else:
            cells.append(Cell("exact", tone="good") if each.exact.passed else Cell("not exact", tone="bad"))
        rows.append(tuple(cells))
    heads = (metric + "#", "change#") if metric else ()
    columns = ("model", *heads, "latency#", "MACs#", "parameters#", "bytes#", "surgery")
    return Table("All candidates", columns, tuple(rows))


def _scores(candidate: Candidate, metric: str) -> list[Cell]:
    if metric not in candidate.scores:
        return [Cell(""), Cell("")]
    scored = candidate.scores[metric]
    found = estimates.change(scored)
    value = Cell(estimates.shown(metric, scored.value), scored.value)
    if found is None:
        return [value, Cell("")]
    return [value, Cell(estimates.shown_change(metric, found.value), found.value)]
