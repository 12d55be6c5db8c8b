"""Statistics from the user's cache, by the hashes of model and data: a second ratio costs no second run."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from pathlib import Path

from graphprune.fitting.calibration import Calibration
from graphprune.fitting.linear import linears
from graphprune.fitting.sampling import PER_COLUMN, ROWS
from graphprune.fitting.statistics import Statistics, collect
from graphprune.model import Model
from graphprune.model_hash import model_hash
from graphprune.progress import Tell
from graphprune.user_cache import cache_folder, trim

VERSION = 5
MOST = 4 << 30
"""Bytes that the cache may hold; the entries that were not used for longest go first."""
_DONE = "done"


def folder() -> Path:
    """Return the user's cache folder for statistics."""
    return cache_folder("statistics")


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
    place = folder() / key(model, samples)
    numbers = [number for number, _ in linears(model.graph)]
    if (place / _DONE).is_file():
        with contextlib.suppress(OSError):  # a cache that may be read only
            (place / _DONE).touch()
        return Statistics(place, numbers, int((place / _DONE).read_text() or 0))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        working = Path(tempfile.mkdtemp(prefix=".", dir=place.parent))
    except OSError:
        return collect(model, samples.fitted(), tell=tell)
    try:
        found = collect(model, samples.fitted(), folder=working, tell=tell)
        (working / _DONE).write_text(str(found.samples))
        try:
            working.rename(place)
        except OSError:  # another process was faster
            shutil.rmtree(working)
    except BaseException:
        shutil.rmtree(working, ignore_errors=True)
        raise
    trim(place, _DONE, MOST)
    return Statistics(place, numbers, found.samples)


def key(model: Model, samples: Calibration) -> str:
    """Return the hash of a model, its weights, and data."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (VERSION, ROWS, PER_COLUMN, samples.data.fingerprint, samples.batch, model_hash(model)):
        digest.update(f"{part}\0".encode())
    return digest.hexdigest()
