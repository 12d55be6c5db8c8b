"""What one convolution takes over its number of channels: a staircase, for devices work in tiles.

Single convolutions on 56 x 56, with 32 to 160 output channels at 64 input channels, and the other way round.
All of a curve are timed in one interleaved run; shown is the fastest inference, for a disturbance only adds,
up to the lower quartile of the medians of blocks. Where the runtime works in a layout of its own, the change
into it and back is part of the time, as it is at the ends of any model.
"""

from __future__ import annotations

from contextlib import ExitStack
from math import ceil
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.speedup_timing import Where
from graphprune.backends import Running, backend
from graphprune.model import from_proto
from graphprune.profiling.paired import Blocks, Rounds, measure

SIDE, FIXED = 56, 64
FIRST, LAST = 32, 160
CURVES = tuple((kernel, varied) for kernel in (3, 1) for varied in ("output", "input"))
MULTIPLES = (16, 8, 4, 1)


def convolution(kernel: int, inputs: int, outputs: int, where: Where) -> onnx.ModelProto:
    """Return a model of one convolution with a bias, its weights drawn."""
    draw = np.random.default_rng(0)
    numbers, kind = (np.float16, TensorProto.FLOAT16) if where.half else (np.float32, TensorProto.FLOAT)
    weight = (draw.standard_normal((outputs, inputs, kernel, kernel)) / (kernel * inputs**0.5)).astype(
        numbers
    )
    bias = draw.standard_normal(outputs).astype(numbers)
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], name="conv", pads=[kernel // 2] * 4)
    graph = helper.make_graph(
        [node],
        "convolution",
        [helper.make_tensor_value_info("x", kind, [where.batch, inputs, SIDE, SIDE])],
        [helper.make_tensor_value_info("y", kind, [where.batch, outputs, SIDE, SIDE])],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def curve(kernel: int, varied: str, where: Where, step: int, rounds: int) -> dict[str, Any]:
    """Return widths and milliseconds of one staircase, and what each kind of width costs above the best."""
    widths = list(range(FIRST, LAST + 1, step))
    runtime = backend(where.backend)
    draw = np.random.default_rng(1)
    medians: list[list[float]] = [[] for _ in widths]
    fastest = [float("inf") for _ in widths]
    with ExitStack() as stack:
        running: list[Running] = []
        for width in widths:
            inputs, outputs = (width, FIXED) if varied == "input" else (FIXED, width)
            values = draw.standard_normal((where.batch, inputs, SIDE, SIDE))
            feeds = {"x": values.astype(np.float16 if where.half else np.float32)}
            model = from_proto(convolution(kernel, inputs, outputs, where))
            running.append(stack.enter_context(runtime.open(model, feeds, where.setup)))
        measure(running, Rounds(0.03, 0.0, 1, 0.0), settled=_at_once)
        for _ in range(ceil(rounds / 2)):
            # Another order each time: a disturbance must not look like a step between neighbours.
            order: list[int] = draw.permutation(len(widths)).tolist()
            blocks = measure([running[at] for at in order], Rounds(0.0, 0.0, 2, 0.0), settled=_at_once)
            for place, at in enumerate(order):
                medians[at] += blocks.medians(place).tolist()
                fastest[at] = min(fastest[at], float(blocks.all(place).min()))
    least = [round(1000 * each, 4) for each in fastest]
    return {
        "kernel": kernel,
        "varied": varied,
        "widths": widths,
        "milliseconds": least,
        "quartile": [round(1000 * float(np.percentile(each, 25)), 4) for each in medians],
        "excess": excess(widths, least),
    }


def _at_once(blocks: Blocks) -> bool:
    return True


def excess(widths: list[int], times: list[float]) -> dict[str, float]:
    """Return what widths take above the fastest that is as wide or wider, by their largest power of two.

    A width with an excess is not worth having: more channels come in less time. Medians over the widths
    whose largest divisor among 16, 8, 4 and 1 is the key. Widths less than 16 from the end are left out, for
    what is wider than they are was hardly looked at.
    """
    found: dict[str, list[float]] = {str(multiple): [] for multiple in MULTIPLES}
    for number, width in enumerate(widths):
        if width <= widths[-1] - max(MULTIPLES):
            key = next(multiple for multiple in MULTIPLES if width % multiple == 0)
            found[str(key)].append(times[number] / min(times[number:]) - 1)
    return {key: round(float(np.median(values)), 4) for key, values in found.items() if values}


def staircase(where: Where, step: int, rounds: int) -> list[dict[str, Any]]:
    """Return all curves."""
    return [curve(kernel, varied, where, step, rounds) for kernel, varied in CURVES]
