"""Run records: what a command did, kept in a file that says how to do it again."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_kept: ContextVar[dict[str, object] | None] = ContextVar("kept", default=None)


def attach(name: str, value: Mapping[str, object] | Callable[[], Mapping[str, object]]) -> None:
    """Keep what was measured under `name` in the record of the run that is going on.

    Where no record is kept, nothing is done, and a callable is not called. What was kept under the same name
    before is replaced.
    """
    kept = _kept.get()
    if kept is not None:
        kept[name] = value() if callable(value) else value


@contextmanager
def keeping() -> Generator[dict[str, object]]:
    """Keep what is attached from here on, in the mapping that this yields."""
    kept: dict[str, object] = {}
    token = _kept.set(kept)
    try:
        yield kept
    finally:
        _kept.reset(token)
