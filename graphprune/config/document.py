"""Config files as values, with the line on which each key stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from graphprune.config import parse_json, parse_toml, parse_yaml
from graphprune.config.syntax import Broken, Keys, Parsed
from graphprune.errors import Usage
from graphprune.gate.outcome import Location
from graphprune.text_file import read_bytes

LARGEST = 1 << 20
"""Bytes; what takes more is no config file."""
PYPROJECT = "pyproject.toml"
TABLE = ("tool", "graphprune")
"""The table of a `pyproject.toml` that is ours."""
PARSERS = {
    ".toml": parse_toml.parse,
    ".yaml": parse_yaml.parse,
    ".yml": parse_yaml.parse,
    ".json": parse_json.parse,
}
"""How a file is read, by the end of its name."""


@dataclass(frozen=True)
class Document:
    """A config file.

    Attributes:
        path: as the user knows it.
        values: what it says; of a `pyproject.toml`, what its table `[tool.graphprune]` says.
        lines: the line of each key, counted from 1, by the keys and indices that lead to it (none: the
            whole).
        text: the lines of the file, without their ends.
    """

    path: str
    values: dict[str, Any]
    lines: Mapping[Keys, int]
    text: tuple[str, ...]

    def line(self, *keys: str | int) -> int:
        """Return the line of a key, or of the nearest key around it that is in the file."""
        for length in range(len(keys), 0, -1):
            if keys[:length] in self.lines:
                return self.lines[keys[:length]]
        return self.lines.get((), 1)

    def location(self, *keys: str | int) -> Location:
        """Return where a key stands, with the text of its line."""
        line = self.line(*keys)
        return Location(self.path, line, self.text[line - 1] if line <= len(self.text) else "")


def read(path: Path) -> Document:
    """Read a config file: TOML, YAML or JSON by the end of its name, TOML where it has none of these.

    Raises:
        Usage: there is no such file, it is no text, its syntax is broken, a key stands in it twice, it is not
            a table, or a `pyproject.toml` has no `[tool.graphprune]`.
        Environment: it cannot be read.
    """
    text = _text(path)
    parse = PARSERS.get(path.suffix.lower(), parse_toml.parse)
    try:
        found = parse(text)
    except Broken as error:
        raise Usage(f"{path}:{error.line}: {error.what}", error.hint) from error
    except RecursionError as error:
        raise Usage(f"{path}:1: it is nested too deeply", "a config has three levels") from error
    except ValueError as error:
        raise Usage(f"{path}:1: {error}", "write a smaller number") from error
    if path.name == PYPROJECT:
        found = _ours(found, path)
    values: object = found.values
    if not isinstance(values, dict):
        raise Usage(f"{path}:1: it is no table of keys and values", "graphprune init writes an example")
    document = Document(str(path), cast("dict[str, Any]", values), found.lines, _split(text))
    for keys in _with_nul(document.values):
        what = f"the value of {'.'.join(map(str, keys))} holds a NUL character"
        raise Usage(f"{path}:{document.line(*keys)}: {what}", "no path and no name can have one")
    return document


def _split(text: str) -> tuple[str, ...]:
    return tuple(line.removesuffix("\r") for line in text.split("\n"))


def _with_nul(value: object, keys: Keys = ()) -> Iterator[Keys]:
    """Yield the keys that lead to texts, or are names, with a NUL character."""
    if isinstance(value, str):
        if "\0" in value:
            yield keys
    elif isinstance(value, dict):
        for name, inner in cast("dict[str, object]", value).items():
            yield from _with_nul(name, (*keys, name))
            yield from _with_nul(inner, (*keys, name))
    elif isinstance(value, list):
        for at, inner in enumerate(cast("list[object]", value)):
            yield from _with_nul(inner, (*keys, at))


def _ours(found: Parsed, path: Path) -> Parsed:
    """The table of a `pyproject.toml` that is ours."""
    values: object = found.values
    for key in TABLE:
        values = cast("dict[str, object]", values).get(key) if isinstance(values, dict) else None
    if values is None:
        raise Usage(f"{path} has no [tool.graphprune]", "add it, or name another file")
    lines = {keys[len(TABLE) :]: line for keys, line in found.lines.items() if keys[: len(TABLE)] == TABLE}
    return Parsed(values, lines)


def _text(path: Path) -> str:
    data = read_bytes(path, LARGEST, "name the file in it")
    if len(data) > LARGEST:
        raise Usage(f"'{path}' is larger than {LARGEST >> 20} MiB", "give a config file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Usage(f"{path}:{line}: it is not UTF-8", "save it as UTF-8") from error
