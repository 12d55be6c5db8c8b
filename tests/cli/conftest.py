"""What the tests of the command line share: a model in a folder, and a way to call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphprune.cli import main
from tests.cli.perceptron import write_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model.onnx")


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Call the command line in the folder of the model; returns the exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def call(line: str) -> tuple[int, str, str]:
        code = main(line.split())
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
