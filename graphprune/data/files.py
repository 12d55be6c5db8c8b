"""Data in `.npz` and `.npy` files, and in folders of them.

- `calib.npz`: keys are input names, the leading axis counts samples; labels under their own key.
- `x.npy`: the samples of a model's single input.
- a folder of `.npz` files: each holds some samples, or one without the leading axis.
- a folder of `.npy` files named for inputs (and the labels), each with all samples; or, for a model with a
  single input, any names, each file with some samples or one; `labels.npy` beside them holds all labels.

Files of a folder come in the natural order of their names (`2.npy` before `10.npy`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graphprune.data.arrays import Rows, Stored, is_archive, open_archive, open_array
from graphprune.data.batches import Chunk
from graphprune.data.hash import hash_files, hash_text
from graphprune.data.layout import Layout, check_counts, fit, match
from graphprune.data.values import cast, check_dtype, check_target_dtype, check_targets
from graphprune.errors import Usage
from graphprune.nearest import did_you_mean

LABELS = "labels"
"""The key of the labels where no other is named."""


@dataclass(frozen=True)
class Shard:
    """Samples that lie in one file, or in files side by side."""

    arrays: Mapping[str, Stored]
    targets: Stored | None
    count: int


@dataclass(frozen=True)
class Files:
    """Shards one after another; `targets` holds the labels of them all where the shards have none."""

    layout: Layout
    shards: tuple[Shard, ...]
    targets: Stored | None

    @property
    def count(self) -> int:
        """The number of samples."""
        return sum(shard.count for shard in self.shards)

    def digest(self) -> str:
        """A hash of the files, and of what in them is which input and which the labels."""
        roles = [(name, array) for shard in self.shards for name, array in shard.arrays.items()]
        roles += [("", labels) for labels in (*(s.targets for s in self.shards), self.targets) if labels]
        paths = list({array.path: None for _, array in roles})
        return hash_text(hash_files(paths), *(f"{name}={array.member}" for name, array in roles))

    def chunks(self, size: int, chosen: NDArray[np.int64]) -> Iterator[Chunk]:
        """Read the samples with these ascending numbers, at most `size` at a time."""
        first = 0
        with ExitStack() as stack:
            labels = stack.enter_context(self.targets.rows()) if self.targets is not None else None
            for shard in self.shards:
                begin, end = np.searchsorted(chosen, (first, first + shard.count))
                if begin < end:
                    yield from self._read(shard, size, chosen[begin:end], first, labels)
                first += shard.count

    def _read(
        self, shard: Shard, size: int, numbers: NDArray[np.int64], first: int, labels: Rows | None
    ) -> Iterator[Chunk]:
        with ExitStack() as stack:
            arrays = {
                name: (array, stack.enter_context(array.rows())) for name, array in shard.arrays.items()
            }
            own = stack.enter_context(shard.targets.rows()) if shard.targets is not None else None
            for at in range(0, len(numbers), size):
                part = numbers[at : at + size]
                feeds = {
                    name: cast(rows.read(part - first), self.layout[name], array.where, part)
                    for name, (array, rows) in arrays.items()
                }
                targets = own.read(part - first) if own else labels.read(part) if labels else None
                if targets is not None:
                    where = next(a for a in (shard.targets, self.targets) if a is not None).where
                    targets = check_targets(targets, where, part)
                yield Chunk(feeds, targets, len(part))


def open_file(path: Path, layout: Layout, label_key: str) -> Files:
    """Read the headers of a `.npz` or `.npy` file.

    Raises:
        Usage: it is damaged, or does not fit the model.
    """
    if is_archive(path):
        return Files(layout, (_shard(layout, open_archive(path), label_key, path.name, one=False),), None)
    keys = {path.stem: open_array(path)}
    return Files(layout, (_shard(layout, keys, label_key, path.name, one=False),), None)


def open_folder(path: Path, layout: Layout, label_key: str) -> Files:
    """Read the headers of all `.npz` or `.npy` files in a folder.

    Raises:
        Usage: there are none, or both, or one is damaged or does not fit the model.
    """
    files = sorted((file for file in path.iterdir() if file.suffix in (".npz", ".npy")), key=_natural)
    kinds = {file.suffix for file in files}
    if len(kinds) != 1:
        what = "no .npz or .npy files" if not kinds else "both .npz and .npy files"
        raise Usage(f"folder '{path}' holds {what}", "give a folder of .npz files, or one of .npy files")
    if kinds == {".npz"}:
        shards = [_shard(layout, open_archive(file), label_key, file.name, one=True) for file in files]
        if len({shard.targets is None for shard in shards}) > 1:
            bare = next(file for file, shard in zip(files, shards) if shard.targets is None)
            raise Usage(
                f"{bare.name} has no labels, others have", f"add the key {label_key}, or drop it everywhere"
            )
        return Files(layout, tuple(shards), None)
    arrays = {file.stem: open_array(file) for file in files}
    known = {*layout.names, label_key}
    if len(layout.inputs) > 1 or arrays.keys() <= known:
        return Files(layout, (_shard(layout, arrays, label_key, path.name, one=False),), None)
    targets = arrays.pop(label_key, None)
    _demand_labels(targets, label_key, list(arrays), path.name)
    loose = tuple(_shard(layout, {stem: arrays[stem]}, label_key, f"{stem}.npy", one=True) for stem in arrays)
    found = Files(layout, loose, targets)
    if targets is not None:
        _check_labels(targets)
        check_counts({"samples": found.count, label_key: targets.shape[0]}, path.name)
    return found


def _shard(layout: Layout, keys: Mapping[str, Stored], label_key: str, where: str, *, one: bool) -> Shard:
    """The arrays of a file, by input; with `one` they may be a single sample without a leading axis."""
    matched = match(layout, list(keys), label_key, where)
    arrays = {name: keys[key] for name, key in matched.items()}
    targets = keys.get(label_key) if label_key not in matched.values() else None
    _demand_labels(targets, label_key, list(keys), where)
    for name, array in arrays.items():
        check_dtype(array.dtype, layout[name], where)
    if not fit(layout, {name: array.shape for name, array in arrays.items()}, where, one=one):
        arrays = {name: replace(array, shape=(1, *array.shape)) for name, array in arrays.items()}
        targets = replace(targets, shape=(1, *targets.shape)) if targets is not None else None
    count = next(iter(arrays.values())).shape[0]
    if targets is not None:
        _check_labels(targets)
        check_counts({**{name: a.shape[0] for name, a in arrays.items()}, label_key: targets.shape[0]}, where)
    return Shard(arrays, targets, count)


def _check_labels(targets: Stored) -> None:
    check_target_dtype(targets.dtype, targets.where)
    if not targets.shape:
        raise Usage(f"{targets.where}: the labels are a single number", "give one label a sample")


def _demand_labels(targets: Stored | None, label_key: str, keys: Sequence[str], where: str) -> None:
    if targets is None and label_key != LABELS:
        raise Usage(f"{where}: there are no labels under {label_key}", did_you_mean(label_key, keys))


def _natural(path: Path) -> list[str | int]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path.name)]
