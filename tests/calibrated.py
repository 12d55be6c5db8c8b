"""Models from text, data for them, and what they compute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from graphprune.cut import Cut, cut
from graphprune.data import open_data
from graphprune.feeds import Feeds
from graphprune.fitting.calibration import Calibration, calibration
from graphprune.fitting.linear import Linear, linears
from graphprune.fold import fold
from graphprune.model import Model, from_proto, to_proto
from graphprune.plan import Plan
from graphprune.runtime import run, session
from graphprune.solution import Solution
from graphprune.solve import solve
from tests.networks.fill import fill

Array = NDArray[Any]


def prepared(text: str, **weights: Array) -> tuple[Model, Solution]:
    """The model of a text, with some of its weights in place of those that are drawn, and its axes."""
    proto = fill(text)
    known = {tensor.name: tensor for tensor in proto.graph.initializer}
    for name, values in weights.items():
        dtype = onnx.helper.tensor_dtype_to_np_dtype(known[name].data_type)
        assert tuple(known[name].dims) == values.shape, name
        known[name].CopyFrom(onnx.numpy_helper.from_array(values.astype(dtype), name))
    model = fold(from_proto(proto))
    return model, solve(model.graph)


def normal(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def samples(model: Model, folder: Path, batch: int | None = None, **arrays: Array) -> Calibration:
    """Calibration data from a file: the arrays by the names of inputs, `labels` the labels."""
    path = folder / f"data{len(list(folder.iterdir()))}.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    data = open_data(str(path), model.graph)
    return calibration(data) if batch is None else Calibration(data, batch)


def pieces(size: int, **arrays: Array) -> list[Feeds]:
    """Batches of `size`."""
    count = len(next(iter(arrays.values())))
    return [{name: array[at : at + size] for name, array in arrays.items()} for at in range(0, count, size)]


def outputs(model: Model, **feeds: Array) -> list[Array]:
    with session(model) as opened:
        return run(opened, feeds)


def relative(model: Model, other: Model, **feeds: Array) -> float:
    """The squared error of the first output of `other` over the variance of that of `model`."""
    expected, found = (outputs(each, **feeds)[0].astype(np.float64) for each in (model, other))
    assert expected.shape == found.shape
    return float(np.square(expected - found).sum() / np.square(expected - expected.mean()).sum())


def without(model: Model, solution: Solution, **gone: list[int]) -> Cut:
    """The model without these units of the groups of these names."""
    keep = {
        name: np.delete(np.arange(solution.group(name).size), units).astype(np.int64)
        for name, units in gone.items()
    }
    return cut(model, solution, Plan(keep, {name: solution.group(name).size for name in keep}))


def operator(model: Model, name: str) -> tuple[int, Linear]:
    """The linear operator whose node is called `name`, with its position."""
    return next((number, it) for number, it in linears(model.graph) if it.node.name == name)


def checked(model: Model) -> onnx.ModelProto:
    """The model as it would be written, which is valid."""
    proto = to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def weights(model: Model) -> dict[str, Array]:
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in to_proto(model).graph.initializer}
