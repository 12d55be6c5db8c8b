"""Some nodes of a model as a model of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from onnx import ModelProto, NodeProto

from graphprune.ir import subgraphs
from graphprune.model import Model


class Stages:
    """Makes models of some nodes of a model, at a cost that grows with these nodes and not with the model."""

    def __init__(self, model: Model) -> None:
        self._model = model
        source = model.source.graph
        self._nodes: dict[str, NodeProto] = {
            name: node for node in source.node for name in node.output if name
        }
        self._names = [tensor.name for tensor in source.initializer]
        self._names += [sparse.values.name for sparse in source.sparse_initializer]

    def of(self, nodes: list[gs.Node], given: Mapping[str, np.dtype[Any]], keep: Sequence[str]) -> Model:
        """Return a model of `nodes` alone, in order, that makes `keep` of `given`; shapes are left open."""
        graph = self._model.graph
        part = gs.Graph(
            nodes=nodes,
            inputs=[gs.Variable(name, dtype=dtype, shape=None) for name, dtype in given.items()],
            outputs=[gs.Variable(name) for name in keep],
            name=graph.name,
            opset=graph.opset,
            import_domains=graph.import_domains,
        )
        whole = self._model.source
        source = ModelProto(ir_version=whole.ir_version, opset_import=whole.opset_import)
        for node in nodes:
            found = [self._nodes[t.name] for t in node.outputs if t.name in self._nodes]
            source.graph.node.extend(found[:1])
        if any(True for node in nodes for _ in subgraphs(node)):
            # Which constants of bodies belong to the graph around them.
            for name in self._names:
                source.graph.initializer.add(name=name)
        return replace(self._model, graph=part, source=source)
