"""Tables of text: names are shown as they are, whatever characters they hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.console import RenderableType as Renderable
from rich.table import Table
from rich.text import Text

from graphprune.cli.failures import printable
from graphprune.cli.streams import shown

__all__ = ["Renderable", "Sheet", "count", "share", "size", "table", "text"]


GAP = 2
"""Blanks between columns."""
ROOM = 16
"""Names are folded to no fewer columns than these."""


def text(value: object) -> Text:
    """`value` as plain text: no markup, no terminal codes."""
    return Text(shown(printable(str(value))))


@dataclass(frozen=True)
class Sheet:
    """A table without a frame that loses no character, however narrow it is shown.

    Names are folded, to `ROOM` columns at the least. Figures are not: where the columns do not fit beside
    each other, the table goes on below with the others, behind the first `keys` columns once more.

    Attributes:
        heads: the names of the columns; see `table`.
        rows: their cells.
        keys: how many columns say what a row is about.
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[Text, ...], ...]
    keys: int = 1

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for number, columns in enumerate(self._parts(options.max_width)):
            if number:
                yield Text("")
            yield self._grid(columns, self._widths(columns, options.max_width))

    def _parts(self, room: int) -> list[list[int]]:
        """The columns that stand beside each other."""
        keys = list(range(self.keys))
        parts = [keys]
        for column in range(self.keys, len(self.heads)):
            beside = [*parts[-1], column]
            needed = sum(map(self._least, beside)) + GAP * (len(beside) - 1)
            if needed > room and len(beside) > self.keys + 1:
                parts.append([*keys, column])
            else:
                parts[-1] = beside
        return parts

    def _least(self, column: int) -> int:
        """How narrow a column may be."""
        head = self.heads[column]
        longest = max(map(cell_len, _bare(head).split()), default=0)
        widest = self._widest(column)
        return max(widest if _whole(head) else min(widest, ROOM), min(longest, ROOM))

    def _widest(self, column: int) -> int:
        lines = (line for row in self.rows for line in row[column].plain.split("\n"))
        return max(map(cell_len, lines), default=0)

    def _wanted(self, column: int) -> int:
        """How wide a column is where nothing is folded."""
        return max(self._widest(column), *map(cell_len, _bare(self.heads[column]).split("\n")))

    def _widths(self, columns: Sequence[int], room: int) -> list[int]:
        """The width of each column: what room there is goes first to those that lack least."""
        widths = {column: self._least(column) for column in columns}
        lacking = {column: self._wanted(column) - width for column, width in widths.items()}
        spare = room - GAP * (len(columns) - 1) - sum(widths.values())
        waiting = sorted(columns, key=lambda column: lacking[column])
        for number, column in enumerate(waiting):
            given = max(0, min(lacking[column], spare // (len(waiting) - number)))
            widths[column] += given
            spare -= given
        return [widths[column] for column in columns]

    def _grid(self, columns: Sequence[int], widths: Sequence[int]) -> Table:
        titled = any(map(_bare, self.heads))
        made = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), show_header=titled)
        for column, width in zip(columns, widths, strict=True):
            head = self.heads[column]
            made.add_column(
                Text(shown(_bare(head))),
                justify="right" if head.endswith("#") else "left",
                overflow="fold",
                width=width or None,
            )
        for row in self.rows:
            made.add_row(*(row[column] for column in columns))
        return made


def _whole(head: str) -> bool:
    return head.endswith(("#", "="))


def _bare(head: str) -> str:
    return head[:-1] if _whole(head) else head


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], keys: int = 1) -> Sheet:
    """A table, see `Sheet`; its cells are shown as they are, or keep their style where they are `Text`.

    A column whose name ends in `#` holds figures and is set flush right; one that ends in `=` holds figures
    in words and is set flush left. Neither is folded. Without names of columns the table has no heading.
    """
    cells = tuple(tuple(each if isinstance(each, Text) else text(each) for each in row) for row in rows)
    return Sheet(tuple(columns), cells, keys)


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
