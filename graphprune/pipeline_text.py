"""The text of a pipeline: `fold,group,score{by=l2},select{ratio=0.5 round-to=8},cut,verify`.

    pipeline = pass { "," pass }
    pass     = name [ "{" { option } "}" ]
    option   = name [ "=" [ piece { "," piece } ] ]        a name alone says true
    piece    = any text without space, comma, brace, quote and backslash
             | a text in double quotes; backslash escapes a quote and a backslash

An option given twice collects the pieces of both, as `ignore=a ignore=b`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from graphprune.errors import Usage
from graphprune.options import BARE, Item, build, options, write
from graphprune.registry import find
from graphprune.state import Pass

NAME = re.compile(r"[A-Za-z][\w.-]*")
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
EXAMPLE = 'write it like "fold,group,score{by=l2},select{ratio=0.5},cut,verify"'


@dataclass(frozen=True)
class Written:
    """A pass as it was written: its name and the pieces of each option's value."""

    name: str
    values: dict[str, tuple[Item, ...]] = field(default_factory=dict[str, tuple[Item, ...]])

    def __str__(self) -> str:
        if not self.values:
            return self.name
        written = (f"{name}={','.join(str(item) for item in items)}" for name, items in self.values.items())
        return f"{self.name}{{{' '.join(written)}}}"


def parse(text: str) -> tuple[Pass, ...]:
    """The passes that `text` names; raises `Usage` naming what is wrong and the nearest known word.

    >>> [p.name for p in parse("fold, group")]
    ['fold', 'group']
    """
    return tuple(build(find(step.name), step.values) for step in parse_steps(text))


def show(passes: Iterable[Pass]) -> str:
    """The text of a pipeline, with the options that differ from their defaults; `parse` reads it back.

    >>> show(parse("fold{},score{by=l1}"))
    'fold,score{by=l1}'
    """
    return ",".join(str(step_of(step)) for step in passes)


def step_of(of: Pass) -> Written:
    """How a pass is written."""
    values = {
        option.name: write(option.type, getattr(of, option.field))
        for option in options(type(of))
        if getattr(of, option.field) != option.default
    }
    return Written(of.name, values)


def parse_steps(text: str) -> tuple[Written, ...]:
    """The steps that `text` spells, whether or not such passes exist."""
    cursor = _Cursor(text)
    steps = [cursor.step()]
    while not cursor.at_end():
        if not cursor.take(","):
            raise cursor.refuse("a comma between passes")
        steps.append(cursor.step())
    return tuple(steps)


class _Cursor:
    """A place in a pipeline text, and what can be read there."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def step(self) -> Written:
        name = self.match(NAME)
        if name is None:
            raise self.refuse("the name of a pass")
        values: dict[str, tuple[Item, ...]] = {}
        if self.take("{"):
            while not self.take("}"):
                option, pieces = self.option()
                values[option] = values.get(option, ()) + pieces
        return Written(name.group(), values)

    def option(self) -> tuple[str, tuple[Item, ...]]:
        name = self.match(NAME)
        if name is None:
            raise self.refuse("an option or a closing brace")
        if not self.text.startswith("=", self.at):
            return name.group(), ()
        self.at += 1
        pieces: list[Item] = []
        while (piece := self.piece()) is not None:
            pieces.append(piece)
            if not self.text.startswith(",", self.at):
                break
            self.at += 1
        return name.group(), tuple(pieces)

    def piece(self) -> Item | None:
        """The piece that begins right here, without a space before it."""
        for pattern, quoted in ((QUOTED, True), (BARE, False)):
            if found := pattern.match(self.text, self.at):
                self.at = found.end()
                return Item(
                    re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL) if quoted else found[0], quoted
                )
        return None

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        self.skip_space()
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return found

    def take(self, mark: str) -> bool:
        self.skip_space()
        found = self.text.startswith(mark, self.at)
        self.at += len(mark) if found else 0
        return found

    def at_end(self) -> bool:
        self.skip_space()
        return self.at == len(self.text)

    def skip_space(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def refuse(self, expected: str) -> Usage:
        found = repr(self.text[self.at]) if self.at < len(self.text) else "the end"
        return Usage(
            f"pipeline text has {found} at character {self.at + 1}, not {expected}: {self.text}", EXAMPLE
        )
