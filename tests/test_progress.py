"""On a terminal, long work shows how far it is; elsewhere it is silent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from graphprune.progress import counted, shown_by
from tests.cli.perceptron import write_model

STEPS = ("fold", "group", "calibrate", "score", "probe", "select", "cut", "verify", "compensate")


def test_a_step_tells_whoever_shows_it_and_nobody_else() -> None:
    told: list[tuple[str, int, int]] = []
    with counted("alone") as tell:
        tell(1, 2)
    token = shown_by.set(lambda *said: told.append(said))
    try:
        with counted("calibrate") as tell:
            tell(1, 3)
            tell(3, 3)
    finally:
        shown_by.reset(token)
    assert told == [("calibrate", 1, 3), ("calibrate", 3, 3)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_model(tmp_path / "model.onnx")
    x = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    np.savez(tmp_path / "calib.npz", x=x)
    np.savez(tmp_path / "broken.npz", x=np.where(np.arange(64)[:, None] == 60, np.nan, x))
    return tmp_path


def on_terminal(folder: Path, *words: str, term: str = "xterm") -> tuple[int, str, str]:
    """Run graphprune in `folder` with stderr on a terminal of 100 columns: exit code, stdout, stderr."""
    import fcntl
    import struct
    import termios

    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    root = Path(__file__).parent.parent
    environment = {**os.environ, "TERM": term, "PYTHONPATH": str(root)}
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        environment.pop(name, None)
    child = subprocess.Popen(
        [sys.executable, "-m", "graphprune", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=slave,
        text=True,
    )
    os.close(slave)
    seen = b""
    while True:
        try:
            part = os.read(master, 1 << 16)
        except OSError:  # Linux says so when the other end is closed
            break
        if not part:
            break
        seen += part
    os.close(master)
    out, _ = child.communicate()
    return child.returncode, out, seen.decode()


PRUNE = ("prune", "model.onnx", "-o", "out.onnx", "--force", "--data", "calib.npz", "--target", "macs=0.6x")


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
def test_a_terminal_sees_each_long_step_with_a_bar_and_the_times(folder: Path) -> None:
    code, out, err = on_terminal(folder, *PRUNE, "-v")
    assert code == 0, err
    for number, name in enumerate(STEPS, 1):
        assert f"{number}/9 {name}: " in err  # the log's line, in one piece above the bar
    assert "7/9 cut" in err
    assert "left" in err
    assert "0:00:00" in err
    assert err.rstrip("\r\n").endswith("\x1b[2K")  # nothing stays
    assert err.count("\x1b[?25l") == err.count("\x1b[?25h") > 0  # the cursor comes back
    assert "\x1b" not in out
    assert "Agreement with the original" in out


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
def test_the_bar_goes_before_an_error_is_said(folder: Path) -> None:
    code, out, err = on_terminal(folder, *(word.replace("calib", "broken") for word in PRUNE))
    assert (code, out) == (2, "")
    assert err.count("\x1b[?25l") == err.count("\x1b[?25h") > 0
    first, second = err.splitlines()[-2:]
    assert "error: " in first
    assert second.startswith("hint: ")


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")
@pytest.mark.parametrize(("words", "term"), [(("-q",), "xterm"), ((), "dumb")], ids=["quiet", "dumb"])
def test_quiet_and_a_dumb_terminal_see_nothing(folder: Path, words: tuple[str, ...], term: str) -> None:
    code, _, err = on_terminal(folder, *PRUNE, *words, term=term)
    assert (code, err) == (0, "")


def test_without_a_terminal_nothing_is_shown_even_where_colour_is_forced(folder: Path) -> None:
    root = Path(__file__).parent.parent
    run = subprocess.run(
        [sys.executable, "-m", "graphprune", *PRUNE],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(root), "FORCE_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
