"""Values that a user might feed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphprune.feeds import MAGNITUDES, Run, draw, redraw, styles
from graphprune.feeds.roles import Role
from graphprune.symbols.expression import number

INT, FLOAT, BOOL = (np.dtype(kind) for kind in (np.int64, np.float32, np.bool_))


def _run(sizes: dict[str, tuple[int, ...]], *roles: Role, **more: Any) -> Run:
    limits = {role.name: role.limit.as_int() for role in roles if role.limit is not None}
    return Run("a run", sizes, roles={role.name: role for role in roles}, limits=limits, **more)


def _decoder() -> Run:
    return _run(
        {"ids": (2, 3), "mask": (2, 8), "at": (2, 3), "past": (2, 4, 5, 8), "gate": (1,)},
        Role("ids", INT, "ids", number(50)),
        Role("mask", INT, "mask"),
        Role("at", INT, "positions", number(64)),
        Role("past", FLOAT, "float", past=2),
        Role("gate", BOOL, "branch", candidates=(True, False)),
        start=5,
    )


def test_values_stay_within_their_roles() -> None:
    feeds = draw(_decoder(), seed=3)
    assert feeds["ids"].min() >= 0
    assert feeds["ids"].max() < 50
    assert feeds["mask"].all()
    assert feeds["at"].tolist() == [[5, 6, 7]] * 2
    assert feeds["past"].dtype == np.float32
    assert feeds["gate"].tolist() == [True]


def test_a_draw_is_repeated_by_its_seed_alone() -> None:
    run = _decoder()
    one, same, other = draw(run, seed=1), draw(run, seed=1), draw(run, seed=2)
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["past"], other["past"])


def test_padding_lies_in_front_or_behind_and_never_takes_all() -> None:
    run = _decoder()
    assert styles(run) == ("ones", "left", "right")
    left, right = draw(run, style="left")["mask"], draw(run, style="right")["mask"]
    assert left[0].all()
    assert left[1].tolist() == [0, 0, 1, 1, 1, 1, 1, 1]
    assert right[1].tolist() == [1, 1, 1, 1, 1, 1, 0, 0]


def test_positions_do_not_count_padding_in_front() -> None:
    assert draw(_decoder(), style="left")["at"].tolist() == [[5, 6, 7], [3, 4, 5]]


def test_a_model_without_a_mask_has_one_style() -> None:
    assert styles(_run({"x": (2, 3)}, Role("x", FLOAT, "float"))) == ("ones",)


def test_a_mask_that_is_added_hides_by_a_large_negative_number() -> None:
    run = _run({"bias": (2, 1, 4, 4)}, Role("bias", FLOAT, "bias"))
    assert not draw(run)["bias"].any()
    assert draw(run, style="left")["bias"].min() < -1000


@pytest.mark.parametrize("magnitude", MAGNITUDES)
def test_floats_come_in_several_magnitudes(magnitude: Any) -> None:
    values = draw(_run({"x": (50, 40)}, Role("x", FLOAT, "float")), magnitude=magnitude)["x"]
    size = float(np.abs(values).mean())
    low, high = {
        "normal": (0.5, 1),
        "unit": (0.4, 0.6),
        "pixels": (100, 150),
        "small": (0.05, 0.1),
        "large": (5, 10),
    }[magnitude]
    assert low < size < high
    assert (values.min() >= 0) == (magnitude in ("unit", "pixels"))


def test_an_input_that_is_drawn_anew_changes_alone_and_within_its_role() -> None:
    run = _decoder()
    feeds = draw(run)
    for name in feeds:
        other = redraw(feeds, [name], run, seed=0)
        changed = {each for each in feeds if not np.array_equal(feeds[each], other[each])}
        assert changed == {name}
        assert other[name].dtype == feeds[name].dtype
    assert redraw(feeds, ["mask"], run, seed=0)["mask"][0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    ids = redraw(feeds, ["ids"], run, seed=0)["ids"]
    assert (ids != feeds["ids"]).all()
    assert 0 <= ids.min() <= ids.max() < 50


def test_lengths_that_follow_from_sizes_are_not_drawn_anew() -> None:
    run = _run(
        {"total": (1,), "past": (1, 2, 0, 4)},
        Role("total", INT, "length"),
        Role("past", FLOAT, "float", past=2),
        values={"total": np.array([8])},
    )
    feeds = draw(run)
    assert feeds["total"].tolist() == [8]
    assert run.fixed == {"total", "past"}
    assert redraw(feeds, ["total"], run, seed=0)["total"].tolist() == [8]
