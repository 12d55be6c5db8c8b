"""What a user says of sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Given:
    """What a user says of sizes.

    Attributes:
        symbols: sizes of symbols by their names: `{"past_sequence_length": 7}`.
        shapes: sizes of inputs by their names, which may hold `*` and `?`: `{"past.*": (2, 8, 0, 64)}`.
    """

    symbols: Mapping[str, int] = field(default_factory=dict[str, int])
    shapes: Mapping[str, Sizes] = field(default_factory=dict[str, Sizes])

    def ranks(self) -> Given:
        """Return what of it also holds for others: of how many dimensions an input is that declares none."""
        return Given(shapes={name: (-1,) * len(sizes) for name, sizes in self.shapes.items()})
