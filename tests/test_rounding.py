"""Widths that devices like: what `--round-to auto` keeps, and what is worth timing."""

from __future__ import annotations

from typing import Literal

import pytest

from graphprune.choice import Choice, candidates, rounded
from graphprune.passes.select import Select
from graphprune.solution import Solution
from tests.calibrated import prepared
from tests.latency.networks import TEXT


def widths(solution: Solution, round_to: int | Literal["auto", "fine"]) -> dict[int, list[int]]:
    """The numbers of units that each group may keep, by its size."""
    choice = Choice(target="macs=0.5x", round_to=round_to)
    return {
        group.size: [k for k in range(1, group.size + 1) if rounded(group, k, choice) == k]
        for group in candidates(solution, choice)
    }


@pytest.mark.parametrize(("dtype", "tile"), [("float", 16), ("float16", 8)])
def test_auto_keeps_full_tiles_of_the_weights_type(dtype: str, tile: int) -> None:
    _, solution = prepared(TEXT.replace("float[", f"{dtype}["))
    found = widths(solution, "auto")
    assert found == {size: list(range(tile, size + 1, tile)) for size in (64, 96, 128)}


@pytest.mark.parametrize(("size", "step"), [(96, 8), (24, 4), (16, 4), (8, 2), (4, 1), (3, 1)])
def test_widths_worth_timing_leave_four_of_a_narrow_group(size: int, step: int) -> None:
    _, solution = prepared(TEXT.replace("96", str(size)))
    expected = sorted({*range(step, size + 1, step), size})
    assert widths(solution, "fine")[size] == expected


GROUPED = """g (float[1, 3, 8, 8] x) => (float[1, 4, 8, 8] y)
<float[64, 3, 1, 1] w0, WEIGHT w1, float[4, 64, 1, 1] w2>
{ a = Conv (x, w0) r = Relu (a) b = OPERATOR <group = 8> (r, w1) s = Relu (b) y = Conv (s, w2) }"""


@pytest.mark.parametrize(
    ("operator", "weight"), [("Conv", "float[64, 8, 1, 1]"), ("ConvTranspose", "float[64, 8, 1, 1]")]
)
def test_channels_of_a_grouped_convolution_are_counted_over_all_groups(operator: str, weight: str) -> None:
    """A unit is a channel in each of eight groups, so any number of them makes a multiple of eight."""
    _, solution = prepared(GROUPED.replace("OPERATOR", operator).replace("WEIGHT", weight))
    choice = Choice(round_to=8)
    within = [group for group in candidates(solution, choice) if group.size == 8]
    assert len(within) == 2, "what goes in and what comes out"
    assert all(rounded(group, stay, choice) == stay for group in within for stay in range(1, 9))
    coarse = Choice(round_to=16)
    assert [rounded(within[0], stay, coarse) for stay in (1, 2, 3)] == [2, 2, 4]


def test_a_narrow_group_stays_whole_where_tiles_must_be_full() -> None:
    _, solution = prepared(TEXT.replace("96", "24"))
    assert widths(solution, "auto")[24] == [16, 24]
    _, solution = prepared(TEXT.replace("96", "8"))
    assert widths(solution, "auto")[8] == [8]


@pytest.mark.parametrize(
    ("options", "round_to"),
    [
        ({}, 1),
        ({"round_to": "auto"}, "auto"),
        ({"round_to": 4}, 4),
        ({"target": "macs=0.5x"}, 1),
        ({"target": "latency=0.5x"}, "fine"),
        ({"target": "latency=0.5x", "round_to": "auto"}, "fine"),
        ({"target": "latency=0.5x", "round_to": 32}, 32),
    ],
    ids=str,
)
def test_where_times_are_measured_they_say_which_widths_are_good(
    options: dict[str, str | int], round_to: int | str
) -> None:
    assert Select(**options).choice().round_to == round_to  # type: ignore[arg-type]
