"""Ctrl-C and SIGTERM in every phase of a command: how long it goes on, and what it leaves behind.

    python -m benchmarks.interrupts [--match GLOB] [--no-write]

needs GRAPHPRUNE_ASSETS. A pretrained network is pruned with calibration data, and with `--debug`, so that the
log says which pass runs. When the line of a pass comes, the signal is sent, at once or a little later. The
command must end within a second with 130 or 143, and leave no file, no folder and no process.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from benchmarks import results
from benchmarks.child import ROOT

SIGNALS = {"SIGINT": (signal.SIGINT, 130), "SIGTERM": (signal.SIGTERM, 143)}
LIMIT = 1.0
_PATIENCE = 60.0
_ENDLESS = """
<ir_version: 10, opset_import: ["": 21]>
g (float[1, 3, 8, 8] x) => (float[1, 3, 8, 8] y)
<int64 often = {4611686018427387904}, bool on = {1}> {
  y = Loop (often, on, x) <body = body (int64 i, bool more, float[1, 3, 8, 8] s)
    => (bool again, float[1, 3, 8, 8] next) { again = Identity (more) next = Mul (s, s) }>
}
"""


@dataclass(frozen=True)
class Case:
    """A command, and when it is interrupted: `delay` seconds after a line of its log that starts so."""

    phase: str
    words: tuple[str, ...]
    line: str
    delay: float


@dataclass(frozen=True)
class Ended:
    """How a command ended; `phase` is '' where it was over before the signal came."""

    phase: str
    signal: str
    delay: float
    seconds: float
    code: int
    left: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether it ended in time, with the code that a shell sees as the right one, and left nothing.

        Before Python has started, the signal itself ends the process, or Python's own handler does.
        """
        number, code = SIGNALS[self.signal]
        right = self.code in (code, -number) or (self.phase == "start and load" and self.code)
        return bool(right) and self.seconds <= LIMIT and not self.left


def cases(assets: Path, folder: Path) -> Iterator[Case]:
    """Yield what is tried, on a network of `assets` and what `write_inputs` has written to `folder`."""
    model, data, hang = (
        assets / "models" / "cifar10_resnet8.onnx",
        folder / "data.npz",
        folder / "endless.onnx",
    )
    prune = ("prune", str(model), "-o", "{out}/o.onnx", "--data", str(data), "--debug", "--force")
    for delay in (0.0, 0.1, 0.3, 0.6, 1.0):
        yield Case("start and load", prune, "", delay)
    for name in ("fold", "group", "calibrate", "score", "select", "cut", "compensate", "verify"):
        for delay in (0.0, 0.2, 0.7):
            yield Case(name, prune, f"{name} ...", delay)
    for delay in (0.0, 0.01, 0.03):
        yield Case("save", prune, "verify: ", delay)
    for delay in (0.5, 1.5, 3.0):
        yield Case("profile", ("profile", str(model), "--duration", "20s", "--debug"), "", delay)
    for delay in (2.0, 4.0):
        yield Case("a model that comes to no end", ("verify", str(hang), str(hang), "--debug"), "", delay)


def interrupt(case: Case, name: str) -> Ended:
    """Run the command of `case` and send it the signal called `name`."""
    number, _ = SIGNALS[name]
    with tempfile.TemporaryDirectory() as folder:
        out, temporary = Path(folder) / "out", Path(folder) / "tmp"
        out.mkdir()
        temporary.mkdir()
        words = [word.format(out=out) for word in case.words]
        surroundings = {**os.environ, "TMPDIR": str(temporary), "XDG_CACHE_HOME": str(Path(folder) / "cache")}
        with (
            (Path(folder) / "log").open("w+b") as log,
            subprocess.Popen(
                [sys.executable, "-m", "graphprune", *words],
                cwd=ROOT,
                env=surroundings,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                preexec_fn=_heed_interrupts,  # noqa: PLW1509  there are no threads here
            ) as child,
        ):
            met = _met(child, Path(folder) / "log", case.line)
            time.sleep(case.delay)
            over = child.poll() is not None or not met
            children = _descendants(child.pid)
            child.send_signal(number)
            sent = time.perf_counter()
            try:
                code = child.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                code = child.wait()
            seconds = time.perf_counter() - sent
        time.sleep(0.2)
        left = [
            str(path.relative_to(folder)) for room in (out, temporary) for path in sorted(room.rglob("*"))
        ]
        left += [f"process {pid}" for pid in children if _lives(pid)]
        finished = code == 0
        left = [path for path in left if not (finished and path == "out/o.onnx")]
    return Ended("" if over or finished else case.phase, name, case.delay, seconds, code, tuple(left))


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _met(child: subprocess.Popen[bytes], log: Path, line: str) -> bool:
    """Wait for a line of the log that holds `line`; False where the command ends before."""
    while line and line.encode() not in log.read_bytes():
        if child.poll() is not None:
            return False
        time.sleep(0.002)
    return True


def _descendants(pid: int) -> list[int]:
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [each for child in map(int, listed) for each in (child, *_descendants(child))]


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def write_inputs(assets: Path, folder: Path) -> None:
    """Write calibration data as the network takes it, and a model that comes to no end, to `folder`."""
    import numpy as np
    import onnx

    (folder / "endless.onnx").write_bytes(onnx.parser.parse_model(_ENDLESS).SerializeToString())
    with np.load(assets / "cifar10" / "calib.npz") as data:
        images = (data["x"][:64].transpose(0, 3, 1, 2) / 64 - 2).astype(np.float32)
    np.savez(folder / "data.npz", input=np.ascontiguousarray(images))


def main() -> int:
    """Print the table; 1 where a command did not end as it must."""
    parser = argparse.ArgumentParser(description="Signals in every phase of a command.")
    parser.add_argument("--match", default="*", help="phases to try, as a glob")
    parser.add_argument("--no-write", action="store_true", help="leave the results as they are")
    chosen = parser.parse_args()
    assets = Path(os.environ["GRAPHPRUNE_ASSETS"])
    found: list[Ended] = []
    with tempfile.TemporaryDirectory() as folder:
        write_inputs(assets, Path(folder))
        for case in cases(assets, Path(folder)):
            if fnmatchcase(case.phase, chosen.match):
                found += [interrupt(case, name) for name in SIGNALS]
    rows: list[list[object]] = []
    for phase in dict.fromkeys(each.phase for each in found if each.phase):
        some = [each for each in found if each.phase == phase]
        slowest = max(each.seconds for each in some)
        left = sum(len(each.left) for each in some)
        rows.append([phase, len(some), f"{slowest:.2f}", left, sum(each.passed for each in some)])
    print(results.table(("phase", "tried", "slowest, s", "left behind", "as they must"), rows))
    over = sum(not each.phase for each in found)
    print(f"\n{over} commands were over before the signal came.")
    if not chosen.no_write:
        results.write("interrupts", {"limit_seconds": LIMIT, "tried": [asdict(each) for each in found]})
    tried = [each for each in found if each.phase]
    right = [each.passed for each in tried]
    print(f"{sum(right)} of {len(right)} ended within {LIMIT:.0f} s, with their code, and left nothing.")
    return 0 if all(right) else 1


if __name__ == "__main__":
    sys.exit(main())
