"""Units are judged by what they do on real inputs."""

from __future__ import annotations

import numpy as np
import pytest

from graphprune.feeds import Feeds
from graphprune.fitting.statistics import collect
from graphprune.importance import Scores, score
from graphprune.importance.data import CRITERIA, By, read_criterion, score_on_data
from graphprune.model import Model
from graphprune.solution import Solution
from tests.calibrated import Array, normal, pieces, prepared
from tests.networks.solved import prunable, solved

# `first` is read by two operators, one of which has two outputs.
TWO = """g (float[n, 6] x) => (float[n, 3] y, float[n, 2] z)
    <float[6, 5] w0, float[5] b0, float[5, 3] w1, float[5, 2] w2>
    { [first] a = Gemm (x, w0, b0) r = Relu (a) [left] y = MatMul (r, w1) [right] z = MatMul (r, w2) }"""


def judged(model: Model, solution: Solution, by: By, feeds: list[Feeds]) -> Scores:
    return score_on_data(solution, collect(model, feeds), by)


def by_hand(by: str, x: Array, w: Array) -> Array:
    """A unit's number at one operator, of one column x and one row of w each."""
    if by == "activation":
        return np.sqrt(np.square(x).mean(axis=0))
    if by == "wanda":
        return np.abs(w).sum(axis=1) * np.sqrt(np.square(x).mean(axis=0))
    return x.var(axis=0) * np.square(w).sum(axis=1)


@pytest.mark.parametrize("by", ["activation", "wanda", "fluctuation"])
def test_scores_are_those_by_hand_over_both_operators(by: By) -> None:
    w0, b0, w1, w2 = normal(6, 5), normal(5), normal(5, 3), normal(5, 2)
    model, solution = prepared(TWO, w0=w0, b0=b0, w1=w1, w2=w2)
    x = normal(100, 6)
    seen = np.maximum(x.astype(np.float64) @ w0 + b0, 0)
    parts = [by_hand(by, seen, w) for w in (w1, w2)]
    found = judged(model, solution, by, pieces(30, x=x))
    assert found.by == by
    assert found.notes == {}
    expected = np.mean([part / part.mean() for part in parts], axis=0)
    np.testing.assert_allclose(found.values["first"], expected, rtol=1e-4)


FLAT = """g (float[n, 2, 2, 2] x) => (float[n, 3] y) <float[4, 2, 1, 1] w0, float[3, 16] w1>
    { [first] a = Conv (x, w0) f = Flatten (a) [last] y = Gemm <transB = 1> (f, w1) }"""


@pytest.mark.parametrize("by", ["activation", "wanda", "fluctuation"])
def test_the_columns_of_a_unit_are_summed(by: By) -> None:
    w0, w1 = normal(4, 2, 1, 1), normal(3, 16)
    model, solution = prepared(FLAT, w0=w0, w1=w1)
    x = normal(80, 2, 2, 2)
    columns = np.einsum("nchw,oc->nohw", x, w0[:, :, 0, 0]).reshape(80, 16).astype(np.float64)
    if by == "activation":
        expected = np.sqrt(np.square(columns).mean(axis=0).reshape(4, 4).sum(axis=1))
    else:
        expected = by_hand(by, columns, w1.T.astype(np.float64)).reshape(4, 4).sum(axis=1)
    found = judged(model, solution, by, pieces(40, x=x)).values["first"]
    np.testing.assert_allclose(found, expected / expected.mean(), rtol=1e-4)


def constant() -> tuple[Model, Solution]:
    """Unit 2 of 5 is always 3, since its bias alone counts."""
    w0, b0 = normal(6, 5), normal(5)
    w0[:, 2], b0[2] = 0, 3
    return prepared(TWO, w0=w0, b0=b0)


def test_a_unit_that_is_constant_does_not_fluctuate() -> None:
    model, solution = constant()
    feeds = pieces(50, x=normal(200, 6))
    fluctuation = judged(model, solution, "fluctuation", feeds).values["first"]
    assert abs(fluctuation[2]) < 1e-4 * np.delete(fluctuation, 2).min()
    assert judged(model, solution, "activation", feeds).values["first"].argmax() == 2


def test_a_unit_that_is_constant_costs_obs_nothing() -> None:
    """A bias makes up for it; what is left comes from the shrinkage of the covariance."""
    model, solution = constant()
    few, many = (
        judged(model, solution, "obs", pieces(50, x=normal(rows, 6))).values["first"]
        for rows in (200, 10_000)
    )
    assert many.argmin() == 2
    assert many[2] < 0.1 * np.median(many)
    assert many[2] < few[2]


def test_one_of_two_copies_costs_obs_next_to_nothing() -> None:
    """Once it is gone, the other one costs what it is worth."""
    w0, b0 = normal(6, 5), np.full(5, 0.5)
    w0[:, 3] = w0[:, 1]
    model, solution = prepared(TWO, w0=w0, b0=b0)
    found = judged(model, solution, "obs", pieces(50, x=normal(2000, 6))).values["first"]
    pair = sorted(found[[1, 3]])
    assert pair[0] == found.min()
    assert pair[0] < 0.05 * np.median(found)
    assert pair[1] > 10 * pair[0]


def test_obs_scores_are_what_each_unit_adds_to_the_error() -> None:
    """Together they are all of the variance of the results, on average over the operators."""
    model, solution = prepared(TWO)
    found = judged(model, solution, "obs", pieces(50, x=normal(1000, 6))).values["first"]
    assert np.all(found >= 0)
    assert found.sum() == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("by", CRITERIA)
def test_query_and_key_dims_are_judged_where_they_are_made(by: By) -> None:
    model, solution = solved("attention-separate")
    feeds = pieces(1, x=normal(40, 5, 12))
    found = judged(model, solution, by, feeds)
    (name,) = found.notes
    assert "the size of its units on the data is used" in found.notes[name]
    w = {key: node_values(solution, key) for key in ("query", "key")}
    x = normal(40, 5, 12).reshape(-1, 12).astype(np.float64)
    bias = node_values(solution, "query", behind=True)
    query, key = (np.square(x @ w["query"] + bias).mean(axis=0), np.square(x @ w["key"]).mean(axis=0))
    if found.values[name].ndim == 1:
        query, key = (each.reshape(4, 8).sum(axis=0) for each in (query, key))
    else:
        query, key = (each.reshape(4, 8) for each in (query, key))
    expected = np.sqrt(query / query.mean()) * np.sqrt(key / key.mean())
    np.testing.assert_allclose(found.values[name], expected, rtol=1e-3)


def node_values(solution: Solution, name: str, *, behind: bool = False) -> Array:
    """The weight of the operator called `name`, or the bias that is added behind it."""
    node = next(node for node in solution.graph.nodes if node.name == name)
    node = node.outputs[0].outputs[0] if behind else node
    return np.asarray(node.inputs[1].values, np.float64)


def test_a_group_that_nothing_linear_makes_or_sums_over_is_judged_by_its_weights() -> None:
    model, solution = prepared(
        """g (int64[n, 4] ids) => (float[n, 4, 1] y) <float[9, 6] table, float[6] scale, int64[1] last = {2}>
        { e = Gather (table, ids) s = Mul (e, scale) y = ReduceSum (s, last) }"""
    )
    ids = np.arange(40).reshape(10, 4) % 9
    found = judged(model, solution, "obs", pieces(5, ids=ids))
    (group,) = prunable(solution)
    assert found.notes == {group.name: "no linear operator sums over it, so l2 is used"}
    assert np.array_equal(found.values[group.name], score(solution).values[group.name])


@pytest.mark.parametrize("name", ["residual", "grouped", "attention-fused", "dense-concat", "depthwise"])
@pytest.mark.parametrize("by", CRITERIA)
def test_every_unit_of_every_group_gets_a_number(name: str, by: By) -> None:
    model, solution = solved(name)
    feeds = [{"x": normal(*model.graph.inputs[0].shape, seed=seed)} for seed in range(10)]
    told: list[tuple[int, int]] = []
    found = score_on_data(solution, collect(model, feeds), by, lambda *each: told.append(each))
    groups = prunable(solution)
    assert set(found.values) == {group.name for group in groups}
    assert told == [(done + 1, len(groups)) for done in range(len(groups))]
    for group in groups:
        values = found.values[group.name]
        assert values.shape[-1] == group.size
        assert np.isfinite(values).all() and np.all(values >= -1e-9)
        assert values.max() > 0


def test_criteria_are_read_by_name() -> None:
    assert [read_criterion(by) for by in CRITERIA] == list(CRITERIA)
    with pytest.raises(KeyError):
        read_criterion("l2")
