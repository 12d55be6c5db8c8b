"""Sizes are planned for every graph of the zoo, and ONNX Runtime takes them."""

from __future__ import annotations

import pytest

from benchmarks.graphs import FOLDER, load, loader
from graphprune.feeds import carry_out, draw, plan
from graphprune.fold import fold
from graphprune.model import from_proto
from graphprune.runtime import run, session
from graphprune.symbols.facts import facts

pytestmark = [
    pytest.mark.zoo,
    pytest.mark.skipif(
        not (FOLDER / "zoo.py").exists(), reason="there are no graphs: GRAPHPRUNE_ZOO names no folder of them"
    ),
]


def _names() -> list[str]:
    return [each["name"] for each in loader().entries()] if (FOLDER / "zoo.py").exists() else []


@pytest.mark.parametrize("name", _names())
def test_every_planned_run_of_a_real_graph_is_accepted(name: str) -> None:
    model = fold(from_proto(load(name)))
    feeding = plan(model.graph, facts(model.graph))
    with session(model) as opened:
        done, left = carry_out(feeding, lambda each: run(opened, draw(each)))
    assert len(done) == len(feeding.runs)
    assert left == feeding.left_out
