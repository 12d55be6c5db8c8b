"""What the parsers of config files share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Keys = tuple[str | int, ...]
"""The keys and indices that lead to a value."""


@dataclass(frozen=True)
class Parsed:
    """What a text says, and the line of each key."""

    values: Any
    lines: Mapping[Keys, int]


class Broken(Exception):
    """A text is not what its syntax asks for; `line` is counted from 1."""

    def __init__(self, line: int, what: str, hint: str) -> None:
        super().__init__(what)
        self.line = line
        self.what = what
        self.hint = hint
