"""Whatever operators stand one after the other, a cut computes what the masked original computes."""

from __future__ import annotations

import onnx
import pytest

from graphprune.cut import cut
from graphprune.fold import fold
from graphprune.model import from_proto
from graphprune.select import Choice, candidates
from graphprune.solve import solve
from graphprune.verify import compare, verify
from tests.networks.drawn import drawn
from tests.networks.solved import prunable, shuffled


def check(seed: int, steps: int) -> None:
    """Cut every group by itself, several together, and shuffle all."""
    proto = drawn(seed, steps)
    onnx.checker.check_model(proto, full_check=True)
    model = fold(from_proto(proto))
    solution = solve(model.graph)
    groups = prunable(solution)
    for chosen in [*([group] for group in groups), candidates(solution, Choice())]:
        small = cut(model, solution, shuffled(chosen, 0.6))
        proof = verify(model, small, solution.shapes)
        assert all(check.error < 1e-5 for check in proof.checks), f"{[g.name for g in chosen]}: {proof.worst}"
    other_order = compare(model, cut(model, solution, shuffled(groups, 1.0)).model)
    assert all(check.error < 1e-5 for check in other_order.checks), other_order.worst


@pytest.mark.parametrize("seed", range(16))
def test_a_random_network_is_cut_exactly(seed: int) -> None:
    check(seed, steps=8)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 300))
def test_a_larger_random_network_is_cut_exactly(seed: int) -> None:
    check(seed, steps=14)
