"""The command as a process: what it imports, its colours, its signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.perceptron import write_model


def test_help_and_version_go_to_stdout(call: Any) -> None:
    for line in (
        "--help",
        "-h",
        "prune --help",
        "inspect -h",
        "sensitivity --help",
        "run -h",
        "verify -h",
        "doctor -h",
        "--version",
    ):
        code, out, err = call(line)
        assert (code, err) == (0, ""), line
        assert out


def _heed_interrupts() -> None:
    """Undo what a shell does to the processes that it starts in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def process(*words: str | Path, **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "graphprune", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        preexec_fn=_heed_interrupts,  # noqa: PLW1509  the tests have no threads
        **more,
    )


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from graphprune.cli import main; main(['--help']); main(['--version']);"
        "print([name for name in ('numpy', 'onnx', 'onnxruntime', 'rich', 'yaml', 'msgspec')"
        " if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert found.stdout.splitlines()[-1] == "[]"


def test_a_config_that_is_looked_for_and_not_found_costs_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from graphprune.cli import main; main(['schema', '--output-format', 'none']);"
        "print([name for name in ('numpy', 'yaml', 'graphprune.runs.files') if name in sys.modules])"
    )
    (tmp_path / ".git").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=environment,
    )
    assert found.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("variable", ["NO_COLOR", "TERM"])
def test_no_colour_is_written_where_it_is_not_wanted(variable: str, model: Path) -> None:
    value = {"NO_COLOR": "1", "TERM": "dumb"}[variable]
    child = process("inspect", model, env={**os.environ, variable: value})
    out, _ = child.communicate()
    assert child.returncode == 0
    assert "\x1b" not in out


@contextmanager
def inherited(sent: signal.Signals, handler: signal.Handlers) -> Iterator[None]:
    """What a child that starts in the block does with a signal at first."""
    before = signal.signal(sent, handler)
    try:
        yield
    finally:
        signal.signal(sent, before)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_the_process_with_its_code_and_leaves_no_file(
    sent: signal.Signals, code: int, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "plan.json")
    model = write_model(tmp_path / "model.onnx")
    with inherited(sent, signal.SIG_DFL):
        child = process(
            "prune", model, "-o", tmp_path / "out.onnx", "--plan", tmp_path / "plan.json", "--debug"
        )
    with (tmp_path / "plan.json").open("w"):  # opens when the child reads the plan, which it then waits for
        child.send_signal(sent)
    _, err = child.communicate(timeout=60)
    assert child.returncode == code, err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "plan.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_signal_that_was_ignored_at_the_start_stays_so(tmp_path: Path) -> None:
    """As under nohup."""
    os.mkfifo(tmp_path / "plan.json")
    model = write_model(tmp_path / "model.onnx")
    words = ("prune", model, "-o", tmp_path / "out.onnx", "--plan", tmp_path / "plan.json")
    with inherited(signal.SIGHUP, signal.SIG_IGN):
        child = process(*words)
    with (tmp_path / "plan.json").open("w") as plan:
        child.send_signal(signal.SIGHUP)
        plan.write("no plan")
    _, err = child.communicate(timeout=60)
    assert child.returncode == 2, err


def test_the_folder_for_temporary_files_is_where_it_is_asked_for(tmp_path: Path, model: Path) -> None:
    """The first that can be used, as Python looks for it; nothing else is made there, and nothing stays."""
    (tmp_path / "there").mkdir()
    (tmp_path / "file").touch()
    code = (
        "import os, sys, tempfile; from graphprune.cli import main; made = []\n"
        "sys.addaudithook(lambda event, words: made.append(str(words[0])) if event == 'os.mkdir' else None)\n"
        "main(['inspect', sys.argv[1], '-q']); print(made)"
    )
    for variables in ({"TMPDIR": "there"}, {"TMPDIR": "file/none", "TEMP": "there"}):
        environ = {**os.environ, **{name: str(tmp_path / place) for name, place in variables.items()}}
        done = subprocess.run(
            [sys.executable, "-c", code, str(model)], env=environ, capture_output=True, text=True, check=True
        )
        assert str(tmp_path / "there" / ".graphprune-") in done.stdout
        assert list((tmp_path / "there").iterdir()) == []
