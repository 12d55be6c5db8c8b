"""The layers of real architectures are as many as their papers say, and a third of them goes exactly."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from benchmarks.graphs import FOLDER, load, loader
from graphprune.cost import cost
from graphprune.cut import cut
from graphprune.fold import fold
from graphprune.layers import layers
from graphprune.model import from_proto
from graphprune.plan import Plan
from graphprune.solve import solve
from graphprune.verify import verify
from tests.networks.solved import halved, parameters

pytestmark = pytest.mark.skipif(
    not (FOLDER / "zoo.py").exists(), reason="there are no graphs: GRAPHPRUNE_ZOO names no folder of them"
)

# Of the 16 blocks of a ResNet-50 the first of each stage projects its shortcut. A transformer's block has a
# layer each for attention and MLP, but falcon's one of both, and a decoder's three. Shortcuts that pad (the
# ResNet of option A), scale (CAFormer) or slice (VOLO) have no weights.
SMALL: Mapping[str, int] = {
    "custom__cifar_resnet20_A__dyn": 9,
    "hf__convnext__ts": 5,
    "hf__mobilenet_v2__dyn": 10,
    "tv__mobilenet_v2__ts": 10,
    "hf__deit__ts": 6,
    "hf__swinv2__dyn": 8,
    "hf__gpt2__ts": 6,
    "hf__falcon_mqa__ts": 2,
    "hf__electra_cls__dyn": 6,
    "hf__albert__dyn": 6,
    "hf__bart__ts": 10,
    "hf__t5_encoder__ts": 6,
    "custom__unet_bilinear__ts": 0,
}
LARGE: Mapping[str, int] = {
    "tv__resnet50__ts": 12,
    "tv__convnext_tiny__ts": 18,
    "timm__caformer_s18__ts": 36,
    "timm__volo_d1_224__dyn": 40,
    "timm__swinv2_tiny_window8_256__ts": 24,
}


def check(name: str, count: int) -> None:
    model = fold(from_proto(load(name)))
    solution = solve(model.graph)
    found = layers(solution)
    assert len(found) == count
    third = tuple(layer.name for layer in found[::3])
    half = halved(solution)
    for plan in (Plan({}, {}, third), Plan(half.keep, half.sizes, third)):
        small = cut(model, solution, plan)
        proof = verify(model, small, solution.shapes, feeds=[loader().inputs(name, 0)])
        assert proof.passed, proof.worst
        assert parameters(small.model) <= cost(solution, plan).params + 4  # scales that a cut restores


@pytest.mark.parametrize("name", SMALL)
def test_a_third_of_the_layers_goes_and_the_rest_is_exact(name: str) -> None:
    check(name, SMALL[name])


@pytest.mark.zoo
@pytest.mark.parametrize("name", LARGE)
def test_a_third_of_the_layers_of_a_large_network_goes_and_the_rest_is_exact(name: str) -> None:
    check(name, LARGE[name])
