"""What the files of a run hash to."""

from __future__ import annotations

import hashlib
from pathlib import Path

from graphprune.errors import GraphpruneError
from graphprune.runs.run import File

MODELS = ("model", "models", "a", "b", "original", "candidate", "--reference", "--null-test")
"""Options and arguments that name models, whatever the files are called."""
_BLOCK = 1 << 20


def file_of(option: str, path: Path | str, written: bool) -> File:
    """Return what a record says of a file, or of a folder of data.

    A model is hashed by what it computes, tensor by tensor; what is called a model and is none, and every
    other file, by its bytes (SHA-256); the files of a folder as `graphprune.data.hash` does.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    place = Path(path)
    if place.is_dir():
        return _folder(option, place, written)
    if option in MODELS or place.suffix == ".onnx":
        found = _model(option, place, written)
        if found is not None:
            return found
    digest = hashlib.sha256()
    with place.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return File(option, str(path), place.stat().st_size, f"sha256:{digest.hexdigest()}", written)


def is_model(file: File) -> bool:
    """Whether the hash is that of a model."""
    return ":" not in file.hash


def _model(option: str, path: Path, written: bool) -> File | None:
    from graphprune.model import load
    from graphprune.model_hash import model_hash
    from graphprune.profiling.subjects import bytes_of

    try:
        model = load(path)
        return File(option, str(path), bytes_of(model), model_hash(model), written)
    except GraphpruneError:
        return None


def _folder(option: str, path: Path, written: bool) -> File:
    from graphprune.data.hash import hash_files

    files = sorted(file for file in path.rglob("*") if file.is_file())
    listed = "\0".join(file.relative_to(path).as_posix() for file in files)
    names = hashlib.sha256(listed.encode("utf-8", "surrogateescape")).hexdigest()
    size = sum(file.stat().st_size for file in files)
    return File(option, str(path), size, f"folder:{names[:16]}{hash_files(files)}", written)
