"""All that was measured of two models: enough to judge them later, without them and without a device."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from graphprune.engines.options import BuildOptions
from graphprune.errors import Refused
from graphprune.gate.outcome import Location
from graphprune.json_values import plain
from graphprune.metrics.paired import Paired
from graphprune.profiling.result import Profile
from graphprune.profiling.strict import Mismatch, read
from graphprune.text_file import write_text

VERSION = 1
"""The version of `Evidence` as JSON."""
_HINT = "give a file that `graphprune gate --save-evidence` or --save-run has written"


@dataclass(frozen=True)
class Figures:
    """What is counted of a model.

    Attributes:
        name: the model as the user knows it.
        hash: of its graph and weights (`graphprune.model_hash`).
        bytes: of its file and its weights; None where this is not known.
        params: elements of weights; None where nobody counted.
        macs: multiply-accumulates of one sample, likewise.
    """

    name: str
    hash: str
    bytes: int | None = None
    params: int | None = None
    macs: int | None = None


@dataclass(frozen=True)
class Timing:
    """Times of both models on a device.

    Attributes:
        profile: of these models, and maybe others.
        original: the number of the original among its models.
        candidate: the number of the candidate.
        source: the file that it was read from; empty where it was measured just now.
    """

    profile: Profile
    original: int
    candidate: int
    source: str = ""


@dataclass(frozen=True)
class Scored:
    """What a metric found on data.

    Attributes:
        value: of the candidate.
        reference: the same of the original; None for a metric that compares the two.
        count: the samples that went in.
        paired: what it found of each sample; None where the metric does not say.
    """

    value: float
    reference: float | None
    count: int
    paired: Paired | None = None


@dataclass(frozen=True)
class Proof:
    """Whether the candidate is what its plan, or the run that made it, says.

    Attributes:
        by: `interface` (inputs and outputs alone), `plan` (it equals the masked original) or `run` (it is the
            file that the run has written).
        source: the path of the plan or the record.
        passed: whether it is; that its distance is within the limit is seen to by the assertion `exact`.
        distance: the largest relative L2 distance of an output over the limit that rounding explains; None
            where nothing was compared.
        reason: what differs, in words.
        where: where the plan or the record is named; None for the command line.
    """

    by: str
    source: str
    passed: bool
    distance: float | None = None
    reason: str = ""
    where: Location | None = None


@dataclass(frozen=True)
class Evidence:
    """What is known of an original and a candidate.

    Attributes:
        original: what is counted of the original; None where only times are known.
        candidate: of the candidate.
        timings: times, one entry a device.
        scores: what metrics found on data, by their name (`top1`, `metric.py:func`).
        data: what the scores were taken on.
        class_names: names of the classes, by index; empty where there are none.
        proof: whether the candidate is what it should be; None where nothing was asked.
        missing: why a source of evidence (`timing`, `graph`, ...) gave none, by its name.
        seed: of the bootstrap.
        version: of this layout.
    """

    original: Figures | None = None
    candidate: Figures | None = None
    timings: tuple[Timing, ...] = ()
    scores: Mapping[str, Scored] = field(default_factory=dict[str, Scored])
    data: str = ""
    class_names: tuple[str, ...] = ()
    proof: Proof | None = None
    missing: Mapping[str, str] = field(default_factory=dict[str, str])
    seed: int = 0
    version: int = VERSION


def to_values(evidence: Evidence) -> dict[str, object]:
    """Return `evidence` as JSON values."""
    return cast("dict[str, object]", plain(asdict(evidence)))


def from_values(values: object, source: str) -> Evidence:
    """Return the evidence that `to_values` wrote; `source` is the file, for messages.

    Raises:
        Refused: it is none, or of another version.
    """
    given: Mapping[str, Any] = cast("Mapping[str, Any]", values) if isinstance(values, dict) else {}
    version = given.get("version")
    if version != VERSION:
        raise Refused(
            f"'{source}': it is version {version!r} of a gate's evidence, this graphprune reads {VERSION}",
            _HINT,
        )
    try:
        return read(Evidence, dict(given), {"BuildOptions": BuildOptions})
    except (Mismatch, RecursionError, OverflowError) as error:
        raise Refused(f"'{source}': it is no evidence of a gate: {error}", _HINT) from error


def write_evidence(evidence: Evidence, path: Path) -> None:
    """Write `evidence` to `path` as JSON; raises `Environment` where it cannot be written."""
    values = {"evidence": to_values(evidence)}
    write_text(json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n", path)
