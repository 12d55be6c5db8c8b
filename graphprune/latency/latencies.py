"""What is known of a model's latency on a device, made once and kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import msgspec

from graphprune.backends import Device, LayerTime, Setup, backend
from graphprune.choice import Choice, candidates, rounded
from graphprune.feeds import Feeds
from graphprune.groups import Group
from graphprune.latency.samples import Sample, sampled, widths
from graphprune.model import Model
from graphprune.model_hash import model_hash
from graphprune.progress import Tell
from graphprune.solution import Solution
from graphprune.user_cache import ForeignCache, private_folder, read_sealed, write_sealed

VERSION = 2
MOST = 256
"""Tables that the cache holds; those that were not used for longest go first."""


@dataclass(frozen=True)
class Latencies:
    """A model timed at several widths of its groups.

    Attributes:
        backend: the name of the backend.
        setup: how models were run.
        device: what they ran on.
        feeds: their inputs.
        times: the steps of the whole model.
        samples: what was measured, the first the whole model.
        cached: whether they come from the user's cache.
    """

    backend: str
    setup: Setup
    device: Device
    feeds: Feeds
    times: tuple[LayerTime, ...]
    samples: tuple[Sample, ...]
    cached: bool = False


class _KeptSample(msgspec.Struct):
    kept: dict[str, int]
    total: float
    steps: list[tuple[list[str], float]]


class _Kept(msgspec.Struct):
    """A table as it stands in the cache."""

    times: list[LayerTime]
    samples: list[_KeptSample]


def latencies(
    model: Model,
    solution: Solution,
    choice: Choice,
    name: str,
    setup: Setup,
    feeds: Feeds,
    *,
    keep: bool = True,
    tell: Tell | None = None,
) -> Latencies:
    """Return what `model` takes at several widths of its groups, from the cache where it was timed before.

    Args:
        model: the model.
        solution: its groups.
        choice: which of them may lose units, and how many they may keep.
        name: the backend.
        setup: how models run.
        feeds: their inputs.
        keep: whether the cache is used.
        tell: is told of the progress.

    Raises:
        Environment: the backend does not run here.
        Refused: it does not accept the model.
    """
    runner = backend(name)
    device = runner.device(setup)
    groups = candidates(solution, choice)
    plans = widths(groups, {group.name: _choices(group, choice) for group in groups})
    key = _key(model, device, setup, feeds, plans)
    found = _read(key) if keep else None
    if found is not None:
        return Latencies(name, setup, device, feeds, *found, cached=True)
    with runner.open(model, feeds, setup) as running:
        times = running.layers(3)
    samples = tuple(sampled(model, solution, groups, plans, runner, feeds, setup, tell))
    if keep:
        _write(key, times, samples)
    return Latencies(name, setup, device, feeds, times, samples)


def _choices(group: Group, choice: Choice) -> Sequence[int]:
    return [stay for stay in range(1, group.size + 1) if rounded(group, stay, choice) == stay] or [group.size]


def _key(model: Model, device: Device, setup: Setup, feeds: Feeds, plans: Sequence[Mapping[str, int]]) -> str:
    shapes = {name: [str(array.dtype), *array.shape] for name, array in feeds.items()}
    facts = [VERSION, model_hash(model), asdict(device), asdict(setup), shapes, plans]
    return hashlib.blake2b(
        json.dumps(facts, sort_keys=True, default=str).encode(), digest_size=16
    ).hexdigest()


def _read(key: str) -> tuple[tuple[LayerTime, ...], tuple[Sample, ...]] | None:
    try:
        path = private_folder("latency") / f"{key}.json"
        data = read_sealed(path)
        if data is None:
            return None
        kept = msgspec.json.decode(data, type=_Kept)
        path.touch()
    except (OSError, ForeignCache, msgspec.DecodeError):  # a cache that is not ours, or may be read only
        return None
    samples = (
        Sample(each.kept, each.total, {tuple(step): taken for step, taken in each.steps})
        for each in kept.samples
    )
    return tuple(kept.times), tuple(samples)


def _write(key: str, times: Sequence[LayerTime], samples: Sequence[Sample]) -> None:
    kept = [
        _KeptSample(dict(each.kept), each.total, [(list(k), t) for k, t in each.steps.items()])
        for each in samples
    ]
    try:
        folder = private_folder("latency")
        write_sealed(folder / f"{key}.json", msgspec.json.encode(_Kept(list(times), kept)))
        entries = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
        for path in entries[:-MOST]:
            path.unlink(missing_ok=True)
    except (OSError, ForeignCache):  # it is timed anew the next time
        return
