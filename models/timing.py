"""Two models timed against each other in ONNX Runtime: in one process, interleaved, in alternating order.

What disturbs a machine lasts longer than one inference. Timing one model after the other charges the
disturbance to one of them; short blocks of both, A B B A A B ..., meet it alike. Each pair of blocks gives
one ratio of medians, and the interval is a percentile bootstrap over these pairs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

Feed = dict[str, npt.NDArray[np.generic]]
DTYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


@dataclass(frozen=True)
class Timing:
    """Median milliseconds of one inference of either model on one thread, and how the second compares.

    `ratio` is the median over pairs of blocks of (median of the second / median of the first); `low` and
    `high` bound its 95 % bootstrap interval.
    """

    first_ms: float
    second_ms: float
    ratio: float
    low: float
    high: float


def session(model: Path) -> ort.InferenceSession:
    """A session on one thread of the CPU, with the optimisations that ONNX Runtime makes by default.

    One thread, because the threads of a pool wait for each other by spinning: on a machine that does
    something else as well, two threads on two cores are slower than one, and several times as noisy.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def feed(running: ort.InferenceSession, shapes: dict[str, tuple[int, ...]], seed: int = 0) -> Feed:
    """Random inputs of the given shapes: normal numbers, and ones for whole-number inputs (ids, masks)."""
    rng = np.random.default_rng(seed)
    made: Feed = {}
    for wanted in running.get_inputs():
        dtype = DTYPES[wanted.type]
        shape = shapes[wanted.name]
        whole = np.issubdtype(dtype, np.integer)
        value = np.ones(shape) if whole else rng.normal(size=shape)
        made[wanted.name] = value.astype(dtype)
    return made


def compare(first: Path, second: Path, shapes: dict[str, tuple[int, ...]], pairs: int = 20) -> Timing:
    """Time both models on the same random inputs, over `pairs` pairs of blocks of about 0.1 s each."""
    sessions = [session(first), session(second)]
    inputs = feed(sessions[0], shapes)
    runs = max(1, min(200, round(0.1 / max(_block(one, inputs, 2) for one in sessions))))
    blocks = np.empty((pairs, 2))
    for pair in range(pairs):
        for which in (0, 1) if pair % 2 == 0 else (1, 0):
            blocks[pair, which] = _block(sessions[which], inputs, runs)
    ratios = blocks[:, 1] / blocks[:, 0]
    draws = np.random.default_rng(0).integers(0, pairs, (2000, pairs))
    low, high = np.percentile(np.median(ratios[draws], axis=1), [2.5, 97.5])
    first_ms, second_ms = 1000 * np.median(blocks, axis=0)
    return Timing(float(first_ms), float(second_ms), float(np.median(ratios)), float(low), float(high))


def _block(running: ort.InferenceSession, inputs: Feed, runs: int) -> float:
    """The median of `runs` inferences after one that is not counted, in seconds."""
    running.run(None, inputs)
    seconds: list[float] = []
    for _ in range(runs):
        started = time.perf_counter()
        running.run(None, inputs)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))
