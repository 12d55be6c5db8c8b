"""Masks keep the highest scores, exactly as many as they may, and the same ones each time."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from graphprune.errors import Refused, Usage
from graphprune.sparsity.patterns import Pattern, best_of, highest, holds, magnitude, masked, pattern


@pytest.mark.parametrize("text", ["1:2", "2:4", "3:7", "4:8", "2:16", "5:20"])
@pytest.mark.parametrize(("shape", "axis"), [((1120,), 0), ((3, 1120), 1), ((1120, 3), 0), ((2, 560, 3), -2)])
def test_a_mask_is_what_a_loop_over_groups_chooses(text: str, shape: tuple[int, ...], axis: int) -> None:
    found = pattern(text)
    scores = np.random.default_rng(0).integers(0, 9, shape).astype(np.float32)
    mask = best_of(scores, axis, found)
    rows, marks = (np.moveaxis(each, axis, -1).reshape(-1, found.of) for each in (scores, mask))
    for row, mark in zip(rows, marks, strict=True):
        best = sorted(range(found.of), key=lambda at: (-float(row[at]), at))[: found.keep]
        assert sorted(best) == np.flatnonzero(mark).tolist()


def test_two_of_four_keep_the_largest_sum_of_any_two() -> None:
    values = np.abs(np.random.default_rng(1).standard_normal((50, 4)))
    mask = best_of(values, 1, Pattern(2, 4))
    best = [max(row[a] + row[b] for a, b in combinations(range(4), 2)) for row in values]
    np.testing.assert_allclose((values * mask).sum(axis=1), best)


@pytest.mark.parametrize("of", [4, 20])
def test_of_equal_scores_the_first_stay(of: int) -> None:
    assert best_of(np.ones(of), 0, Pattern(2, of)).tolist() == [True, True, *[False] * (of - 2)]
    assert highest([np.ones(4)], 0.5)[0].tolist() == [True, True, False, False]


@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.5, 0.99, 1.0])
def test_unstructured_masks_keep_the_highest_of_all_tensors(sparsity: float) -> None:
    draw = np.random.default_rng(2)
    tensors = [draw.random((5, 7)), draw.random((40,))]
    masks = highest(tensors, sparsity)
    gone = round(sparsity * 75)
    assert sum(int((~mask).sum()) for mask in masks) == gone
    flat, stays = (np.concatenate([each.reshape(-1) for each in side]) for side in (tensors, masks))
    assert np.sort(flat)[gone:].tolist() == np.sort(flat[stays]).tolist()


def test_a_tensor_holds_a_pattern_along_one_dimension_and_not_the_other() -> None:
    values = masked(np.ones((8, 8)), best_of(np.random.default_rng(3).random((8, 8)), 0, Pattern(2, 4)))
    assert holds(values, 0, Pattern(2, 4))
    assert not holds(values, 1, Pattern(2, 4))


def test_the_least_of_int8_is_larger_than_all() -> None:
    assert magnitude(np.array([-128, 127, 1, 2], np.int8)).tolist() == [128, 127, 1, 2]


def test_a_length_that_is_no_multiple_is_refused() -> None:
    with pytest.raises(ValueError, match="6 is no multiple of 4"):
        best_of(np.ones(6), 0, Pattern(2, 4))


def test_a_weight_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(Refused, match="not a number"):
        magnitude(np.array([1.0, np.nan]))


@pytest.mark.parametrize("text", ["", "2", "4:2", "2:2", "0:4", "a:b", "-1:4", "2:4:8", "2.5:4"])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(Usage, match="the pattern is"):
        pattern(text)
