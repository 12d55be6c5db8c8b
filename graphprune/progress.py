"""How far a long step has come, for whoever wants to show it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

Tell = Callable[[int, int], None]
"""Is told how much is done, and of how much."""
Show = Callable[[str, int, int], None]
"""Is told the name of a step, how much is done, and of how much; when all is done, the step is over."""

shown_by: ContextVar[Show | None] = ContextVar("shown_by", default=None)
"""Who shows progress; set by the command line where there is a terminal."""


@contextmanager
def counted(name: str) -> Generator[Tell]:
    """Yield a function that takes what is done and of how much."""
    show = shown_by.get()

    def tell(done: int, count: int) -> None:
        if show is not None:
            show(name, done, count)

    yield tell
