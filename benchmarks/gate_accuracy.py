"""Whether the gate's intervals of accuracy hold the truth as often as they say, and what they find."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphprune.gate.statistics import candidate, drop, worst_class
from graphprune.gate.statistics.estimate import BEYOND
from graphprune.gate.statistics.quantiles import normal
from graphprune.gate.statistics.shares import difference, quotient, wilson
from graphprune.metrics.paired import ClassScore, Paired, Spread

SIZES = (100, 300, 1000, 3000, 10000)
ACCURACIES = (0.5, 0.7, 0.9, 0.97, 0.99)
DISCORDANCES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
TILTS = (0.5, 0.75, 0.95)
"""Of the samples in which the models differ, the share in which only the original is right."""
FEW = 5
"""With fewer events expected, counts take so few values that an interval holds more than it says."""
LEAST, MOST = 0.93, 0.97
Z = normal(1 - BEYOND)
Row = dict[str, Any]


def coverage(draws: int) -> dict[str, Any]:
    """The share of simulated data sets whose interval holds the truth, by kind of figure."""
    random = np.random.default_rng(0)
    return {
        "difference": _summary(list(_differences(random, draws))),
        "share": _summary(list(_shares(random, draws))),
        "ratio": _summary(list(_ratios(random, draws))),
        "many positions": _summary(list(_clusters(random, max(200, draws // 4)))),
        "mean": _summary(list(_means(random, max(200, draws // 4)))),
        "rank correlation": _summary(list(_ranks(random, max(50, draws // 10)))),
    }


def _summary(rows: list[Row]) -> dict[str, Any]:
    """Over the cells in which enough events are expected, and over the others."""
    many = [row["coverage"] for row in rows if row["events"] >= FEW]
    few = [row["coverage"] for row in rows if row["events"] < FEW]
    within = sum(LEAST <= each <= MOST for each in many)
    found: dict[str, Any] = {"cells": len(many), "within": within, **_extremes(many)}
    if few:
        found["few events"] = {"cells": len(few), **_extremes(few)}
    naive = [row["naive"] for row in rows if "naive" in row]
    if naive:
        found["as if positions were independent"] = _extremes(naive)
    return {**found, "rows": rows}


def _extremes(values: Sequence[float]) -> Row:
    return {
        "least": round(min(values), 4),
        "largest": round(max(values), 4),
        "mean": round(float(np.mean(values)), 4),
    }


def _held(low: NDArray[np.float64], high: NDArray[np.float64], truth: float) -> float:
    return round(float(np.mean((low <= truth) & (truth <= high))), 4)


def _differences(random: np.random.Generator, draws: int) -> Iterator[Row]:
    """The interval needs the discordant samples alone, so that the accuracy plays no part."""
    for count in SIZES:
        for discordance in DISCORDANCES:
            for tilt in TILTS:
                lost, won = discordance * tilt, discordance * (1 - tilt)
                drawn = random.multinomial(count, [lost, won, 1 - discordance], draws)
                low, high = difference(drawn[:, 0], drawn[:, 1], count, Z)
                cell: Row = {"count": count, "discordance": discordance, "tilt": tilt}
                yield {**cell, "events": count * discordance, "coverage": _held(low, high, lost - won)}


def _shares(random: np.random.Generator, draws: int) -> Iterator[Row]:
    for count in SIZES:
        for accuracy in ACCURACIES:
            low, high = wilson(random.binomial(count, accuracy, draws), count, Z)
            events = count * min(accuracy, 1 - accuracy)
            cell: Row = {"count": count, "accuracy": accuracy, "events": round(events, 2)}
            yield {**cell, "coverage": _held(low, high, accuracy)}


def _ratios(random: np.random.Generator, draws: int) -> Iterator[Row]:
    for count in SIZES:
        for accuracy in ACCURACIES:
            for discordance in DISCORDANCES:
                for tilt in TILTS:
                    lost, won = discordance * tilt, discordance * (1 - tilt)
                    if lost > accuracy or won > 1 - accuracy:
                        continue
                    shares = [accuracy - lost, lost, won, 1 - accuracy - won]
                    both, original, other, _ = random.multinomial(count, shares, draws).T
                    low, high = quotient(both, original, other, count, Z)
                    cell: Row = {"count": count, "accuracy": accuracy, "discordance": discordance}
                    truth = (accuracy - lost + won) / accuracy
                    held = _held(low, high, truth)
                    yield {**cell, "tilt": tilt, "events": count * discordance, "coverage": held}


def _clusters(random: np.random.Generator, draws: int) -> Iterator[Row]:
    """Samples of 50 to 150 positions that share a rate of losing, drawn from a beta distribution.

    With an even spread (shape 1) most samples lose some; with an uneven one (shape 0.1), few lose most.
    """
    for shape in (1.0, 0.1):
        for samples in (20, 50, 200):
            for lost in (0.02, 0.1):
                held = [0, 0]
                for _ in range(draws):
                    rates = random.beta(shape, shape * (1 / lost - 1), samples)
                    sizes = random.integers(50, 151, samples)
                    losses = random.binomial(sizes, rates)
                    found = drop(_of_samples(sizes, losses))
                    assert found is not None
                    low, high = difference(losses.sum(), 0, sizes.sum(), Z)
                    held[0] += found.low <= lost <= found.high
                    held[1] += bool(low <= lost <= high)
                # What matters is how many samples differ, and how much
                cell: Row = {"samples": samples, "shape": shape, "lost": lost}
                events = FEW if shape == 1 else 0
                covered = {"coverage": round(held[0] / draws, 4), "naive": round(held[1] / draws, 4)}
                yield {**cell, "events": events, **covered}


def _of_samples(sizes: NDArray[np.int64], losses: NDArray[np.int64]) -> Paired:
    """What a metric keeps of samples of so many positions, of which the candidate loses some."""
    kept = sizes - losses
    m, b = int(sizes.sum()), int(kept.sum())
    products = [int((x * y).sum()) for x, y in ((sizes, sizes), (sizes, kept), (kept, kept))]
    square, mixed, own = products
    spread = Spread(len(sizes), square, square, mixed, square, mixed, own)
    return Paired("top1", True, "share", None, (ClassScore(0, m, m, b, b),), spread, (spread,))


def _means(random: np.random.Generator, draws: int) -> Iterator[Row]:
    kinds: dict[str, tuple[Callable[[int], NDArray[np.float64]], float]] = {
        "normal": (random.standard_normal, 0.0),
        "exponential": (random.standard_exponential, 1.0),
        "log-normal": (lambda count: random.lognormal(0, 1, count), float(np.exp(0.5))),
    }
    for name, (values, truth) in kinds.items():
        for count in (50, 200, 1000):
            held = 0
            for _ in range(draws):
                found = candidate(Paired("mse", False, "mean", candidate=tuple(values(count).tolist())))
                held += found.low <= truth <= found.high
            yield {"of": name, "count": count, "events": count, "coverage": round(held / draws, 4)}


def _ranks(random: np.random.Generator, draws: int) -> Iterator[Row]:
    """Of normal numbers with correlation r, Spearman's rho is 6 asin(r / 2) / pi."""
    for count in (100, 300):
        for r in (0.5, 0.9):
            held = 0
            for _ in range(draws):
                labels, noise = random.standard_normal((2, count))
                said = tuple((r * labels + np.sqrt(1 - r * r) * noise).tolist())
                truth = tuple(labels.tolist())
                found = candidate(
                    Paired("spearman", True, "rank", original=said, candidate=said, labels=truth)
                )
                held += found.low <= 6 * math.asin(r / 2) / math.pi <= found.high
            yield {"count": count, "correlation": r, "events": count, "coverage": round(held / draws, 4)}


def dead_class(draws: int, limit: float = 0.1) -> list[Row]:
    """How often a class that falls from 90 % to 0 % is found, by its samples and the number of classes.

    Of the others, 2 % of the samples change, to either side.
    """
    random = np.random.default_rng(1)
    rows: list[Row] = []
    for classes in (10, 100, 1000):
        for count in (5, 8, 10, 12, 15, 20):
            found = 0
            for _ in range(draws):
                scores = _classes(random, classes, count, 0.01, 0.01)
                right = int(random.binomial(count, 0.9))
                scores[classes // 2] = ClassScore(classes // 2, count, right, 0, 0)
                worst = worst_class(Paired("top1", True, "share", classes=tuple(scores)), limit)
                assert worst is not None
                found += worst.status == "fail" and worst.label == classes // 2
            rows.append({"classes": classes, "count": count, "found": round(found / draws, 4)})
    return rows


def false_alarm(draws: int, limit: float = 0.1) -> list[Row]:
    """How often the gate fails where every class falls by just the limit, which is still allowed."""
    random = np.random.default_rng(2)
    rows: list[Row] = []
    for classes in (10, 100, 1000):
        for count in (5, 20, 100):
            wrong = 0
            for _ in range(draws):
                scores = tuple(_classes(random, classes, count, limit + 0.02, 0.02))
                worst = worst_class(Paired("top1", True, "share", classes=scores), limit)
                wrong += worst is not None and worst.status == "fail"
            rows.append({"classes": classes, "count": count, "failed": round(wrong / draws, 4)})
    return rows


def _classes(
    random: np.random.Generator, classes: int, count: int, lost: float, won: float
) -> list[ClassScore]:
    """Classes of which the original gets 90 % right."""
    drawn = random.multinomial(count, [0.9 - lost, lost, won, 0.1 - won], classes).tolist()
    return [
        ClassScore(label, count, both + original, both + other, both)
        for label, (both, original, other, _) in enumerate(drawn)
    ]
