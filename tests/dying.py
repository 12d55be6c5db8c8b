"""A process that saves a model over another one, and dies or fails at its N-th change of a file, for every N.

    python -m tests.dying FOLDER OLD NEW CALL,... WAY...

Prints a JSON object: how many calls and trials there were, and what was wrong. OLD and NEW say where weights
lie: `inside` the model or `outside`. CALL is the name of a function of Python's that makes a system call
(they are watched by `sys.setprofile`); `benchmarks/kills.py` has all system calls.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from graphprune.cli import ENDING, _terminate
from graphprune.model import read, save

WAYS: dict[str, int] = {
    "SIGKILL": signal.SIGKILL,
    "SIGINT": signal.SIGINT,
    "SIGTERM": signal.SIGTERM,
    "SIGHUP": signal.SIGHUP,
    "SIGQUIT": signal.SIGQUIT,
    "EIO": -errno.EIO,
    "ENOSPC": -errno.ENOSPC,
}
"""How a call ends: by a signal in front of it, or (negative) with an error."""
OUT = "o.onnx"


def store(path: Path, seed: int, outside: bool) -> None:
    """Write a model whose weights tell the seed, as other tools write it."""
    rng = np.random.default_rng(seed)
    weights = [
        numpy_helper.from_array(rng.standard_normal((24, 24)).astype(np.float32), f"w{i}") for i in range(2)
    ]
    nodes = [helper.make_node("MatMul", [f"x{i}", f"w{i}"], [f"x{i + 1}"]) for i in range(2)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 24]) for name in ("x0", "x2")]
    model = helper.make_model(
        helper.make_graph(nodes, "g", ends[:1], ends[1:], weights),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    more: dict[str, Any] = {
        "save_as_external_data": True,
        "location": f"{path.name}.bin",
        "size_threshold": 0,
    }
    onnx.save(model, path, **(more if outside else {}))


def seed_of(path: Path, seeds: tuple[int, ...]) -> int | None:
    """Which of `seeds` a model is of; None: of none, or it cannot be read."""
    try:
        found = numpy_helper.to_array(onnx.load(path).graph.initializer[1])
    except Exception:  # noqa: BLE001  whatever is wrong with it
        return None
    for seed in seeds:
        rng = np.random.default_rng(seed)
        rng.standard_normal((24, 24))
        if np.array_equal(found, rng.standard_normal((24, 24)).astype(np.float32)):
            return seed
    return None


def forked(body: Callable[[], None]) -> int:
    """Do `body` in a copy of this process, as a verb would, and return its exit status."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # a shell has its background ignore it
        for each in ENDING:
            signal.signal(each, _terminate)
        body()
        status = 0
    except SystemExit as error:
        status = int(error.code or 0)
    except BaseException:  # noqa: BLE001  the status says it
        pass
    finally:
        os._exit(status)


def failing(number: int, way: int, names: Sequence[str], body: Callable[[], None]) -> int:
    """Do `body` so that its call `number` (from 1) of `names` fails; returns how many calls there were."""
    calls = 0

    def watch(frame: FrameType, event: str, called: Any) -> None:
        nonlocal calls
        if event != "c_call" or called.__name__ not in names:
            return
        calls += 1
        if calls != number:
            return
        if way < 0:
            raise OSError(-way, os.strerror(-way))
        os.kill(os.getpid(), way)

    sys.setprofile(watch)
    try:
        body()
    finally:
        sys.setprofile(None)
    return calls


def trial(folder: Path, template: Path, number: int, way: int, names: Sequence[str]) -> tuple[str, ...]:
    """Fail once, then save again: what was wrong."""
    again = partial(save_over, folder)
    fresh(folder, template)
    status = forked(lambda: void(failing(number, way, names, again)))
    return judged(folder, template, status, mortal=way > 0)


def fresh(folder: Path, template: Path) -> None:
    """Make `folder` a copy of `template`."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)


def judged(folder: Path, template: Path, status: int, *, mortal: bool) -> tuple[str, ...]:
    """Save again where a run has ended with `status`, which is no 0 where it was `mortal`: what was wrong."""
    wrong: list[str] = []
    if mortal and not status:
        wrong.append("the signal did not end it")
    found = seed_of(folder / OUT, (1, 2))
    if found is None or (not status and found != 2):
        wrong.append("the model is neither the old one nor the new one that was promised")
    status = forked(partial(save_over, folder))
    if status or seed_of(folder / OUT, (2,)) is None:
        wrong.append(f"the next run ends with {status}")
    expected = {path.name for path in template.iterdir() if not path.name.startswith(OUT)} | {OUT}
    left = {path.name for path in folder.iterdir()} - expected
    weights = [name for name in left if name.startswith(OUT) and name.endswith(".data")]
    if left - set(weights) or len(weights) > 1:
        wrong.append(f"left behind: {sorted(left)}")
    if seed_of(folder / "new.onnx", (2,)) is None or seed_of(folder / "other.onnx", (1,)) is None:
        wrong.append("another model is damaged")
    return tuple(wrong)


def save_over(folder: Path) -> None:
    """Save the new model over what is there."""
    save(read(folder / "new.onnx"), folder / OUT, force=True)


def void(_: object) -> None:
    """Nothing, whatever came of it."""


def prepare(template: Path, old: bool, new: bool) -> None:
    """Make a folder with an old output, a renamed copy of it, and the model to be written.

    `old` and `new` are whether their weights lie outside.
    """
    template.mkdir()
    store(template / "old.onnx", 1, old)
    store(template / "new.onnx", 2, new)
    save(read(template / "old.onnx"), template / OUT)
    store(template / "other.onnx", 1, True)


def main(folder: Path, old: bool, new: bool, names: Sequence[str], ways: Sequence[str]) -> dict[str, Any]:
    """Try every call of `names` and each of `ways` to fail."""
    template = folder / "template"
    prepare(template, old, new)
    place = folder / "place"
    shutil.copytree(template, place)
    calls = failing(0, 0, names, partial(save_over, place))
    found = {
        f"{way} at call {number}": wrong
        for number in range(1, calls + 1)
        for way in ways
        if (wrong := trial(place, template, number, WAYS[way], names))
    }
    return {"calls": calls, "trials": calls * len(ways), "wrong": found}


if __name__ == "__main__":
    old, new = (word == "outside" for word in sys.argv[2:4])
    print(json.dumps(main(Path(sys.argv[1]), old, new, sys.argv[4].split(","), sys.argv[5:])))
