"""Which widths int8 kernels like: `python -m benchmarks.int8_widths`.

Two quantised convolutions in a row, as ONNX Runtime's quantizer leaves them, at every fourth number of
channels. The times rise in steps; the step from a multiple of M to M * k + 4 says how wide a tile is. All
widths are timed in turn, forwards and backwards, on one thread; a time is the median of the rounds.
"""

from __future__ import annotations

import time

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from benchmarks import results

SHAPES = ((3, 14, 32, 136), (1, 14, 64, 200))
"""Kernel, side of the image, narrowest, end of the widths."""
STEP, ROUNDS, BLOCK = 4, 15, 0.012


def convolutions(channels: int, kernel: int, side: int, seed: int = 0) -> onnx.ModelProto:
    """Two convolutions between QuantizeLinear and DequantizeLinear, unsigned activations, signed weights."""
    random = np.random.default_rng(seed)
    constants: dict[str, NDArray[np.generic]] = {
        "s": np.array(0.02, np.float32),
        "z": np.array(128, np.uint8),
    }
    nodes: list[onnx.NodeProto] = []

    def passed(name: str, to: str) -> None:
        nodes.append(helper.make_node("QuantizeLinear", [name, "s", "z"], [f"{to}q"]))
        nodes.append(helper.make_node("DequantizeLinear", [f"{to}q", "s", "z"], [to]))

    passed("x", "a0")
    for number in (1, 2):
        shape = (channels, channels, kernel, kernel)
        constants[f"w{number}"] = random.integers(-127, 128, shape).astype(np.int8)
        constants[f"s{number}"] = np.full(channels, 0.01, np.float32)
        constants[f"z{number}"] = np.zeros(channels, np.int8)
        weight = [f"w{number}", f"s{number}", f"z{number}"]
        nodes.append(helper.make_node("DequantizeLinear", weight, [f"v{number}"], axis=0))
        nodes.append(
            helper.make_node("Conv", [f"a{number - 1}", f"v{number}"], [f"c{number}"], pads=[kernel // 2] * 4)
        )
        passed(f"c{number}", f"a{number}")
    image = [1, channels, side, side]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, image)],
        [helper.make_tensor_value_info("a2", TensorProto.FLOAT, image)],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def staircase(kernel: int, side: int, widths: list[int]) -> dict[int, float]:
    """Return the median seconds of an inference by width."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    random = np.random.default_rng(0)
    sessions: dict[int, tuple[ort.InferenceSession, dict[str, NDArray[np.float32]], int]] = {}
    for width in widths:
        model = convolutions(width, kernel, side).SerializeToString()
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        feeds = {"x": random.standard_normal((1, width, side, side)).astype(np.float32)}
        took = np.median(taken(session, feeds, 5))
        sessions[width] = (session, feeds, max(3, int(BLOCK / took)))
    medians: dict[int, list[float]] = {width: [] for width in widths}
    for done in range(ROUNDS):
        for width in widths if done % 2 == 0 else reversed(widths):
            medians[width].append(float(np.median(taken(*sessions[width]))))
    return {width: float(np.median(each)) for width, each in medians.items()}


def taken(
    session: ort.InferenceSession, feeds: dict[str, NDArray[np.float32]], runs: int
) -> NDArray[np.float64]:
    """Return the seconds of each of `runs` inferences."""
    seconds = np.empty(runs)
    for run in range(runs):
        started = time.perf_counter()
        session.run(None, feeds)
        seconds[run] = time.perf_counter() - started
    return seconds


def steps(times: dict[int, float]) -> dict[int, float]:
    """Return the mean relative rise from one width to the next.

    The keys are 32 (behind multiples of 32), 16 (behind odd multiples of 16) and 4 (everywhere else).
    """
    rises: dict[int, list[float]] = {32: [], 16: [], 4: []}
    for width, seconds in times.items():
        if width + STEP in times:
            kind = 32 if width % 32 == 0 else 16 if width % 16 == 0 else 4
            rises[kind].append(times[width + STEP] / seconds - 1)
    return {kind: float(np.mean(each)) for kind, each in rises.items()}


def main() -> None:
    """Measure, print a line for each width, and keep the figures."""
    found: list[dict[str, object]] = []
    for kernel, side, first, last in SHAPES:
        times = staircase(kernel, side, list(range(first, last, STEP)))
        for width, seconds in times.items():
            print(f"{kernel}x{kernel} {side}x{side} {width:4} {1e6 * seconds:8.1f} us", flush=True)
        rises = steps(times)
        print(", ".join(f"behind {kind}: {100 * rise:.1f} %" for kind, rise in rises.items()), flush=True)
        found.append({"kernel": kernel, "side": side, "seconds": times, "rises": rises})
    results.write("int8_widths", {"convolutions": found})


if __name__ == "__main__":
    main()
