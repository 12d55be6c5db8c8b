"""Arrays in memory as far as a budget goes, and beyond it in files."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphprune.errors import Environment


@dataclass(frozen=True)
class File:
    """An array in a file, which does not tell a type that is not numpy's own."""

    path: Path
    dtype: np.dtype[Any]


Item = NDArray[Any] | File
"""An array that has been put into a spool."""


class Spool:
    """A store of arrays. `close` removes its files."""

    def __init__(self, memory: int) -> None:
        """`memory` is how many bytes of arrays stay in memory."""
        self._free = memory
        self._folder = tempfile.TemporaryDirectory(prefix="graphprune-")
        self._files = 0

    def put(self, value: NDArray[Any]) -> Item:
        """Store an array: in memory where there is room, and where it holds strings.

        Raises:
            Environment: it cannot be written.
        """
        if value.nbytes <= self._free or value.dtype.hasobject:
            self._free -= value.nbytes
            return value
        self._files += 1
        path = Path(self._folder.name) / f"{self._files}.npy"
        try:
            np.save(path, value)
        except OSError as error:
            what = f"cannot keep tensors in '{self._folder.name}': {error.strerror or error}"
            raise Environment(what, "make room there, or name another folder in TMPDIR") from error
        return File(path, value.dtype)

    def get(self, item: Item) -> NDArray[Any]:
        """Return a stored array."""
        if not isinstance(item, File):
            return item
        array: NDArray[Any] = np.load(item.path)
        return array.view(item.dtype)

    def free(self, item: Item) -> None:
        """Let go of a stored array."""
        if isinstance(item, File):
            item.path.unlink()
        else:
            self._free += item.nbytes

    def close(self) -> None:
        """Remove all files."""
        self._folder.cleanup()
