"""Sessions of ONNX Runtime on the CPU, in a process of their own: for proofs with every optimisation off."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from graphprune import elements
from graphprune.custom_ops import libraries
from graphprune.errors import Environment, GraphpruneError, Refused
from graphprune.feeds import Feeds
from graphprune.kernels import explained
from graphprune.model import Model
from graphprune.runtime.placing import Placed, placed
from graphprune.runtime.process import PROCESS, available
from graphprune.runtime.wire import Frame, Tensor
from graphprune.weights import packed

_NUMBERS = itertools.count()
_LEAST, _MOST = 45.0, 3600.0
"""Seconds that a request may take, whatever the model."""
_OPENED = 1e7
"""Bytes of weights, or tenths of nodes, that are surely opened in a second."""
_AT_LEAST = 1000
"""Inputs are taken to have so many elements more: some models make much of little."""
_WORKED = 1e9
"""Weights times elements of inputs that are surely worked through in a second."""


class NoKernel(Refused):
    """ONNX Runtime knows the operator, and not for these types."""


@dataclass(frozen=True)
class Port:
    """An input or output of a session: its type as ONNX Runtime writes it, and its shape."""

    name: str
    type: str
    shape: tuple[int | str | None, ...]


class Opened:
    """An open session. It outlives the process that it is opened in: in a new one it is opened again."""

    def __init__(self, what: str, model: Placed, optimised: bool) -> None:
        self._what, self._model, self._optimised = what, model, optimised
        self._libraries = libraries()
        self._id = next(_NUMBERS)
        self._process = -1
        self.inputs: tuple[Port, ...] = ()
        self.outputs: tuple[Port, ...] = ()
        self._open()

    def get_inputs(self) -> tuple[Port, ...]:
        """Return the inputs, as ONNX Runtime's own sessions do."""
        return self.inputs

    def get_outputs(self) -> tuple[Port, ...]:
        """Return the outputs, as ONNX Runtime's own sessions do."""
        return self.outputs

    def run(self, feeds: Feeds, seconds: float | None = None) -> list[NDArray[Any]]:
        """Run the model on `feeds`, for `seconds` at most; `run` says what it returns and raises."""
        PROCESS.start()
        if self._process != PROCESS.number:
            self._open()
        given = {name: _tensor(np.asarray(array)) for name, array in feeds.items()}
        if seconds is None:
            size = sum(elements.count(tensor.dims) for tensor in given.values())
            work = self._model.weights * (_AT_LEAST + size)
            seconds = min(_MOST, _LEAST + work / _WORKED)
        answer = PROCESS.ask(
            {"do": "run", "session": self._id, "names": list(given)},
            list(given.values()),
            seconds=seconds,
            what=self._what,
        )
        _check(answer, "the model cannot be run", "give sizes that it accepts with --shape")
        return [array_of(tensor) for tensor in answer.tensors]

    def close(self) -> None:
        """Close the session, where its process still lives."""
        if self._process == PROCESS.number:
            with suppress(GraphpruneError):
                PROCESS.ask({"do": "close", "session": self._id}, seconds=_MOST, what=self._what)

    def _open(self) -> None:
        model = self._model
        answer = PROCESS.ask(
            {
                "do": "open",
                "session": self._id,
                "optimised": self._optimised,
                "libraries": self._libraries,
                "weights": model.places,
                "path": model.path,
            },
            [Tensor(int(TensorProto.UINT8), (len(model.proto),), np.frombuffer(model.proto, np.uint8))],
            seconds=min(_MOST, _LEAST + (model.bytes + model.nodes * _OPENED / 10) / _OPENED),
            what=self._what,
            file=model.spool,
        )
        _check(answer, "ONNX Runtime refuses the model", "check it with onnx.checker")
        self.inputs, self.outputs = (
            tuple(Port(port["name"], port["type"], tuple(port["shape"])) for port in answer.said[side])
            for side in ("inputs", "outputs")
        )
        self._process = PROCESS.number


def kernels() -> frozenset[tuple[str, str]]:
    """Return the domains and names of the operators that ONNX Runtime has a kernel for."""
    return frozenset((domain, name) for domain, name in _told("kernels"))


def schemas() -> Sequence[Sequence[Any]]:
    """Return what ONNX Runtime knows of operators, a row for each version of each.

    That is domain, name and version, the types of inputs and of outputs by name, and what each name allows.
    """
    return [*_told("schemas")]


def _told(what: str) -> Any:
    answer = PROCESS.ask({"do": what}, seconds=_MOST, what=f"its {what}")
    _check(answer, "ONNX Runtime does not say what it has", "see graphprune doctor")
    return answer.said[what]


def _check(answer: Frame, what: str, hint: str) -> None:
    """Raise what an answer says that went wrong."""
    failed, text = answer.said.get("failed"), answer.said.get("text", "")
    if failed is None:
        return
    if failed == "memory":
        free = available()
        amount = f" ({free / 1e9:.1f} GB are free)" if free else ""
        raise Environment(
            f"memory ran out while ONNX Runtime worked on the model{amount}: {text}",
            "use smaller shapes with --shape, or a machine with more memory",
        )
    if failed == "environment":
        raise Environment(text, "build it for this version of ONNX Runtime and this machine")
    if failed == "changed":
        raise Refused(f"'{text}' has changed since the model was loaded", "load the model again")
    kind: type[GraphpruneError] = NoKernel if failed == "not implemented" else Refused
    raise kind(f"{what}: {text}", hint)


@contextmanager
def session(model: Model, *, optimised: bool = False) -> Generator[Opened]:
    """Open `model` in ONNX Runtime on the CPU. Weights are mapped from their files, not copied.

    Operators on bfloat16 that it has no kernels for run in float32 and are rounded (`precision.widen`).

    Raises:
        Refused: ONNX Runtime does not accept the model, or crashes on it.
        Endless: it comes to no end.
        Environment: memory ran out.
    """
    what = f"'{model.path.name}'" if model.path is not None else "the model"
    with placed(model) as source:
        try:
            with explained(model.graph):
                opened = Opened(what, source, optimised)
        except NoKernel:
            from graphprune.precision.widen import is_bfloat16

            if not is_bfloat16(model):
                raise
            opened = None
        if opened is not None:
            with _closing(opened):
                yield opened
            return
    from graphprune.precision.widen import widened

    with placed(widened(model)) as source:
        opened = Opened(what, source, False)
        with _closing(opened):
            yield opened


@contextmanager
def _closing(opened: Opened) -> Generator[None]:
    try:
        yield
    except Exception:
        opened.close()
        raise
    opened.close()


def run(opened: Opened, feeds: Feeds, seconds: float | None = None) -> list[NDArray[Any]]:
    """Run a session on `feeds`; sequences of tensors are flattened.

    `seconds` is how long it may take: by default 45, and more where there is more to do.

    Raises:
        Refused: the model fails on these inputs, or crashes on them.
        Endless: it comes to no end.
        Environment: memory ran out.
    """
    return opened.run(feeds, seconds)


def _tensor(array: NDArray[Any]) -> Tensor:
    """Return an array as ONNX stores it."""
    element = elements.number_of(array.dtype)
    dims = tuple(array.shape)
    if element == TensorProto.STRING:
        texts = (
            text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else str(text)
            for text in array.ravel().tolist()
        )
        return Tensor(element, dims, np.empty(0, np.uint8), tuple(texts))
    return Tensor(element, dims, np.frombuffer(packed(array, element), np.uint8))


def array_of(tensor: Tensor) -> NDArray[Any]:
    """Return an array, free to be written into."""
    if tensor.element == TensorProto.STRING:
        return np.array(tensor.texts, dtype=object).reshape(tensor.dims)
    if elements.is_packed(tensor.element):
        proto = TensorProto(data_type=tensor.element, dims=tensor.dims, raw_data=tensor.data.tobytes())
        return np.array(numpy_helper.to_array(proto))
    return tensor.data.view(elements.DTYPES[tensor.element]).reshape(tensor.dims)
