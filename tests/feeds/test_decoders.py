"""Decoders with caches run at every size that is planned for them, and hold what a user would see."""

from __future__ import annotations

import numpy as np
import pytest

from graphprune.feeds import Feeding, draw, plan, redraw, styles
from graphprune.runtime import run, session
from graphprune.symbols.facts import facts
from tests.feeds.decoders import ARANGED, COUNTED, DECODERS, GROUPED, LEARNED, PLAIN, SLIDING
from tests.feeds.known import graph_of, model_of


def _planned(text: str) -> Feeding:
    graph = graph_of(text)
    return plan(graph, facts(graph))


@pytest.mark.parametrize("name", DECODERS)
def test_every_planned_run_is_accepted_and_finite(name: str) -> None:
    model = model_of(DECODERS[name])
    found = plan(model.graph, facts(model.graph))
    assert {"prefill on a past", "decode", "prefill"} <= {each.name for each in found.runs}
    with session(model) as opened:
        for each in found.runs:
            for style in styles(each):
                results = run(opened, draw(each, style=style))
                assert all(np.isfinite(result).all() for result in results), (each.name, style)


@pytest.mark.parametrize("name", DECODERS)
def test_at_a_decode_step_every_input_changes_the_logits(name: str) -> None:
    model = model_of(DECODERS[name])
    found = plan(model.graph, facts(model.graph))
    decode = next(each for each in found.runs if each.name == "decode")
    feeds = draw(decode)
    with session(model) as opened:
        logits = run(opened, feeds)[0]
        for name in feeds:
            if name not in decode.fixed:
                other = run(opened, redraw(feeds, [name], decode, 1))[0]
                assert not np.array_equal(logits, other), name


@pytest.mark.parametrize(
    ("text", "end"),
    [(LEARNED, 64), (ARANGED, 64), (COUNTED, 64), (GROUPED, 32)],
    ids=["sliced", "gathered", "counted", "rotary"],
)
def test_a_table_is_read_to_its_last_row(text: str, end: int) -> None:
    totals = [each.sizes["past_k"][2] + each.sizes["ids"][1] for each in _planned(text).runs]
    assert max(totals) == end


def test_a_cache_that_keeps_the_last_steps_is_run_past_them() -> None:
    totals = [each.sizes["past_k"][2] + each.sizes["ids"][1] for each in _planned(SLIDING).runs]
    assert any(total < 12 for total in totals)
    assert any(total > 12 for total in totals)


def test_the_mask_is_as_long_as_past_and_steps_whatever_its_size_is_called() -> None:
    for each in _planned(PLAIN).runs:
        assert each.sizes["attention_mask"][1] == each.sizes["past_k"][2] + each.sizes["ids"][1]
