"""Texts as files."""

from __future__ import annotations

import os
from pathlib import Path

from graphprune.errors import Environment


def write_text(text: str, path: Path) -> None:
    """Write `text` to `path`, whole or not at all; raises `Environment` where it cannot be written."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise Environment(f"{path} cannot be written: {error.strerror}", "write it elsewhere") from error
    finally:
        partial.unlink(missing_ok=True)
