"""The process that runs ONNX Runtime, as its parent sees it: started when it is needed, ended with us.

A request is answered, or ends in an error within its time: the process crashed, was killed for memory, or
came to no end and was killed. The next request starts a new one.
"""

from __future__ import annotations

import atexit
import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import IO, Any

from graphprune.errors import Environment, GraphpruneError, Refused
from graphprune.own_process import command, environment
from graphprune.runtime import wire
from graphprune.runtime.wire import Frame, Tensor

_LOG = logging.getLogger("graphprune.runtime")
_START = 120.0
"""Seconds that the process may take to start, on a machine that has much else to do."""
_KILLED = 9


class Endless(GraphpruneError):
    """ONNX Runtime came to no end on a model. Other inputs are not worth as much time again."""

    code = Refused.code


class Crashed(Refused):
    """ONNX Runtime crashed on a model."""


class Process:
    """A child that answers requests, one at a time. `number` counts the children that there were."""

    def __init__(self) -> None:
        self.number = 0
        self._child: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._printed: IO[bytes] | None = None
        self._owner = 0
        self._answers = False
        self._lock = threading.RLock()

    def ask(
        self,
        said: Mapping[str, Any],
        tensors: Sequence[Tensor] = (),
        *,
        seconds: float,
        what: str,
        file: int | None = None,
    ) -> Frame:
        """Send a request and return its answer.

        Args:
            said: the request.
            tensors: arrays that go along.
            seconds: how long it may take.
            what: the model, as messages name it.
            file: an open file that goes along.

        Raises:
            Endless: the child did not answer in time.
            Crashed: it crashed.
            Environment: it was killed, or cannot be started, or memory ran out.
        """
        with self._lock:
            self.start()
            assert self._channel is not None
            try:
                self._channel.settimeout(seconds if self._answers else seconds + _START)
                wire.send(self._channel, said, tensors, file)
                answer = wire.receive(self._channel)
                self._answers = True
                return answer
            except TimeoutError as error:
                self.kill()
                raise Endless(
                    f"ONNX Runtime came to no end on {what} within {seconds:.0f} s",
                    "the model may be damaged; does it run elsewhere?",
                ) from error
            except wire.Gone as error:
                raise self._ended(what) from error
            except BaseException as error:
                # We are interrupted, or the frame is not whole: what comes next would be out of step.
                self.kill()
                if isinstance(error, OSError):
                    raise Environment(
                        f"arrays cannot be given to ONNX Runtime: {error.strerror}", "free memory"
                    ) from error
                raise

    @property
    def pid(self) -> int | None:
        """The number of the child, where there is one."""
        return self._child.pid if self._child is not None else None

    def start(self) -> None:
        """Start the child where there is none; it imports what it needs while we go on."""
        if self._owner != os.getpid():
            # A copy of our process has the same child; it is not its own.
            self._child = self._channel = None
        if self._child is not None and self._child.poll() is not None:
            self.kill()
        if self._child is not None:
            return
        ours, theirs = socket.socketpair()
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115  closed with the child
        most = available()
        with theirs:
            try:
                self._child = _started(theirs, most, self._printed)
            except OSError as error:
                ours.close()
                raise Environment(
                    f"ONNX Runtime's process cannot be started: {error.strerror}", "free memory"
                ) from error
        self._channel, self._owner, self._answers = ours, os.getpid(), False
        self.number += 1

    def kill(self) -> None:
        """End the child, whatever it does."""
        child, channel, printed = self._child, self._channel, self._printed
        self._child = self._channel = self._printed = None
        if channel is not None:
            channel.close()
        if child is not None and self._owner == os.getpid():
            child.kill()
            child.wait()
        if printed is not None:
            printed.close()

    def _ended(self, what: str) -> Refused | Environment:
        """Return what it means that the child is gone."""
        child, printed = self._child, self._printed
        assert child is not None
        with suppress(subprocess.TimeoutExpired):
            child.wait(5)
        lines: list[str] = []
        if printed is not None:
            printed.seek(0)
            lines = printed.read().decode(errors="replace").splitlines()
        for line in lines:
            _LOG.info("%s", line)
        code = child.returncode
        self.kill()
        if code is None or code == -_KILLED:
            return Environment(
                f"ONNX Runtime was killed while it worked on {what}",
                "most likely memory ran out: free some, or use smaller shapes with --shape",
            )
        if code < 0:
            return Crashed(
                f"ONNX Runtime ended by signal {-code} on {what}", "does it run in other runtimes?"
            )
        last = next((line for line in reversed(lines) if line.strip()), "it says nothing")
        return Environment(f"ONNX Runtime's process ended with {code}: {last[:200]}", "see graphprune doctor")


def _started(channel: socket.socket, most: int, printed: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the child with its end of `channel` and at most so many bytes of memory."""
    environ = {**environment(), "OPENBLAS_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
    module, numbers = "graphprune.runtime.child", (str(os.getpid()), str(most))
    if sys.platform == "win32":
        child = subprocess.Popen(
            command(module, "-", *numbers), stdin=PIPE, stdout=printed, stderr=printed, env=environ
        )
        assert child.stdin is not None
        with child.stdin:
            child.stdin.write(channel.share(child.pid))
        return child
    return subprocess.Popen(
        command(module, str(channel.fileno()), *numbers),
        stdin=DEVNULL,
        stdout=printed,
        stderr=printed,
        env=environ,
        pass_fds=[channel.fileno()],
        start_new_session=True,  # the keys that interrupt us reach it through us
    )


PROCESS = Process()
"""The process of this command; every session is opened in it."""
atexit.register(PROCESS.kill)


def available() -> int:
    """Return the bytes of memory that are free to be used on this machine; 0 where it does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        known = {line.partition(":")[0]: line.split()[1:2] for line in lines}
        free = sum(int(known[key][0]) << 10 for key in ("MemAvailable", "SwapFree"))
    except (OSError, ValueError, KeyError, IndexError):
        return 0
    with suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        most = int((group / "memory.max").read_text(encoding="ascii"))
        free = min(free, most - int((group / "memory.current").read_text(encoding="ascii")))
    return max(free, 1 << 28)
