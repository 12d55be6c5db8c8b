"""What scores on data say of a limit on an accuracy, a class or a fidelity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphprune.errors import Usage
from graphprune.gate.catalogue import Metric, is_class, score_of
from graphprune.gate.evidence import Evidence, Scored
from graphprune.gate.outcome import Assertion, Bound, ClassChange, Finding
from graphprune.gate.statistics import (
    Estimate,
    WorstClass,
    class_drops,
    decide,
    estimate,
    missing,
    worst_class,
)
from graphprune.metrics.paired import ClassScore, Paired
from graphprune.nearest import did_you_mean


def scored(assertion: Assertion, metric: Metric, evidence: Evidence) -> Finding:
    """Return what came of a limit on what was scored.

    Raises:
        Usage: the metric has no classes, no such class, or no value of the original to compare with.
    """
    found = evidence.scores.get(score_of(metric))
    if found is None:
        why = evidence.missing.get("data", f"{score_of(metric)} was not scored")
        return Finding(assertion, "skipped", reason=why)
    if is_class(metric):
        return _of_class(assertion, metric, found, evidence.class_names)
    return _judged(assertion, metric, found)


def classes(evidence: Evidence) -> tuple[ClassChange, ...]:
    """Return what became of each class, the worst first; empty where no score counts by class."""
    for name in ("top1", "top5", "agreement"):
        found = evidence.scores.get(name)
        if found is not None and found.paired is not None and _by_class(found.paired):
            changes = class_drops(found.paired)
            names = evidence.class_names
            return tuple(replace(each, name=name_of(each.label, names, bare=True)) for each in changes)
    return ()


def name_of(label: int, names: Sequence[str], *, bare: bool = False) -> str:
    """Return how messages call a class; with `bare` its name alone, or nothing.

    >>> name_of(3, ()), name_of(0, ["cat"]), name_of(0, ["cat"], bare=True)
    ('class 3', 'class 0 (cat)', 'cat')
    """
    name = names[label] if label < len(names) else ""
    if bare:
        return name
    return f"class {label} ({name})" if name else f"class {label}"


def _judged(assertion: Assertion, metric: Metric, found: Scored) -> Finding:
    estimated = _estimate(assertion, found)
    status = decide(estimated.low, estimated.high, assertion.limit, assertion.upper)
    more = None
    if status == "inconclusive" and found.paired is not None:
        more = missing(found.paired, assertion.limit, assertion.bound)
    return Finding(
        assertion,
        status,
        estimated.value,
        estimated.low,
        estimated.high,
        found.reference,
        found.value,
        "share" if metric.quantity == "share" else "",
        estimated.count,
        more,
        ""
        if found.paired is not None
        else "the metric does not say what it found of each sample: no interval",
    )


def _estimate(assertion: Assertion, found: Scored) -> Estimate:
    """What a limit is compared with; of a metric that tells no samples apart, the bare figure."""
    made = None
    if found.paired is not None:
        made = estimate(found.paired, assertion.bound)
    else:
        value = _bare(assertion.bound, found)
        made = None if value is None else Estimate(value, value, value, found.count)
    if made is None:
        what = "has no value of the original" if found.reference is None else "cannot be put in proportion"
        raise Usage(
            f"{assertion.where}: {assertion.metric} {what}, so there is no {assertion.bound}",
            "limit it with min or max",
        )
    return made


def _bare(bound: Bound, found: Scored) -> float | None:
    if bound in ("max", "min"):
        return found.value
    if found.reference is None:
        return None
    if bound == "max-drop":
        return found.reference - found.value
    if bound == "max-increase":
        return found.value - found.reference
    return found.value / found.reference if found.reference > 0 else None


def _by_class(paired: Paired) -> bool:
    return any(each.label >= 0 for each in paired.classes)


def _of_class(assertion: Assertion, metric: Metric, found: Scored, names: Sequence[str]) -> Finding:
    paired = found.paired
    if paired is None or not _by_class(paired):
        raise Usage(f"{assertion.where}: {score_of(metric)} does not count by class", "leave it out")
    if metric.key == "min":
        return _worst(assertion, paired, names)
    label = label_of(assertion, metric.key, names)
    one = _single(paired, label)
    if one is None:
        return Finding(assertion, "skipped", reason=f"the data has no sample of {name_of(label, names)}")
    score = one.classes[0]
    found = Scored(score.candidate / score.count, score.reference / score.count, score.count, one)
    made = _judged(assertion, metric, found)
    return replace(made, reason=_told(score, names), label=label)


def label_of(assertion: Assertion, key: str, names: Sequence[str]) -> int:
    """Return the index of a class by its name or number; raises `Usage` where there is none."""
    if key in names:
        return list(names).index(key)
    if key.isascii() and key.isdigit():
        return int(key)
    hint = did_you_mean(key, names) if names else "name classes by number, or give --class-names"
    raise Usage(f"{assertion.where}: there is no class {key!r}", hint)


def _single(paired: Paired, label: int) -> Paired | None:
    """What the metric found of one class; None where it does not occur."""
    for number, score in enumerate(paired.classes):
        if score.label == label and score.count:
            spread = paired.class_spread[number] if paired.class_spread else None
            kept = (spread,) if spread is not None else ()
            return replace(paired, classes=(score,), spread=spread, class_spread=kept)
    return None


def _worst(assertion: Assertion, paired: Paired, names: Sequence[str]) -> Finding:
    worst = worst_class(paired, assertion.limit, "min" if assertion.bound == "min" else "max-drop")
    if worst is None:
        return Finding(assertion, "skipped", reason="the data has no classes")
    score = next(each for each in paired.classes if each.label == worst.label)
    return Finding(
        assertion,
        worst.status,
        worst.estimate.value,
        worst.estimate.low,
        worst.estimate.high,
        score.reference / score.count,
        score.candidate / score.count,
        "share",
        worst.estimate.count,
        worst.missing,
        _told(score, names) + _others(worst),
        label=worst.label,
    )


def _told(score: ClassScore, names: Sequence[str]) -> str:
    right = f"{score.candidate} of {score.count} right, of the original {score.reference}"
    return f"{name_of(score.label, names)}: {right}"


def _others(worst: WorstClass) -> str:
    if worst.status == "pass":
        return f"; all {worst.classes} classes are within the limit"
    return f"; {worst.open} of {worst.classes} classes are not known to be within the limit"
