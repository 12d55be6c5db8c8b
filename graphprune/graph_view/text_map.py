"""The picture of the groups as text: a line a group, a character a column."""

from __future__ import annotations

from collections.abc import Iterator

from graphprune.graph_view.picture import Picture, Row

SHADES = ((0.0, "×"), (0.25, "░"), (0.5, "▒"), (0.999999, "▓"), (1.0, "█"))
"""What shares up to these look like; × is a node that goes with its layer."""
LEGEND = "█ all stay  ▓ more than a half  ▒ up to a half  ░ up to a quarter  × goes with a layer"


def lines(picture: Picture) -> Iterator[tuple[Row, str]]:
    """Yield each row with its cells as text; a line runs from the first cell to the last."""
    for row, shares in zip(picture.rows, picture.matrix(), strict=True):
        yield (
            row,
            "".join(
                shade(share) if share is not None else "─" if row.first < at < row.last else " "
                for at, share in enumerate(shares)
            ).rstrip(),
        )


def shade(share: float) -> str:
    """
    >>> "".join(map(shade, (1.0, 0.9, 0.5, 0.1, 0.0)))
    '█▓▒░×'
    """
    return next(mark for most, mark in SHADES if share <= most)
