"""What a figure depends on beside the model: by name, so that differences can be said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass

from graphprune.profiling.conditions import Disturbance, disturbed_by
from graphprune.profiling.result import Batch, Profile

VERSION = "version of "
"""How the names of facts that are versions begin."""
DISTURBED = "disturbed"
"""The name of the fact that says what disturbed a profile: figures of a disturbed one stand apart."""
THROTTLED: Disturbance = "throttled"
"""What it says of a device that held its clocks down."""
_KEYS = frozenset({"backend", "device", "batch"})
_HARMLESS = frozenset({"timing_cache", "trusted"})
"""Options of a build that change nothing about the engine."""


def facts(profile: Profile, batch: Batch) -> dict[str, str]:
    """Return everything that the figures of a batch depend on, beside the models, by name.

    Batches whose facts are equal may be put together.
    """
    setup = profile.setup
    versions = {**profile.versions, **profile.device.versions}
    return {
        "backend": profile.device.backend,
        "device": profile.device.name,
        "batch": "" if batch.batch is None else str(batch.batch),
        "shapes": ", ".join(f"{name}:{'x'.join(map(str, sizes))}" for name, sizes in batch.shapes.items()),
        **profile.device.details,
        "threads": str(setup.threads or "all"),
        "waiting threads": "spin" if setup.spin else "block",
        "CUDA graph": "yes" if setup.cuda_graph else "no",
        "transfers": "timed" if setup.transfers else "not timed",
        "GPU": str(setup.gpu),
        "engine": _options(setup.build),
        "seed": str(profile.seed),
        **{f"{VERSION}{name}": text for name, text in versions.items()},
        DISTURBED: ", ".join(reversed(disturbed_by(profile.before, profile.after))),
    }


def _options(build: object) -> str:
    """The options of a build that are not the defaults."""
    if not is_dataclass(build):
        return ""
    said: list[str] = []
    for option in fields(build):
        value: object = getattr(build, option.name)
        factory = option.default_factory
        default: object = option.default if factory is MISSING else factory()
        if value != default and option.name not in _HARMLESS:
            said.append(f"{option.name.replace('_', ' ')} {value}")
    return ", ".join(said)


def apart(known: Mapping[str, str], alike: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """Return the facts of one column that others of the same backend, device and batch have otherwise."""
    names = dict.fromkeys(name for other in (known, *alike) for name in other)
    return tuple(
        said(name, known.get(name, ""))
        for name in names
        if name not in _KEYS and any(other.get(name, "") != known.get(name, "") for other in alike)
    )


def said(name: str, value: str) -> str:
    """A fact in words.

    >>> said("threads", "4"), said("version of onnxruntime", "1.32.0"), said("disturbed", "")
    ('threads: 4', 'onnxruntime 1.32.0', 'undisturbed')
    """
    if name == DISTURBED:
        return f"{name} ({value})" if value else f"un{name}"
    if name.startswith(VERSION):
        return f"{name.removeprefix(VERSION)} {value or 'unknown'}"
    return f"{name}: {value or 'as usual'}"


def versions(columns: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """Say which versions differ between columns that both have them: [columns] of facts."""
    found: dict[str, dict[str, list[int]]] = {}
    for number, known in enumerate(columns, 1):
        for name, value in known.items():
            if name.startswith(VERSION):
                found.setdefault(name.removeprefix(VERSION), {}).setdefault(value, []).append(number)
    return tuple(
        f"columns differ in {name}: "
        + ", ".join(f"{value} in {_numbers(numbers)}" for value, numbers in values.items())
        for name, values in found.items()
        if len(values) > 1
    )


def _numbers(numbers: Sequence[int]) -> str:
    """Numbers of columns, as `1`, or `1 and 3`."""
    return " and ".join(filter(None, (", ".join(map(str, numbers[:-1])), str(numbers[-1]))))
