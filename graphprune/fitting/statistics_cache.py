"""Statistics from the user's cache, by the hashes of model and data: a second ratio costs no second run.

Each file of an entry is checked by its hash when the entry is opened; what is damaged is gathered again.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from graphprune.files import room
from graphprune.fitting.calibration import Calibration
from graphprune.fitting.linear import linears
from graphprune.fitting.sampling import PER_COLUMN, ROWS
from graphprune.fitting.statistics import Statistics, collect
from graphprune.model import Model
from graphprune.model_hash import model_hash
from graphprune.progress import Tell
from graphprune.user_cache import ForeignCache, cache_folder, private_folder, read_sealed, trim, write_sealed

VERSION = 6
MOST = 4 << 30
"""Bytes that the cache may hold; the entries that were not used for longest go first."""
NAME = "statistics"
_SEAL = "seal"
_LOG = logging.getLogger(__name__)


class _Kept(msgspec.Struct):
    """What an entry holds: the number of samples, and the hash of the file of each operator."""

    samples: int
    files: dict[int, str]


def folder() -> Path:
    """Return the user's cache folder for statistics."""
    return cache_folder(NAME)


def gathered(
    model: Model, samples: Calibration, *, keep: bool = True, tell: Tell | None = None
) -> Statistics:
    """Return the statistics of `model` on the samples that are fitted on.

    Args:
        model: the model.
        samples: the calibration data.
        keep: whether the cache is used.
        tell: is told of the progress.
    """
    if not keep:
        return collect(model, samples.fitted(), tell=tell)
    numbers = [number for number, _ in linears(model.graph)]
    try:
        place = private_folder(NAME) / key(model, samples)
        found = _read(place, numbers)
        if found is not None:
            return found
        with room(place.parent) as made:
            working = made / place.name
            working.mkdir(mode=0o700)
            found = collect(model, samples.fitted(), folder=working, tell=tell)
            _seal(working, found.samples, numbers)
            _put(working, place, numbers)
        trim(place, _SEAL, MOST)
        return Statistics(place, numbers, found.samples)
    except OSError as error:
        _LOG.warning("statistics are not kept: %s", error)
    except ForeignCache as error:
        _LOG.warning("statistics are not kept: %s", error.what)
    return collect(model, samples.fitted(), tell=tell)


def _put(working: Path, place: Path, numbers: Sequence[int]) -> None:
    """Give an entry its place, unless another process was faster; what is damaged there makes room."""
    if place.exists():
        if _read(place, numbers) is not None:
            return
        place.rename(working.with_name("damaged"))
    working.rename(place)


def _read(place: Path, numbers: Sequence[int]) -> Statistics | None:
    """Return what lies in the cache, where it is what was written there."""
    seal = read_sealed(place / _SEAL)
    try:
        kept = None if seal is None else msgspec.json.decode(seal, type=_Kept)
        if kept is None or kept.files != {number: _hash(place, number) for number in numbers}:
            if place.exists():
                _LOG.warning("statistics in the cache are damaged, and are gathered again")
            return None
    except (OSError, msgspec.DecodeError) as error:
        _LOG.warning("statistics in the cache are damaged, and are gathered again: %s", error)
        return None
    with contextlib.suppress(OSError):  # a cache that may be read only
        (place / _SEAL).touch()
    return Statistics(place, numbers, kept.samples)


def _seal(place: Path, samples: int, numbers: Sequence[int]) -> None:
    hashes = {number: _hash(place, number) for number in numbers}
    write_sealed(place / _SEAL, msgspec.json.encode(_Kept(samples, hashes)))


def _hash(place: Path, number: int) -> str:
    with (place / f"{number}.npz").open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def key(model: Model, samples: Calibration) -> str:
    """Return the hash of a model, its weights, and data."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (VERSION, ROWS, PER_COLUMN, samples.data.fingerprint, samples.batch, model_hash(model)):
        digest.update(f"{part}\0".encode())
    return digest.hexdigest()
