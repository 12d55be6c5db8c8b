"""What compensation is worth, and that it never makes a model worse on samples that are held out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphprune.cut import Cut, cut
from graphprune.fitting.calibration import Calibration
from graphprune.fitting.compensated import Compensated, compensated
from graphprune.fitting.statistics import collect
from graphprune.model import Model, to_proto
from graphprune.plan import Plan
from graphprune.solution import Solution
from tests.calibrated import normal, prepared, relative, samples, without

# Three layers; the second half of the first layer's units are combinations of the first half.
CHAIN = """g (float[n, 3, 5, 5] x) => (float[n, 4] y)
    <float[6, 3, 1, 1] w0, float[6] b0, float[5, 6, 3, 3] w1, float[5] b1, float[4, 45] w2, float[4] b2>
    { [first] a = Conv (x, w0, b0) [middle] b = Conv (a, w1, b1) r = Relu (b) f = Flatten (r)
      [last] y = Gemm <transB = 1> (f, w2, b2) }"""


def result(model: Model, solution: Solution, small: Cut, data: Calibration, by: Any) -> Compensated:
    statistics = collect(model, data.fitted())
    return compensated(model, solution, small, data, statistics, by=by, rows=4096)


@pytest.mark.parametrize("by", ["lstsq", "bn", "obs", "bias"])
def test_the_cut_itself_is_not_changed(by: str, tmp_path: Path) -> None:
    model, solution = prepared(CHAIN)
    data = samples(model, tmp_path, x=normal(200, 3, 5, 5))
    small = without(model, solution, first=[0, 1], middle=[1])
    before, original = (to_proto(each).SerializeToString() for each in (small.model, model))
    found = result(model, solution, small, data, by)
    assert to_proto(small.model).SerializeToString() == before
    assert to_proto(model).SerializeToString() == original
    assert found.after < found.before
    assert found.model is not small.model
    held = normal(50, 3, 5, 5, seed=1)
    assert relative(model, found.model, x=held) < relative(model, small.model, x=held)
    facts = found.facts(by)
    assert (facts["by"], facts["kept"]) == (by, True)
    assert ("worst" in facts) == (by in ("lstsq", "bn"))


@pytest.mark.parametrize("by", ["lstsq", "bn", "obs", "bias", "none"])
def test_the_cut_stays_where_fitting_does_not_help(by: str, tmp_path: Path) -> None:
    """Nothing reads the units that go, so that the cut is exact."""
    w1 = normal(5, 6, 3, 3)
    w1[:, :2] = 0
    model, solution = prepared(CHAIN, w1=w1)
    data = samples(model, tmp_path, x=normal(64, 3, 5, 5))
    small = without(model, solution, first=[0, 1])
    found = result(model, solution, small, data, by)
    assert found.before < 1e-10
    assert found.model is small.model
    assert not found.facts(by)["kept"]


def test_none_fits_nothing(tmp_path: Path) -> None:
    model, solution = prepared(CHAIN)
    data = samples(model, tmp_path, x=normal(64, 3, 5, 5))
    small = without(model, solution, first=[0, 1])
    found = result(model, solution, small, data, "none")
    assert found.model is small.model
    assert found.before == found.after > 0
    assert found.fits == ()


def test_the_same_samples_give_the_same_weights(tmp_path: Path) -> None:
    model, solution = prepared(CHAIN)
    data = samples(model, tmp_path, x=normal(64, 3, 5, 5))
    plan = Plan({"first": np.array([0, 2, 3])}, {"first": 6})
    first, second = (
        to_proto(result(model, solution, cut(model, solution, plan), data, "lstsq").model) for _ in range(2)
    )
    assert first.SerializeToString() == second.SerializeToString()
