"""What Linux says of its processors: clocks, temperature, throttling, and which processes are busy.

Everything here is optional: what a system does not say is left out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from graphprune.processors import usable

ROOT = Path("/")
_CPU = "sys/devices/system/cpu"
_STOLEN = 7
"""Position of the time that a hypervisor gave to others among the times of a line of /proc/stat."""


@dataclass(frozen=True)
class Process:
    """A process.

    Attributes:
        name: of its program, or of the kernel's thread, which changes with what it does.
        born: when it started; a number may be given to another process later.
        seconds: of processor time that it has had.
        own: whether it is this process, or one that it started.
    """

    name: str
    born: int
    seconds: float
    own: bool


@dataclass(frozen=True)
class Processors:
    """The processors at one moment.

    Attributes:
        at: seconds of a clock that only goes forward.
        load: the load average of one minute over the number of usable processors.
        clocks: MHz by processor.
        governors: how the processors choose their clocks.
        temperature: of the package, in degrees Celsius.
        throttles: how often the clock was held down since the system started, by reason.
        stolen: seconds that a hypervisor gave to others, all processors together.
        processes: by number.
    """

    at: float
    load: float | None = None
    clocks: Mapping[str, float] = field(default_factory=dict[str, float])
    governors: tuple[str, ...] = ()
    temperature: float | None = None
    throttles: Mapping[str, int] = field(default_factory=dict[str, int])
    stolen: float = 0.0
    processes: Mapping[int, Process] = field(default_factory=dict[int, Process])


def look(root: Path = ROOT, own: int | None = None) -> Processors:
    """Return what the system whose files lie under `root` says of itself, seen from the process `own`."""
    numbers = usable()
    folders = [root / _CPU / f"cpu{number}" for number in numbers]
    return Processors(
        time.monotonic(),
        _load(root, len(numbers)),
        _clocks(root, numbers),
        tuple(sorted({text for folder in folders if (text := _text(folder / "cpufreq/scaling_governor"))})),
        _temperature(root),
        dict(_throttles(root, folders)),
        _stolen(root, numbers),
        dict(_processes(root, os.getpid() if own is None else own)),
    )


def _load(root: Path, count: int) -> float | None:
    words = _text(root / "proc/loadavg").split()
    with suppress(IndexError, ValueError):
        return float(words[0]) / count
    return None


def _clocks(root: Path, numbers: tuple[int, ...]) -> dict[str, float]:
    """MHz by processor: as the clock's driver says, else as the processor does."""
    found: dict[str, float] = {}
    for number in numbers:
        text = _text(root / _CPU / f"cpu{number}/cpufreq/scaling_cur_freq")
        if text.isdigit():
            found[f"core {number}"] = int(text) / 1000
    if found:
        return found
    current = ""
    for line in _text(root / "proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "processor":
            current = value.strip()
        elif key.strip() == "cpu MHz" and current.isdigit() and int(current) in numbers:
            with suppress(ValueError):
                found[f"core {current}"] = float(value)
    return found


def _temperature(root: Path) -> float | None:
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        if _text(zone / "type") in ("x86_pkg_temp", "cpu-thermal", "cpu_thermal", "k10temp"):
            with suppress(ValueError):
                return int(_text(zone / "temp")) / 1000
    return None


def _throttles(root: Path, folders: list[Path]) -> Iterator[tuple[str, int]]:
    for name, reason in (("core", "core too hot"), ("package", "package too hot")):
        counts = [_text(folder / f"thermal_throttle/{name}_throttle_count") for folder in folders]
        if any(counts):
            yield reason, max(int(count) for count in counts if count.isdigit())
    for line in _text(root / "sys/fs/cgroup/cpu.stat").splitlines():
        key, _, value = line.partition(" ")
        if key == "nr_throttled" and value.isdigit():
            yield "quota of the container used up", int(value)


def _stolen(root: Path, numbers: tuple[int, ...]) -> float:
    names = {f"cpu{number}" for number in numbers}
    stolen = 0
    for line in _text(root / "proc/stat").splitlines():
        name, *times = line.split()
        if name in names and len(times) > _STOLEN and times[_STOLEN].isdigit():
            stolen += int(times[_STOLEN])
    return stolen / _ticks()


def _processes(root: Path, own: int) -> Iterator[tuple[int, Process]]:
    with suppress(OSError):
        for folder in (root / "proc").iterdir():
            if not folder.name.isdigit():
                continue
            # `12 (a name (which may hold anything)) S 1 ...`
            front, _, rest = _text(folder / "stat").rpartition(")")
            words = rest.split()
            with suppress(IndexError, ValueError):
                seconds = (int(words[11]) + int(words[12])) / _ticks()
                number = int(folder.name)
                mine = number == own or int(words[1]) == own
                yield number, Process(front.partition("(")[2], int(words[19]), seconds, mine)


def _ticks() -> float:
    return float(os.sysconf("SC_CLK_TCK")) if hasattr(os, "sysconf") else 100.0


def _text(path: Path) -> str:
    """Return what is in a file of the system, without the space around it; nothing where it says nothing."""
    with suppress(OSError, ValueError):
        return path.read_text(encoding="utf-8", errors="replace").strip()
    return ""
