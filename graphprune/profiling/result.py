"""The result of a profile, as it is kept in a file: what was timed, where, and every time that was taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphprune.backends import Device, LayerTime, Setup

VERSION = 1
"""The version of the file; a reader refuses one that it does not know."""


@dataclass(frozen=True)
class Conditions:
    """What the device did at one moment: a figure that was taken on a hot or busy machine says so.

    Attributes:
        at: the time, ISO 8601 in UTC.
        load: the load average of one minute over the number of cores; None where it is not known.
        clocks: clock rates in MHz by what they drive (`core 0`, `graphics`, `memory`).
        governor: how the processor chooses its clock, where it says so.
        temperature: of the device in degrees Celsius, where it says so.
        throttled: why the device holds its clock down, in its own words; empty where it does not.
        others: other processes that use the device, as `name (pid)`.
    """

    at: str
    load: float | None = None
    clocks: Mapping[str, float] = field(default_factory=dict[str, float])
    governor: str = ""
    temperature: float | None = None
    throttled: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Timed:
    """One model at one batch.

    Attributes:
        name: the model as the user knows it: its file name.
        hash: of its graph and weights, hexadecimal.
        bytes: of its file and its weights.
        blocks: milliseconds of every inference: [blocks][runs].
        build: what an engine of it is: seconds, bytes, from the cache; empty for ONNX Runtime.
        layers: what its steps take, where this was asked for.
        deviation: the largest relative L2 distance of an output of the timed engine from the reference
            (ONNX Runtime on the CPU, optimisations off); not a number where outputs hold such; None where it
            was not looked at.
        limit: the largest deviation that its element types and the device explain; None as above.
        layer_rounds: seconds of each of `layers` in each round of timing them: [layers][rounds]; rounds of
            one number belong together in all models.
    """

    name: str
    hash: str
    bytes: int
    blocks: tuple[tuple[float, ...], ...]
    build: Mapping[str, str] = field(default_factory=dict[str, str])
    layers: tuple[LayerTime, ...] = ()
    deviation: float | None = None
    limit: float | None = None
    layer_rounds: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True)
class Batch:
    """All models at one batch, timed against each other; `blocks` of one number are of one round.

    Attributes:
        batch: samples of one inference; None where the model has no leading axis to choose.
        shapes: of the inputs, by name.
        models: in the order in which the user named them.
    """

    batch: int | None
    shapes: Mapping[str, tuple[int, ...]]
    models: tuple[Timed, ...]


@dataclass(frozen=True)
class Profile:
    """A profile.

    Attributes:
        device: what was measured on.
        setup: how the models were run.
        reference: the number of the model that the others are compared with.
        margin: a ratio within 1 - margin and 1 + margin is called the same.
        batches: one after another.
        before: the device's conditions before anything was timed.
        after: and after everything was.
        seed: of the random inputs, and of the bootstrap.
        versions: of graphprune and of the packages that a figure may depend on.
        version: of this layout.
    """

    device: Device
    setup: Setup
    reference: int
    margin: float
    batches: tuple[Batch, ...]
    before: Conditions
    after: Conditions
    seed: int = 0
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    version: int = VERSION
