"""A model against itself, and against itself slowed down: what is called a difference, and what is seen?

    python -m benchmarks.null_test [MODEL] [--trials 100] [--seconds 2] [--slowdown 0.05] [--no-write]

Each trial opens the model twice in ONNX Runtime on one thread and times both as `graphprune profile` does,
for 2 s each in place of its 3 s: once as they are, once with a second one that waits 5 % of each of its
runs. MODEL is a file; by default MobileNetV2 of the assets, or else the small network. Such a trial takes
about 6 s, and up to 4 times that while its verdict is open.

As a cross-check the same is simulated with noise of the trials: rounds are drawn in stretches from what was
recorded (moving blocks, Künsch 1989), the two times of a round are swapped by chance so that no difference is
left, and the verdict is reached by the same rule.

The exit status is 1 where a model is called different from itself in more than 1 % of the trials, or the
slowdown is seen in less than 95 %.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import child, results
from benchmarks.asset_data import folder
from graphprune.backends import LayerTime, Numbers, Running, Setup, backend
from graphprune.feeds import Feeds
from graphprune.model import Model
from graphprune.profiling.cases import Wanted, cases, feeds_for
from graphprune.profiling.conditions import Watch
from graphprune.profiling.paired import Blocks, Interval, Rounds, interval, measure
from graphprune.profiling.subjects import subjects
from models import small

MOST_DIFFERENT, LEAST_FOUND = 0.01, 0.95
STRETCH = 8
"""Rounds that are drawn together: what disturbs a machine lasts for some of them."""
SIMULATED = 1000


class Slowed:
    """A model of which each run waits a share of its own time, busy, before it is over."""

    def __init__(self, running: Running, share: float) -> None:
        self._running, self._share = running, share

    def time(self, runs: int) -> Numbers:
        """The seconds of each run, the wait included."""
        seconds = np.empty(runs)
        for number in range(runs):
            own = float(self._running.time(1)[0])
            started = time.perf_counter()
            while (waited := time.perf_counter() - started) < self._share * own:
                pass
            seconds[number] = own + waited
        return seconds

    def outputs(self) -> dict[str, NDArray[Any]]:
        """Those of the model."""
        return self._running.outputs()

    def layers(self, runs: int) -> tuple[LayerTime, ...]:
        """Those of the model."""
        return self._running.layers(runs)


@dataclass(frozen=True)
class Trial:
    """What one measurement came to."""

    slowdown: float
    interval: Interval
    verdict: str
    blocks: Blocks
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, the times left out."""
        return {
            "slowdown": self.slowdown,
            "verdict": self.verdict,
            **{key: round(value, 5) for key, value in asdict(self.interval).items()},
            "rounds": len(self.blocks.seconds[0]),
            "runs": len(self.blocks.all(0)),
            "seconds": round(self.seconds, 2),
        }


def trial(model: Model, feeds: Feeds, rounds: Rounds, slowdown: float) -> Trial:
    """Time `model` against itself, the second time slowed down."""
    started = time.perf_counter()
    runtime, setup = backend("ort:cpu"), Setup()
    with runtime.open(model, feeds, setup) as one, runtime.open(model, feeds, setup) as other:
        blocks = measure([one, Slowed(other, slowdown) if slowdown else other], rounds)
    found = blocks.interval(1)
    return Trial(slowdown, found, found.verdict(rounds.margin), blocks, time.perf_counter() - started)


def simulate(trials: Sequence[Trial], rounds: Rounds, slowdown: float, count: int) -> Counter[str]:
    """The verdicts of `count` measurements whose noise is that of `trials`, by the rule of `measure`."""
    recorded = [np.stack([each.blocks.medians(0), each.blocks.medians(1)]) for each in trials]
    draw = np.random.default_rng(0)
    verdicts: Counter[str] = Counter()
    for number in range(count):
        pairs = recorded[int(draw.integers(len(recorded)))]
        # What a trial took at least, and at most, in rounds of its own length
        block = float(max(0.025, np.median(pairs)))
        least = max(rounds.rounds, math.ceil(rounds.duration / block))
        most = max(least, math.ceil(rounds.longest / block))
        starts = draw.integers(0, max(1, pairs.shape[1] - STRETCH + 1), math.ceil(most / STRETCH))
        places = (starts[:, None] + np.arange(min(STRETCH, pairs.shape[1]))).ravel()[:most]
        swapped = np.where(draw.random(len(places)) < 0.5, pairs[:, places], pairs[::-1, places])
        ratios = (1 + slowdown) * swapped[1] / swapped[0]
        verdict = "inconclusive"
        for done in range(least + -least % 4, len(ratios) + 1, 4):
            verdict = interval(ratios[:done], number).verdict(rounds.margin)
            if verdict != "inconclusive":
                break
        verdicts[verdict] += 1
    return verdicts


def share(count: int, of: int) -> dict[str, Any]:
    """A share with its 95 % interval (Wilson 1927)."""
    z = 1.959964
    p = count / of
    middle, half = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    low, high = ((middle + sign * half) / (1 + z * z / of) for sign in (-1, 1))
    return {"count": count, "of": of, "share": round(p, 4), "low": round(low, 4), "high": round(high, 4)}


def verdict_counts(trials: Sequence[Trial]) -> Counter[str]:
    """How often each verdict was given."""
    return Counter(each.verdict for each in trials)


def different(verdicts: Counter[str]) -> int:
    """How often a model was called another."""
    return verdicts["faster"] + verdicts["slower"]


def default_model() -> Path:
    """MobileNetV2 of the assets; the small network where there are none."""
    path = folder() / "models" / "mobilenet_v2.onnx"
    if path.exists():
        return path
    made = child.ROOT / "build" / "null_test" / "small.onnx"
    made.parent.mkdir(parents=True, exist_ok=True)
    small.main(str(made))
    return made


def run(options: argparse.Namespace) -> dict[str, Any]:
    """All trials of both kinds in turn, and the simulation."""
    path: Path = options.model or default_model()
    (subject,) = subjects((path,))
    wanted = Wanted(shapes=None)
    (case,) = cases((subject,), wanted)
    feeds = feeds_for(case, (subject,), wanted)
    rounds = Rounds(duration=options.seconds, longest=4 * options.seconds)
    watch = Watch()
    before = watch.conditions()
    found: dict[float, list[Trial]] = {0.0: [], options.slowdown: []}
    for number in range(options.trials):
        for slowdown, trials in found.items():
            trials.append(trial(subject.model, feeds, rounds, slowdown))
        last = [trials[-1].interval.ratio for trials in found.values()]
        print(f"{number + 1}/{options.trials}: {last[0]:.4f} {last[1]:.4f}", file=sys.stderr)
    null, slowed = found[0.0], found[options.slowdown]
    simulated = {
        slowdown: simulate(null, rounds, slowdown, options.simulated) for slowdown in (0.0, options.slowdown)
    }
    errors = [abs(each.interval.ratio - 1) for each in null]
    return {
        "model": path.name,
        "milliseconds": round(1000 * float(np.median(np.concatenate([t.blocks.all(0) for t in null]))), 3),
        "settings": {**asdict(rounds), "threads": 1},
        "slowdown": options.slowdown,
        "different": share(different(verdict_counts(null)), len(null)),
        "found": share(verdict_counts(slowed)["slower"], len(slowed)),
        "verdicts": {"null": verdict_counts(null), "slowed": verdict_counts(slowed)},
        "error": {"median": round(float(np.median(errors)), 5), "largest": round(max(errors), 5)},
        "simulated": {
            "different": share(different(simulated[0.0]), options.simulated),
            "found": share(simulated[options.slowdown]["slower"], options.simulated),
            "verdicts": {"null": simulated[0.0], "slowed": simulated[options.slowdown]},
        },
        "device": asdict(backend("ort:cpu").device(Setup())),
        "conditions": {"before": asdict(before), "after": asdict(watch.conditions())},
        "seconds": round(sum(each.seconds for each in (*null, *slowed)), 1),
        "trials": [each.to_dict() for each in (*null, *slowed)],
    }


def _row(name: str, counted: Counter[str]) -> list[object]:
    return [name, *(counted[verdict] for verdict in ("same", "inconclusive", "faster", "slower"))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print how often each verdict was given, write `results/null_test.json`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", type=Path, help="a model of fixed sizes, but for the batch")
    parser.add_argument("--trials", type=int, default=100, help="of each kind")
    parser.add_argument("--seconds", type=float, default=2.0, help="that each model is timed in a trial")
    parser.add_argument("--slowdown", type=float, default=0.05, help="what the second kind of trial waits")
    parser.add_argument("--simulated", type=int, default=SIMULATED, help="simulated trials of each kind")
    parser.add_argument("--no-write", action="store_true", help="do not write the results")
    options = parser.parse_args(arguments)
    child.keep_to_cores()
    found = run(options)
    rows = [
        _row("itself", found["verdicts"]["null"]),
        _row(f"{options.slowdown:.0%} slower", found["verdicts"]["slowed"]),
        _row("itself, simulated", found["simulated"]["verdicts"]["null"]),
        _row(f"{options.slowdown:.0%} slower, simulated", found["simulated"]["verdicts"]["slowed"]),
    ]
    print(results.table(("second model", "same", "inconclusive", "faster", "slower"), rows))
    print(
        f"\n{found['model']}, {found['milliseconds']} ms: called different from itself in "
        f"{found['different']['share']:.1%} of the trials (target: at most {MOST_DIFFERENT:.0%}), "
        f"{options.slowdown:.0%} slower found in {found['found']['share']:.1%} (target: at least "
        f"{LEAST_FOUND:.0%}); {found['seconds']:.0f} s"
    )
    if not options.no_write:
        results.write("null_test", found)
    good = found["different"]["share"] <= MOST_DIFFERENT and found["found"]["share"] >= LEAST_FOUND
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
