"""ONNX Runtime sessions, as the proofs need them: on the CPU, with every graph optimisation off."""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from onnxruntime.capi import onnxruntime_pybind11_state as state

from graphprune import elements
from graphprune.custom_ops import register
from graphprune.errors import Environment, Refused
from graphprune.feeds import Feeds
from graphprune.ir import constants, listed
from graphprune.model import Model, save, to_proto
from graphprune.precision.widen import is_bfloat16, widened
from graphprune.weights import stored

_IN_MEMORY = 1_500_000_000


@contextmanager
def session(model: Model, *, optimised: bool = False) -> Generator[ort.InferenceSession]:
    """Open `model` in ONNX Runtime on the CPU; large models go through a temporary file.

    Operators on bfloat16 that it has no kernels for run in float32 and are rounded (`precision.widen`).

    Raises:
        Refused: ONNX Runtime does not accept the model.
    """
    options = ort.SessionOptions()
    register(options)
    options.log_severity_level = 4
    # Threads that spin between runs take the processor from what works on the results.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not optimised:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    with serialised(model) as source:
        try:
            opened = _opened(source, options)
        except state.NotImplemented as error:
            if not is_bfloat16(model):
                raise _refused(error) from error
            opened = None
        if opened is not None:
            yield opened
            return
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    with serialised(widened(model)) as source:
        try:
            opened = _opened(source, options)
        except state.NotImplemented as error:
            raise _refused(error) from error
        yield opened


def _opened(source: bytes | str, options: ort.SessionOptions) -> ort.InferenceSession:
    try:
        return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except state.NotImplemented:
        raise
    except ORT_ERRORS as error:
        raise _refused(error) from error


def _refused(error: Exception) -> Refused:
    return Refused(f"ONNX Runtime refuses the model: {first_line(error)}", "check it with onnx.checker")


@contextmanager
def serialised(model: Model) -> Generator[bytes | str]:
    """Yield a model as ONNX Runtime takes it: as bytes, or where it is large the path of a temporary file."""
    if _weight_bytes(model) <= _IN_MEMORY:
        yield to_proto(model).SerializeToString()
        return
    with tempfile.TemporaryDirectory(prefix="graphprune-") as folder:
        path = str(Path(folder) / "model.onnx")
        save(model, path)
        yield path


def _weight_bytes(model: Model) -> int:
    return sum(int(stored(tensor).nbytes) for tensor in constants(model.graph))


def first_line(error: Exception) -> str:
    """Return what an error of ONNX Runtime says in its first line, up to 300 characters."""
    return str(error).strip().splitlines()[0][:300]


ORT_ERRORS: tuple[type[Exception], ...] = (
    state.EPFail,
    state.Fail,
    state.InvalidArgument,
    state.InvalidGraph,
    state.InvalidProtobuf,
    state.NoSuchFile,
    state.NotImplemented,
    state.RuntimeException,
)
"""What ONNX Runtime raises."""


def run(opened: ort.InferenceSession, feeds: Feeds) -> list[NDArray[Any]]:
    """Run a session on `feeds`; sequences of tensors are flattened.

    Raises:
        Refused: the model fails on these inputs.
        Environment: memory ran out.
    """
    try:
        results = _run_foreign(opened, feeds) if _has_foreign(opened, feeds) else opened.run(None, feeds)
    except MemoryError as error:
        raise Environment(
            "memory ran out while the model was run", "use smaller shapes with --shape"
        ) from error
    except ORT_ERRORS as error:
        raise Refused(
            f"the model cannot be run: {first_line(error)}", "give sizes that it accepts with --shape"
        ) from error
    flat: list[NDArray[Any]] = []
    for result in results:
        flat += [np.asarray(item) for item in listed(result)]
    return flat


_FOREIGN = frozenset(
    f"tensor({elements.NAMES[number].lower()})"
    for number, dtype in elements.DTYPES.items()
    if not elements.is_numpys(dtype)
)


def _has_foreign(opened: ort.InferenceSession, feeds: Feeds) -> bool:
    """Whether a session takes or gives elements that numpy itself does not know (bfloat16, float8, int4)."""
    given = any(not elements.is_numpys(array.dtype) for array in feeds.values())
    return given or any(output.type in _FOREIGN for output in opened.get_outputs())


def _run_foreign(opened: ort.InferenceSession, feeds: Feeds) -> list[NDArray[Any]]:
    """Run a session through ONNX Runtime's own tensors: it makes no arrays of elements foreign to numpy."""
    arrays = {name: np.asarray(array, order="C") for name, array in feeds.items()}
    values = {
        name: ort.OrtValue.ortvalue_from_numpy_with_onnx_type(array, elements.number_of(array.dtype))
        for name, array in arrays.items()
    }
    return [read(value) for value in opened.run_with_ort_values(None, values)]


def read(value: ort.OrtValue) -> NDArray[Any]:
    """Return a tensor of ONNX Runtime as an array, elements foreign to numpy included."""
    if value.data_type() not in _FOREIGN:
        return value.numpy()
    element, sizes = value.element_type(), value.shape()
    data = ctypes.string_at(value.data_ptr(), elements.stored_bytes(element, elements.count(sizes)))
    return numpy_helper.to_array(TensorProto(data_type=element, dims=sizes, raw_data=data))
