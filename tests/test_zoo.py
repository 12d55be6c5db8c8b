"""Graphs of real architectures: each is cut to half and equals its masked original.

The graphs lie in the folder that GRAPHPRUNE_ZOO names. A sample of them, in which every family and both
exporters of PyTorch occur, runs with every test; with `make zoo` the sample is cut in harder ways too, and
the whole folder is swept.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from benchmarks.graphs import FOLDER, load, loader
from graphprune.checks import Verification
from graphprune.cost import cost
from graphprune.cut import cut
from graphprune.fold import fold
from graphprune.importance import score
from graphprune.model import Model, from_proto
from graphprune.plan import Plan
from graphprune.select import Choice, candidates, select
from graphprune.solution import Solution
from graphprune.solve import solve
from graphprune.verify import verify
from tests.networks.solved import parameters, shuffled

pytestmark = pytest.mark.skipif(
    not (FOLDER / "zoo.py").exists(), reason="there are no graphs: GRAPHPRUNE_ZOO names no folder of them"
)

# The share of the parameters that may remain when every group is halved. Where much remains, the output
# is as wide as the network (t5_encoder), or a shuffle in three groups is added to what was not shuffled.
SAMPLE: Mapping[str, float] = {
    "custom__lenet5__ts": 0.28,
    "custom__grouped_shuffle__dyn": 0.54,
    "custom__cifar_resnet20_A__dyn": 0.27,
    "hf__resnet__dyn": 0.28,
    "hf__convnext__ts": 0.29,
    "hf__regnet__dyn": 0.27,
    "hf__mobilenet_v2__dyn": 0.28,
    "tv__squeezenet1_1__ts": 0.38,
    "tv__shufflenet_v2_x0_5__dyn": 0.47,
    "timm__test_efficientnet__ts": 0.46,
    "custom__unet_bilinear__ts": 0.27,
    "custom__espcn__ts": 0.32,
    "custom__dcgan_g__ts": 0.34,
    "custom__pointnet__ts": 0.40,
    "hf__detr__dyn": 0.35,
    "hf__deit__ts": 0.32,
    "hf__swinv2__dyn": 0.40,
    "hf__levit__dyn": 0.28,
    "hf__gpt2__ts": 0.35,
    "hf__gemma__dyn": 0.31,
    "hf__falcon_mqa__ts": 0.38,
    "hf__qwen3__dyn": 0.33,
    "hf__electra_cls__dyn": 0.31,
    "hf__bart__ts": 0.34,
    "hf__t5_encoder__ts": 0.64,
    "custom__bigru2_cls__ts": 0.31,
    "custom__bigru2_cls__dyn": 0.31,
    "custom__wavenet__dyn": 0.28,
    "hf__clip_vision__ts": 0.33,
    "hf__lfm2__dyn": 0.30,
}


def loaded(name: str) -> tuple[Model, Solution]:
    model = fold(from_proto(load(name)))
    return model, solve(model.graph)


def prune(name: str, model: Model, solution: Solution, plan: Plan) -> tuple[Model, Verification]:
    small = cut(model, solution, plan)
    return small.model, verify(model, small, solution.shapes, feeds=[loader().inputs(name, 0)])


@pytest.mark.parametrize("name", SAMPLE)
def test_half_of_every_group_goes_and_the_rest_is_exact(name: str) -> None:
    model, solution = loaded(name)
    plan = select(solution, score(solution).values, Choice(ratio=0.5))
    small, proof = prune(name, model, solution, plan)
    assert proof.passed, proof.worst
    remaining = cost(solution, plan).params / cost(solution).params
    assert remaining <= SAMPLE[name]
    assert parameters(small) < parameters(model)


@pytest.mark.zoo
@pytest.mark.parametrize(
    "choice",
    [
        Choice(ratio=0.3, scope="global"),
        Choice(ratio=0.6, scope="isomorphic", max_ratio=0.8),
        Choice(ratio=0.5, round_to=8),
        Choice(target="macs=0.6x"),
        Choice(ratio=0.9),
    ],
    ids=["global", "isomorphic", "rounded", "target", "almost everything"],
)
@pytest.mark.parametrize("name", SAMPLE)
def test_other_ways_to_choose_are_exact_as_well(name: str, choice: Choice) -> None:
    model, solution = loaded(name)
    plan = select(solution, score(solution).values, choice)
    _, proof = prune(name, model, solution, plan)
    assert proof.passed, proof.worst


@pytest.mark.zoo
@pytest.mark.parametrize("name", SAMPLE)
def test_units_can_be_shuffled_and_cut_at_once(name: str) -> None:
    model, solution = loaded(name)
    _, proof = prune(name, model, solution, shuffled(candidates(solution, Choice()), 0.7))
    assert proof.passed, proof.worst


@pytest.mark.zoo
@pytest.mark.parametrize("name", SAMPLE)
def test_every_group_can_be_cut_by_itself(name: str) -> None:
    model, solution = loaded(name)
    groups = [group for group in solution.groups if group.prunable]
    for group in groups[:: max(1, len(groups) // 12)]:
        _, proof = prune(name, model, solution, shuffled([group], 0.5))
        assert proof.passed, f"{group.name}: {proof.worst}"
