"""Run a command as a child process on a few cores, and say how long it took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import Any, cast

ROOT = Path(__file__).resolve().parent.parent
CORES = 2


@dataclass(frozen=True)
class Run:
    """What a child did: exit status (negative: killed by that signal) and wall seconds."""

    status: int
    seconds: float
    stdout: str
    stderr: str

    def json(self) -> dict[str, Any]:
        """The object on the last line of standard output, or the whole of it; {} where there is none."""
        for text in (self.stdout, *self.stdout.strip().splitlines()[-1:]):
            try:
                value: Any = json.loads(text)
            except ValueError:
                continue
            if isinstance(value, dict):
                return cast("dict[str, Any]", value)
        return {}

    @property
    def complaint(self) -> str:
        """The line of standard error that says what went wrong."""
        lines = [line for line in self.stderr.splitlines() if line.strip()] or ["said nothing"]
        return next((line for line in lines if line.startswith("error:")), lines[-1])[:160]


def keep_to_cores(count: int = CORES) -> int:
    """Bind this process, and so its children, to the first `count` cores; how many they are."""
    if not hasattr(os, "sched_setaffinity"):
        return os.cpu_count() or 1
    chosen = sorted(os.sched_getaffinity(0))[:count]
    os.sched_setaffinity(0, chosen)
    return len(chosen)


def run(command: Sequence[str | Path], env: Mapping[str, str] | None = None, limit: float = 600.0) -> Run:
    """Run `command` from the repository's root to its end, or kill it after `limit` seconds."""
    surroundings = {**os.environ, "OMP_NUM_THREADS": str(CORES), "NO_COLOR": "1", **(env or {})}
    words = [str(word) for word in command]
    begin = time.perf_counter()
    with subprocess.Popen(words, stdout=PIPE, stderr=PIPE, text=True, cwd=ROOT, env=surroundings) as child:
        try:
            out, err = child.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            child.kill()
            out, err = child.communicate()
            err += f"error: killed after {limit:.0f} s"
        return Run(child.returncode, time.perf_counter() - begin, out, err)


def graphprune(*words: str | Path) -> tuple[str | Path, ...]:
    """The command line of graphprune with this interpreter."""
    return (sys.executable, "-m", "graphprune", *words)


def has_peer(name: str) -> bool:
    """Whether `make peers` has built the environment of a peer."""
    return _interpreter(name).exists()


def peer(name: str, script: str, *words: str | Path) -> tuple[str | Path, ...]:
    """The command line of `benchmarks/peers/SCRIPT.py` in the environment of the peer `name`."""
    return (_interpreter(name), "-m", f"benchmarks.peers.{script}", *words)


def _interpreter(name: str) -> Path:
    return ROOT / "build" / "peers" / name / "bin" / "python"
