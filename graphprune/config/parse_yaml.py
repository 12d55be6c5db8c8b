"""YAML 1.2 (core schema): PyYAML's nodes, made into values here.

PyYAML by itself reads YAML 1.1, in which `off` is false, `1:30` is 90 and `1e-3` is a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from graphprune.config.syntax import Broken, Keys, Parsed

if TYPE_CHECKING:
    import yaml

DEEPEST = 100
"""Levels; PyYAML's time grows with their square."""
HINT = "see https://yaml.org/spec/1.2.2"
_TRUE = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_SCALARS: tuple[tuple[str, Callable[[str], Any]], ...] = (
    (r"null|Null|NULL|~|", lambda _: None),
    ("|".join(_TRUE), _TRUE.__getitem__),
    (r"[-+]?[0-9]+", int),
    (r"0o[0-7]+", lambda text: int(text, 0)),
    (r"0x[0-9a-fA-F]+", lambda text: int(text, 0)),
    (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", float),
    (r"[-+]?\.(inf|Inf|INF)", lambda text: float(text.replace(".", ""))),
    (r"\.(nan|NaN|NAN)", lambda _: float("nan")),
)
"""Plain scalars that are no texts: the table of section 10.3.2 of the specification."""


def parse(text: str) -> Parsed:
    """Read a YAML document; raises `Broken`."""
    lines: dict[Keys, int] = {(): 1}
    node = compose(text)
    return Parsed({} if node is None else _value(node, (), lines), lines)


def compose(text: str) -> yaml.Node | None:
    """Return the nodes of a YAML document, None where it is empty; raises `Broken`."""
    import yaml

    depth = 0
    try:
        for event in yaml.parse(text, yaml.SafeLoader):
            line = event.start_mark.line + 1 if event.start_mark else 1
            if isinstance(event, yaml.AliasEvent):
                raise Broken(line, f"*{event.anchor} refers to another value", "write the value out")
            if getattr(event, "tag", None) is not None:
                raise Broken(line, "a value has a tag", "leave it out; quote what shall be a text")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise Broken(line, "it is nested too deeply", "a config has three levels")
        return yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        raise Broken(mark.line + 1 if mark else 1, f"it is no YAML: {said}", HINT) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Broken(line, f"it is no YAML: it holds the character {error.character!r}", HINT) from error


def _value(node: yaml.Node, keys: Keys, lines: dict[Keys, int]) -> Any:
    import yaml

    if isinstance(node, yaml.SequenceNode):
        found: list[Any] = []
        for number, item in enumerate(node.value):
            lines[(*keys, number)] = item.start_mark.line + 1
            found.append(_value(item, (*keys, number), lines))
        return found
    if isinstance(node, yaml.MappingNode):
        return _table(node, keys, lines)
    assert isinstance(node, yaml.ScalarNode)
    return _scalar(node)


def _table(node: yaml.MappingNode, keys: Keys, lines: dict[Keys, int]) -> dict[str, Any]:
    import yaml

    table: dict[str, Any] = {}
    for name, item in node.value:
        line = name.start_mark.line + 1
        if not isinstance(name, yaml.ScalarNode):
            raise Broken(line, "a key is no text", "write a name")
        if name.value in table:
            raise Broken(line, f"{name.value} stands here twice", "leave one of them out")
        lines[(*keys, name.value)] = line
        table[name.value] = _value(item, (*keys, name.value), lines)
    return table


def _scalar(node: yaml.ScalarNode) -> Any:
    """The value of a scalar: a text where it is quoted, or where nothing else fits."""
    if node.style not in ("|", ">", "'", '"'):
        for pattern, read in _SCALARS:
            if re.fullmatch(pattern, node.value):
                return read(node.value)
    return str(node.value)
