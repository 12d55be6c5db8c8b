"""The processors: those that this process may run on, and what they are called."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def usable() -> tuple[int, ...]:
    """Return the numbers of the processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def processor_name() -> str:
    """Return the name of the processor as it calls itself."""
    known = Path("/proc/cpuinfo")
    if known.is_file():
        for line in known.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
