"""The influence of a layer is how far it turns what passes it."""

from __future__ import annotations

import numpy as np
import pytest

from graphprune.importance.influence import influences
from graphprune.layers import layers
from tests.calibrated import normal, pieces, prepared

TEXT = """g (float[n, 4, 6] x) => (float[n, 4, 3] y)
    <float[6, 6] w1, float[6, 6] w2, float[6, 6] w3, float[6, 3] head>
    { a = MatMul (x, w1) [first] s = Add (x, a) b = MatMul (s, w2) [second] t = Add (b, s)
      c = MatMul (t, w3) [third] u = Add (t, c) y = MatMul (u, head) }"""


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    dots = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return float(dots.mean())


@pytest.mark.parametrize("size", [1, 5, 20])
def test_influence_is_one_less_the_cosine_of_what_goes_in_and_what_comes_out(size: int) -> None:
    """The second layer turns everything round; the third does nothing."""
    w1, w2, w3 = normal(6, 6), -1.5 * np.eye(6), np.zeros((6, 6))
    model, solution = prepared(TEXT, w1=w1, w2=w2, w3=w3)
    x = normal(20, 4, 6)
    told: list[tuple[int, int]] = []
    feeds = pieces(size, x=x)
    found = influences(model, layers(solution), feeds, lambda *each: told.append(each))
    assert list(found) == ["first", "second", "third"]
    assert all(each.shape == (1,) for each in found.values())
    assert found["first"][0] == pytest.approx(1 - cosine(x, x + x @ w1), rel=1e-4)
    assert found["second"][0] == pytest.approx(2, rel=1e-6)
    assert found["third"][0] == pytest.approx(0, abs=1e-6)
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_layers_in_whatever_order_are_judged_alike() -> None:
    model, solution = prepared(TEXT)
    feeds = pieces(5, x=normal(10, 4, 6))
    found = influences(model, layers(solution), feeds)
    for each in layers(solution):
        assert influences(model, [each], feeds)[each.name][0] == pytest.approx(found[each.name][0])


def test_a_sample_of_zeros_is_not_changed() -> None:
    model, solution = prepared(TEXT)
    found = influences(model, layers(solution), [{"x": np.zeros((2, 4, 6), np.float32)}])
    assert {name: value.tolist() for name, value in found.items()} == {
        "first": [0.0],
        "second": [0.0],
        "third": [0.0],
    }
