"""A process that runs command lines of graphprune one after the other, and what stands at its other end.

graphprune is imported once, so that a case costs tens of milliseconds. The process has a limit of memory, and
ONNX Runtime's, which it starts, inherits it. A case that comes to no end is ended with the process; the next
one has a new process.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import resource
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 10
"""How much longer than its processor time a case may take, on a machine that has much else to do."""
GONE, ENDLESS = -1, -2
"""Codes of a case whose process ended by itself, and of one that was ended."""


@dataclass(frozen=True)
class Answer:
    """How a command line, or a question to the judge, ended.

    Attributes:
        code: the exit code; `GONE` or `ENDLESS`.
        said: what was printed on stderr, or what the judge says.
        seconds: of the wall clock.
    """

    code: int
    said: str
    seconds: float


class Server:
    """A process that answers lines of JSON by lines of JSON.

    Args:
        module: what it runs.
        folder: where it runs.
        memory: bytes of address space that it, and each of its children, may have.
        most: answers of one process; then a new one is started.
    """

    def __init__(self, module: str, folder: Path, memory: int = 4 << 30, most: int = 400) -> None:
        self._module, self._folder, self._memory, self._most = module, folder, memory, most
        self._child: subprocess.Popen[bytes] | None = None
        self._answered = 0

    def ask(self, question: Mapping[str, object], seconds: float) -> Answer:
        """Return the answer to `question`, which may take so many seconds of processor time."""
        child = self._started()
        assert child.stdin is not None
        assert child.stdout is not None
        begin = time.monotonic()
        try:
            child.stdin.write(json.dumps(question).encode() + b"\n")
            child.stdin.flush()
            line = _line(child.stdout.fileno(), child.pid, seconds)
        except BrokenPipeError:
            line = b""
        taken = time.monotonic() - begin
        if line is None:
            self.close()
            return Answer(ENDLESS, f"no end within {seconds:.0f} s", taken)
        if not line.endswith(b"\n"):
            code = child.wait()
            self.close()
            return Answer(GONE, f"the process ended with {code}", taken)
        self._answered += 1
        found: dict[str, Any] = json.loads(line)
        return Answer(int(found["code"]), str(found["said"]), taken)

    def close(self) -> None:
        """End the process and what it started."""
        child, self._child = self._child, None
        if child is None:
            return
        if child.poll() is None:
            child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._answered >= self._most:
            self.close()
        if self._child is None:
            self._answered = 0
            environ = {key: value for key, value in os.environ.items() if not key.startswith("GRAPHPRUNE")}
            environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
            environ |= {"HOME": str(self._folder), "XDG_CACHE_HOME": str(self._folder / "cache")}
            environ |= {"ORT_DISABLE_TELEMETRY": "1"}
            self._child = subprocess.Popen(
                [sys.executable, "-m", self._module, str(self._memory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=self._folder,
                env=environ,
            )
        return self._child


def _line(source: int, process: int, seconds: float) -> bytes | None:
    """Read a line; what there was of it where the other end is gone; None where the time is over."""
    read, begin, spent = b"", time.monotonic(), processor_time(process)
    while not read.endswith(b"\n"):
        if not select.select([source], [], [], 0.5)[0]:
            waited = time.monotonic() - begin
            if processor_time(process) - spent > seconds or waited > _PATIENCE * seconds:
                return None
            continue
        piece = os.read(source, 1 << 20)
        if not piece:
            return read
        read += piece
    return read


def processor_time(process: int) -> float:
    """Return the seconds of processor time of a process and all that it started."""
    total, folder = 0.0, Path(f"/proc/{process}")
    with contextlib.suppress(OSError):
        fields = (folder / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        total += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
        for children in folder.glob("task/*/children"):
            total += sum(processor_time(int(child)) for child in children.read_text().split())
    return total


def answers(answer: Any) -> None:
    """Answer every line of stdin by `answer`, a function of a question that returns a code and a text."""
    most = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for line in sys.stdin:
        code, said = answer(json.loads(line))
        out.write(json.dumps({"code": code, "said": said[-4000:]}) + "\n")
        out.flush()


def command(question: Mapping[str, Any]) -> tuple[int, str]:
    """Run a command line, as `graphprune` does."""
    from graphprune.cli import main

    words: Sequence[str] = question["words"]
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = main(words)
    return code, said.getvalue()


if __name__ == "__main__":
    for name in ("graphprune.pruning", "graphprune.feeds.plan", "graphprune.proof.prove"):
        importlib.import_module(name)
    answers(command)
