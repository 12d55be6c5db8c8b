"""Which operators ONNX Runtime can run here, on the CPU and with the libraries that the user has named."""

from __future__ import annotations

import functools
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from onnx import TensorProto, helper

from graphprune.custom_ops import libraries
from graphprune.errors import Refused
from graphprune.ir import is_default_domain, node_proto, subgraphs


def name_of(node: gs.Node) -> str:
    """Return the operator of `node` with its domain: `acme.Attention`, `EfficientNMS_TRT`."""
    return node.op if is_default_domain(node) else f"{node.domain}.{node.op}"


def runnable(node: gs.Node, graph: gs.Graph) -> bool:
    """Whether ONNX Runtime has the operator of `node`, a node of `graph`, and those in its bodies.

    It is asked: by its list of kernels, and for what is not in it (functions, operators of custom libraries)
    with a model of this one node.
    """
    inner = all(runnable(each, graph) for body in subgraphs(node) for each in body.nodes)
    return inner and (_key(node) in _kernels() or (not any(subgraphs(node)) and _opens(node, graph)))


def foreign(graph: gs.Graph) -> tuple[int, ...]:
    """Return the positions of the nodes that ONNX Runtime cannot run, in order.

    An If, Loop or Scan with such a node in a body is one as a whole.
    """
    return tuple(at for at, node in enumerate(graph.nodes) if not runnable(node, graph))


def lacking(graph: gs.Graph, nodes: Iterable[gs.Node] | None = None) -> tuple[str, ...]:
    """Return the operators of `graph` and its bodies that ONNX Runtime does not have, each once.

    `nodes` are those to look at, of `graph` or of its bodies; without them all of its own.
    """
    found: dict[str, None] = {}
    for node in graph.nodes if nodes is None else nodes:
        inner = [name for body in subgraphs(node) for name in lacking(graph, body.nodes)]
        found |= dict.fromkeys(inner or ([] if runnable(node, graph) else [name_of(node)]))
    return tuple(found)


@contextmanager
def explained(graph: gs.Graph) -> Generator[None]:
    """Say of a model that is refused which operators of its `graph` ONNX Runtime does not have, if any.

    Raises:
        Refused: what is refused inside, or with these operators as the reason.
    """
    try:
        yield
    except Refused as error:
        missing = () if _asking.get() else lacking(graph)
        if not missing:
            raise
        raise Refused(
            f"ONNX Runtime has no {', '.join(missing)}, so that the model cannot be run as a whole",
            "name a library that brings it with --custom-ops; prune without data, and verify, work around it",
        ) from error


_asking: ContextVar[bool] = ContextVar("whether ONNX Runtime is asked for one operator", default=False)


def _key(node: gs.Node) -> tuple[str, str]:
    return "" if is_default_domain(node) else str(node.domain), str(node.op)


@functools.cache
def _kernels() -> frozenset[tuple[str, str]]:
    """The domains and names of the operators that ONNX Runtime has a kernel for; Constant needs none."""
    from graphprune.runtime.sessions import kernels

    return kernels() | {("", "Constant")}


def _opens(node: gs.Node, graph: gs.Graph) -> bool:
    proto = node_proto(node)
    proto.name = "node"
    names = [name and f"input{slot}" for slot, name in enumerate(proto.input)]
    del proto.input[:]
    proto.input.extend(names)
    # Nodes that differ by the names of tensors alone are asked for once.
    results = [name and f"output{slot}" for slot, name in enumerate(proto.output)]
    del proto.output[:]
    proto.output.extend(results)
    kinds = tuple(_element(tensor) for tensor in node.inputs)
    domain, _ = _key(node)
    versions = {item.domain: int(item.version) for item in graph.import_domains or []}
    asked = proto.SerializeToString(deterministic=True)
    return _session_opens(asked, kinds, int(graph.opset), domain, versions.get(domain, 1), libraries())


@functools.lru_cache(maxsize=4096)
def _session_opens(
    text: bytes, kinds: tuple[int, ...], opset: int, domain: str, version: int, _libraries: tuple[str, ...]
) -> bool:
    """Whether a session opens a model of one node; the answer is that for the libraries that are named."""
    from graphprune.model import from_proto
    from graphprune.runtime import session

    node = onnx.NodeProto.FromString(text)
    inputs = [
        helper.make_tensor_value_info(name, kind, None)
        for name, kind in zip(node.input, kinds, strict=True)
        if name
    ]
    # The node's outputs have types that only its schema knows; the model's output is another.
    inputs.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, []))
    outputs = [helper.make_tensor_value_info("same", TensorProto.FLOAT, [])]
    nodes = [node, helper.make_node("Identity", ["other"], ["same"])]
    imports = [helper.make_opsetid("", opset)]
    if domain:
        imports.append(helper.make_opsetid(domain, version))
    model = helper.make_model(helper.make_graph(nodes, "one", inputs, outputs), opset_imports=imports)
    model.ir_version = 10
    token = _asking.set(True)
    try:
        with session(from_proto(model)):
            return True
    except Refused:
        return False
    finally:
        _asking.reset(token)


def _element(tensor: gs.Tensor) -> int:
    dtype = tensor.dtype
    if dtype is None:
        return TensorProto.FLOAT
    return int(dtype) if isinstance(dtype, int) else helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
