"""The latency gate: how often it fails, passes or stays open, over the true ratio and on a real machine."""

from __future__ import annotations

import json
import math
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import results
from benchmarks.asset_data import folder
from benchmarks.null_test import Slowed, default_model, share
from graphprune.backends import Setup, backend
from graphprune.feeds import Feeds
from graphprune.gate.statistics import Decision, LatencyLimit, decide, latency_ratio, settled
from graphprune.gate.statistics.estimate import BEYOND
from graphprune.gate.statistics.latency import EARLY
from graphprune.model import Model
from graphprune.profiling.cases import Wanted, cases, feeds_for
from graphprune.profiling.conditions import Watch
from graphprune.profiling.paired import Blocks, Rounds, measure
from graphprune.profiling.subjects import subjects

RECORDED = results.RESULTS / "gate_blocks.json"
OFFSETS = tuple(round(-0.03 + 0.0025 * step, 4) for step in range(25))
STRETCH = 32
"""Pairs of a recording that are drawn together: longer than what disturbs a machine mostly lasts."""
_BLOCK = 0.025
Ratios = NDArray[np.float64]


def record(rounds: int = 240, times: int = 3) -> list[dict[str, Any]]:
    """Time models against themselves and each other, and return the ratios of their pairs of blocks."""
    names = ("mobilenet_v2", "cifar10_resnet56", "efficientnet_lite0")
    paths = [path for name in names if (path := folder() / "models" / f"{name}.onnx").exists()]
    paths = paths or [default_model()]
    pairs = [(paths[0], path) for path in paths] + [(path, path) for path in paths[1:]]
    found: list[dict[str, Any]] = []
    for number in range(times):
        for one, other in pairs:
            blocks = _timed(one, other, Rounds(rounds=rounds, duration=0.1, longest=0.1))
            ratios = [round(float(ratio), 5) for ratio in blocks.ratios(1)]
            found.append({"models": [one.stem, other.stem], "ratios": ratios})
            print(f"{number + 1}/{times}: {other.stem} over {one.stem}", file=sys.stderr)
    return found


def _timed(one: Path, other: Path, rounds: Rounds) -> Blocks:
    runtime, setup = backend("ort:cpu"), Setup()
    (first, feeds), (second, further) = _subject(one), _subject(other)
    with runtime.open(first, feeds, setup) as left, runtime.open(second, further, setup) as right:
        return measure([left, right], rounds)


def _subject(path: Path) -> tuple[Model, Feeds]:
    (subject,) = subjects((path,))
    wanted = Wanted(shapes=None)
    (case,) = cases((subject,), wanted)
    return subject.model, feeds_for(case, (subject,), wanted)


def simulate(trials: int, rounds: Rounds) -> dict[str, Any]:
    """Judge measurements whose noise is that of the recordings, over the true ratio minus the limit.

    Each takes stretches of one recording, whose ratios are divided by their median, and turned over by
    chance. It ends as a real one does: when the limit is kept by three standard errors, or time is up.
    """
    recordings: list[dict[str, Any]] = json.loads(RECORDED.read_text("utf-8"))["recordings"]
    noise = [np.array(each["ratios"]) / np.median(each["ratios"]) for each in recordings]
    random = np.random.default_rng(0)
    least = max(rounds.rounds, math.ceil(rounds.duration / _BLOCK))
    most = max(least, math.ceil(rounds.longest / _BLOCK))
    looks = _looks(least, most)
    counts = {offset: Counter[Decision]() for offset in OFFSETS}
    spent: dict[float, list[int]] = {offset: [] for offset in OFFSETS}
    widths: list[list[float]] = [[] for _ in noise]
    by_noise = [Counter[tuple[float, Decision]]() for _ in noise]
    for number in range(trials):
        ratios = _drawn(noise[number % len(noise)], most, random)
        early = [_interval(ratios[:look], EARLY) for look in looks]
        last = _interval(ratios, BEYOND)
        widths[number % len(noise)].append((last[1] - last[0]) / 2)
        for offset in OFFSETS:
            decision, look = _judged(early, last, looks, 1 + offset)
            counts[offset][decision] += 1
            by_noise[number % len(noise)][offset, decision] += 1
            spent[offset].append(look)
    rows = [
        {
            "offset": offset,
            **{status: counts[offset][status] for status in ("pass", "inconclusive", "fail")},
            "pairs": float(np.mean(spent[offset])),
        }
        for offset in OFFSETS
    ]
    within, beyond = counts[-0.01], counts[0.01]
    return {
        "trials": trials,
        "recordings": len(noise),
        "pairs": {"least": least, "most": most},
        "half width": {
            "median": round(float(np.median(np.concatenate(widths))), 4),
            "largest": round(float(np.max(np.concatenate(widths))), 4),
        },
        "false fails 1 point inside": share(within["fail"], trials),
        "passes 1 point inside": share(within["pass"], trials),
        "found 1 point beyond": share(beyond["fail"], trials),
        "false passes 1 point beyond": share(beyond["pass"], trials),
        "fails at the limit": share(counts[0.0]["fail"], trials),
        "by recording": [
            {
                "models": each["models"],
                "half width": round(float(np.median(width)), 4),
                "trials": len(width),
                "false fails 1 point inside": found[-0.01, "fail"],
                "found 1 point beyond": found[0.01, "fail"],
                "false passes 1 point beyond": found[0.01, "pass"],
                "fails at the limit": found[0.0, "fail"],
            }
            for each, width, found in zip(recordings, widths, by_noise, strict=True)
            if width
        ],
        "rows": rows,
    }


def _looks(least: int, most: int) -> list[int]:
    """The pairs after which a measurement looks whether it is settled, and the last."""
    looks: list[int] = []
    last = 0
    for pairs in range(least, most + 1):
        if pairs % 4 == 0 and pairs >= 1.2 * last:
            looks.append(pairs)
            last = pairs
    return looks if looks and looks[-1] == most else [*looks, most]


def _drawn(noise: Ratios, count: int, random: np.random.Generator) -> Ratios:
    starts = random.integers(0, len(noise), math.ceil(count / STRETCH))
    places = (starts[:, None] + np.arange(STRETCH)).ravel()[:count] % len(noise)
    found: Ratios = noise[places]
    return found if random.random() < 0.5 else 1 / found


def _interval(ratios: Ratios, beyond: float) -> tuple[float, float]:
    """Its ends; where the true ratio is another, both are multiplied with it."""
    blocks = Blocks((tuple(np.ones((len(ratios), 1))), tuple(ratios[:, None])))
    found = latency_ratio(blocks, 50, beyond=beyond)
    assert found is not None
    return found.low, found.high


def _judged(
    early: Sequence[tuple[float, float]], last: tuple[float, float], looks: Sequence[int], truth: float
) -> tuple[Decision, int]:
    """What the measurement comes to where the true ratio is `truth` and the limit 1."""
    for (low, high), look in zip(early, looks, strict=True):
        if decide(truth * low, truth * high, 1, upper=True) == "pass":
            return "pass", look
    return decide(truth * last[0], truth * last[1], 1, upper=True), looks[-1]


def machine(trials: int, rounds: Rounds, slowdown: float) -> dict[str, Any]:
    """Judge a model against itself, as it is and slowed down, by limits 1 point beyond and inside."""
    path = default_model()
    model, feeds = _subject(path)
    runtime, setup = backend("ort:cpu"), Setup()
    watch = Watch()
    before = watch.conditions()
    started = time.perf_counter()
    rows: list[dict[str, Any]] = []
    for number in range(trials):
        for slower in (0.0, slowdown):
            for offset in (-0.01, 0.01):  # the true ratio minus the limit
                limit = LatencyLimit(50.0, "max-ratio", 1 + slower - offset)
                with runtime.open(model, feeds, setup) as one, runtime.open(model, feeds, setup) as other:
                    second = Slowed(other, slower) if slower else other
                    blocks = measure([one, second], rounds, settled=settled([limit]))
                found = latency_ratio(blocks, 50)
                assert found is not None
                status = decide(found.low, found.high, limit.limit, upper=True)
                values = {key: round(value, 5) for key, value in asdict(found).items()}
                rows.append({"slowdown": slower, "offset": offset, "status": status, **values})
        print(f"{number + 1}/{trials}: {[row['status'] for row in rows[-4:]]}", file=sys.stderr)
    inside = [row["status"] for row in rows if row["offset"] < 0]
    beyond = [row["status"] for row in rows if row["offset"] > 0]
    return {
        "model": path.name,
        "settings": asdict(rounds),
        "seconds": round(time.perf_counter() - started, 1),
        "false fails 1 point inside": share(inside.count("fail"), len(inside)),
        "passes 1 point inside": share(inside.count("pass"), len(inside)),
        "found 1 point beyond": share(beyond.count("fail"), len(beyond)),
        "false passes 1 point beyond": share(beyond.count("pass"), len(beyond)),
        "conditions": {"before": asdict(before), "after": asdict(watch.conditions())},
        "rows": rows,
    }
