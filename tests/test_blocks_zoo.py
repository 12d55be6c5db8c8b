"""Graphs of real architectures in which heads and convolution groups keep units of their own, exactly."""

from __future__ import annotations

import pytest

from benchmarks.graphs import FOLDER, loader
from graphprune.cost import cost
from graphprune.cut import cut
from graphprune.verify import verify
from tests.networks.solved import by_blocks, free, parameters, prunable
from tests.test_zoo import loaded

pytestmark = [
    pytest.mark.zoo,
    pytest.mark.skipif(
        not (FOLDER / "zoo.py").exists(), reason="there are no graphs: GRAPHPRUNE_ZOO names no folder of them"
    ),
]

SAMPLE = {
    "custom__grouped_shuffle__dyn": 1,
    "hf__regnet__dyn": 10,
    "hf__detr__dyn": 10,
    "hf__deit__ts": 6,
    "hf__swinv2__dyn": 8,
    "hf__levit__dyn": 10,
    "hf__gpt2__ts": 7,
    "hf__qwen3__dyn": 6,
    "hf__bart__ts": 16,
    "hf__t5_encoder__ts": 6,
    "hf__lfm2__dyn": 2,
    "hf__gemma__dyn": 0,
    "tv__shufflenet_v2_x0_5__dyn": 0,
}
"""How many groups there are whose blocks may choose."""


@pytest.mark.parametrize("name", SAMPLE)
def test_the_groups_whose_blocks_may_choose_are_cut_exactly(name: str) -> None:
    model, solution = loaded(name)
    assert len(free(solution)) == SAMPLE[name]
    for groups in (free(solution), prunable(solution)):
        plan = by_blocks(solution, groups, 0.5)
        small = cut(model, solution, plan)
        proof = verify(model, small, solution.shapes, feeds=[loader().inputs(name, 0)])
        assert proof.passed, proof.worst
        assert parameters(small.model) - cost(solution, plan).params <= 64
