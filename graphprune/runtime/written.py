"""A model that was written, opened as those who use it open it: at ONNX Runtime's default level."""

from __future__ import annotations

import logging
from pathlib import Path

from graphprune.errors import Environment, Negative, Refused
from graphprune.runtime.placing import Placed
from graphprune.runtime.process import Crashed, Endless
from graphprune.runtime.sessions import Opened

_LOG = logging.getLogger(__name__)
_MOST = 1_000_000_000
"""Bytes; the optimiser copies weights, so what is larger is not opened."""


def check_opens(written: Path, original: Path | None = None) -> None:
    """Open `written`, unless it is larger than 1 GB, in ONNX Runtime at its default level.

    Proofs run without optimisation; the optimiser refuses, or crashes on, models that run without it. Where
    it does so with the `original` as well, that is not what was done to it, and the log says so.

    Raises:
        Negative: it does not open, and the original does.
    """
    size = sum(path.stat().st_size for path in written.parent.glob(f"{written.name}*"))
    if size > _MOST:
        _LOG.info("%s is not opened at ONNX Runtime's default level: it is large", written.name)
        return
    try:
        _open(written, size)
    except (Refused, Endless) as error:
        if original is not None and not _opens(original):
            # Of operators that it does not have, the proof has told.
            level = logging.WARNING if isinstance(error, Crashed | Endless) else logging.INFO
            _LOG.log(level, "ONNX Runtime's optimiser takes neither the model nor what was made of it")
            return
        raise Negative(
            f"ONNX Runtime opens the original, and not what was made of it: {error.what}",
            "please report this with the model",
        ) from error
    except Environment as error:
        _LOG.warning("the result was not opened at ONNX Runtime's default level: %s", error.what)


def _opens(path: Path) -> bool:
    try:
        _open(path, path.stat().st_size)
    except (Refused, Endless, Environment):
        return False
    return True


def _open(path: Path, size: int) -> None:
    model = Placed(b"", (), None, str(path.resolve()), 0, size, 0)
    Opened(f"'{path.name}'", model, optimised=True).close()
