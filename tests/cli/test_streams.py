"""Standard output and error that are closed, full, unread, or cannot show every character."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.perceptron import write_model

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a shell")
ROOT = Path(__file__).parents[2]


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash, in which `graphprune` is the command; the exit code is that of the first part."""
    command = f'graphprune() {{ "{sys.executable}" -m graphprune "$@"; }}; {line}; exit ${{PIPESTATUS[0]}}'
    return subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    "words",
    ["--help", "prune --help", "inspect MODEL", "inspect MODEL --output-format json", "schema config"],
)
def test_a_reader_that_goes_away_is_not_a_no(words: str, model: Path) -> None:
    ran = shell(f"graphprune {words.replace('MODEL', str(model))} | true")
    assert ran.returncode in (0, 141)
    assert ran.stderr == ""


def test_a_run_whose_reader_went_away_says_so_in_its_record(model: Path) -> None:
    record = model.with_name("run.json")
    # The pipe is broken before the process starts, so that the outcome does not depend on who is faster.
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-m", "graphprune", "inspect", str(model), "--save-run", str(record)]
    ran = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, check=False, cwd=ROOT)
    os.close(writer)
    assert (ran.returncode, ran.stderr) == (141, b"")
    assert json.loads(record.read_text(encoding="utf-8"))["exit_code"] == 141


def test_closed_streams_are_no_error(model: Path) -> None:
    assert shell(f"graphprune inspect {model} >&-").returncode == 0
    assert shell(f"graphprune inspect {model} >&- 2>&- <&-").returncode == 0
    assert shell("graphprune inspect nothing.onnx 2>&-").returncode == 2


def test_nothing_is_written_into_a_file_that_takes_the_number_of_a_closed_stream(model: Path) -> None:
    out = model.with_name("out.onnx")
    assert shell(f"graphprune prune {model} -o {out} >&- 2>&-").returncode == 0
    assert shell(f"graphprune verify {out} {out}").returncode == 0


def test_a_disk_that_is_full_is_told_once(model: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no device that is always full")
    ran = shell(f"graphprune inspect {model} > /dev/full")
    assert ran.returncode == 4
    assert [line.partition(":")[0] for line in ran.stderr.splitlines()] == ["error", "hint"]


def test_a_terminal_of_ascii_shows_what_it_can(tmp_path: Path) -> None:
    model = write_model(tmp_path / "é日本.onnx")
    ascii_only = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C.UTF-8"}
    ran = shell(f"graphprune inspect {model} --show map", **ascii_only)
    assert ran.returncode == 0
    assert ran.stdout.isascii()
    assert "\\xe9\\u65e5\\u672c.onnx" in ran.stdout
    assert "##" in ran.stdout
    parsed = json.loads(shell(f"graphprune inspect {model} --output-format json", **ascii_only).stdout)
    assert Path(parsed["path"]).name == model.name
    ran = shell(f"graphprune gate {model} {model} --assert 'size.ratio<=1'", **ascii_only)
    assert ran.returncode == 0
    assert "<= 1" in ran.stdout
