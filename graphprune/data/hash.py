"""Hashes of data: the same samples have the same hash, for caches and for the record of a run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from graphprune.data.batches import Chunk
from graphprune.data.damage import guarded

_MOST_READ = 1 << 30
"""Files that are larger in total are told apart by name, size and time of change instead of content."""
_BLOCK = 1 << 20


def hash_text(*parts: object) -> str:
    """A hash of values by their text."""
    return hashlib.blake2b("\0".join(str(part) for part in parts).encode(), digest_size=16).hexdigest()


def hash_files(paths: Sequence[Path]) -> str:
    """A hash of files in this order.

    Raises:
        Usage: a file is gone.
    """
    digest = hashlib.blake2b(digest_size=16)
    with guarded("the data"):
        stats = [path.stat() for path in paths]
        whole = sum(found.st_size for found in stats) <= _MOST_READ
        for path, found in zip(paths, stats):
            digest.update(f"{found.st_size}\0".encode())
            if not whole:
                digest.update(f"{found.st_mtime_ns}\0{path.name}\0".encode())
                continue
            with path.open("rb") as stream:
                while block := stream.read(_BLOCK):
                    digest.update(block)
    return digest.hexdigest()


def hash_samples(chunks: Iterable[Chunk]) -> str:
    """A hash of samples, however they are cut into chunks."""
    streams: dict[str, hashlib.blake2b] = {}
    for chunk in chunks:
        arrays = {f"feed {name}": array for name, array in chunk.feeds.items()}
        if chunk.targets is not None:
            arrays["targets"] = chunk.targets
        for name, array in arrays.items():
            digest = streams.setdefault(name, hashlib.blake2b(digest_size=16))
            for row in array:
                digest.update(f"{array.dtype}{array.shape[1:]}".encode())
                digest.update(str(row.tolist()).encode() if array.dtype.hasobject else row.tobytes())
    return hash_text(*(f"{name} {digest.hexdigest()}" for name, digest in sorted(streams.items())))
