"""For every coupling a cut is what its traces take from the original, and so is the file that is written."""

from __future__ import annotations

import pytest

from graphprune.cut import cut
from graphprune.model import from_proto, to_proto
from graphprune.proof.weights import demand_alike, differences
from tests.networks import TEXTS
from tests.networks.solved import halved, prunable, shuffled, solved


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("share", [0.5, 1.0], ids=["half", "another order"])
def test_a_file_is_what_the_plan_takes_from_the_original(name: str, share: float) -> None:
    model, solution = solved(name)
    plans = [shuffled(prunable(solution), share), *([halved(solution)] if share < 1 else [])]
    for plan in plans:
        small = cut(model, solution, plan)
        demand_alike(model, small)
        assert differences(model, small, from_proto(to_proto(small.model))) == ()
