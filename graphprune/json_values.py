"""Values as JSON has them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast


def plain(value: object) -> object:
    """Return `value` as JSON has it: texts for paths and for the numbers that JSON lacks."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value)
        return {key: plain(item) for key, item in items.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in cast("Iterable[object]", value)]
    return str(value) if isinstance(value, Path) else value
