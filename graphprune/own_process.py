"""Python in a process of its own, for native code that may crash or hang."""

from __future__ import annotations

import os
import sys


def command(module: str, *words: str) -> list[str]:
    """Return the command that runs `module` with our Python, and with nothing from the folder at hand."""
    return [sys.executable, "-P", "-m", module, *words]


def environment() -> dict[str, str]:
    """Return our environment, with the packages that we see."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
