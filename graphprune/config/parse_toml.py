"""TOML: values by `tomllib`, which keeps no positions, and the line of each key by its tokens."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from graphprune.config.syntax import Broken, Keys, Parsed

HINT = "see https://toml.io/en/v1.0.0"
_SKIPPED = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}[ ][0-9:.Z+-]+"
    r"|[\[\]{}=,]"
    r"|[^\s#\"'\[\]{}=,]+",
    re.DOTALL,
)
_PLACE = re.compile(r"\(at (?:line (\d+), column \d+|end of document)\)")


@dataclass(frozen=True)
class _Token:
    text: str
    line: int


def parse(text: str) -> Parsed:
    """Read a TOML document; raises `Broken`."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        line = int(place[1]) if place and place[1] else text.rstrip().count("\n") + 1
        what = _PLACE.sub("", str(error)).strip()
        raise Broken(line, f"it is no TOML: {what[:1].lower()}{what[1:]}", HINT) from error
    return Parsed(values, _lines(text))


def _lines(text: str) -> dict[Keys, int]:
    """The line of every key of a text that is known to be TOML."""
    lines: dict[Keys, int] = {(): 1}
    counts: dict[Keys, int] = {}
    table: Keys = ()
    tokens = _tokens(text)
    for first in tokens:
        if first.text != "[":
            keys = _below(table, _key(first, tokens), first.line, lines)
            _value(next(tokens), tokens, keys, lines)
            continue
        second = next(tokens)
        several = second.text == "["
        parts = _key(next(tokens) if several else second, tokens)
        table = _header(parts, several, counts, first.line, lines)
        if several:
            next(tokens)
    return lines


def _tokens(text: str) -> Iterator[_Token]:
    at, line = 0, 1
    while True:
        skipped = _SKIPPED.match(text, at)
        assert skipped is not None
        line += skipped[0].count("\n")
        found = _TOKEN.match(text, skipped.end())
        if found is None:
            return
        yield _Token(found[0], line)
        line += found[0].count("\n")
        at = found.end()


def _key(first: _Token, tokens: Iterator[_Token]) -> list[str]:
    """The parts of a key, as `a."b c".d`; takes the `=` or `]` behind it, too."""
    parts: list[str] = []
    token = first
    while token.text not in ("=", "]"):
        if token.text[0] in "\"'":
            parts.append(tomllib.loads(f"key = {token.text}")["key"])
        else:
            parts += [part for part in token.text.split(".") if part]
        token = next(tokens)
    return parts


def _below(keys: Keys, parts: Iterable[str], line: int, lines: dict[Keys, int]) -> Keys:
    for part in parts:
        keys = (*keys, part)
        lines.setdefault(keys, line)
    return keys


def _header(
    parts: list[str], several: bool, counts: dict[Keys, int], line: int, lines: dict[Keys, int]
) -> Keys:
    """The keys that lead to a `[table]`, or to another of `[[several]]`; `counts` says how many there are."""
    keys: Keys = ()
    for number, part in enumerate(parts, 1):
        keys = _below(keys, [part], line, lines)
        if several and number == len(parts):
            counts[keys] = counts.get(keys, 0) + 1
        if keys in counts:
            keys = (*keys, counts[keys] - 1)
            lines.setdefault(keys, line)
    if not several:
        lines[keys] = line  # a table below it may have come first
    return keys


def _value(first: _Token, tokens: Iterator[_Token], keys: Keys, lines: dict[Keys, int]) -> None:
    """Go through a value, which a table or an array of them may be."""
    if first.text == "[":
        number = 0
        for token in iter(lambda: next(tokens), None):
            if token.text == "]":
                return
            if token.text != ",":
                lines[(*keys, number)] = token.line
                _value(token, tokens, (*keys, number), lines)
                number += 1
    elif first.text == "{":
        for token in iter(lambda: next(tokens), None):
            if token.text == "}":
                return
            if token.text != ",":
                below = _below(keys, _key(token, tokens), token.line, lines)
                _value(next(tokens), tokens, below, lines)
