"""Static int8 quantisation by ONNX Runtime's quantizer, as QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Collection, Generator, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from graphprune.errors import GraphpruneError, Refused, Usage
from graphprune.feeds import Feeds
from graphprune.ir import body_constants, constants
from graphprune.model import Model, from_proto, to_proto
from graphprune.precision.opset import CHANNELS, converted
from graphprune.runtime.child import ORT_ERRORS, first_line
from graphprune.weights import stored

Method = Literal["minmax", "percentile"]
_METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "percentile": CalibrationMethod.Percentile,
}
"""Its entropy method has as many bins as it keeps, so that it takes the ends as `minmax` does: left out."""
MOST = (1 << 31) - (1 << 24)
"""Bytes of weights: a message of Protocol Buffers ends at 2 GiB, and holds nodes, too."""
_ERRORS: tuple[type[Exception], ...] = (
    *ORT_ERRORS,
    ValueError,
    RuntimeError,
    TypeError,
    AttributeError,
    KeyError,
)
"""What the quantizer raises of models that it does not take; it looks at most things when it meets them."""
_TYPES = {"int8": QuantType.QInt8, "uint8": QuantType.QUInt8}
_QUANTISED = frozenset(
    ["QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "ConvInteger", "MatMulInteger"]
)


class _Reader(CalibrationDataReader):
    """Feeds of the model, as the quantizer asks for them."""

    def __init__(self, batches: Iterable[Feeds]) -> None:
        self._batches = iter(batches)

    def get_next(self) -> Feeds | None:
        """Return the next, None after the last."""
        return next(self._batches, None)


def _alike(batches: Iterable[Feeds]) -> Iterator[Feeds]:
    """Yield the batches of the first one's shapes: the quantizer's histograms take no others."""
    first: dict[str, tuple[int, ...]] | None = None
    for feeds in batches:
        shapes = {name: array.shape for name, array in feeds.items()}
        first = first or shapes
        if shapes == first:
            yield feeds


def check_quantisable(graph: gs.Graph) -> None:
    """Check that there is something to quantise, that it is float32, and that the quantizer can hold it.

    Raises:
        Refused: the model is quantised already, its weights are not float32, or 2 GB and more.
    """
    for node in graph.nodes:
        if node.op in _QUANTISED or node.op.startswith("QLinear"):
            raise Refused(
                f"the model is quantised already: it holds {node.op} '{node.name}'",
                "quantise the float32 model",
            )
    if not any(constant.dtype == np.float32 for constant in constants(graph)):
        raise Refused("the model has no float32 weights to quantise", "quantise before any cast")
    held = {id(each): each for each in (*constants(graph), *body_constants(graph))}.values()
    size = sum(int(stored(each).nbytes) for each in held)
    if size >= MOST:
        raise Refused(
            f"the model holds {size / 1e9:.1f} GB of weights, and ONNX Runtime's quantizer takes 2 GB",
            "prune more of it, or cast to fp16 instead",
        )


def quantise(
    model: Model,
    batches: Iterable[Feeds],
    *,
    activations: Literal["uint8", "int8"] = "uint8",
    symmetric: bool = False,
    per_channel: bool = True,
    method: Method = "minmax",
    reduce_range: bool = False,
    block: Collection[str] = (),
) -> Model:
    """Return `model` with int8 weights and quantised activations; its weights are in memory.

    A model of an opset before 13 is raised to it: a scale for each channel is new there. Batch normalisations
    are folded into convolutions before, as far as ONNX Runtime does. The same model and data give the same
    bytes.

    Args:
        model: a float32 model below 2 GB.
        batches: inputs to measure the ranges of activations on.
        activations: their type. TensorRT wants `int8` and `symmetric`.
        symmetric: make zero points of activations 0.
        per_channel: a scale for each output channel of a weight, in place of one for all.
        method: how a range follows from what was seen: its ends, or 99.999 % of it; for the latter, only
            batches of the first one's shapes are looked at.
        reduce_range: take 7 bits for weights, for processors without VNNI.
        block: globs over the operators and names of nodes that stay float32.

    Raises:
        Refused: the model is quantised already or too large, of an opset that onnx cannot raise, or the
            quantizer does not take it.
        Usage: a glob matches nothing.
    """
    check_quantisable(model.graph)
    model = converted(model, CHANNELS)
    with tempfile.TemporaryDirectory(prefix="graphprune-") as folder, _silenced():
        start, ready, done = (Path(folder) / name for name in ("model.onnx", "ready.onnx", "int8.onnx"))
        # Whole: the quantizer's first step loses external data.
        start.write_bytes(to_proto(model).SerializeToString())
        try:
            quant_pre_process(start, ready, skip_symbolic_shape=True)
            quantize_static(
                ready,
                done,
                _Reader(batches if method == "minmax" else _alike(batches)),
                quant_format=QuantFormat.QDQ,
                per_channel=per_channel,
                reduce_range=reduce_range,
                activation_type=_TYPES[activations],
                weight_type=QuantType.QInt8,
                nodes_to_exclude=_excluded(ready, block),
                calibrate_method=_METHODS[method],
                extra_options={"ActivationSymmetric": symmetric},
            )
        except _ERRORS as error:
            raise Refused(
                f"ONNX Runtime's quantizer does not take the model: {first_line(error)}",
                "block the operators that it cannot quantise, or cast to fp16 instead",
            ) from error
        proto = onnx.load(str(done))  # pyright: ignore[reportUnknownMemberType]
    if not any(node.op_type in _QUANTISED for node in proto.graph.node):
        raise Refused(
            "nothing was quantised: no operator that the quantizer knows has weights", "leave int8 out"
        )
    try:
        return from_proto(_named(proto, model))
    except Refused as error:
        what = f"the quantised model is not valid: {error.what}"
        raise GraphpruneError(what, "please report this with the model") from error


def _named(proto: onnx.ModelProto, model: Model) -> onnx.ModelProto:
    """Return `proto` with the declarations of inputs and outputs of `model`, and its notes."""
    source = model.source
    for mine, theirs in ((proto.graph.input, source.graph.input), (proto.graph.output, source.graph.output)):
        known = {value.name: value for value in theirs}
        for value in mine:
            if value.name in known:
                value.CopyFrom(known[value.name])
    proto.graph.name = source.graph.name or proto.graph.name
    for name in ("producer_name", "producer_version", "domain", "model_version", "doc_string"):
        setattr(proto, name, getattr(source, name))
    del proto.metadata_props[:]
    proto.metadata_props.extend(source.metadata_props)
    del proto.graph.value_info[:]
    return proto


def _excluded(path: Path, block: Collection[str]) -> list[str]:
    """Return the names of the nodes that stay float32."""
    proto = onnx.load(str(path), load_external_data=False)  # pyright: ignore[reportUnknownMemberType]
    found: list[str] = []
    for glob in block:
        names = [
            node.name
            for node in proto.graph.node
            if any(fnmatchcase(name, glob) for name in (node.op_type, node.name, *node.output))
        ]
        if not names:
            raise Usage(f"block names '{glob}', which matches no operator", "see `graphprune inspect`")
        found += names
    return list(dict.fromkeys(found))


@contextlib.contextmanager
def _silenced() -> Generator[None]:
    """Keep the quantizer's advice off the terminal: it warns of choices that were made on purpose."""
    root: Any = logging.getLogger()
    level = root.level
    root.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)
