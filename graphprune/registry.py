"""Which passes there are: graphprune's own, in pipeline order, and other people's by entry point.

Another package offers a pass by naming its class under the entry-point group `graphprune.passes`:

    [project.entry-points."graphprune.passes"]
    note = "my_package.note:Note"

It is imported when a pipeline names it, not before, so a broken one harms nobody else.
"""

from __future__ import annotations

import dataclasses
import functools
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from graphprune.errors import Environment, Usage
from graphprune.nearest import did_you_mean
from graphprune.options import options
from graphprune.passes.advance import Advance
from graphprune.passes.calibrate import Calibrate
from graphprune.passes.cast import Cast
from graphprune.passes.compensate import Compensate
from graphprune.passes.compose import Compose
from graphprune.passes.cut import Cut
from graphprune.passes.fold import Fold
from graphprune.passes.group import Group
from graphprune.passes.influence import Influence
from graphprune.passes.permute import Permute
from graphprune.passes.probe import Probe
from graphprune.passes.profile import Profile
from graphprune.passes.quantise import Quantise
from graphprune.passes.replay import Replay
from graphprune.passes.score import Score
from graphprune.passes.select import Select
from graphprune.passes.sparsify import Sparsify
from graphprune.passes.tabulate import Tabulate
from graphprune.passes.verify import Verify
from graphprune.state import Pass, State

ENTRY_POINTS = "graphprune.passes"
BUILTIN: tuple[type[Pass], ...] = (
    Fold,
    Group,
    Calibrate,
    Score,
    Influence,
    Probe,
    Tabulate,
    Select,
    Replay,
    Advance,
    Compose,
    Cut,
    Verify,
    Compensate,
    Permute,
    Sparsify,
    Cast,
    Quantise,
    Profile,
)


def names() -> tuple[str, ...]:
    """The names of all passes, graphprune's own first and in pipeline order."""
    own = tuple(kind.name for kind in BUILTIN)
    return own + tuple(name for name in offered() if name not in own)


def offered() -> tuple[str, ...]:
    """The names of the passes that other packages offer, whether or not they work."""
    return tuple(sorted(_offered()))


def find(name: str) -> type[Pass]:
    """The pass called `name`.

    Raises `Usage` naming the nearest known pass, and `Environment` when the package that offers the pass
    is broken.
    """
    for kind in BUILTIN:
        if kind.name == name:
            return kind
    point = _offered().get(name)
    if point is None:
        raise Usage(f"there is no pass {name}", did_you_mean(name, names()))
    return _load(point)


def makers(field: str) -> tuple[str, ...]:
    """The names of graphprune's own passes that give `field` of the state."""
    return tuple(kind.name for kind in BUILTIN if field in kind.gives)


def broken() -> dict[str, str]:
    """The offered passes that cannot be used, and why; imports every one of them."""
    own = {kind.name for kind in BUILTIN}
    faults: dict[str, str] = {}
    for name, point in sorted(_offered().items()):
        if name in own:
            faults[name] = f"{_source(point)} offers it, but graphprune's own pass of that name is used"
            continue
        try:
            _load(point)
        except Environment as error:
            faults[name] = error.what
    return faults


@functools.cache
def _offered() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def _load(point: EntryPoint) -> type[Pass]:
    hint = f"repair or remove {_source(point)}, or leave the pass out"
    try:
        kind: Any = point.load()
    except Exception as error:
        what = f"pass {point.name} cannot be imported from {point.value}: {type(error).__name__}: {error}"
        raise Environment(what, hint) from error
    fault = _fault(kind, point.name)
    if fault:
        raise Environment(f"{point.value} is not a pass: {fault}", hint)
    return cast("type[Pass]", kind)


def _fault(kind: object, name: str) -> str:
    """What keeps `kind` from being a pass called `name`; empty when nothing does."""
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        return "it is not a dataclass"
    if getattr(kind, "name", None) != name:
        return f"its name is {getattr(kind, 'name', None)!r}, not {name!r}"
    if not callable(getattr(kind, "run", None)):
        return "it has no method run"
    fields = {field.name for field in dataclasses.fields(State)}
    for attribute in ("needs", "gives"):
        unknown = [field for field in getattr(kind, attribute, ("nothing",)) if field not in fields]
        if unknown:
            return f"{attribute} has {unknown[0]}, which is not a field of State"
    try:
        options(cast("type[Pass]", kind))
    except (NameError, TypeError) as error:
        return f"its options cannot be read: {error}"
    return ""


def _source(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value
