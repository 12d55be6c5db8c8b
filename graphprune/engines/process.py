"""A job in a process of its own, with its progress, to its end or ours."""

from __future__ import annotations

import logging
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import IO

import msgspec

from graphprune.engines.job import Done, Event, Failed, Job, Progress, Said
from graphprune.own_process import command, environment

_LOG = logging.getLogger("graphprune.engines")
_READER = msgspec.json.Decoder(Event)


def run(job: Job, folder: Path, gpu: int, tell: Callable[[int, int], None]) -> Done | Failed | int:
    """Do `job` in another process; return how it ended, or the exit status where it says nothing.

    Whatever ends this process ends that one too: it is killed, and leaves only files in `folder`.

    Args:
        job: what to build.
        folder: a folder to work in.
        gpu: the number of the GPU, among those that this process may see.
        tell: is told how far the build is.
    """
    request = folder / "job.json"
    request.write_bytes(msgspec.json.encode(job))
    with tempfile.TemporaryFile() as printed:
        with subprocess.Popen(
            command("graphprune.engines.worker", str(request)),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=printed,
            env=_environment(gpu),
            start_new_session=True,  # the keys that interrupt us reach it through us
        ) as child:
            assert child.stdout is not None
            try:
                ended = _listen(child.stdout, tell)
            except BaseException:
                child.kill()
                raise
        printed.seek(0)
        for line in printed.read().decode(errors="replace").splitlines():
            _LOG.info("%s", line)
    return child.returncode if ended is None or child.returncode else ended


def _listen(lines: IO[bytes], tell: Callable[[int, int], None]) -> Done | Failed | None:
    ended: Done | Failed | None = None
    for line in lines:
        event = _READER.decode(line)
        match event:
            case Progress(percent):
                tell(percent, 100)
            case Said(severity, text):
                # What it warns of is mostly its own affair; not so what is lost of the user's.
                lost = severity == "WARNING" and "timing cache" in text.lower()
                _LOG.log(logging.WARNING if lost else logging.INFO, "%s", text)
            case _:
                ended = event
    return ended


def _environment(gpu: int) -> dict[str, str]:
    """Our environment, with the packages that we see, and GPU `gpu` as the only one."""
    found = environment()
    listed = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    if listed or gpu:
        found["CUDA_VISIBLE_DEVICES"] = listed[gpu] if gpu < len(listed) else str(gpu)
    return found
