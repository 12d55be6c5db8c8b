"""What a run ran on, and with: the machine, the packages, and the memory that it took."""

from __future__ import annotations

import os
import platform
import sys

from graphprune.processors import processor_name, usable

PACKAGES = (
    "graphprune",
    "numpy",
    "onnx",
    "onnx-graphsurgeon",
    "onnxruntime",
    "onnxruntime-gpu",
    "protobuf",
    "tensorrt",
    "tensorrt-rtx",
)
"""Packages that a figure or a byte of the output may depend on."""


def versions() -> dict[str, str]:
    """Return the versions of Python and of those of the packages that are here."""
    from graphprune.profiling.profile import versions as versions_of

    return versions_of(PACKAGES)


def machine() -> dict[str, str]:
    """Return what the machine is: `processor`, `cores`, `memory`, `system`; empty where it does not say."""
    return {
        "processor": processor_name(),
        "cores": f"{len(usable())} of {os.cpu_count()}",
        "memory": f"{_memory()} B" if _memory() else "",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 0


def peak_memory() -> int | None:
    """Return the bytes of this process at its largest; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else 1024 * largest
