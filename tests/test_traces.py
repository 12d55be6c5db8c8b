"""Nothing leaves a process, and no file is made that is not documented (see also `benchmarks/traces.py`)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.traces import FIRST, VERBS, at, control, prepare, traced


def listed(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_run_makes_its_outputs_and_files_of_its_own_cache(tmp_path: Path) -> None:
    folder = tmp_path / "room"
    environ = prepare(folder)
    before = listed(folder)
    command = [sys.executable, "-m", "graphprune", *VERBS["prune"].split(), "--no-config"]
    subprocess.run(command, cwd=folder, env=environ, capture_output=True, check=True)
    new = listed(folder) - before
    beside = {path for path in new if not path.startswith("home/")}
    (data,) = (path for path in beside if path.endswith(".data"))
    assert beside == {"o.onnx", data, "p.json", "r.json"}
    assert all(path.startswith("home/.cache/graphprune/statistics/") for path in new - beside)
    assert new - beside


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not there")
def test_a_trace_sees_no_socket_and_no_file_that_is_not_documented(tmp_path: Path) -> None:
    folder = tmp_path / "room"
    prepare(folder)
    for verb in FIRST:
        words = [sys.executable, "-m", "graphprune", *VERBS[verb].split(), "--no-config"]
        found = traced(verb, words, folder, at(folder))
        assert (found.code, found.clean) == (0, True), found


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not there")
def test_a_trace_sees_what_onnx_runtime_does_by_itself() -> None:
    found = control(1.0)
    if found is None:
        pytest.skip("there are no namespaces here")
    assert not found.clean
