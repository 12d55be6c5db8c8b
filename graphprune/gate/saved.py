"""Evidence from files: profiles, the evidence of an earlier gate, and records of runs that hold either."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from graphprune.errors import Refused, Usage
from graphprune.gate.evidence import Evidence, Figures, Timing, from_values
from graphprune.nearest import did_you_mean
from graphprune.profiling.files import from_json
from graphprune.profiling.merge import read_results
from graphprune.profiling.result import Profile, Timed
from graphprune.text_file import read_text

_HINT = "give what profile --export-json, gate --save-evidence or --save-run has written"
_SHORT = 8
"""Digits of a hash that name a model, at least."""
_ABSENT = {
    "timing": "the results hold no latencies",
    "graph": "the results do not say how many parameters and MACs the models have",
    "size": "the results do not say how large the models are",
    "data": "the results hold no such score",
    "proof": "the results hold no verification",
}


def read_saved(paths: Sequence[Path], candidate: str | None, seed: int) -> Evidence:
    """Return the evidence in all files together.

    Args:
        paths: of profiles (merged ones, too), evidence, and records of runs.
        candidate: the name or hash of the candidate; None where there is but one model beside the original.
        seed: of the bootstrap.

    Raises:
        Usage: a file is missing; it is not clear which model is the candidate; the files are of different
            candidates.
        Refused: a file holds something else.
    """
    found = [part for path in paths for part in _read(path, candidate)]
    first = found[0]
    for other in found[1:]:
        first = _merged(first, other)
    return replace(first, missing={**_ABSENT, **first.missing}, seed=seed)


def _read(path: Path, candidate: str | None) -> list[Evidence]:
    value = _json(path)
    if "profiles" in value or "batches" in value:
        return [_of_profile(source.profile, str(path), candidate) for source in read_results([path])[0]]
    if "evidence" in value and "verb" not in value:
        return [_named(from_values(value["evidence"], str(path)), str(path), candidate)]
    if "verb" in value:
        from graphprune.runs.files import read_run

        raw = read_run(path).raw
        if "evidence" in raw:
            return [_named(from_values(raw["evidence"], str(path)), str(path), candidate)]
        if "profile" in raw:
            return [_of_profile(from_json(json.dumps(raw["profile"])), str(path), candidate)]
        raise Refused(f"'{path}': the run has measured nothing that a gate can judge", _HINT)
    if "findings" in value:
        raise Refused(f"'{path}': it is the outcome of a gate, not what it measured", _HINT)
    raise Refused(f"'{path}': it holds no result", _HINT)


def _json(path: Path) -> Mapping[str, Any]:
    text = read_text(path, _HINT)
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(f"'{path}': it is no JSON: {str(error)[:200]}", _HINT) from error
    if not isinstance(value, dict):
        raise Refused(f"'{path}': it holds no result", _HINT)
    return cast("dict[str, Any]", value)


def _of_profile(profile: Profile, source: str, candidate: str | None) -> Evidence:
    models = profile.batches[0].models
    names = [(model.name, model.hash) for model in models]
    for batch in profile.batches[1:]:
        if [(model.name, model.hash) for model in batch.models] != names:
            raise Refused(f"'{source}': its batches are of different models", _HINT)
    chosen = _candidate(models, profile.reference, source, candidate)
    original, other = models[profile.reference], models[chosen]
    return Evidence(
        Figures(original.name, original.hash, original.bytes),
        Figures(other.name, other.hash, other.bytes),
        (Timing(profile, profile.reference, chosen, source),),
    )


def _candidate(models: Sequence[Timed], reference: int, source: str, wanted: str | None) -> int:
    others = [number for number in range(len(models)) if number != reference]
    if not others:
        raise Usage(f"'{source}' holds one model alone", "profile the original and the candidate together")
    names = [models[number].name for number in others]
    if wanted is None:
        if len(others) > 1:
            raise Usage(
                f"'{source}' holds {len(others)} models beside the original: {', '.join(names)}",
                "say which is the candidate with --candidate, by name or hash",
            )
        return others[0]
    fitting = [number for number in others if _is(models[number].name, models[number].hash, wanted)]
    if len(fitting) != 1:
        what = "several models" if fitting else "no model"
        raise Usage(f"'{source}' holds {what} called {wanted!r}", did_you_mean(wanted, names))
    return fitting[0]


def _is(name: str, digest: str, wanted: str) -> bool:
    by_hash = len(wanted) >= _SHORT and digest.startswith(wanted)
    return by_hash or name == wanted or Path(name).name == Path(wanted).name


def _named(evidence: Evidence, source: str, candidate: str | None) -> Evidence:
    """`evidence`, once it is sure that it is of the candidate that is meant."""
    found = evidence.candidate
    if candidate is not None and found is not None and not _is(found.name, found.hash, candidate):
        raise Usage(f"'{source}' holds no model called {candidate!r}", f"it is of {found.name}")
    timings = tuple(replace(each, source=each.source or source) for each in evidence.timings)
    return replace(evidence, timings=timings)


def _merged(one: Evidence, other: Evidence) -> Evidence:
    """What two results say together; of scores that both have, the first are taken."""
    for role in ("original", "candidate"):
        ours, theirs = getattr(one, role), getattr(other, role)
        if ours is not None and theirs is not None and ours.hash != theirs.hash:
            raise Usage(
                f"the results are of different models: {role} {ours.name} ({ours.hash[:_SHORT]}) and "
                f"{theirs.name} ({theirs.hash[:_SHORT]})",
                "judge results of one pair of models at a time",
            )
    proofs = [each.proof for each in (one, other) if each.proof is not None]
    return Evidence(
        _fuller(one.original, other.original),
        _fuller(one.candidate, other.candidate),
        (*one.timings, *(timing for timing in other.timings if not _known(timing, one.timings))),
        {**other.scores, **one.scores},
        one.data or other.data,
        one.class_names or other.class_names,
        next((proof for proof in proofs if not proof.passed), next(iter(proofs), None)),
    )


def _known(timing: Timing, timings: Sequence[Timing]) -> bool:
    """Whether the same measurement is there already: a run's record and its profile hold one twice."""
    return any(each.profile == timing.profile for each in timings)


def _fuller(one: Figures | None, other: Figures | None) -> Figures | None:
    if one is None or other is None:
        return one or other
    return replace(
        one,
        bytes=other.bytes if one.bytes is None else one.bytes,
        params=other.params if one.params is None else one.params,
        macs=other.macs if one.macs is None else one.macs,
    )
