"""The metrics that a gate knows: what they are, which bounds make sense, what evidence they need."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from graphprune.errors import Usage
from graphprune.gate.outcome import Bound
from graphprune.gate.quantities import Quantity
from graphprune.nearest import did_you_mean
from graphprune.user_code import is_code

Source = Literal["timing", "size", "graph", "labels", "data", "proof"]
"""What a metric is read from: times, the files, the graphs, labelled data, any data, the verification."""


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes:
        name: its name in full; assertions and findings call it so.
        help: what it is, in one line.
        quantity: of its value.
        bounds: those that make sense.
        source: the evidence that it needs.
        estimated: whether it has an interval; else it is counted.
        higher_is_better: None where only the user's code knows.
        key: what the evidence calls it: a percentile, the name of a score, a class; else empty.
    """

    name: str
    help: str
    quantity: Quantity
    bounds: tuple[Bound, ...]
    source: Source
    estimated: bool
    higher_is_better: bool | None
    key: str = ""

    def limit_quantity(self, bound: Bound) -> Quantity:
        """What a limit of this bound is written in."""
        if bound in ("max-ratio", "min-ratio"):
            return "ratio"
        if self.quantity == "share" and bound in ("max-drop", "max-increase"):
            return "fall"
        return self.quantity


_COUNTED: tuple[Bound, ...] = ("max", "min", "max-ratio", "min-ratio", "max-increase")
_TIMED: tuple[Bound, ...] = ("max", "max-ratio", "max-increase")
_RATE: tuple[Bound, ...] = ("min", "min-ratio")
_SHARE: tuple[Bound, ...] = ("min", "min-ratio", "max-drop")
_ALL: tuple[Bound, ...] = ("max", "min", "max-ratio", "min-ratio", "max-increase", "max-drop")
CLASS = "accuracy.class."
_CODE = "accuracy."
_PERCENTILE = re.compile(r"latency\.p([0-9]+(?:\.[0-9]+)?)")


def _latency(name: str, help_: str, key: str) -> Metric:
    return Metric(name, help_, "time", _TIMED, "timing", True, False, key)


def _accuracy(key: str, help_: str) -> Metric:
    return Metric(f"accuracy.{key}", help_, "share", _SHARE, "labels", True, True, key)


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        _latency("latency.p50", "seconds of an inference, the median", "50"),
        _latency("latency.p90", "seconds that 90 % of the inferences stay below", "90"),
        _latency("latency.p99", "seconds that 99 % of the inferences stay below", "99"),
        _latency("latency.mean", "seconds of an inference, the mean", "mean"),
        Metric("throughput", "samples a second, from the median", "rate", _RATE, "timing", True, True, "50"),
        Metric("size", "bytes of the file and its weights", "bytes", _COUNTED, "size", False, False),
        Metric("params", "elements of weights", "count", _COUNTED, "graph", False, False),
        Metric("macs", "multiply-accumulates of one sample", "count", _COUNTED, "graph", False, False),
        _accuracy("top1", "labels with the largest score"),
        _accuracy("top5", "labels among the five largest scores"),
        _accuracy("spearman", "rank correlation with the labels"),
        Metric(
            "accuracy.class.min",
            "labels with the largest score, of the class that is worst off",
            "share",
            ("min", "max-drop"),
            "labels",
            True,
            True,
            "min",
        ),
        Metric(
            "fidelity.agreement",
            "classes that both choose",
            "share",
            ("min",),
            "data",
            True,
            True,
            "agreement",
        ),
        Metric(
            "fidelity.cosine", "cosine between both outputs", "share", ("min",), "data", True, True, "cosine"
        ),
        Metric("fidelity.mse", "mean squared difference", "number", ("max",), "data", True, False, "mse"),
        Metric(
            "fidelity.kl", "KL divergence from the original", "number", ("max",), "data", True, False, "kl"
        ),
        Metric(
            "exact",
            "distance from the masked original, over what rounding explains",
            "number",
            ("max",),
            "proof",
            False,
            False,
        ),
    )
}
"""By name. Beside them there are `latency.pNN`, `accuracy.class.NAME` and `accuracy.metric.py:func`."""


def find_metric(text: str) -> Metric:
    """Return the metric that `text` names: in full, or by a last part that only one has (`top1`, `p50`).

    Raises:
        Usage: there is none.

    Example:
        >>> find_metric("p99.9").name, find_metric("top1").name, find_metric("accuracy.class.cat").key
        ('latency.p99.9', 'accuracy.top1', 'cat')
    """
    name = text.strip().replace('"', "")
    if name in METRICS:
        return METRICS[name]
    if name.startswith(CLASS) and len(name) > len(CLASS):
        return _of_class(name)
    code = name.removeprefix(_CODE)
    if is_code(code):
        return Metric(f"{_CODE}{code}", "a metric of the user's", "number", _ALL, "data", True, None, code)
    short = f"latency.{name}" if re.fullmatch(r"p[0-9.]+", name) else name
    if found := _PERCENTILE.fullmatch(short):
        return _percentile(found[1])
    ending = [metric for metric in METRICS.values() if metric.name.endswith(f".{name}")]
    if len(ending) == 1:
        return ending[0]
    raise Usage(f"there is no metric {text!r}", _hint(name))


def _hint(name: str) -> str:
    lasts = {known.rpartition(".")[2]: known for known in METRICS}
    hint = did_you_mean(name, METRICS)
    last = did_you_mean(name.rpartition(".")[2], lasts)
    if hint.startswith("known are") and last.startswith("did you mean"):
        return did_you_mean(lasts[last.removeprefix("did you mean ").removesuffix("?")], METRICS)
    return hint


def _of_class(name: str) -> Metric:
    worst = METRICS["accuracy.class.min"]
    key = name.removeprefix(CLASS)
    return Metric(
        name,
        f"labels of class {key} with the largest score",
        "share",
        worst.bounds,
        "labels",
        True,
        True,
        key,
    )


def _percentile(text: str) -> Metric:
    number = float(text)
    if not (math.isfinite(number) and 0 < number < 100):
        raise Usage(f"there is no percentile {text}", "write a number between 0 and 100, as latency.p95")
    return _latency(f"latency.p{number:g}", f"seconds that {number:g} % stay below", f"{number:g}")


def score_of(metric: Metric) -> str:
    """Return the name of the score (`graphprune.metrics`) that a metric of data is read from."""
    return "top1" if metric.name.startswith(CLASS) else metric.key


def is_class(metric: Metric) -> bool:
    """Whether the metric is of one class, or of the worst."""
    return metric.name.startswith(CLASS)
