"""What all the files together say of each candidate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath

import numpy as np

from graphprune.gate.evidence import Proof as Checked
from graphprune.gate.evidence import Scored
from graphprune.profiling.paired import Interval
from graphprune.profiling.result import Profile
from graphprune.profiling.summary import blocks_of
from graphprune.record import Proof
from graphprune.report.load import Source
from graphprune.report.numbers import plural, shortened

Pair = tuple[float | None, float | None]
"""A figure of the original and of the candidate."""


@dataclass(frozen=True)
class Speed:
    """How long a candidate takes beside its original.

    Attributes:
        device: with backend and batch, in words.
        seconds: medians of both.
        ratio: candidate over original, with its 95 % interval.
    """

    device: str
    seconds: tuple[float, float]
    ratio: Interval


@dataclass(frozen=True)
class Exactness:
    """Whether a candidate is what it should be: `words` say what was compared, or what differs."""

    passed: bool
    words: str


@dataclass(frozen=True)
class Candidate:
    """A model beside the one that it was made of.

    Attributes:
        name: what it is called in the report; unique.
        original: the name of its original.
        file: the first file that knows it.
        params: elements of weights; likewise `macs` and `bytes`.
        scores: what metrics found, by name.
        data: what they were measured on.
        speeds: on each device.
        exact: whether the surgery was exact; None where nobody looked.
    """

    name: str
    original: str
    file: str
    params: Pair = (None, None)
    macs: Pair = (None, None)
    bytes: Pair = (None, None)
    scores: Mapping[str, Scored] = field(default_factory=dict[str, Scored])
    data: str = ""
    speeds: tuple[Speed, ...] = ()
    exact: Exactness | None = None


@dataclass(frozen=True)
class _Piece:
    """What one file says of one candidate."""

    hash: str
    candidate: Candidate


@dataclass(frozen=True)
class Facts:
    """All that the sections are made of.

    Attributes:
        title: of the page.
        sources: the files.
        candidates: each once, in the order in which they were met.
    """

    title: str
    sources: tuple[Source, ...]
    candidates: tuple[Candidate, ...]

    @property
    def main(self) -> Candidate | None:
        """The candidate that the report is about: the gate's, or else the only one."""
        for source in self.sources:
            if source.outcome is not None or source.evidence is not None:
                name = base_name(source.models[1])
                found = [each for each in self.candidates if base_name(each.name) == name]
                if found:
                    return found[0]
        return self.candidates[0] if len(self.candidates) == 1 else None


def facts_of(sources: Sequence[Source], title: str) -> Facts:
    """Return what `sources` say together; without a title, the models make one."""
    candidates = tuple(_candidates(sources))
    return Facts(title or _title(sources, candidates), tuple(sources), candidates)


def _title(sources: Sequence[Source], candidates: Sequence[Candidate]) -> str:
    for source in sources:
        if source.outcome is not None and all(source.models):
            return f"{base_name(source.models[1])} beside {base_name(source.models[0])}"
    if len(candidates) == 1:
        return f"{candidates[0].name} beside {candidates[0].original}"
    originals = dict.fromkeys(each.original for each in candidates)
    if candidates:
        return f"{len(candidates)} candidates for {', '.join(list(originals)[:3])}"
    models = dict.fromkeys(base_name(source.models[0]) for source in sources if source.models[0])
    return ", ".join(models) or "graphprune report"


def _candidates(sources: Sequence[Source]) -> Iterator[Candidate]:
    pieces = [piece for source in sources for piece in _pieces(source)]
    hashes: dict[str, dict[str, None]] = {}
    for piece in pieces:
        if piece.hash:
            hashes.setdefault(piece.candidate.name, {})[piece.hash] = None
    merged: dict[tuple[str, str], Candidate] = {}
    for piece in pieces:
        known = list(hashes.get(piece.candidate.name, ()))
        mark = piece.hash or (known[0] if len(known) == 1 else "")
        # without a hash, what two runs have written to one name are two models
        key = (piece.candidate.name, mark or piece.candidate.file)
        merged[key] = _both(merged[key], piece.candidate) if key in merged else piece.candidate
    names = [name for name, _ in merged]
    for (name, mark), candidate in merged.items():
        more = mark[:8] if mark != candidate.file else base_name(candidate.file)
        yield replace(candidate, name=f"{name} ({more})") if names.count(name) > 1 else candidate


def _both(first: Candidate, second: Candidate) -> Candidate:
    def pair(one: Pair, other: Pair) -> Pair:
        return (one[0] if one[0] is not None else other[0], one[1] if one[1] is not None else other[1])

    known = {(speed.device, speed.ratio) for speed in first.speeds}
    more = [speed for speed in second.speeds if (speed.device, speed.ratio) not in known]
    # a profile keeps every time, the summary of a pruning does not
    return replace(
        first,
        original=first.original or second.original,
        params=pair(first.params, second.params),
        macs=pair(first.macs, second.macs),
        bytes=pair(first.bytes, second.bytes),
        scores={**second.scores, **first.scores},
        data=first.data or second.data,
        speeds=(*first.speeds, *more),
        exact=first.exact or second.exact,
    )


def _pieces(source: Source) -> Iterator[_Piece]:
    for profile in source.profiles:
        yield from _of_profile(profile, source.file)
    original, name = (base_name(path) for path in source.models)
    hashes = {base_name(file.path): file.hash for file in source.run.files} if source.run else {}
    evidence = source.evidence
    if evidence is not None and evidence.candidate is not None:
        before, after = evidence.original, evidence.candidate
        yield _Piece(
            after.hash,
            Candidate(
                base_name(after.name),
                base_name(before.name) if before else original,
                source.file,
                (before.params if before else None, after.params),
                (before.macs if before else None, after.macs),
                (before.bytes if before else None, after.bytes),
                source.scores or {},
                source.data,
                exact=_checked(evidence.proof),
            ),
        )
    elif name and (source.record is not None or source.scores or source.proof):
        yield _Piece(hashes.get(name, ""), _of_result(source, original, name))


def _of_result(source: Source, original: str, name: str) -> Candidate:
    made = Candidate(
        name, original, source.file, scores=source.scores or {}, data=source.data, exact=_proved(source.proof)
    )
    record = source.record
    if record is None:
        return made
    if record.before is not None and record.after is not None:
        before, after = record.before, record.after
        made = replace(
            made,
            params=(before.params, after.params),
            macs=(before.macs, after.macs),
            bytes=(before.bytes, after.bytes),
        )
    elif record.stages:
        first, last = record.stages[0], record.stages[-1]
        made = replace(
            made,
            params=(first.params, last.params),
            macs=(first.macs, last.macs),
            bytes=(first.bytes, last.bytes),
        )
    found = record.latency
    if found is None:
        return made
    interval = Interval(found.ratio, found.low, found.high)
    return replace(made, speeds=(Speed(f"{found.device}, {found.backend}", found.seconds, interval),))


def _proved(proof: Proof | None) -> Exactness | None:
    if proof is None:
        return None
    if proof.passed:
        compared = plural(proof.comparisons, "comparison")
        return Exactness(True, f"differs by {proof.largest:.1g} at most in {compared}")
    output = shortened(proof.output)
    return Exactness(False, f"output {output}: {proof.distance:.2g}, the limit is {proof.limit:.0e}")


def _checked(proof: Checked | None) -> Exactness | None:
    """What the gate has looked at; that the interfaces are equal proves nothing."""
    if proof is None or (proof.by == "interface" and proof.passed):
        return None
    if not proof.passed:
        return Exactness(False, proof.reason or f"it is not what {proof.source} says")
    if proof.distance is None:
        return Exactness(True, f"it is the file that the run of {base_name(proof.source)} has written")
    return Exactness(True, f"{proof.distance:.2g} of what rounding explains, by {base_name(proof.source)}")


def _of_profile(profile: Profile, file: str) -> Iterator[_Piece]:
    for batch in profile.batches:
        blocks = blocks_of(batch)
        base = batch.models[profile.reference]
        medians = [float(np.median(blocks.all(number))) for number in range(len(batch.models))]
        for number, timed in enumerate(batch.models):
            if number == profile.reference:
                continue
            speed = Speed(
                device_label(profile, batch.batch),
                (medians[profile.reference] / 1000, medians[number] / 1000),
                blocks.interval(number, profile.reference, profile.seed),
            )
            sizes = (float(base.bytes), float(timed.bytes))
            found = Candidate(base_name(timed.name), base_name(base.name), file, bytes=sizes, speeds=(speed,))
            yield _Piece(timed.hash, found)


def device_label(profile: Profile, batch: int | None) -> str:
    """A device, how models ran on it, and how many samples at a time."""
    threads = profile.setup.threads
    words = [profile.device.name, profile.device.backend]
    if profile.device.backend == "ort:cpu":
        words.append("all cores" if threads == 0 else f"{threads} thread{'s' if threads > 1 else ''}")
    if batch is not None:
        words.append(f"batch {batch}")
    return ", ".join(words)


def base_name(path: str) -> str:
    """The last part of a path, of any system."""
    return PurePath(path.replace("\\", "/")).name
