"""Two tensors are compared slice by slice, against what each slice varies by."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from graphprune.proof.slices import ALL, NONE, gap, moved

LIMIT = 1e-4
NAN, INF = float("nan"), float("inf")


def normal(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_equal_tensors_are_no_apart_and_others_sizes_are_all() -> None:
    x = normal(2, 3, 4)
    assert gap(x, x.copy(), LIMIT) == NONE
    assert gap(x, x[:1], LIMIT) == ALL


def test_a_small_slice_beside_a_large_one_is_seen() -> None:
    boxes, scores = 1000 * normal(1, 4, 64), normal(1, 20, 64, seed=1)
    expected = np.concatenate([boxes, scores], axis=1)
    found = np.concatenate([boxes, scores[:, ::-1]], axis=1)
    assert np.linalg.norm(found - expected) / np.linalg.norm(expected) < 5e-3
    assert gap(expected, found, LIMIT).ratio > 500


def test_a_large_offset_does_not_hide_a_difference() -> None:
    x = normal(8, 16)
    assert gap(x + np.float32(1e3), x * np.float32(1.01) + np.float32(1e3), LIMIT).ratio > 1


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_one_position_of_any_axis_is_a_slice(axis: int) -> None:
    x = normal(40, 50, 60)
    y = x.copy()
    np.moveaxis(y, axis, 0)[7] *= np.float32(1 + 3e-4)
    assert gap(x, y, LIMIT).ratio == pytest.approx(3, rel=0.2)
    assert gap(x, y, 1e-3).ratio < 1


def test_one_number_of_a_vector_is_measured_by_the_spread_of_the_vector() -> None:
    x = normal(1, 100)
    y = x.copy()
    y[0, 3] += np.float32(1e-3)
    assert 5 < gap(x, y, LIMIT).ratio < 20


def test_noise_of_float32_passes_in_a_slice_that_does_not_vary() -> None:
    x = normal(4, 8)
    x[:, 2] = 0.5
    y = x + np.float32(5e-7) * normal(4, 8, seed=1)
    assert gap(x, y, LIMIT).ratio < 1


def test_behind_an_operator_that_saturates_noise_is_that_of_its_range() -> None:
    x = np.full((4, 8), 1e-6, np.float32) * normal(4, 8)
    y = x + np.float32(1e-7)
    assert gap(x, y, LIMIT, 1.0).ratio < 1 < gap(x, y, LIMIT).ratio


@pytest.mark.parametrize(
    ("a", "b", "passes"),
    [
        ([NAN, 1, 2], [NAN, 1, 2], True),
        ([NAN, 1, 2], [1, 1, 2], False),
        ([1, 1, 2], [NAN, 1, 2], False),
        ([INF, 1, 2], [INF, 1, 2], True),
        ([INF, 1, 2], [-INF, 1, 2], False),
        ([NAN, 1, 2], [NAN, 1, 2.1], False),
        ([NAN, NAN], [NAN, NAN], True),
        ([NAN, NAN], [NAN, 0], False),
    ],
)
def test_what_is_no_number_is_compared_with_nothing_but_its_like(a: Any, b: Any, passes: bool) -> None:
    x, y = np.array(a, np.float32), np.array(b, np.float32)
    assert (gap(x, y, LIMIT).ratio <= 1) == passes


@pytest.mark.parametrize(
    ("dtype", "share", "by", "steps", "passes"),
    [
        ("int8", 0, 0, False, True),
        ("int8", 1, 1, False, False),
        ("int8", 1, 1, True, True),
        ("int8", 1, 2, True, False),
        ("uint8", 50, 1, True, False),
        ("int64", 1, 1, True, False),
        ("bool", 1, 1, True, False),
    ],
)
def test_integers_are_equal_but_for_one_step_of_rounding(
    dtype: str, share: int, by: int, steps: bool, passes: bool
) -> None:
    x = (np.arange(1000) % 2).astype(dtype)
    y = x.copy()
    y[:share] = (y[:share].astype(int) + by).astype(dtype) if dtype != "bool" else ~y[:share]
    assert (gap(x, y, LIMIT, steps=steps).ratio <= 1) == passes


def test_a_block_at_a_time_gives_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = normal(9, 7, 11), normal(9, 7, 11, seed=1)
    whole = gap(x, y, LIMIT)
    monkeypatch.setattr("graphprune.proof.slices._BLOCK", 50)
    assert gap(x, y, LIMIT).ratio == pytest.approx(whole.ratio)


def test_a_tensor_has_moved_where_finite_numbers_differ_by_more_than_noise() -> None:
    x = normal(4, 4)
    assert not moved(x, x * np.float32(1 + 1e-6))
    assert moved(x, -x)
    assert not moved(np.full(3, NAN, np.float32), np.ones(3, np.float32))
    assert moved(x.astype(ml_dtypes.bfloat16), -x.astype(ml_dtypes.bfloat16))
    assert moved(np.array([1, 2]), np.array([1, 3]))
