"""Signals, kills and I/O errors at every system call with which a model is written over another.

    python -m benchmarks.kills [--quick] [--match GLOB] [--ways WAY,...] [--no-write]

needs strace. A process that has loaded everything stops itself, strace takes hold of it (`-p`), and it saves
a model over an old one. At the N-th call of one kind it gets a signal, or the call fails (`-e inject`). N
goes over all calls that were counted before, and where weights move into a model or out of it over those that
change files. Afterwards the old pair of model and data or the new one must be there, and the next run must
leave nothing of the first. With a whole verb, `prune`, the same at each call that changes a name in a folder
or synchronises, and its folder for temporary files is looked at as well.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.child import ROOT
from tests.dying import OUT, forked, fresh, judged, prepare, save_over

SIGNALS = ("SIGKILL", "SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
ERRORS = ("EIO", "ENOSPC")
_CALL = re.compile(r"^(?:\d+ +)?(\w+)\(")
_FILES = frozenset(
    ["mkdir", "rename", "unlink", "unlinkat", "rmdir", "fsync", "openat", "open", "write", "close", "flock"]
)
"""Calls that change files, or lock them."""
_READS = frozenset(
    ["read", "lseek", "fstat", "stat", "lstat", "newfstatat", "getdents64", "readlink", "statfs"]
)
_NEVER = frozenset(["exit", "exit_group", "rt_sigreturn", "restart_syscall", "execve"])
_NAMES = ("mkdir", "rename", "unlink", "unlinkat", "rmdir", "fsync")


def held(body: Callable[[], None], words: Sequence[str]) -> int:
    """Do `body` in a copy of this process under strace with these words; returns the exit status."""
    pid = os.fork()
    if not pid:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        def stopped() -> None:
            os.kill(os.getpid(), signal.SIGSTOP)
            body()

        os._exit(_status(forked(stopped)))
    # The copy forks once more, so that what is traced is as `forked` makes it.
    child = _child_of(pid)
    tracer = subprocess.Popen(
        ["strace", "-qq", "-p", str(child), *words], stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    status = Path(f"/proc/{child}/status")
    while "TracerPid:\t0\n" in status.read_text(encoding="ascii"):
        if tracer.poll() is not None:
            raise RuntimeError("strace cannot take hold of a process")
        time.sleep(0.001)
    os.kill(child, signal.SIGCONT)
    ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    tracer.wait()
    return ended


def _status(code: int) -> int:
    return code if code >= 0 else 128 - code


def _child_of(pid: int) -> int:
    """The child of `pid`, once it has stopped."""
    while True:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        if listed:
            state = Path(f"/proc/{listed[0]}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
            if state in ("T", "t"):
                return int(listed[0])
        time.sleep(0.001)


def counted(log: Path) -> Counter[str]:
    """How often each system call stands in what strace wrote."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return Counter(found[1] for line in lines if (found := _CALL.match(line)))


def injections(calls: Counter[str], ways: Sequence[str]) -> Iterator[tuple[str, str, int]]:
    """Yield what is tried: a way, the call, and which one of them."""
    for way in ways:
        for call, count in sorted(calls.items()):
            if call in _NEVER or (way in ERRORS and call not in _FILES | _READS):
                continue
            for number in range(1, count + 1):
                yield way, call, number


def _inject(way: str, call: str, number: int) -> list[str]:
    what = f"error={way}" if way in ERRORS else f"signal={way}"
    return ["-e", f"trace={call}", "-e", f"inject={call}:{what}:when={number}", "-o", os.devnull]


def tried(
    calls: Counter[str],
    chosen: Sequence[tuple[str, str, int]],
    trial: Callable[[str, Sequence[str]], Sequence[str]],
) -> dict[str, Any]:
    """Try each of `chosen` (see `injections`), and return what was wrong beside what was counted."""
    wrong: dict[str, Sequence[str]] = {}
    for way, call, number in chosen:
        if said := trial(way, _inject(way, call, number)):
            wrong[f"{way} at {call} {number}"] = said
            print(way, call, number, said, flush=True)
    return {
        "calls": sum(calls.values()),
        "kinds": dict(sorted(calls.items())),
        "tried": len(chosen),
        "wrong": wrong,
    }


def saving(folder: Path, old: str, new: str, ways: Sequence[str], every: int) -> dict[str, Any]:
    """Save a model over another one; `old` and `new` say where their weights lie."""
    template, place = folder / "template", folder / "place"
    prepare(template, old == "outside", new == "outside")
    fresh(place, template)
    log = folder.with_suffix(".log")  # not in a folder that is looked through
    held(partial(save_over, place), ["-o", str(log)])
    calls = counted(log)
    chosen = calls if old == new else Counter({call: calls[call] for call in calls.keys() & _FILES})

    def trial(way: str, injected: Sequence[str]) -> Sequence[str]:
        fresh(place, template)
        status = held(partial(save_over, place), injected)
        return judged(place, template, status, mortal=way in SIGNALS)

    found = tried(calls, list(injections(chosen, ways))[::every], trial)
    shutil.rmtree(folder)
    return found


def pruning(folder: Path, ways: Sequence[str], every: int) -> dict[str, Any]:
    """Prune a model to where another result lies, as a command."""
    template, place = folder / "template", folder / "place"
    prepare(template, True, True)
    shutil.copy(template / "new.onnx", template / "m.onnx")
    command = [sys.executable, "-m", "graphprune", "prune", "--force", "--no-config", "-q", "-o", OUT]
    again = [*command, "new.onnx", "--importance", "random", "--seed", "2"]
    temporary = folder / "tmp"
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"}
    environ["XDG_CACHE_HOME"] = str(folder / "cache")
    temporary.mkdir()

    def do(words: Sequence[str | Path]) -> int:
        done = subprocess.run(
            words,
            cwd=place,
            env=environ,
            capture_output=True,
            check=False,
            preexec_fn=_heed,
        )
        return done.returncode

    fresh(place, template)
    if do([*command, "old.onnx"]):
        raise RuntimeError("prune does not prune")
    old = _pair(place / OUT)
    shutil.rmtree(template)
    place.rename(template)
    fresh(place, template)
    traced = ["strace", "-qq", "-e", f"trace={','.join(_NAMES)}"]
    log = folder.with_suffix(".log")
    do([*traced, "-o", str(log), *again])
    new, calls = _pair(place / OUT), counted(log)
    names = _names(place)

    def trial(_: str, injected: Sequence[str]) -> Sequence[str]:
        fresh(place, template)
        shutil.rmtree(temporary)
        temporary.mkdir()
        do(["strace", "-qq", *injected, *again])
        said = [] if _pair(place / OUT) in (old, new) else ["neither the old pair nor the new one"]
        status = do(again)
        if status or _pair(place / OUT) != new:
            said.append(f"the next run ends with {status}")
        left = sorted({*_names(place), *_names(temporary)} - names)
        if left:
            said.append(f"left behind: {left}")
        return said

    signals = [way for way in ways if way in SIGNALS]
    found = tried(calls, list(injections(calls, signals))[::every], trial)
    shutil.rmtree(folder)
    return found


def _heed() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def _pair(path: Path) -> bytes | None:
    """The weights of a model, and its nodes; None where it cannot be read."""
    import onnx

    try:
        found: bytes = onnx.load(path).SerializeToString()  # pyright: ignore[reportUnknownMemberType]
    except Exception:  # noqa: BLE001  whatever is wrong with it
        return None
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 where something was lost or left."""
    parser = argparse.ArgumentParser(description="Kills and I/O errors at every system call of a write.")
    parser.add_argument("--quick", action="store_true", help="every 25th of them")
    parser.add_argument("--match", default="*", help="what to try, as a glob")
    parser.add_argument("--ways", default=",".join((*SIGNALS, *ERRORS)), help="signals and errors to try")
    parser.add_argument("--no-write", action="store_true", help="leave the results as they are")
    chosen = parser.parse_args(arguments)
    if shutil.which("strace") is None:
        print("strace is not there")
        return 4
    ways, every = chosen.ways.split(","), 25 if chosen.quick else 1
    parts: dict[str, Callable[[Path], dict[str, Any]]] = {
        f"save, weights {old}, then {new}": partial(saving, old=old, new=new, ways=ways, every=every)
        for old, new in product(("outside", "inside"), repeat=2)
    }
    parts["prune"] = partial(pruning, ways=ways, every=every)
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as made:
        for number, (name, part) in enumerate(parts.items()):
            if fnmatchcase(name, chosen.match):
                folder = Path(made, str(number))
                folder.mkdir()
                found[name] = part(folder)
                print(name, found[name]["tried"], len(found[name]["wrong"]), flush=True)
            if not (chosen.quick or chosen.no_write):
                results.write("kills", {"ways": ways, "whole": len(found) == len(parts), "found": found})
    rows = [[name, row["calls"], row["tried"], len(row["wrong"])] for name, row in found.items()]
    print(results.table(("what", "system calls", "tried", "wrong"), rows))
    return int(any(row["wrong"] for row in found.values()))


if __name__ == "__main__":
    sys.exit(main())
