"""The words and numbers of a comparison, as tables and Markdown both show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphprune.profiling.baseline import Change, Changes
    from graphprune.profiling.columns import Column
    from graphprune.profiling.matrix import Cell, Matrix, Row
    from graphprune.profiling.paired import Interval

_DIGITS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class Footnotes:
    """Notes below a table, each numbered once."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {}

    def mark(self, notes: tuple[str, ...]) -> str:
        """Return the marks of `notes`, with a space before them.

        >>> footnotes = Footnotes()
        >>> footnotes.mark(("busy",)), footnotes.mark(("hot", "busy")), footnotes.mark(())
        (' ¹', ' ¹ ²', '')
        """
        numbers = sorted({self.texts.setdefault(note, len(self.texts) + 1) for note in notes})
        return "".join(f" {str(number).translate(_DIGITS)}" for number in numbers)

    def lines(self) -> list[str]:
        """Return the notes, each after its mark."""
        return [f"{str(number).translate(_DIGITS)} {note}" for note, number in self.texts.items()]


def milliseconds(value: float) -> str:
    """A time in four digits.

    >>> milliseconds(15.903), milliseconds(0.012344), milliseconds(1234.5)
    ('15.90 ms', '0.01234 ms', '1234 ms')
    """
    text = f"{value:#.4g}" if 1e-4 <= value < 1e4 else f"{value:.4g}"
    return f"{text.rstrip('.')} ms"


def ratio(value: Interval) -> str:
    """A ratio with its interval.

    >>> from graphprune.profiling.paired import Interval
    >>> ratio(Interval(0.4441, 0.443, 0.4466))
    '0.444 (0.443–0.447)'
    """
    return f"{value.ratio:.3f} ({value.low:.3f}–{value.high:.3f})"


def heading(column: Column) -> tuple[str, ...]:
    """What stands above a column, line by line."""
    batch = () if column.batch is None else (f"batch {column.batch}",)
    return (column.backend, column.device, *batch, *column.apart)


def name(row: Row, made: Matrix) -> str:
    """What stands before a row: the model, and the reference where there are several."""
    several = sum(other.reference is None for other in made.rows) > 1
    return f"{row.label} beside {row.reference}" if row.reference and several else row.label


def cell_lines(cell: Cell | None, footnotes: Footnotes) -> tuple[str, ...]:
    """What stands in a cell, line by line."""
    if cell is None:
        return ("",)
    marks = footnotes.mark(cell.notes)
    if cell.ratio is None:
        return (milliseconds(cell.milliseconds) + marks,)
    return (milliseconds(cell.milliseconds), ratio(cell.ratio), f"{cell.verdict}{marks}")


def change_cells(change: Change, footnotes: Footnotes) -> tuple[str, ...]:
    """What stands behind a model and its column: then, now, the ratio, the verdict."""
    return (
        milliseconds(change.milliseconds_then),
        milliseconds(change.milliseconds),
        ratio(change.ratio),
        f"{change.verdict}{footnotes.mark(change.notes)}",
    )


def explanation(made: Matrix) -> list[str]:
    """What the figures are, and what was noted on all of them."""
    references = [row.label for row in made.rows if row.reference is None]
    of = references[0] if len(references) == 1 else "the model named beside it"
    texts = [f"Median times. Ratios are to {of}, from pairs of blocks in one process, with 95 % intervals."]
    if all(row.reference is None for row in made.rows):
        texts = ["Median times."]
    if len(made.columns) > 1:
        texts[0] += " Columns are not compared with each other."
    return [*texts, *(f"{note[:1].upper()}{note[1:]}." for note in made.notes)]


def warning(changes: Changes) -> str:
    """What is to be known of every figure that is taken against a baseline."""
    return (
        "Not paired: an unchanged model differs by up to 14 % between two runs. "
        f"What differs by less than {100 * changes.margin:g} % is called the same."
    )


def missing(changes: Changes) -> list[str]:
    """Which models the baseline has not."""
    return [f"Not in the baseline: {', '.join(changes.missing)}."] if changes.missing else []
