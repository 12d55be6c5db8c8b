"""What runs in native code ends: in its time, with its parent, and by itself where it crashes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import onnx
import pytest

from graphprune.errors import Environment, Refused
from graphprune.model import from_proto
from graphprune.runtime import run, session
from graphprune.runtime.process import PROCESS, Endless

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

SUM = '<ir_version: 10, opset_import: ["": 21]> g (float[N] x) => (float[N] y) { y = Add (x, x) }'
ENDLESS = """
<ir_version: 10, opset_import: ["": 21]>
g (float[2] x) => (float[2] y) <int64 often = {4611686018427387904}, bool on = {1}> {
  y = Loop (often, on, x) <body = body (int64 i, bool more, float[2] s) => (bool again, float[2] next) {
    again = Identity (more)
    next = Mul (s, s)
  }>
}
"""
"""A loop that is run more often than there is time for."""
X = np.array([1, 1], np.float32)


def model(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(text)


def gone(pid: int) -> bool:
    """Whether a process has ended; where nobody asks for its exit status, it may still be listed."""
    for _ in range(600):
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
        except OSError:
            return True
        # The first thread of a process that was killed may be dead while others are still on their way.
        if state == "Z" and len(list(Path(f"/proc/{pid}/task").glob("*"))) <= 1:
            return True
        time.sleep(0.1)
    return False


def test_a_model_that_comes_to_no_end_is_refused_when_its_time_is_over() -> None:
    with (
        session(from_proto(model(ENDLESS))) as opened,
        pytest.raises(Endless, match="came to no end on the model within 1 s"),
    ):
        run(opened, {"x": X}, seconds=1)


def test_a_session_outlives_the_process_that_it_was_opened_in() -> None:
    with session(from_proto(model(SUM))) as kept:
        with session(from_proto(model(ENDLESS))) as opened, pytest.raises(Endless):
            run(opened, {"x": X}, seconds=0.5)
        assert run(kept, {"x": X})[0].tolist() == [2, 2]


@pytest.mark.parametrize(
    ("sent", "kind", "words"),
    [
        (signal.SIGSEGV, Refused, "ONNX Runtime ended by signal 11 on the model"),
        (signal.SIGABRT, Refused, "ONNX Runtime ended by signal 6 on the model"),
        (signal.SIGKILL, Environment, "ONNX Runtime was killed while it worked on the model"),
    ],
    ids=["crash", "abort", "killed"],
)
def test_a_crash_is_an_answer(sent: signal.Signals, kind: type[Exception], words: str) -> None:
    with session(from_proto(model(ENDLESS))) as opened:
        assert PROCESS.pid is not None
        crash = threading.Timer(0.1, os.kill, (PROCESS.pid, sent))
        crash.start()
        with pytest.raises(kind, match=words):
            run(opened, {"x": X})
        crash.join()
    with session(from_proto(model(SUM))) as opened:
        assert run(opened, {"x": X})[0].tolist() == [2, 2]


def test_a_process_that_died_while_nobody_asked_is_replaced() -> None:
    with session(from_proto(model(SUM))) as opened:
        assert PROCESS.pid is not None
        os.kill(PROCESS.pid, signal.SIGKILL)
        assert gone(PROCESS.pid)
        assert run(opened, {"x": X})[0].tolist() == [2, 2]


def test_more_memory_than_there_is_is_refused_and_costs_nothing_else() -> None:
    text = """
    <ir_version: 10, opset_import: ["": 21]>
    g (int64[1] n) => (float[N] y) { y = ConstantOfShape (n) }
    """
    with session(from_proto(model(text))) as opened:
        before = PROCESS.number
        with pytest.raises(Environment, match="memory ran out while ONNX Runtime worked on the model"):
            run(opened, {"n": np.array([1 << 44])})
        assert run(opened, {"n": np.array([3])})[0].tolist() == [0, 0, 0]
        assert PROCESS.number == before


SCRIPT = f"""
import sys
import numpy as np, onnx
from graphprune.cli import main
from graphprune.model import from_proto
from graphprune.runtime import run, session
from graphprune.runtime.process import PROCESS, Endless

def command():
    with session(from_proto(onnx.parser.parse_model({ENDLESS!r}))) as opened:
        print(PROCESS.pid, flush=True)
        run(opened, {{"x": np.ones(2, np.float32)}})

import graphprune.cli as cli
cli.verbs.main = lambda *_, **__: command()
sys.exit(main([]))
"""


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_signal_ends_both_while_native_code_runs(sent: signal.Signals, code: int, tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    assert child.stdout is not None
    worker = int(child.stdout.readline())
    child.send_signal(sent)
    _, err = child.communicate(timeout=120)
    assert child.returncode == code, err
    assert gone(worker)
    assert list(tmp_path.iterdir()) == []


def printed(code: str) -> str:
    """What a process of its own prints that runs `code`."""
    words = [sys.executable, "-c", code]
    found = subprocess.run(words, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    return found.stdout


def test_nothing_is_told_to_anybody() -> None:
    code = "import graphprune, onnxruntime, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    assert printed(code) == "1\n"


def test_the_process_imports_little() -> None:
    code = (
        "import sys, graphprune.runtime.child;"
        "print([name for name in ('onnx', 'onnx_graphsurgeon', 'ml_dtypes', 'msgspec', 'click')"
        " if name in sys.modules])"
    )
    assert printed(code) == "[]\n"
