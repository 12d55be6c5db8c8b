"""Metrics are what their definitions say, however the samples come in batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from graphprune.errors import Negative, Usage
from graphprune.metrics import METRICS, ClassScore, Score, open_metric
from graphprune.metrics.scores import class_axis, cosines, hits, rank_correlation

Array = NDArray[Any]
NAN = float("nan")


def score(name: str, a: Any, b: Any, targets: Any = None, *, size: int = 1 << 30, output: int = 0) -> Score:
    """The metric of outputs a and b, seen `size` samples at a time."""
    count = open_metric(name).start(output)
    a, b = np.asarray(a), np.asarray(b)
    labels = None if targets is None else np.asarray(targets)
    for at in range(0, len(a), size):
        part = slice(at, at + size)
        count.update(
            [a[part]] * (output + 1), [b[part]] * (output + 1), None if labels is None else labels[part]
        )
    return count.value()


A = [[3.0, 1, 0], [0, 2, 1], [0, 0, 5], [1, 0, 0]]
B = [[3.0, 4, 0], [0, 2, 1], [0, 0, 5], [0, 1, 0]]


def test_top1_counts_right_answers_of_both_models_and_of_every_class() -> None:
    found = score("top1", A, B, [0, 1, 2, 1])
    assert (found.value, found.reference, found.count) == (0.75, 0.75, 4)
    assert found.classes == (
        ClassScore(0, 1, 1, 0, 0),
        ClassScore(1, 2, 1, 2, 1),
        ClassScore(2, 1, 1, 1, 1),
    )
    assert [one.change for one in found.classes] == [-1, 0.5, 0]


def test_top5_counts_labels_among_the_five_largest() -> None:
    scores = np.arange(7.0)[None].repeat(7, axis=0)
    found = score("top5", scores, -scores, np.arange(7))
    assert (found.reference, found.value) == (5 / 7, 5 / 7)
    assert [one.reference for one in found.classes] == [0, 0, 1, 1, 1, 1, 1]
    assert [one.candidate for one in found.classes] == [1, 1, 1, 1, 1, 0, 0]


def test_agreement_counts_by_the_class_that_the_original_chooses() -> None:
    found = score("agreement", A, B)
    assert (found.value, found.reference, found.count) == (0.5, None, 4)
    assert found.classes == (
        ClassScore(0, 2, 2, 0, 0),
        ClassScore(1, 1, 1, 1, 1),
        ClassScore(2, 1, 1, 1, 1),
    )


@pytest.mark.parametrize(
    ("name", "a", "b", "expected"),
    [
        ("cosine", [[3.0, 4]], [[6.0, 8]], 1),
        ("cosine", [[3.0, 4], [1, 0]], [[-3.0, -4], [0, 1]], -0.5),
        ("cosine", [[0.0, 0], [0, 0]], [[0.0, 0], [1, 0]], 0.5),
        ("cosine", [[[1.0, 1], [1, 1]]], [[[1.0, 1], [1, 0]]], 3 / 12**0.5),
        ("cosine", [[1e200, 0.0]], [[1e-200, 0.0]], 1),
        ("mse", [[1.0, 2]], [[3.0, 2]], 2),
        ("mse", [[1.0, 2], [0, 0]], [[3.0, 2], [0, 0]], 1),
        ("mse", [[1.0, 2]], [[1.0, 2]], 0),
        ("mse", np.array([[200]], np.uint8), np.array([[255]], np.uint8), 55**2),
        ("kl", [[0.5, 0.5]], [[0.25, 0.75]], 0.5 * np.log(4 / 3)),
        ("kl", [[0.0, 1]], [[1.0, 0]], 12 * np.log(10)),
        ("kl", np.log([[0.5, 0.5]]) + 7, np.log([[0.25, 0.75]]) - 7, 0.5 * np.log(4 / 3)),
        ("kl", [[1000.0, 0]], [[0.0, 1000]], 1000),
        ("kl", [[0.2, 0.8], [1, 0]], [[0.2, 0.8], [1, 0]], 0),
    ],
)
def test_distances_are_what_one_computes_by_hand(name: str, a: Any, b: Any, expected: float) -> None:
    found = score(name, a, b)
    assert found.value == pytest.approx(expected, abs=1e-9)
    assert found.reference is None and found.classes == ()


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1, 2, 3], [10, 20, 30], 1),
        ([1, 2, 3], [3, 2, 1], -1),
        ([1, 2, 3, 4, 5], [5, 6, 7, 8, 7], 0.8207826816681233),
        ([1, 1, 2], [1, 2, 2], 0.5),
        ([1, 1, 1], [1, 2, 3], NAN),
        ([1, NAN, 2], [1, 2, 3], NAN),
    ],
)
def test_rank_correlation_gives_ties_their_mean_rank(a: list[float], b: list[float], expected: float) -> None:
    found = rank_correlation(np.array(a, float), np.array(b, float))
    assert found == pytest.approx(expected, nan_ok=True)


def test_spearman_ranks_single_numbers_against_the_labels() -> None:
    found = score("spearman", [[1.0], [2], [3], [4]], [[2.0], [1], [3], [4]], [0.1, 0.2, 0.5, 0.9])
    assert (found.reference, found.value, found.count) == (pytest.approx(1), pytest.approx(0.8), 4)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_spearman_ranks_the_cosines_of_pairs_of_embeddings(size: int) -> None:
    draw = np.random.default_rng(0)
    a, b, labels = draw.normal(size=(12, 4)), draw.normal(size=(12, 4)), draw.normal(size=6)
    found = score("spearman", a, b, labels.repeat(2), size=size)
    assert found.count == 6
    assert found.value == pytest.approx(rank_correlation(cosines(b[0::2], b[1::2]), labels))
    assert found.reference == pytest.approx(rank_correlation(cosines(a[0::2], a[1::2]), labels))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 40), st.integers(2, 12), st.integers(1, 17), st.booleans())
def test_metrics_equal_plain_numpy_however_samples_are_batched(
    seed: int, samples: int, classes: int, size: int, ties: bool
) -> None:
    draw = np.random.default_rng(seed)
    a, b = draw.normal(size=(2, samples, classes)).round(0 if ties else 9)
    labels = draw.integers(0, classes, samples)
    order = [np.argsort(-x, axis=1, kind="stable") for x in (a, b)]
    for name, k in (("top1", 1), ("top5", 5)):
        found = score(name, a, b, labels, size=size)
        right = [(x[:, :k] == labels[:, None]).any(axis=1) for x in order]
        assert (found.reference, found.value) == (right[0].mean(), right[1].mean())
        assert sum(one.both for one in found.classes) == (right[0] & right[1]).sum()
        for one in found.classes:
            mine = labels == one.label
            assert (one.count, one.candidate) == (mine.sum(), right[1][mine].sum())
    same = a.argmax(axis=1) == b.argmax(axis=1)
    assert score("agreement", a, b, size=size).value == same.mean()
    assert score("mse", a, b, size=size).value == pytest.approx(((a - b) ** 2).mean())
    p, q = (np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for x in (a, b))
    assert score("kl", a + 3, b + 3, size=size).value == pytest.approx((p * np.log(p / q)).sum(axis=1).mean())
    if not ties:
        angle = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        assert score("cosine", a, b, size=size).value == pytest.approx(angle.mean())


def test_positions_of_segmentations_and_of_tokens_count_one_by_one() -> None:
    draw = np.random.default_rng(1)
    image, tokens = draw.normal(size=(2, 5, 6, 7)), draw.normal(size=(2, 6, 5))
    found = score("top1", image, image, image.argmax(axis=1))
    assert (found.value, found.count) == (1, 84)
    assert score("top1", tokens, tokens, tokens.argmax(axis=2)).count == 12
    channels_last = np.moveaxis(image, 1, -1)
    assert score("top1", channels_last, channels_last, image.argmax(axis=1)).value == 1
    assert score("agreement", image, image).count == 84
    assert score("kl", image, image).count == 2


@pytest.mark.parametrize(
    ("shape", "labels", "axis"),
    [
        ((8, 10), None, 1),
        ((8, 6, 10), None, 2),
        ((8, 10, 4, 4), None, 1),
        ((8, 10), (8,), 1),
        ((8, 10, 6), (8, 6), 1),
        ((8, 6, 10), (8, 6), 2),
        ((8, 6, 6), (8, 6), 2),
        ((8, 4, 4, 10), (8, 4, 4), 3),
    ],
)
def test_classes_lie_along_the_axis_that_labels_lack(
    shape: tuple[int, ...], labels: tuple[int, ...] | None, axis: int
) -> None:
    assert class_axis(shape, labels) == axis


def test_a_nan_is_never_right() -> None:
    scores = np.array([[NAN, 0.0], [1, 0], [NAN, NAN]])
    labels = np.zeros(3, np.int64)
    assert hits(scores, labels, 1).tolist() == [False, True, False]
    assert score("top1", scores, scores, labels).value == pytest.approx(1 / 3)
    good = np.array([[1.0, 0.0]] * 3)
    assert score("agreement", good, scores).value == pytest.approx(1 / 3)
    for name in ("cosine", "mse", "kl"):
        assert np.isnan(score(name, good, scores).value)


def test_labels_in_a_column_count_as_a_list() -> None:
    assert score("top1", A, B, [[0], [1], [2], [1]]) == score("top1", A, B, [0, 1, 2, 1])


def test_another_output_can_be_measured() -> None:
    assert score("mse", A, B, output=2) == score("mse", A, B)


@pytest.mark.parametrize(
    ("name", "a", "b", "targets", "message"),
    [
        ("top1", A, A, None, "needs labels"),
        ("spearman", A, A, None, "needs labels"),
        ("top1", A, A, [0, 1, 2, 3], "label 3 of sample 3 is out of range"),
        ("top5", A, A, [0, -1, 2, 1], "label -1 of sample 1 is out of range"),
        ("top1", A, A, [0.0, 1, 2, 1], "labels are float64"),
        ("top1", A, A, np.eye(3, dtype=int)[[0, 1, 2, 1]], "labels of shape 4x3 do not fit"),
        ("top1", A, A, [0, 1, 2], "labels of shape 3 do not fit"),
        ("top1", [[1.0], [2]], [[1.0], [2]], [0, 1], "do not fit an output of shape 2x1"),
        ("agreement", [[1.0], [2]], [[1.0], [2]], None, "shape 2x1 has no classes"),
        ("agreement", [1.0, 2], [1.0, 2], None, "shape 2 has no classes"),
        ("agreement", [[1.0, NAN]], [[1.0, 0]], None, "original answers with NaN"),
        ("kl", [1.0, 2], [1.0, 2], None, "has no classes"),
        ("spearman", A, A, [1, 2, 3, 4], "pair have different labels"),
        ("spearman", A[:3], A[:3], [1, 1, 2], "number of samples is odd"),
        ("spearman", A[:2], A[:2], [1, 1], "needs two samples or pairs"),
        ("spearman", np.ones((4, 2, 2)), np.ones((4, 2, 2)), np.ones(4), "cannot be ranked"),
        ("spearman", A, A, np.ones((4, 2)), "cannot be ranked"),
        ("mse", np.array([["a"]]), np.array([["a"]]), None, "no array of numbers"),
        ("mse", np.ones((0, 2)), np.ones((0, 2)), None, "no samples"),
        ("top1", np.ones((0, 2)), np.ones((0, 2)), None, "no samples"),
    ],
)
def test_what_cannot_be_measured_is_refused(name: str, a: Any, b: Any, targets: Any, message: str) -> None:
    with pytest.raises(Usage, match=message) as caught:
        score(name, a, b, targets)
    assert caught.value.hint and caught.value.code == 2


def test_a_label_out_of_range_is_named_by_its_number_among_all_samples() -> None:
    labels = [0, 1, 2, 9]
    with pytest.raises(Usage, match="label 9 of sample 3 is out of range"):
        score("top1", A, A, labels, size=2)


def test_models_whose_outputs_differ_in_shape_cannot_be_compared() -> None:
    with pytest.raises(Negative):
        score("mse", A, [[1.0], [2], [3], [4]])
    count = METRICS["mse"].start(1)
    with pytest.raises(Usage, match="no output 1"):
        count.update([np.ones(2)], [np.ones(2)], None)


def test_the_registry_says_what_needs_labels_and_what_is_better() -> None:
    assert list(METRICS) == ["top1", "top5", "agreement", "cosine", "mse", "kl", "spearman"]
    assert {name for name, kind in METRICS.items() if kind.needs_labels} == {"top1", "top5", "spearman"}
    assert {name for name, kind in METRICS.items() if not kind.higher_is_better} == {"mse", "kl"}
    assert all(kind.name == name and kind.help for name, kind in METRICS.items())


def test_an_unknown_metric_is_refused_with_the_nearest() -> None:
    with pytest.raises(Usage, match="no metric top-1") as caught:
        open_metric("top-1")
    assert "did you mean top1?" in caught.value.hint


def test_every_metric_of_identical_models_is_at_its_best() -> None:
    labels = np.argmax(A, axis=1)
    best: dict[str, Callable[[Score], bool]] = {
        name: (lambda found: found.value == pytest.approx(1))
        if kind.higher_is_better
        else (lambda found: found.value == 0)
        for name, kind in METRICS.items()
        if name != "spearman"
    }
    for name, holds in best.items():
        assert holds(score(name, A, A, labels)), name
