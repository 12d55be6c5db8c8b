"""Data in `test_data_set_*` folders, as the ONNX backend tests and the model zoo have them.

A folder holds `input_0.pb`, `input_1.pb` ...: one `TensorProto` an input, found by its name or, where that
is not an input's, by its number. Expected outputs (`output_*.pb`) are not read: they are no labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import TensorProto

from graphprune.data.batches import Chunk
from graphprune.data.code import chunk_of
from graphprune.data.damage import guarded
from graphprune.data.hash import hash_files
from graphprune.data.layout import Layout
from graphprune.errors import GraphpruneError, Usage
from graphprune.intake import weigh

_INPUT = re.compile(r"input_(\d+)\.pb")
_SET = re.compile(r"test_data_set_(\d+)")


@dataclass(frozen=True)
class Sets:
    """The inputs of test data sets: `parts` are the files of every set and the number of its samples."""

    layout: Layout
    parts: tuple[tuple[tuple[Path, ...], int], ...]

    @property
    def count(self) -> int:
        """The number of samples."""
        return sum(count for _, count in self.parts)

    def digest(self) -> str:
        """A hash of the files."""
        return hash_files([file for files, _ in self.parts for file in files])

    def chunks(self, size: int, chosen: NDArray[np.int64]) -> Iterator[Chunk]:
        """Read the samples with these ascending numbers, a set at a time."""
        first = 0
        for files, count in self.parts:
            begin, end = np.searchsorted(chosen, (first, first + count))
            if begin < end:
                whole = _read(files, self.layout, first)
                rows = chosen[begin:end] - first
                yield Chunk({name: array[rows] for name, array in whole.feeds.items()}, None, len(rows))
            first += count


def sets_in(folder: Path) -> list[Path]:
    """The test data sets in a folder, in the order of their numbers; the folder itself if it is one."""
    found = {int(name[1]): path for path in folder.iterdir() if (name := _SET.fullmatch(path.name))}
    if found:
        return [found[number] for number in sorted(found)]
    return [folder] if any(_INPUT.fullmatch(path.name) for path in folder.iterdir()) else []


def open_sets(folders: list[Path], layout: Layout) -> Sets:
    """Read test data sets once, to know that they fit the model and how many samples they hold.

    Raises:
        Usage: a file is missing or damaged, or does not fit the model.
    """
    parts: list[tuple[tuple[Path, ...], int]] = []
    for folder in folders:
        numbered = {int(name[1]): path for path in folder.iterdir() if (name := _INPUT.fullmatch(path.name))}
        files = tuple(numbered[number] for number in sorted(numbered))
        parts.append((files, _read(files, layout, 0, folder.name).count))
    return Sets(layout, tuple(parts))


def _read(files: tuple[Path, ...], layout: Layout, first: int, where: str = "") -> Chunk:
    where = where or files[0].parent.name
    feed: dict[str, NDArray[Any]] = {}
    for number, file in enumerate(files):
        name, values = _tensor(file)
        if name not in layout.names:
            name = layout.names[number] if number < len(layout.names) else file.name
        feed[name] = values
    return chunk_of(feed, layout, "", where, first)


def _tensor(file: Path) -> tuple[str, NDArray[Any]]:
    where = f"{file.parent.name}/{file.name}"
    try:
        with guarded(where):
            tensor = TensorProto.FromString(file.read_bytes())
        values = weigh(tensor, None).load()
        return tensor.name, values.astype(str) if values.dtype.hasobject else values
    except Usage:
        raise
    except (DecodeError, GraphpruneError) as error:
        reason = error.what if isinstance(error, GraphpruneError) else "it is no TensorProto"
        raise Usage(f"{where} cannot be read: {reason}", "write it as the ONNX backend tests do") from error
