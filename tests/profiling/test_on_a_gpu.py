"""A profile on a GPU; skipped where there is none."""

from __future__ import annotations

from pathlib import Path

import onnxruntime as ort
import pytest

from graphprune.backends.gpu import state
from graphprune.errors import Environment
from graphprune.profiling.paired import Rounds
from graphprune.profiling.profile import Request, profile
from tests.profiling.texts import CNN, CNN_WEIGHTS, write


def test_a_gpu_says_what_it_is_doing() -> None:
    try:
        found = state(0)
    except Environment as missing:
        pytest.skip(missing.what)
    assert all(rate > 0 for rate in found.clocks.values())
    assert found.temperature is None or 0 < found.temperature < 150


def test_models_are_timed_on_a_gpu_with_its_conditions(tmp_path: Path) -> None:
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        pytest.skip("this ONNX Runtime has no CUDA")
    path = write(tmp_path / "cnn.onnx", CNN, CNN_WEIGHTS)
    found = profile(Request((path, path), "ort:cuda", rounds=Rounds(0.0, 0.05, 6, 0.1), per_layer=True))
    assert found.device.backend == "ort:cuda"
    assert "graphics" in found.before.clocks
    for timed in found.batches[0].models:
        assert timed.deviation is not None
        assert timed.limit is not None
        assert timed.deviation <= timed.limit == 2e-2
        assert timed.layers
