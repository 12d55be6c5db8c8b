"""A limit of work that is the same on every machine, where a limit of time would not be."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def at_most_calls(most: int) -> Generator[None]:
    """Fail where more than `most` functions, Python's and C's, are called inside."""
    made = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal made
        made += event in ("call", "c_call")
        if made > most:
            sys.setprofile(None)
            raise AssertionError(f"more than {most:,} calls")

    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(None)
