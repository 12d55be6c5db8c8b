"""Runs passes in order, with hooks between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from graphprune.errors import Usage
from graphprune.registry import makers
from graphprune.state import Pass, State


@dataclass(frozen=True)
class Step:
    """A pass about to run (`seconds` is None) or done; `index` counts from 1."""

    index: int
    count: int
    ran: Pass
    state: State
    seconds: float | None = None


Hook = Callable[[Step], None]
"""Is shown every pass twice, before and after it ran; sees the state, cannot change it."""


def run(passes: Sequence[Pass], state: State, hooks: Iterable[Hook] = ()) -> State:
    """The state after all `passes`; raises `Usage` before the first when one would lack its input."""
    check(passes, state)
    hooks = tuple(hooks)
    for index, current in enumerate(passes, 1):
        for hook in hooks:
            hook(Step(index, len(passes), current, state))
        started = time.perf_counter()
        state = current.run(state)
        seconds = time.perf_counter() - started
        for hook in hooks:
            hook(Step(index, len(passes), current, state, seconds))
    return state


def check(passes: Sequence[Pass], state: State) -> None:
    """Raises `Usage` when a pass needs what neither `state` has nor a pass before it gives."""
    given: set[str] = set()
    for current in passes:
        for field in current.needs:
            if field not in given and not state.has(field):
                raise Usage(f"pass {current.name} needs the {field}", _advice(field, passes, current))
        given.update(current.gives)


def _advice(field: str, passes: Sequence[Pass], current: Pass) -> str:
    later = [other.name for other in passes if field in other.gives]
    if later:
        return f"pass {later[0]} makes it; put {later[0]} before {current.name}"
    known = makers(field)
    if not known:
        return "no pass of graphprune makes it; a pass of another package must come first"
    return f"pass {' or '.join(known)} makes it; put it before {current.name}"


def stop_after(passes: Sequence[Pass], count: int) -> tuple[Pass, ...]:
    """The first `count` passes; raises `Usage` when there are fewer or none is left."""
    if not 1 <= count <= len(passes):
        raise Usage(
            f"--stop-after is {count}, the pipeline has {len(passes)} passes", f"give 1 to {len(passes)}"
        )
    return tuple(passes[:count])
