"""Markdown whose texts are only texts: names neither format, nor break a table, nor notify anybody."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from graphprune.printable import printable

_STEERING = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$^])")


def code(text: str) -> str:
    """`text` as code in a table, so that a name neither formats nor notifies anybody.

    >>> code("model.onnx"), code("a|b"), code("`")
    ('`model.onnx`', '`a\\\\|b`', '`` ` ``')
    """
    if "\\|" in text:  # readers differ on whether a backslash before the one of the bar takes it away
        return f"<code>{escaped(text)}</code>"
    shown = printable(text).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def escaped(text: str) -> str:
    """`text` with all that Markdown would read as more than text escaped; an @ calls nobody.

    >>> escaped("a_b [x](y) @all")
    'a\\\\_b \\\\[x\\\\]\\\\(y\\\\) @<!-- -->all'
    """
    return _STEERING.sub(r"\\\1", printable(text)).replace("@", "@<!-- -->")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], flush_right: Iterable[int]) -> str:
    """A table of cells that are Markdown already; the columns of `flush_right` are set flush right.

    >>> print(table(("a", "b"), [("x", "1")], [1]))
    | a | b |
    | --- | ---: |
    | x | 1 |
    """
    right = set(flush_right)
    rule = ["---:" if number in right else "---" for number in range(len(heads))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows))
