"""Networks as the core sees them, and plans for them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from functools import cache
from math import prod

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, TensorProto

from graphprune.axes import find
from graphprune.blocks import Blocks
from graphprune.fold import fold
from graphprune.groups import Group
from graphprune.importance import score
from graphprune.model import Model, from_proto, to_proto
from graphprune.plan import Plan
from graphprune.select import Choice, select
from graphprune.solution import Solution
from graphprune.solve import solve
from tests.networks import network


@cache
def solved(name: str) -> tuple[Model, Solution]:
    """The network called `name`, folded, and its axes; the same objects for everybody."""
    model = fold(from_proto(network(name)))
    return model, solve(model.graph)


def prunable(solution: Solution) -> list[Group]:
    """The groups that may be pruned."""
    return [group for group in solution.groups if group.prunable]


def shuffled(groups: Iterable[Group], share: float) -> Plan:
    """A plan that keeps a random `share` of the units of each group, at least one, in random order."""
    groups = list(groups)
    keep = {
        group.name: np.random.default_rng([7, zlib.crc32(group.name.encode())])
        .permutation(group.size)[: max(1, round(group.size * share))]
        .astype(np.int64)
        for group in groups
    }
    return Plan(keep, {group.name: group.size for group in groups})


def free(solution: Solution) -> list[Group]:
    """The groups whose blocks may choose for themselves."""
    return [group for group in prunable(solution) if not isinstance(solution.blocks[group.name], str)]


def by_blocks(solution: Solution, groups: Iterable[Group], share: float, seed: int = 0) -> Plan:
    """A plan that keeps a random `share` of the units in random order, other ones in each block where it may.

    Groups whose units are the blocks of others keep the same everywhere.
    """
    groups = list(groups)
    generator = np.random.default_rng(seed)
    keep: dict[str, NDArray[np.int64]] = {}
    outer: set[int] = set()
    for group in groups:
        found = solution.blocks[group.name]
        count = max(1, round(group.size * share))
        blocks = found.count if isinstance(found, Blocks) and id(find(group.axis)) not in outer else 1
        if isinstance(found, Blocks) and blocks > 1:
            outer.add(id(found.outer))
        rows = np.stack([generator.permutation(group.size)[:count] for _ in range(blocks)]).astype(np.int64)
        keep[group.name] = rows if blocks > 1 else rows[0]
    for group in groups:
        if id(find(group.axis)) in outer:
            keep[group.name] = np.atleast_2d(keep[group.name])[0]
    return Plan(keep, {group.name: group.size for group in groups})


def halved(solution: Solution) -> Plan:
    """The plan of the default options: every group that may go is halved, by its weights."""
    return select(solution, score(solution).values, Choice(ratio=0.5))


def parameters(model: Model) -> int:
    """How many numbers the weights of the model hold, sizes and indices left out."""
    indices = (TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL)
    return sum(prod(t.dims) for t in initializers(to_proto(model).graph) if t.data_type not in indices)


def initializers(graph: GraphProto) -> Iterator[TensorProto]:
    """The initializers of a graph and of the bodies in it."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from initializers(attribute.g)
