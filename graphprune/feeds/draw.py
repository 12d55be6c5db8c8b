"""Values for the inputs of a planned run: numbers that a user of the model might feed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from graphprune.feeds.inputs import Feeds, Sizes
from graphprune.feeds.roles import Role

Style = Literal["ones", "left", "right"]
"""How masks are drawn: nothing is hidden, or padding in front of or behind what a sample holds."""
Magnitude = Literal["normal", "unit", "pixels", "small", "large"]
"""How floats are drawn: N(0, 1), 0 to 1, 0 to 255, N(0, 1) times 0.1, and times 10."""
MAGNITUDES: tuple[Magnitude, ...] = ("normal", "unit", "pixels", "small", "large")
HIDDEN = -1e4
"""What is added where a mask that is added hides: finite in float16."""


@dataclass(frozen=True)
class Run:
    """Inputs that belong together.

    Attributes:
        name: what is run, as `decode` or `past the boundary of pos`.
        sizes: of every input.
        values: of inputs that go with the sizes: lengths, and what chooses a branch.
        violations: what the sizes leave without influence.
        peak_bytes: what tensors between operators take at most.
        roles: what each input is for.
        limits: ids and positions stay below these.
        start: the first position that is fed.
        given: the inputs themselves, where a user gave them.
    """

    name: str
    sizes: Mapping[str, Sizes]
    values: Mapping[str, NDArray[Any]] = field(default_factory=dict[str, NDArray[Any]])
    violations: tuple[str, ...] = ()
    peak_bytes: int = 0
    roles: Mapping[str, Role] = field(default_factory=dict[str, Role])
    limits: Mapping[str, int] = field(default_factory=dict[str, int])
    start: int = 0
    given: Feeds | None = None

    @property
    def fixed(self) -> frozenset[str]:
        """Inputs that have no other value at these sizes."""
        lengths = {name for name in self.values if self.roles[name].kind == "length"}
        return frozenset(lengths | {name for name, sizes in self.sizes.items() if 0 in sizes})


def styles(run: Run) -> tuple[Style, ...]:
    """Return the styles in which the inputs of a run differ.

    A model without a mask, or with nothing that could be hidden, knows one.
    """
    padded = run.given is None and any(
        role.kind in ("mask", "bias") and len(run.sizes[name]) > 1 and run.sizes[name][-1] > 1
        for name, role in run.roles.items()
    )
    return ("ones", "left", "right") if padded else ("ones",)


def draw(run: Run, *, style: Style = "ones", magnitude: Magnitude = "normal", seed: int = 0) -> Feeds:
    """Return a value for every input of a run; the same arguments give the same values."""
    if run.given is not None:
        return dict(run.given)
    feeds: Feeds = {}
    for name, sizes in run.sizes.items():
        if name in run.values:
            feeds[name] = run.values[name]
            continue
        generator = _generator(name, seed)
        feeds[name] = _drawn(run, run.roles[name], sizes, style, magnitude, generator)
    return feeds


def redraw(feeds: Feeds, names: Collection[str], run: Run, seed: int) -> Feeds:
    """Return `feeds` with the inputs `names` drawn anew, each within its role; those of `run.fixed` stay.

    Floats are drawn about as large as they were, ids are others of the same table, half of a row of a mask is
    hidden, and what chooses a branch chooses another.
    """
    found = dict(feeds)
    for name in names:
        if name not in run.fixed:
            found[name] = _anew(feeds[name], run, run.roles[name], _generator(name, seed + 1))
    return found


def _generator(name: str, seed: int) -> np.random.Generator:
    """Return a generator of an input's own, so that one more input changes no other."""
    return np.random.default_rng([seed, *name.encode()])


def _drawn(
    run: Run, role: Role, sizes: Sizes, style: Style, magnitude: Magnitude, generator: np.random.Generator
) -> NDArray[Any]:
    match role.kind:
        case "mask" | "bias":
            seen = _seen(sizes, style)
            return (
                seen.astype(role.dtype) if role.kind == "mask" else ((1 - seen) * HIDDEN).astype(role.dtype)
            )
        case "positions":
            return _positions(run, role, sizes, style)
        case "ids":
            limit = run.limits[role.name]
            low = 1 if limit > 8 else 0  # 0 is what many models take for padding
            return generator.integers(low, max(limit, 1), sizes).astype(role.dtype)
        case "bool":
            return np.asarray(generator.random(sizes) < 0.75)
        case "branch":
            return np.full(sizes, role.candidates[0], role.dtype)
        case "whole" | "length":
            return generator.integers(0, 2, sizes).astype(role.dtype)
        case "text":
            return np.full(sizes, "a", object)
        case "float":
            return _floats(sizes, magnitude, generator).astype(role.dtype)


def _floats(sizes: Sizes, magnitude: Magnitude, generator: np.random.Generator) -> NDArray[np.float64]:
    match magnitude:
        case "normal":
            return np.asarray(generator.standard_normal(sizes))
        case "unit":
            return np.asarray(generator.random(sizes))
        case "pixels":
            return np.asarray(generator.integers(0, 256, sizes), dtype=np.float64)
        case "small":
            return np.asarray(generator.standard_normal(sizes) * 0.1)
        case "large":
            return np.asarray(generator.standard_normal(sizes) * 10)


def _seen(sizes: Sizes, style: Style) -> NDArray[np.int64]:
    """Return a mask of ones; with padding every second sample lacks a third of its length, at least one."""
    mask = np.ones(sizes, np.int64)
    if style == "ones" or not sizes or sizes[-1] < 2:
        return mask
    hidden = max(1, sizes[-1] // 3)
    rows = mask[1::2] if len(sizes) > 1 and sizes[0] > 1 else mask
    rows[..., slice(None, hidden) if style == "left" else slice(-hidden, None)] = 0
    return mask


def _positions(run: Run, role: Role, sizes: Sizes, style: Style) -> NDArray[Any]:
    """Return where each step of a sequence stands: behind the past, padding in front not counted."""
    steps = sizes[-1] if sizes else 1
    positions = np.broadcast_to(np.arange(run.start, run.start + steps), sizes or (1,)).copy()
    masks = [run.sizes[name] for name, other in run.roles.items() if other.kind == "mask"]
    matching = [mask for mask in masks if len(mask) == 2 and mask[-1] >= steps and mask[:1] == sizes[:1]]
    if style == "left" and matching and len(sizes) == 2:
        counted = np.cumsum(_seen(matching[0], style), axis=-1) - 1
        positions = np.maximum(counted, 0)[:, -steps:]
    if role.name in run.limits:
        positions = np.minimum(positions, run.limits[role.name] - 1)
    return positions.reshape(sizes).astype(role.dtype)


def _anew(array: NDArray[Any], run: Run, role: Role, generator: np.random.Generator) -> NDArray[Any]:
    if not array.size:
        return array
    match role.kind:
        case "mask" | "bias":
            return _hidden(array, role)
        case "ids" | "positions":
            limit = run.limits.get(role.name, int(array.max()) + 2)
            if limit < 2:
                return array
            return np.asarray((array + generator.integers(1, limit, array.shape)) % limit, array.dtype)
        case "branch":
            others = [value for value in role.candidates if value != array.reshape(-1)[0]]
            return np.full(array.shape, others[0], array.dtype) if others else array
        case "bool":
            return ~array
        case "whole" | "length":
            return np.asarray(1 - np.clip(array, 0, 1), array.dtype)
        case "text":
            return array
        case "float":
            values = array.astype(np.float64)
            spread, middle = (float(values.std()), float(values.mean())) if array.size > 1 else (1.0, 0.0)
            fresh = generator.standard_normal(array.shape) * (spread or 1.0) + middle
            return np.asarray(fresh).astype(array.dtype)


def _hidden(array: NDArray[Any], role: Role) -> NDArray[Any]:
    """Return a mask of which half a row that was seen is hidden, at least one place and never all of them."""
    mask = array.copy()
    row = mask.reshape(-1, mask.shape[-1] if mask.ndim else 1)[0]
    seen = np.flatnonzero(row == 0 if role.kind == "bias" else row != 0)
    row[seen[: max(1, len(seen) // 2)] if len(seen) > 1 else []] = HIDDEN if role.kind == "bias" else 0
    return mask
