"""Units are judged by running the model without them, or with their gates moved."""

from __future__ import annotations

import numpy as np
import pytest

from graphprune.data import Batch
from graphprune.errors import Usage
from graphprune.fitting.makeup import make_up
from graphprune.fitting.statistics import collect
from graphprune.importance import Scores
from graphprune.importance.data import score_on_data
from graphprune.importance.trials import score_by_removal, score_by_taylor
from graphprune.model import Model, to_proto
from graphprune.sensitivity import output_error
from graphprune.solution import Solution
from tests.calibrated import Array, normal, outputs, pieces, prepared, without
from tests.networks import TEXTS

HEADS = TEXTS["attention-separate"]


def heads(wo: Array) -> tuple[Model, Solution, str]:
    """Attention with this output projection, and the name of the group of heads."""
    model, solution = prepared(HEADS, wo=wo)
    (name,) = (group.name for group in solution.groups if group.kind == "heads" and group.prunable)
    return model, solution, name


def by_removal(model: Model, solution: Solution, **data: Array) -> Scores:
    feeds = pieces(1, **data)
    judge = output_error(model, feeds)
    return score_by_removal(model, solution, collect(model, feeds), judge)


def test_a_head_that_the_output_projection_leaves_out_matters_least() -> None:
    wo = normal(32, 12)
    wo[8:16] = 0
    wo[16:24] *= 5
    model, solution, name = heads(wo)
    found = by_removal(model, solution, x=normal(12, 5, 12))
    assert found.by == "removal"
    assert found.values[name].shape == (4,)
    assert found.values[name].argmin() == 1
    assert found.values[name].argmax() == 2
    assert found.values[name][1] < 1e-6
    assert name not in found.notes


def test_removal_is_the_error_of_the_outputs_with_the_weights_made_up() -> None:
    model, solution, name = heads(normal(32, 12))
    x = normal(12, 5, 12)
    found = by_removal(model, solution, x=x).values[name]
    statistics = collect(model, pieces(1, x=x))
    expected = outputs_of(model, x)
    for head in range(4):
        small = without(model, solution, **{name: [head]})
        make_up(solution, small, statistics, "obs")
        error = np.square(outputs_of(small.model, x) - expected).sum() / expected.var() / expected.size
        assert found[head] == pytest.approx(error, rel=1e-4)


def outputs_of(model: Model, x: Array) -> Array:
    return np.concatenate([outputs(model, x=each[None])[0] for each in x]).astype(np.float64)


def test_what_is_no_head_is_judged_by_obs() -> None:
    model, solution, name = heads(normal(32, 12))
    feeds = pieces(1, x=normal(12, 5, 12))
    statistics, told = collect(model, feeds), list[tuple[int, int]]()
    judge = output_error(model, feeds)
    found = score_by_removal(model, solution, statistics, judge, lambda *each: told.append(each))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    plain = score_on_data(solution, statistics, "obs")
    others = {group.name for group in solution.groups if group.prunable} - {name}
    assert set(found.notes) == others
    for other in others:
        assert np.array_equal(found.values[other], plain.values[other])


CLASSIFIER = """g (float[n, 6] x) => (float[n, 3] y) <float[6, 8] w0, float[8] b0, float[8, 3] w1>
    { [first] a = Gemm (x, w0, b0) r = Relu (a) [last] y = MatMul (r, w1) }"""


def batches(targets: Array | None = None, **data: Array) -> list[Batch]:
    count = len(next(iter(data.values())))
    return [
        Batch(feeds, None if targets is None else targets[at * 20 : at * 20 + 20], min(20, count))
        for at, feeds in enumerate(pieces(20, **data))
    ]


def by_taylor(
    model: Model, solution: Solution, given: list[Batch], probes: int = 64, seed: int = 0
) -> Scores:
    statistics = collect(model, [batch.feeds for batch in given])
    return score_by_taylor(model, solution, statistics, given, probes=probes, seed=seed)


def derivatives(model: Model, x: Array, w1: Array, labels: Array) -> Array:
    """The derivative of the mean cross entropy by a factor on each unit, one at a time."""
    w0, b0 = (np.asarray(each.values, np.float64) for each in model.graph.nodes[0].inputs[1:])
    seen = np.maximum(x.astype(np.float64) @ w0 + b0, 0)

    def loss(gates: Array) -> float:
        logits = (seen * gates) @ w1
        return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(logits)), labels]))

    step = 1e-5 * np.eye(len(w1))
    return np.array([(loss(1 + each) - loss(1 - each)) / 2e-5 for each in step])


@pytest.mark.parametrize("with_labels", [True, False])
def test_taylor_estimates_the_derivative_of_the_loss(with_labels: bool) -> None:
    w1 = normal(8, 3)
    model, solution = prepared(CLASSIFIER, w1=w1)
    x = normal(60, 6)
    own = outputs(model, x=x)[0].argmax(axis=1)
    labels = np.random.default_rng(0).integers(0, 3, 60)
    expected = np.abs(derivatives(model, x, w1, labels if with_labels else own))
    found = by_taylor(model, solution, batches(labels if with_labels else None, x=x), probes=200)
    assert found.by == "taylor"
    assert np.corrcoef(expected, found.values["first"])[0, 1] > 0.9
    np.testing.assert_allclose(found.values["first"], expected, atol=0.35 * expected.max())


def test_a_unit_that_nothing_reads_has_no_derivative() -> None:
    """What is left is the noise of the others, which goes down with the root of the probes."""
    w1 = normal(8, 3)
    w1[5] = 0
    model, solution = prepared(CLASSIFIER, w1=w1)
    labels = np.random.default_rng(0).integers(0, 3, 60)
    given = batches(labels, x=normal(60, 6))
    found = by_taylor(model, solution, given, probes=200).values["first"]
    assert found[5] < 0.3 * found.max()
    assert np.all(found >= 0)


def test_one_gate_at_a_time_has_no_noise() -> None:
    """Where a single unit is read, its estimate is the derivative itself, and no other has a larger one."""
    w1 = np.zeros((8, 3))
    w1[2] = 1, -1, 0.5
    model, solution = prepared(CLASSIFIER, w1=w1, b0=np.full(8, 2.0))
    x, labels = normal(60, 6), np.arange(60) % 3
    found = by_taylor(model, solution, batches(labels, x=x), probes=4).values["first"]
    assert found[2] == pytest.approx(abs(derivatives(model, x, w1, labels)[2]), rel=0.02)
    assert np.all(found <= found[2] * (1 + 1e-3))


def test_scores_do_not_depend_on_the_sign_of_a_unit() -> None:
    """A unit of the other sign, read with the other sign, does the same."""
    text = CLASSIFIER.replace("Relu", "Tanh")
    w0, b0, w1 = normal(6, 8), normal(8), normal(8, 3)
    labels = np.arange(60) % 3
    given = batches(labels, x=normal(60, 6))
    flip = np.where(np.arange(8) % 2, -1, 1)
    plain = by_taylor(*prepared(text, w0=w0, b0=b0, w1=w1), given)
    turned = by_taylor(*prepared(text, w0=w0 * flip, b0=b0 * flip, w1=w1 * flip[:, None]), given)
    np.testing.assert_allclose(plain.values["first"], turned.values["first"], rtol=1e-2, atol=1e-4)


def test_the_same_seed_gives_the_same_scores_and_another_seed_others() -> None:
    model, solution = prepared(CLASSIFIER)
    given = batches(np.arange(40) % 3, x=normal(40, 6))
    first, again, other = (
        by_taylor(model, solution, given, probes=5, seed=seed).values["first"] for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_classifier_that_ends_in_a_softmax_is_judged_alike() -> None:
    plain, solution = prepared(CLASSIFIER)
    text = CLASSIFIER.replace("y = MatMul (r, w1)", "l = MatMul (r, w1) y = Softmax (l)")
    soft, other = prepared(text)
    given = batches(np.arange(40) % 3, x=normal(40, 6))
    np.testing.assert_allclose(
        by_taylor(plain, solution, given, probes=5).values["first"],
        by_taylor(soft, other, given, probes=5).values["first"],
        rtol=1e-2,
        atol=1e-4,
    )


def test_what_is_no_classifier_is_refused() -> None:
    model, solution = prepared(CLASSIFIER.replace("8, 3] w1", "8, 1] w1").replace("n, 3", "n, 1"))
    with pytest.raises(Usage, match="needs a classifier"):
        by_taylor(model, solution, batches(x=normal(40, 6)))


def test_labels_that_are_no_class_are_refused() -> None:
    model, solution = prepared(CLASSIFIER)
    with pytest.raises(Usage):
        by_taylor(model, solution, batches(np.arange(40) % 7, x=normal(40, 6)), probes=1)


def test_the_model_is_not_changed() -> None:
    model, solution = prepared(CLASSIFIER)
    before = to_proto(model).SerializeToString()
    given = batches(np.arange(40) % 3, x=normal(40, 6))
    by_taylor(model, solution, given, probes=2)
    by_removal(model, solution, x=normal(40, 6))
    assert to_proto(model).SerializeToString() == before
