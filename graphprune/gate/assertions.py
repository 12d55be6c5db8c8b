"""Limits as they are written: tables of a config file, and `--assert 'latency.p50.ratio<=0.7'`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast, get_args

from graphprune.errors import Usage
from graphprune.gate.catalogue import CLASS, Metric, find_metric
from graphprune.gate.outcome import Assertion, Bound, Level, Location
from graphprune.gate.quantities import read_quantity
from graphprune.nearest import did_you_mean

BOUNDS: Mapping[str, Bound] = {bound: bound for bound in cast("tuple[Bound, ...]", get_args(Bound))}
LEVELS: Mapping[str, Level] = {level: level for level in cast("tuple[Level, ...]", get_args(Level))}
KEYS = ("metric", *BOUNDS, "level", "device", "batch")
"""The keys of a table `[[gate.assert]]`."""
EXAMPLE = "write METRIC[.ratio|.increase|.drop]<=LIMIT[@DEVICE][@batch=N], as latency.p50.ratio<=0.7"
_WORD = re.compile(r"(?P<metric>[^<>=@]+?)\s*(?P<sign><=|>=|==|=|<|>)\s*(?P<limit>[^<>=@]*)(?P<rest>(@.*)?)")
_ENDINGS: Mapping[str, Mapping[str, Bound]] = {
    "<": {"": "max", "ratio": "max-ratio", "increase": "max-increase", "drop": "max-drop"},
    ">": {"": "min", "ratio": "min-ratio"},
}
"""What the last part of a metric's name and a sign make."""


def refused(where: object, error: Usage) -> Usage:
    """`error` with the place that it is about before it."""
    return Usage(f"{where}: {error.what}", error.hint)


def read_assert(text: str, level: Level = "error", where: Location | None = None) -> Assertion:
    """Return the limit that a text sets: a word of the command line, or one in a config file, at `where`.

    `<` and `>` leave out the limit itself; for what is estimated that makes no difference.

    Raises:
        Usage: it is none; see `read_limit`.

    Example:
        >>> limit = read_assert("latency.p50.ratio<=0.7@*T4*@batch=8")
        >>> limit.metric, limit.bound, limit.limit, limit.device, limit.batch
        ('latency.p50', 'max-ratio', 0.7, '*T4*', 8)
    """
    where = where or Location("", 0, text)
    try:
        found = _WORD.fullmatch(text.strip())
        if found is None:
            raise Usage("it is no assertion", EXAMPLE)
        if found["sign"] in ("=", "=="):
            raise Usage(
                f"{found['sign']} is no bound: what is measured is never exactly the same",
                "write <= or >=",
            )
        metric, bound = _bounded(found["metric"], found["sign"][0])
        device, batch = _selectors(found["rest"])
        made = read_limit(metric, bound, found["limit"], level, where, device, batch)
    except Usage as error:
        raise refused(where, error) from error
    if "=" in found["sign"]:
        return made
    return _strict(made)


def _strict(made: Assertion) -> Assertion:
    return replace(made, limit=math.nextafter(made.limit, -math.inf if made.upper else math.inf))


def _bounded(text: str, sign: str) -> tuple[Metric, Bound]:
    """The metric and the bound that `latency.p50.ratio` and a sign name."""
    name, _, ending = text.strip().rpartition(".")
    if ending in BOUNDS and "-" in ending:  # the key of the config file
        bound = BOUNDS[ending]
        if bound not in _ENDINGS[sign].values():
            raise Usage(f"{bound} goes with the other sign", f"write {text.strip()}{'><'[sign == '>']}=")
        return find_metric(name), bound
    if ending not in _ENDINGS["<"]:
        return find_metric(text), _ENDINGS[sign][""]
    if ending not in _ENDINGS[sign]:
        raise Usage(f"a lower bound of .{ending} is none", f"write {text.strip()}<=")
    return find_metric(name), _ENDINGS[sign][ending]


def _selectors(text: str) -> tuple[str, int | None]:
    """The device and the batch that `@*T4*@batch=8` selects."""
    device, batch = "*", None
    for part in text.split("@")[1:]:
        key, equals, value = part.strip().partition("=")
        if equals and key.strip() == "batch":
            batch = _batch(value.strip())
        elif equals and key.strip() != "device":
            raise Usage(f"there is no selector {key.strip()!r}", did_you_mean(key, ("device", "batch")))
        else:
            device = value.strip() if equals else part.strip()
            if not device:
                raise Usage("the device after @ is empty", EXAMPLE)
    return device, batch


def _batch(value: object) -> int:
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise Usage(f"a batch is {value!r}", "write a whole number from 1 on, as 8")
    return number


def read_limit(
    metric: Metric,
    bound: Bound,
    value: object,
    level: Level,
    where: Location,
    device: str = "*",
    batch: int | None = None,
) -> Assertion:
    """Return one limit.

    Raises:
        Usage: the metric has no such bound, the limit is no number or has a unit that does not fit, or a
            selector is given that has no effect.
    """
    if bound not in metric.bounds:
        has = ", ".join(metric.bounds)
        raise Usage(f"{metric.name} has no {bound}", f"it has {has}: {metric.help}")
    limit, written = read_quantity(value, metric.limit_quantity(bound))
    if metric.source != "timing" and (device != "*" or batch is not None):
        what = "a device" if device != "*" else "a batch"
        raise Usage(f"{metric.name} does not depend on {what}", "leave the selector out")
    return Assertion(metric.name, bound, limit, written, level, where, device, batch)


def read_table(table: object, where: Location, at: Mapping[str, Location]) -> tuple[Assertion, ...]:
    """Return the limits of one table `[[gate.assert]]`, one for each bound in it.

    The metric may be called as `--assert` calls it: `metric = "params.ratio"` with `max = 0.6` is `params`
    with `max-ratio = 0.6`. A text in place of the table is read as `--assert` reads it.

    Args:
        table: its values, or the text.
        where: where it stands.
        at: where each of its keys stands.

    Raises:
        Usage: `file:line: ...`, where a key or a value is not what it should be.
    """
    if isinstance(table, str):
        return (read_assert(table, where=where),)
    if not isinstance(table, Mapping):
        raise Usage(f"{where}: an assertion is no table", 'write [[gate.assert]] and metric = "..." below it')
    given = cast("Mapping[str, Any]", table)
    for key in given:
        if key not in KEYS:
            raise Usage(f"{at.get(key, where)}: an assertion has no key {key!r}", did_you_mean(key, KEYS))
    try:
        metric, given = _metric(given)
    except Usage as error:
        raise refused(at.get("metric", where), error) from error
    level = _level(given.get("level", "error"), at.get("level", where))
    device, batch = _selected(given, where, at)
    bounds: list[Bound] = [bound for bound in BOUNDS.values() if bound in given]
    if not bounds and metric.name == "exact":
        return (Assertion("exact", "max", 1.0, "1", level, where, device, batch),)
    if not bounds:
        raise Usage(f"{where}: {metric.name} has no bound", f"give one of {', '.join(metric.bounds)}")
    made: list[Assertion] = []
    for bound in bounds:
        place = at.get(bound, at.get(bound.partition("-")[0], where))
        try:
            made.append(read_limit(metric, bound, given[bound], level, place, device, batch))
        except Usage as error:
            raise refused(place, error) from error
    return tuple(made)


def _metric(given: Mapping[str, Any]) -> tuple[Metric, Mapping[str, Any]]:
    """The metric, and the table with `max` of `params.ratio` as `max-ratio` of `params`."""
    if "metric" not in given:
        raise Usage("an assertion has no metric", 'write metric = "latency.p50"')
    if not isinstance(given["metric"], str):
        raise Usage(f"metric is {given['metric']!r} and no text", 'write metric = "latency.p50"')
    text = given["metric"].strip()
    ending = text.rpartition(".")[2]
    if ending not in _ENDINGS["<"] or (text.startswith(CLASS) and text.count(".") == CLASS.count(".")):
        return find_metric(text), given  # a class may be called `ratio`
    bounds = {"max": _ENDINGS["<"][ending], "min": _ENDINGS[">"].get(ending)}
    plain: dict[str, Any] = {}
    for key, value in given.items():
        bound = bounds.get(key, key)
        if bound is None:
            raise Usage(f"a lower bound of .{ending} is none", "write max")
        if bound in plain or (key in BOUNDS and key not in bounds):
            raise Usage(f"{text} has {key}", f"write max or min, or {key} of {text.rpartition('.')[0]}")
        plain[bound] = value
    return find_metric(text.rpartition(".")[0]), plain


def _level(value: object, where: Location) -> Level:
    if not isinstance(value, str) or value not in LEVELS:
        hint = did_you_mean(value, LEVELS) if isinstance(value, str) else f"write {', '.join(LEVELS)}"
        raise Usage(f"{where}: there is no level {value!r}", hint)
    return LEVELS[value]


def _selected(
    given: Mapping[str, Any], where: Location, at: Mapping[str, Location]
) -> tuple[str, int | None]:
    device = given.get("device", "*")
    if not isinstance(device, str) or not device:
        raise Usage(
            f"{at.get('device', where)}: device is {device!r}", 'write a pattern of its name, as "*T4*"'
        )
    if "batch" not in given:
        return device, None
    try:
        if isinstance(given["batch"], str):
            raise Usage(f"a batch is {given['batch']!r}", "write a whole number from 1 on, as 8")
        return device, _batch(given["batch"])
    except Usage as error:
        raise refused(at.get("batch", where), error) from error
