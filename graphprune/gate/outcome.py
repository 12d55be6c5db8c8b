"""What a gate demands, and what came of it: the values that are judged, shown and kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

VERSION = 1
"""The version of `Outcome` as JSON."""

Bound = Literal["max", "min", "max-ratio", "min-ratio", "max-increase", "max-drop"]
Level = Literal["error", "warn", "off"]
Status = Literal["pass", "fail", "inconclusive", "skipped", "off"]


@dataclass(frozen=True)
class Location:
    """Where a limit is written.

    Attributes:
        file: the path of the config file as the user knows it; empty for the command line.
        line: counted from 1; 0 for the command line.
        text: the line itself, or the word of the command line; with the option where that is not `--assert`.
    """

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        if self.file:
            return f"{self.file}:{self.line}"
        return self.text if self.text.startswith("--") else f"--assert '{self.text}'"


@dataclass(frozen=True)
class Assertion:
    """One limit.

    Attributes:
        metric: what is limited, as `latency.p50`, `accuracy.top1`, `accuracy.class.min`, `size`, `exact`.
        bound: what of it: its value (`max`, `min`), its ratio to the original's, how far it may rise above
            the original's (`max-increase`) or fall below (`max-drop`).
        limit: in the metric's base unit: seconds, bytes, a share from 0 to 1, a ratio, a count.
        written: the limit as the user wrote it, as `20MB` or `1 %`.
        level: whether breaking it fails the gate, warns, or is not looked at.
        device: a glob on the device's name and backend that the limit is for.
        batch: the batch that it is for; None for every one that was measured.
        where: where it is written.
    """

    metric: str
    bound: Bound
    limit: float
    written: str
    level: Level
    where: Location
    device: str = "*"
    batch: int | None = None

    @property
    def upper(self) -> bool:
        """Whether more is worse: the limit is above, not below."""
        return self.bound in ("max", "max-ratio", "max-increase", "max-drop")


@dataclass(frozen=True)
class Finding:
    """What came of one limit, on one device, at one batch.

    Attributes:
        assertion: the limit.
        status: `pass` where the whole 95 % interval is within the limit, `fail` where it is beyond,
            `inconclusive` where it straddles it, `skipped` where there is no figure, `off`.
        value: what is compared with the limit, in the bound's terms (a ratio for `max-ratio`, a fall for
            `max-drop`); None where there is no figure.
        low: the lower end of its 95 % interval; equal to `value` for what is counted and not estimated.
        high: the upper end.
        original: the metric of the original, in its base unit; None where it has none.
        candidate: of the candidate.
        unit: of `original` and `candidate`: `s`, `B`, `share`, `count`, or empty.
        count: samples, or pairs of blocks, behind the figure; None for what is counted exactly.
        missing: about so many more samples (or pairs) would decide; None where this is not known.
        reason: why it was skipped, or which class, output or weight is the worst; in words.
        device: what was measured on; empty where no device plays a part.
        batch: samples of an inference; None where it plays no part.
        label: the index of the class that decides; None for what is not of one class.
    """

    assertion: Assertion
    status: Status
    value: float | None = None
    low: float | None = None
    high: float | None = None
    original: float | None = None
    candidate: float | None = None
    unit: str = ""
    count: int | None = None
    missing: int | None = None
    reason: str = ""
    device: str = ""
    batch: int | None = None
    label: int | None = None

    @property
    def broken(self) -> bool:
        """Whether it fails the gate."""
        return self.status == "fail" and self.assertion.level == "error"


@dataclass(frozen=True)
class ClassChange:
    """A class and what became of it.

    Attributes:
        label: its index.
        name: its name, where the user gave names; else empty.
        count: samples of it.
        original: share of them that the original gets right.
        candidate: and the candidate.
        low: the lower end of the 95 % interval of `candidate - original`.
        high: the upper end.
    """

    label: int
    name: str
    count: int
    original: float
    candidate: float
    low: float
    high: float


@dataclass(frozen=True)
class Outcome:
    """What a gate found.

    Attributes:
        original: the path of the original, as the user knows it; empty where only saved results were judged.
        candidate: the path of the candidate, likewise.
        status: `fail` where an error is broken; else `inconclusive` where an error is; else `pass`.
        exit_code: of the process: 0, 1 or 5.
        findings: one for each limit, device and batch, in the order in which the limits are written.
        classes: what became of each class: those that a limit names, then those that lost most; empty where
            no metric counts by class.
        notes: what to know beside: disturbed machines, what was not looked at.
        version: of this layout.
    """

    original: str
    candidate: str
    status: Literal["pass", "fail", "inconclusive"]
    exit_code: int
    findings: tuple[Finding, ...]
    classes: tuple[ClassChange, ...] = ()
    notes: tuple[str, ...] = ()
    version: int = VERSION
