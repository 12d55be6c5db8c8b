"""What the tests of engines share: TensorRT-RTX where `make engines` has fetched it, and small networks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines import prepare
from tests.engines.networks import write


@pytest.fixture
def rtx(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT-RTX, as if it were installed."""
    if not prepare.is_ready("rtx"):
        pytest.skip("TensorRT-RTX is not there: `make engines` fetches it")
    monkeypatch.syspath_prepend(str(prepare.FOLDER / "rtx"))


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own; returns the folder of the engines in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "graphprune" / "engines"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small convolutional network, `model.onnx`."""
    return write("convolutions", tmp_path / "model.onnx")
