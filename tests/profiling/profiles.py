"""Profiles made by hand: times are drawn around a median, the same for the same seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphprune.backends import Device, Setup
from graphprune.profiling.result import Batch, Conditions, Profile, Timed

QUIET = Conditions("2026-01-02T03:04:05Z", load=0.1)
CPU = Device("ort:cpu", "EPYC", {"cores": "4", "threads": "1"}, {"onnxruntime": "1.32.0"})
GPU = Device("trt", "L4", {"memory": "24 GiB"}, {"tensorrt": "11.1.0"})
HASHES = {"model.onnx": "aaaaaaaaaa", "small.onnx": "bbbbbbbbbb", "tiny.onnx": "cccccccccc"}


def timed(name: str, median: float, rounds: int = 20, seed: int = 0, **more: Any) -> Timed:
    """A model whose blocks of five have exactly these medians, apart from a drift that all models share."""
    drift = 1 + 0.01 * np.random.default_rng(seed).random(rounds)
    blocks = tuple(
        tuple(float(median * slow * around) for around in (0.99, 0.995, 1, 1.005, 1.01)) for slow in drift
    )
    return Timed(name, more.pop("hash", HASHES.get(name, name)), 1000, blocks, **more)


def batch(times: Mapping[str, float], number: int | None = 1, rounds: int = 20, seed: int = 0) -> Batch:
    """Models at a batch, by the median that each takes."""
    models = tuple(timed(name, median, rounds, seed) for name, median in times.items())
    return Batch(number, {"x": (number or 1, 3, 8, 8)}, models)


def profile(*batches: Batch | Mapping[str, float], **more: Any) -> Profile:
    """A profile of these batches, on a quiet CPU unless told otherwise."""
    whole = tuple(each if isinstance(each, Batch) else batch(each) for each in batches)
    settings: dict[str, Any] = {
        "device": CPU,
        "setup": Setup(),
        "reference": 0,
        "margin": 0.02,
        "before": QUIET,
        "after": QUIET,
        "versions": {"graphprune": "0.1.0"},
    }
    return Profile(batches=whole, **{**settings, **more})
