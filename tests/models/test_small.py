"""The small network is valid, runs, and is the same every time."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort

from models.small import SHAPE, small


def test_the_small_network_is_valid() -> None:
    onnx.checker.check_model(small(), full_check=True)


def test_the_same_seed_gives_the_same_bytes() -> None:
    def content(seed: int) -> bytes:
        return small(seed).SerializeToString(deterministic=True)

    assert content(3) == content(3)
    assert content(3) != content(4)


def test_every_input_changes_the_output() -> None:
    session = ort.InferenceSession(small().SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    (y,) = session.run(None, {"x": x})
    (z,) = session.run(None, {"x": 2 * x})
    assert y.shape == (1, 10)
    assert np.isfinite(y).all()
    assert not np.allclose(y, z)
