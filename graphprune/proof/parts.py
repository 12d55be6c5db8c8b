"""A stretch of a graph as a model of its own, cut at any tensors."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from onnx import ModelProto

from graphprune.ir import captured, subgraphs
from graphprune.model import Model

_Plain = list[Any]  # whose methods do not tell the other side
_OWN = "~own"


@dataclass(frozen=True)
class Whole:
    """A graph that parts are taken of; its nodes are in order.

    Attributes:
        model: the model that the graph belongs to.
        nodes: its nodes, which may have been changed.
    """

    model: Model
    nodes: Sequence[gs.Node]

    @cached_property
    def makers(self) -> Mapping[str, int]:
        """The position of the node that makes each tensor."""
        return {t.name: i for i, node in enumerate(self.nodes) for t in node.outputs if t.name}

    @cached_property
    def _source(self) -> Mapping[str, int]:
        nodes = self.model.source.graph.node
        return {name: position for position, node in enumerate(nodes) for name in node.output if name}

    @cached_property
    def _listed(self) -> Sequence[str]:
        source = self.model.source.graph
        names = [tensor.name for tensor in source.initializer]
        return [*names, *(sparse.values.name for sparse in source.sparse_initializer)]

    def needed(self, targets: Collection[str], given: Collection[str]) -> tuple[list[int], list[str]]:
        """Return the nodes that make `targets`, in order, and which of the given tensors they read.

        What is given is not computed, but for the targets.
        """
        waiting = [self.makers[name] for name in targets if name in self.makers]
        found: set[int] = set()
        used = {name: None for name in targets if name not in self.makers}
        while waiting:
            position = waiting.pop()
            if position in found:
                continue
            found.add(position)
            for name in reads(self.nodes[position]):
                if name in given:
                    used[name] = None
                elif name in self.makers:
                    waiting.append(self.makers[name])
        return sorted(found), list(used)

    def part(self, targets: Sequence[str], given: Mapping[str, np.dtype[Any]]) -> Model:
        """Return a model that makes `targets`, in this order, of given tensors.

        Its inputs are those of `given` that it reads; shapes are left open. A given tensor that is a target
        is made as well, under another name, while its readers read what is given.
        """
        positions, used = self.needed(targets, given)
        made = {name for at in positions for name in (t.name for t in self.nodes[at].outputs) if name}
        names = {name: f"{name}{_OWN}" for name in made if name in given}
        nodes = [_copy(self.nodes[at], names) for at in positions]
        outputs: list[gs.Variable] = []
        for target in targets:
            if target not in made:
                own = gs.Variable(f"{target}{_OWN}")
                nodes.append(_linked(gs.Node("Identity", own.name), [self._tensor(target)], [own]))
                outputs.append(own)
            else:
                outputs.append(gs.Variable(names.get(target, target)))
        graph = self.model.graph
        part = gs.Graph(
            nodes=nodes,
            inputs=[gs.Variable(name, dtype=given[name], shape=None) for name in used if name in given],
            outputs=outputs,
            name=graph.name,
            opset=graph.opset,
            import_domains=graph.import_domains,
        )
        return replace(self.model, graph=part, source=self._proto(positions))

    def _tensor(self, name: str) -> gs.Tensor:
        """Return a tensor that no node makes: an input, or a constant, which nodes may read as well."""
        read = (tensor for node in self.nodes for tensor in node.inputs)
        constants = (t for t in itertools.chain(read, self.model.graph.outputs) if isinstance(t, gs.Constant))
        return next((tensor for tensor in constants if tensor.name == name), gs.Variable(name))

    def _proto(self, positions: Sequence[int]) -> ModelProto:
        whole = self.model.source
        source = ModelProto(ir_version=max(whole.ir_version, 4), opset_import=whole.opset_import)
        bodies = False
        for at in positions:
            node = self.nodes[at]
            bodies = bodies or any(True for _ in subgraphs(node))
            found = [self._source[t.name] for t in node.outputs if t.name in self._source]
            source.graph.node.extend(whole.graph.node[each] for each in found[:1])
        for name in self._listed if bodies else ():
            # Which constants of bodies belong to the graph around them.
            source.graph.initializer.add(name=name)
        return source


def reads(node: gs.Node) -> set[str]:
    """Return the names that a node reads, those included that its bodies read from outside."""
    found = {tensor.name for tensor in node.inputs if tensor.name and not isinstance(tensor, gs.Constant)}
    for body in subgraphs(node):
        found |= captured(body)
    return found


def _copy(node: gs.Node, names: Mapping[str, str]) -> gs.Node:
    """Return a copy of `node` that shares its constants and bodies, with some results renamed."""
    inputs = [t if isinstance(t, gs.Constant) else gs.Variable(t.name) for t in node.inputs]
    outputs = [gs.Variable(names.get(tensor.name, tensor.name)) for tensor in node.outputs]
    return _linked(gs.Node(node.op, node.name, dict(node.attrs), domain=node.domain), inputs, outputs)


def _linked(node: gs.Node, inputs: Sequence[gs.Tensor], outputs: Sequence[gs.Tensor]) -> gs.Node:
    _Plain.extend(node.inputs, inputs)
    _Plain.extend(node.outputs, outputs)
    return node
