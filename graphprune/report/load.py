"""What a report is made of, read from files: records of runs, profiles, and what verbs print as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from graphprune.errors import GraphpruneError, Refused
from graphprune.gate.evidence import Evidence, Scored, from_values
from graphprune.gate.outcome import Outcome
from graphprune.graph_view.groups import GraphView
from graphprune.profiling.files import from_json
from graphprune.profiling.result import Profile
from graphprune.record import Proof, Record
from graphprune.runs.files import from_json as read_run
from graphprune.runs.run import Run
from graphprune.sensitivity_report import Report as Sensitivity
from graphprune.text_file import read_text

_HINT = "give records that --save-run has written, profiles of --export-json, or what a verb prints as JSON"
Values = Mapping[str, Any]
Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Source:
    """A file, and what there is in it; what there is not is None or empty.

    Attributes:
        file: as the user named it.
        verb: what made it, as `prune`; `profile` for a file of profiles.
        run: the record, where it is one.
        result: what the verb printed as JSON.
        record: of a pruning.
        proof: of the surgery.
        scores: of a candidate on data, by the metric's name.
        data: what they were measured on.
        models: paths of the original and of the candidate; empty where there is none.
        profiles: latencies.
        sensitivity: of groups and layers.
        view: the groups across the graph.
        evidence: of a gate.
        outcome: of a gate.
    """

    file: str
    verb: str
    run: Run | None
    result: Values
    record: Record | None = None
    proof: Proof | None = None
    scores: Mapping[str, Scored] | None = None
    data: str = ""
    models: tuple[str, str] = ("", "")
    profiles: tuple[Profile, ...] = ()
    sensitivity: Sensitivity | None = None
    view: GraphView | None = None
    evidence: Evidence | None = None
    outcome: Outcome | None = None


def load(paths: Iterable[Path]) -> tuple[Source, ...]:
    """Return what is in the files, in their order.

    Raises:
        Usage: there is no such file.
        Refused: a file holds nothing that a report shows.
        Environment: a file cannot be read.
    """
    return tuple(_source(path) for path in paths)


def _source(path: Path) -> Source:
    text = read_text(path, _HINT)
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(f"'{path}': it is no JSON: {str(error)[:200]}", _HINT) from error
    values: Values = cast("Values", value) if isinstance(value, dict) else {}
    try:
        if {"verb", "command", "options"} <= values.keys():
            return _of_run(str(path), text)
        if {"batches", "device"} <= values.keys():
            return Source(str(path), "profile", None, {}, profiles=(from_json(text),))
        if "profiles" in values:
            items = cast("list[object]", values["profiles"])
            found = tuple(from_json(json.dumps(item)) for item in items)
            return Source(str(path), "profile", None, {}, profiles=found)
        if values.keys() == {"evidence"}:
            evidence = from_values(values["evidence"], str(path))
            return _with_evidence(Source(str(path), "gate", None, {}), evidence)
        for verb, keys in _SIGNS.items():
            if keys <= values.keys():
                return _with_result(Source(str(path), verb, None, values))
    except (Refused, msgspec.ValidationError, RecursionError, TypeError) as error:
        what = error.what if isinstance(error, GraphpruneError) else str(error)
        name = f"'{path}': "
        raise Refused(name + what.removeprefix(name), _HINT) from error
    if "median_ms" in text and "models" in values:
        raise Refused(f"'{path}': these figures of a profile lack the times", "give what --export-json wrote")
    raise Refused(f"'{path}': there is nothing in it that a report shows", _HINT)


_SIGNS: Mapping[str, set[str]] = {
    "gate": {"findings", "status"},
    "prune": {"pipeline", "before", "after"},
    "sensitivity": {"measure", "ratios", "groups"},
    "inspect": {"opsets", "groups"},
    "verify": {"a", "b"},
}
"""What tells the results of verbs apart, where no record says which it is."""


def _of_run(file: str, text: str) -> Source:
    run = read_run(text)
    source = Source(file, run.verb, run, run.result or {})
    raw = cast("Values", run.raw)
    if raw.get("profile"):
        source = replace(source, profiles=(from_json(json.dumps(raw["profile"])),))
    if raw.get("groups"):
        source = replace(source, view=_convert(raw["groups"], GraphView))
    if raw.get("evidence"):
        source = _with_evidence(source, from_values(raw["evidence"], file))
    return _with_result(source)


def _with_evidence(source: Source, evidence: Evidence) -> Source:
    names = tuple(side.name if side else "" for side in (evidence.original, evidence.candidate))
    known = {json.dumps(msgspec.to_builtins(profile), default=str) for profile in source.profiles}
    more = [
        timing.profile
        for timing in evidence.timings
        if json.dumps(msgspec.to_builtins(timing.profile), default=str) not in known
    ]
    return replace(
        source,
        evidence=evidence,
        scores=evidence.scores or None,
        data=evidence.data,
        models=(names[0], names[1]),
        profiles=(*source.profiles, *more),
    )


def _with_result(source: Source) -> Source:
    reader = _READERS.get(source.verb)
    return reader(source) if reader is not None and source.result else source


def _pruned(source: Source) -> Source:
    result = source.result
    record = _convert(result, Record)
    judged = cast("Values", result.get("judged") or {})
    return replace(
        source,
        record=record,
        proof=record.verification,
        scores=_scores(judged),
        data=str(judged.get("data", "")),
        models=(str(result.get("model") or ""), str(result.get("output") or "")),
    )


def _verified(source: Source) -> Source:
    result = source.result
    proof = result.get("verification")
    return replace(
        source,
        proof=_convert(proof, Proof) if proof else None,
        scores=_scores(result),
        data=str(result.get("data") or ""),
        models=(str(result.get("a") or ""), str(result.get("b") or "")),
    )


def _measured(source: Source) -> Source:
    model = str(source.result.get("model") or "")
    return replace(source, sensitivity=_convert(source.result, Sensitivity), models=(model, ""))


def _inspected(source: Source) -> Source:
    return replace(source, models=(str(source.result.get("path") or ""), ""))


def _judged(source: Source) -> Source:
    outcome = _convert(source.result, Outcome)
    models = source.models if any(source.models) else (outcome.original, outcome.candidate)
    return replace(source, outcome=outcome, models=models)


_READERS: Mapping[str, Callable[[Source], Source]] = {
    "prune": _pruned,
    "run": _pruned,
    "sparsify": _pruned,
    "verify": _verified,
    "sensitivity": _measured,
    "inspect": _inspected,
    "gate": _judged,
}


def _scores(values: Values) -> Mapping[str, Scored] | None:
    """What metrics found, and what of each class where a record keeps no more than that."""
    given = cast("Mapping[str, Values]", values.get("scores") or {})
    found: dict[str, Scored] = {}
    for metric, score in given.items():
        scored = _convert(score, Scored)
        if scored.paired is None and score.get("classes"):
            paired = {
                "metric": metric,
                "higher_is_better": True,
                "form": "share",
                "classes": score["classes"],
            }
            perfect = 1.0 if scored.reference is None else None
            scored = _convert({**score, "paired": {**paired, "perfect": perfect}}, Scored)
        found[metric] = scored
    return found or None


def _convert(value: object, kind: type[Kind]) -> Kind:
    """`value` as a dataclass; what that does not know is left out, so that a newer result is shown, too."""
    return msgspec.convert(value, kind, strict=False)


def files_of(sources: Sequence[Source]) -> tuple[str, ...]:
    """The files, each once."""
    return tuple(dict.fromkeys(source.file for source in sources))
