"""Tables of text: names are shown as they are, whatever characters they hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import RenderableType as Renderable
from rich.table import Table
from rich.text import Text

from graphprune.cli.failures import printable
from graphprune.cli.streams import shown

__all__ = ["Renderable", "count", "share", "size", "table", "text"]


def text(value: object) -> Text:
    """`value` as plain text: no markup, no terminal codes."""
    return Text(shown(printable(str(value))))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table without a frame; a column whose name ends in `#` is set flush right.

    Without column names it has no heading.
    """
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=any(columns))
    for column in columns:
        made.add_column(
            Text(column.removesuffix("#")),
            justify="right" if column.endswith("#") else "left",
            overflow="fold",
        )
    for row in rows:
        made.add_row(*(text(value) for value in row))
    return made


def count(number: float) -> str:
    """A number as people read it.

    >>> count(25557032), count(4089184256), count(12)
    ('25.56 M', '4.089 G', '12')
    """
    for scale, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= max(scale, 1e4):
            return f"{number / scale:.4g} {unit}"
    return f"{number:.0f}"


def size(number: float) -> str:
    """A number of bytes as people read it.

    >>> size(102442450), size(900)
    ('102.4 MB', '900 B')
    """
    for scale, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= scale:
            return f"{number / scale:.4g} {unit}"
    return f"{number:.0f} B"


def share(after: float, before: float) -> str:
    """`after` as a share of `before`.

    >>> share(27, 100)
    '27.0 %'
    """
    return f"{100 * after / before:.1f} %" if before else ""
