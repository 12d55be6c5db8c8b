"""The process in which models run: `python -P -m graphprune.runtime.child SOCKET PARENT BYTES`.

ONNX Runtime is native code that works on foreign models: it may crash, never come back, or take all memory.
Here it takes nothing else with it. For a quick start, numpy and onnxruntime are all that is imported.
Requests and answers are frames (`wire`).
"""

from __future__ import annotations

import ctypes
import os
import platform
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as state

from graphprune.custom_ops import register
from graphprune.errors import Environment
from graphprune.runtime import wire
from graphprune.runtime.wire import Frame, Tensor

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
_NATIVE: Any = state
_ERRORS: tuple[type[Exception], ...] = (*ORT_ERRORS, RuntimeError, ValueError, TypeError)

_STRING = 8
_ELEMENTS: dict[str, int] = {
    "float32": 1,
    "uint8": 2,
    "int8": 3,
    "uint16": 4,
    "int16": 5,
    "int32": 6,
    "int64": 7,
    "bool": 9,
    "float16": 10,
    "float64": 11,
    "uint32": 12,
    "uint64": 13,
    "complex64": 14,
    "complex128": 15,
}
_DTYPES: dict[int, np.dtype[Any]] = {number: np.dtype(name) for name, number in _ELEMENTS.items()}
_FOREIGN: dict[int, type[Any]] = {16: np.uint16, **dict.fromkeys((17, 18, 19, 20, 24), np.uint8)}
"""Elements of whole bytes that numpy does not know (bfloat16, float8), and what holds as many bytes."""
_THREADS = 2
_MEMORY = ("bad_alloc", "Failed to allocate memory", "bad allocation")


class Failed(Exception):
    """A request that was not carried out; `kind` is what the other side makes of it."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True)
class Held:
    """An open session, and the arrays that it works on."""

    session: ort.InferenceSession
    arrays: list[Any] = field(default_factory=list[Any])


def first_line(error: Exception) -> str:
    """Return what an error of ONNX Runtime says in its first line, up to 300 characters."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def main() -> None:
    """Answer requests until the other side is gone."""
    parent, most = int(sys.argv[2]), int(sys.argv[3])
    _leave_with(parent)
    _bound(most)
    # External data that is given as arrays must be named by a file that is there; it is never read.
    os.chdir(Path(__file__).parent)
    sessions: dict[int, Held] = {}
    with _channel(sys.argv[1]) as channel:
        while True:
            try:
                frame = wire.receive(channel)
                said, tensors = _answer(frame, sessions)
                del frame
                try:
                    wire.send(channel, said, tensors)
                except (OSError, MemoryError) as error:
                    if isinstance(error, wire.Gone):
                        raise
                    wire.send(channel, {"failed": "memory", "text": str(error)})
                del tensors
            except wire.Gone:
                # Sessions may take long to close, and nobody waits for them.
                os._exit(0)


def _answer(frame: Frame, sessions: dict[int, Held]) -> tuple[Mapping[str, Any], Sequence[Tensor]]:
    said = frame.said
    try:
        match said["do"]:
            case "open":
                held = sessions[said["session"]] = _open(frame)
                return {"inputs": _ports(held, "inputs"), "outputs": _ports(held, "outputs")}, ()
            case "run":
                return {}, _run(sessions[said["session"]], dict(zip(said["names"], frame.tensors)))
            case "close":
                sessions.pop(said["session"], None)
                return {}, ()
            case "kernels":
                return {
                    "kernels": [[item.domain, item.op_name] for item in _NATIVE.get_all_opkernel_def()]
                }, ()
            case "schemas":
                return {"schemas": [_schema(each) for each in _NATIVE.get_all_operator_schema()]}, ()
            case _:
                return {"failed": "refused", "text": f"no such request: {said['do']}"}, ()
    except Failed as error:
        return {"failed": error.kind, "text": str(error)}, ()
    except MemoryError as error:
        return {"failed": "memory", "text": first_line(error)}, ()
    except state.NotImplemented as error:
        return {"failed": "not implemented", "text": first_line(error)}, ()
    except _ERRORS as error:
        text = first_line(error)
        return {"failed": "memory" if any(word in text for word in _MEMORY) else "refused", "text": text}, ()


def _schema(schema: Any) -> list[Any]:
    """Return domain, name, version and types of an operator, and what each name of a type allows."""
    kinds = [[each.typeStr for each in places] for places in (schema.inputs, schema.outputs)]
    allowed = {each.type_param_str: list(each.allowed_type_strs) for each in schema.type_constraints}
    return [schema.domain, schema.name, schema.since_version, *kinds, allowed]


def _ports(held: Held, side: str) -> list[dict[str, Any]]:
    found = held.session.get_inputs() if side == "inputs" else held.session.get_outputs()
    return [{"name": each.name, "type": each.type, "shape": list(each.shape)} for each in found]


def _open(frame: Frame) -> Held:
    said = frame.said
    options = _options(said["optimised"])
    try:
        register(options, said["libraries"])
    except Environment as error:
        raise Failed("environment", error.what) from error
    kept: list[Any] = []
    files: dict[str | None, NDArray[np.uint8]] = {}
    names: list[str] = []
    values: list[ort.OrtValue] = []
    try:
        for weight in said["weights"]:
            key = weight["file"]
            if key not in files:
                files[key] = _mapped(frame.file if key is None else weight)
            array = files[key][weight["offset"] : weight["offset"] + weight["length"]]
            names.append(weight["name"])
            values.append(_value(Tensor(weight["element"], tuple(weight["dims"]), array), kept))
    finally:
        if frame.file is not None:
            os.close(frame.file)
    if said["optimised"]:
        # The optimiser reads weights that are given so, at the price of a copy.
        options.add_external_initializers(names, values)
    else:
        for name, value in zip(names, values, strict=True):
            options.add_initializer(name, value)
    source = said["path"] or frame.tensors[0].data.tobytes()
    session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    return Held(session, [] if said["optimised"] else [kept, values])


def _options(optimised: bool) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    # Threads that spin between runs take the processor from what works on the results.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if optimised:
        return options
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    # The default order runs every Cast of a weight first, and then holds all of them at once.
    options.execution_order = ort.ExecutionOrder.PRIORITY_BASED
    # Each of these copies weights, or keeps memory for later.
    options.add_session_config_entry("session.disable_prepacking", "1")
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.intra_op_num_threads = min(_THREADS, os.cpu_count() or 1)
    return options


def _mapped(source: int | Mapping[str, Any] | None) -> NDArray[np.uint8]:
    """Map the file of a weight, or the file that came with the request, read-only."""
    if isinstance(source, int):
        return np.memmap(os.fdopen(os.dup(source), "rb"), np.uint8, "r").view(np.ndarray)
    assert source is not None
    try:
        with Path(source["file"]).open("rb", buffering=0) as stream:
            found = os.fstat(stream.fileno())
            mark = [found.st_dev, found.st_ino, found.st_mtime_ns]
            if [found.st_size, *mark] != source["mark"]:
                raise Failed("changed", source["file"])
            return np.memmap(stream, np.uint8, "r").view(np.ndarray)
    except OSError as error:
        raise Failed("changed", source["file"]) from error


def _value(tensor: Tensor, kept: list[Any]) -> ort.OrtValue:
    """Return `tensor` as ONNX Runtime's, on the same memory, which must be `kept` as long."""
    if tensor.element == _STRING:
        texts = np.array(tensor.texts, dtype=object).reshape(tensor.dims)
        return ort.OrtValue.ortvalue_from_numpy(texts)
    if tensor.element in _DTYPES:
        array = tensor.data.view(_DTYPES[tensor.element]).reshape(tensor.dims)
        kept.append(array)
        return ort.OrtValue.ortvalue_from_numpy(array)
    if tensor.element not in _FOREIGN:
        raise Failed("refused", f"arrays of element type {tensor.element} cannot be given")
    array = tensor.data.view(_FOREIGN[tensor.element]).reshape(tensor.dims)
    kept.append(array)
    return ort.OrtValue.ortvalue_from_numpy_with_onnx_type(array, tensor.element)


def _run(held: Held, given: Mapping[str, Tensor]) -> list[Tensor]:
    session = held.session
    foreign = any(tensor.element not in _DTYPES and tensor.element != _STRING for tensor in given.values())
    if foreign or any(_is_foreign(output.type) for output in session.get_outputs()):
        kept: list[Any] = []
        values = {name: _value(tensor, kept) for name, tensor in given.items()}
        return [tensor_of(value) for value in session.run_with_ort_values(None, values)]
    results: list[Any] = session.run(None, {name: _array(tensor) for name, tensor in given.items()})
    return [_tensor(array) for result in results for array in _flat(result)]


def _is_foreign(kind: str) -> bool:
    """Whether an output of this type is a tensor of elements that numpy itself does not know."""
    known = {"float": "float32", "double": "float64", "string": "string"}
    name = kind.removeprefix("tensor(").removesuffix(")")
    return kind.startswith("tensor(") and known.get(name, name) not in {*_ELEMENTS, "string"}


def _flat(result: Any) -> list[NDArray[Any]]:
    """Return the arrays in a result: sequences one after another, maps as keys and values."""
    if result is None:
        raise Failed("refused", "an output is an optional that holds nothing")
    if isinstance(result, list):
        return [array for each in cast("Sequence[Any]", result) for array in _flat(each)]
    if isinstance(result, dict):
        mapped = cast("Mapping[Any, Any]", result)
        return [np.array([*mapped]), np.array([*mapped.values()])]
    return [np.asarray(result)]


def _array(tensor: Tensor) -> NDArray[Any]:
    if tensor.element == _STRING:
        return np.array(tensor.texts, dtype=object).reshape(tensor.dims)
    return tensor.data.view(_DTYPES[tensor.element]).reshape(tensor.dims)


def _tensor(array: NDArray[Any]) -> Tensor:
    dims = tuple(array.shape)
    if array.dtype.kind in "OSU":
        texts = tuple(str(text) for text in array.ravel().tolist())
        return Tensor(_STRING, dims, np.empty(0, np.uint8), texts)
    flat = np.ascontiguousarray(array).reshape(-1)
    return Tensor(_ELEMENTS[array.dtype.name], dims, flat.view(np.uint8))


def tensor_of(value: ort.OrtValue) -> Tensor:
    """Return a tensor of ONNX Runtime, elements foreign to numpy included."""
    if not _is_foreign(value.data_type()):
        return _tensor(value.numpy())
    size = value.tensor_size_in_bytes()
    data = np.frombuffer(ctypes.string_at(value.data_ptr(), size), np.uint8)
    return Tensor(value.element_type(), tuple(value.shape()), data)


def _channel(word: str) -> socket.socket:
    """Return our end of the socket; on Windows it comes through stdin."""
    if sys.platform == "win32":
        return socket.fromshare(sys.stdin.buffer.read())
    return socket.socket(fileno=int(word))


def _leave_with(parent: int) -> None:
    """See to it that this process ends when `parent` does, also while native code runs."""
    if platform.system() == "Linux":
        death_signal, kill = 1, 9
        ctypes.CDLL(None).prctl(death_signal, kill)
        if os.getppid() != parent:
            os._exit(0)
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def _bound(most: int) -> None:
    """Allow at most so many bytes of memory of its own (0: any); a crash leaves no core file."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if most:
        # Pages of files that are mapped do not count.
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


if __name__ == "__main__":
    main()
