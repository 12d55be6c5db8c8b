"""The part of a config file that is the gate's: `[gate]` and `[[gate.assert]]`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast

from graphprune.config.document import Document
from graphprune.errors import Usage
from graphprune.gate.assertions import read_table
from graphprune.gate.outcome import Assertion, Bound, Location
from graphprune.gate.settings import Settings, read_settings
from graphprune.nearest import did_you_mean

PRESENTATION = (
    *("output-format", "output-file", "export", "save-evidence", "save-run"),
    *("force", "quiet", "verbose", "debug", "dry-run"),
)
"""Keys of `[gate]` that are about what is shown and written: options of the command line alone."""
_PAIRS: tuple[tuple[Bound, Bound], ...] = (("min", "max"), ("min-ratio", "max-ratio"))
_NO_ASSERTIONS = "write [[gate.assert]] in the config file, or give --assert 'size.ratio<=0.5'"


@dataclass(frozen=True)
class GateConfig:
    """What a config file says of the gate.

    Attributes:
        settings: what is measured, and how; paths are relative to the folder of the file.
        assertions: the limits, in the order of the file.
        at: where each key of `[gate]` stands.
        folder: what paths in the file are relative to.
    """

    settings: Settings
    assertions: tuple[Assertion, ...]
    at: Mapping[str, Location] = field(default_factory=dict[str, Location])
    folder: Path | None = None


def gate_config(document: Document) -> GateConfig:
    """Return what a config file says of the gate; a file without `[gate]` says nothing.

    Raises:
        Usage: `file:line: ...`, for an unknown key, a wrong type, unit or bound, budgets that contradict
            each other.
    """
    found = limits(document)
    table = _table(document)
    kept = {key: value for key, value in table.items() if key != "assert" and key not in PRESENTATION}
    settings = read_settings(
        _models(kept), found.folder, lambda key: f"{found.at.get(key, found.at.get('models'))}: {key}"
    )
    return replace(found, settings=settings)


def _models(given: dict[str, Any]) -> dict[str, Any]:
    """`given` with two `models`, as the command line has them, by what they are."""
    models: object = given.get("models")
    named = cast("list[object]", models) if isinstance(models, list) else []
    if len(named) != 2 or "original" in given or "candidate" in given:
        return given
    rest = {key: value for key, value in given.items() if key != "models"}
    return {**rest, "original": named[0], "candidate": named[1]}


def limits(document: Document) -> GateConfig:
    """Return the limits of a config file, with settings as they are by default; raises as `gate_config`."""
    at = {key: document.location("gate", key) for key in _table(document) if key != "assert"}
    return GateConfig(Settings(), assertions_of(document), at, Path(document.path).parent)


def _table(document: Document) -> dict[str, Any]:
    given: object = document.values.get("gate", {})
    if not isinstance(given, dict):
        raise Usage(f"{document.location('gate')}: gate is no table", "write [gate]")
    return cast("dict[str, Any]", given)


def assertions_of(document: Document) -> tuple[Assertion, ...]:
    """Return the limits that a config file sets; raises `Usage` as `gate_config` does."""
    tables: object = _table(document).get("assert", [])
    if isinstance(tables, str):
        tables = [tables]
    if not isinstance(tables, list):
        where = document.location("gate", "assert")
        raise Usage(
            f"{where}: assert is no list of tables",
            "write [[gate.assert]], with two brackets, or assert = ['size.ratio<=0.5']",
        )
    made: list[Assertion] = []
    for number, entry in enumerate(cast("list[object]", tables)):
        where = document.location("gate", "assert", number)
        at = {key: document.location("gate", "assert", number, key) for key in _keys(entry)}
        made += read_table(entry, where, at)
    check_budgets(made)
    return tuple(made)


def _keys(entry: object) -> tuple[str, ...]:
    return tuple(cast("dict[str, object]", entry)) if isinstance(entry, dict) else ()


def joined(file: Sequence[Assertion], line: Sequence[Assertion]) -> tuple[Assertion, ...]:
    """Return the limits of a config file with those of the command line, which take the place of the same.

    Raises:
        Usage: there are none, or they contradict each other.
    """
    check_budgets(line)
    said = {_same(assertion) for assertion in line}
    made = (*(assertion for assertion in file if _same(assertion) not in said), *line)
    if not made:
        raise Usage("there is nothing to judge by: no assertions are given", _NO_ASSERTIONS)
    check_budgets(made)
    return made


def selected(assertions: Sequence[Assertion], patterns: Iterable[str]) -> tuple[Assertion, ...]:
    """Return the limits whose metric, or its first or last parts, fits one of `patterns`; all without any.

    Raises:
        Usage: a pattern fits no metric that is limited.
    """
    wanted = tuple(part.strip() for pattern in patterns for part in pattern.split(",") if part.strip())
    for pattern in wanted:
        if not any(_fits(assertion, pattern) for assertion in assertions):
            known = dict.fromkeys(assertion.metric for assertion in assertions)
            raise Usage(f"--only {pattern} selects no assertion", did_you_mean(pattern, known))
    if not wanted:
        return tuple(assertions)
    return tuple(one for one in assertions if any(_fits(one, pattern) for pattern in wanted))


def _fits(assertion: Assertion, pattern: str) -> bool:
    metric = assertion.metric
    return fnmatchcase(metric, pattern) or metric.startswith(f"{pattern}.") or metric.endswith(f".{pattern}")


def check_budgets(assertions: Sequence[Assertion]) -> None:
    """Refuse limits that contradict each other.

    Raises:
        Usage: one metric, bound and selector has two limits at one level, or a least value is above the
            largest.
    """
    active = [assertion for assertion in assertions if assertion.level != "off"]
    seen: dict[tuple[object, ...], Assertion] = {}
    for one in active:
        other = seen.setdefault((*_same(one), one.level), one)
        if other.limit != one.limit:
            what = f"{one.where}: {one.metric} has {one.bound} = {one.written}, and {other.written}"
            raise Usage(f"{what} at {other.where}", 'keep one of them, or give one of them level = "warn"')
    for least, most in _PAIRS:
        for one in active:
            for other in active:
                if one.bound == least and other.bound == most and _meet(one, other):
                    _check_order(one, other)


def _check_order(least: Assertion, most: Assertion) -> None:
    if least.limit > most.limit:
        raise Usage(
            f"{least.where}: {least.metric} cannot be at least {least.written} and at most {most.written} "
            f"({most.where})",
            f"no value is within both: change {least.bound} or {most.bound}",
        )


def _same(one: Assertion) -> tuple[object, ...]:
    return one.metric, one.bound, one.device, one.batch


def _meet(one: Assertion, other: Assertion) -> bool:
    """Whether two limits are on the same figures, as far as one can see without devices."""
    batches = one.batch is None or other.batch is None or one.batch == other.batch
    devices = "*" in (one.device, other.device) or one.device == other.device
    return one.metric == other.metric and batches and devices
