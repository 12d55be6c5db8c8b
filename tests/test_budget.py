"""A target is met, and met where the outputs bear it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from graphprune.budget import budget_of, spread
from graphprune.choice import Choice, candidates
from graphprune.cost import cost
from graphprune.cut import cut
from graphprune.errors import Negative, Refused
from graphprune.fitting.statistics import collect
from graphprune.importance.data import score_on_data
from graphprune.layers import layers
from graphprune.model import Model
from graphprune.plan import Plan
from graphprune.sensitivity import Sensitivity, measure, output_error
from graphprune.solution import Solution
from graphprune.target import read_target
from tests.calibrated import checked, normal, pieces, prepared

ALL = ("channels", "neurons", "heads", "head-dims", "width", "layers")
CNN = """g (float[n, 3, 8, 8] x) => (float[n, 5] y)
    <float[32, 3, 3, 3] w0, float[32] b0, float[40, 32, 3, 3] w1, float[40] b1, float[32, 40, 1, 1] w2,
     float[48, 32, 3, 3] w3, float[48] b3, float[5, 48] head>
    { [stem] s = Conv <pads = [1, 1, 1, 1]> (x, w0, b0) s_r = Relu (s)
      [inner] a = Conv <pads = [1, 1, 1, 1]> (s_r, w1, b1) a_r = Relu (a) [back] b = Conv (a_r, w2)
      [join] t = Add (b, s_r)
      [wide] c = Conv <strides = [2, 2]> (t, w3, b3) c_r = Relu (c) p = GlobalAveragePool (c_r)
      f = Flatten (p) [last] y = Gemm <transB = 1> (f, head) }"""
_BLOCK = """
  [q{0}] q_{0} = MatMul (x{0}, wq{0}) q_h{0} = Reshape (q_{0}, apart)
  q_t{0} = Transpose <perm = [0, 2, 1, 3]> (q_h{0})
  [k{0}] k_{0} = MatMul (x{0}, wk{0}) k_h{0} = Reshape (k_{0}, apart)
  k_t{0} = Transpose <perm = [0, 2, 3, 1]> (k_h{0})
  [v{0}] v_{0} = MatMul (x{0}, wv{0}) v_h{0} = Reshape (v_{0}, apart)
  v_t{0} = Transpose <perm = [0, 2, 1, 3]> (v_h{0})
  s_{0} = MatMul (q_t{0}, k_t{0}) p_{0} = Softmax (s_{0}) m_{0} = MatMul (p_{0}, v_t{0})
  m_t{0} = Transpose <perm = [0, 2, 1, 3]> (m_{0}) m_r{0} = Reshape (m_t{0}, merge)
  [o{0}] o_{0} = MatMul (m_r{0}, wo{0}) [attended{0}] h_{0} = Add (x{0}, o_{0})
  [up{0}] u_{0} = MatMul (h_{0}, wu{0}) g_{0} = Gelu <approximate = "tanh"> (u_{0})
  [down{0}] d_{0} = MatMul (g_{0}, wd{0}) [fed{0}] x{1} = Add (h_{0}, d_{0})"""
_WEIGHTS = "".join(
    f"float[16, 32] wq{n}, float[16, 32] wk{n}, float[16, 32] wv{n}, float[32, 16] wo{n}, "
    f"float[16, 40] wu{n}, float[40, 16] wd{n}, "
    for n in (0, 1)
)
TRANSFORMER = (
    '<ir_version: 10, opset_import: ["" : 20]>\n'
    f"g (float[n, 6, 16] x) => (float[n, 6, 4] y) <{_WEIGHTS} float[16, 4] head, "
    "int64[4] apart = {0, 0, 4, 8}, int64[3] merge = {0, 0, 32}> { x0 = Identity (x) "
    f"{_BLOCK.format(0, 1)} {_BLOCK.format(1, 2)} [last] y = MatMul (x2, head) }}"
)


@cache
def measured(name: str) -> tuple[Model, Solution, dict[str, np.ndarray], dict[str, Sensitivity]]:
    """A network with scores of its units, and what its groups and layers may lose."""
    model, solution = prepared({"cnn": CNN, "transformer": TRANSFORMER}[name])
    sizes = [24, *model.graph.inputs[0].shape[1:]]
    feeds = pieces(12, x=normal(*sizes))
    statistics = collect(model, feeds)
    scores = dict(score_on_data(solution, statistics, "obs").values)
    groups = candidates(solution, Choice(target="macs=0.5x"))
    judge = output_error(model, feeds[:1])
    found = measure(model, solution, scores, groups, layers(solution), judge, statistics=statistics)
    return model, solution, scores, {each.name: each for each in found}


def planned(name: str, choice: Choice) -> tuple[Solution, Plan]:
    _, solution, scores, found = measured(name)
    return solution, spread(
        solution, candidates(solution, choice), scores, choice, found, budget_of(solution, choice.target)
    )


NETWORKS = pytest.mark.parametrize("name", ["cnn", "transformer"])


@NETWORKS
@pytest.mark.parametrize("target", ["macs=0.7x", "macs=0.4x", "params=0.75x", "params=0.5x", "size=60%"])
@pytest.mark.parametrize("only", [ALL[:-1], ALL], ids=["units", "units-and-layers"])
def test_a_target_is_met_and_hardly_more(name: str, target: str, only: tuple[str, ...]) -> None:
    model, *_ = measured(name)
    solution, plan = planned(name, Choice(target=target, only=only))
    read, limit, _ = read_target(target, cost(solution))
    reached = read(cost(solution, plan))
    assert reached <= limit
    # A layer goes as a whole.
    slack = 0.02 if not plan.layers else 0.2
    assert reached >= (1 - slack) * limit
    checked(cut(model, solution, plan).model)


@NETWORKS
@pytest.mark.parametrize("target", ["macs=0.7x", "params=0.5x"])
def test_no_group_could_keep_one_unit_more(name: str, target: str) -> None:
    solution, plan = planned(name, Choice(target=target))
    read, limit, _ = read_target(target, cost(solution))
    for group, kept in plan.keep.items():
        size = solution.group(group).size
        keep = {**plan.keep, group: np.arange(min(size, kept.shape[-1] + 1))}
        assert read(cost(solution, Plan(keep, plan.sizes))) > limit, group


@NETWORKS
def test_a_size_in_bytes_is_met(name: str) -> None:
    _, solution, *_ = measured(name)
    limit = cost(solution).bytes * 0.6
    _, plan = planned(name, Choice(target=f"size={limit / 1000}kB"))
    assert 0.96 * limit <= cost(solution, plan).bytes <= limit


@NETWORKS
def test_no_group_loses_more_than_it_may(name: str) -> None:
    solution, plan = planned(name, Choice(target="params=0.9x", max_ratio=0.4, min_units=12))
    assert plan.keep
    for group, kept in plan.keep.items():
        size = solution.group(group).size
        assert kept.shape[-1] >= min(12, size)
        assert size - kept.shape[-1] <= 0.4 * size


@NETWORKS
@pytest.mark.parametrize("multiple", [2, 8])
def test_what_stays_is_a_multiple(name: str, multiple: int) -> None:
    _, solution, *_ = measured(name)
    _, plan = planned(name, Choice(target="params=0.6x", round_to=multiple))
    assert plan.keep
    for group in plan.keep:
        for place in solution.group(group).places:
            if place.role in ("in", "out"):
                count = solution.stays(plan.keep)(place.axis)
                assert count is not None
                assert count.size % multiple == 0
    assert cost(solution, plan).params <= 0.6 * cost(solution).params


@NETWORKS
@pytest.mark.parametrize(
    "options",
    [
        {"target": "params=0.001x"},
        {"target": "macs=0.3x", "max_ratio": 0.2},
        {"target": "macs=0.1x", "min_units": 30},
        {"target": "size=10B"},
    ],
    ids=["too-little", "max-ratio", "min-units", "bytes"],
)
def test_a_target_that_cannot_be_met_is_a_negative_answer(name: str, options: dict[str, object]) -> None:
    with pytest.raises(Negative, match="cannot be reached") as caught:
        planned(name, Choice(**options))  # type: ignore[arg-type]
    assert "--max-ratio" in caught.value.hint


def test_without_measurements_nothing_can_be_pruned() -> None:
    _, solution, scores, _ = measured("cnn")
    choice = Choice(target="macs=0.5x")
    with pytest.raises(Refused, match="no group was measured"):
        spread(solution, candidates(solution, choice), scores, choice, {}, budget_of(solution, choice.target))


def test_a_group_that_costs_nothing_goes_before_others() -> None:
    _, solution, scores, found = measured("cnn")
    choice = Choice(target="params=0.9x")
    free = {
        name: Sensitivity(name, each.kind, each.size, dict.fromkeys(each.errors, 0.0))
        if name == "inner"
        else Sensitivity(name, each.kind, each.size, dict.fromkeys(each.errors, 1.0))
        for name, each in found.items()
    }
    plan = spread(
        solution, candidates(solution, choice), scores, choice, free, budget_of(solution, choice.target)
    )
    assert set(plan.keep) == {"inner"}


def test_units_that_matter_least_go() -> None:
    solution, plan = planned("cnn", Choice(target="macs=0.6x"))
    scores = measured("cnn")[2]
    for name, kept in plan.keep.items():
        gone = np.delete(np.arange(solution.group(name).size), kept)
        assert scores[name][gone].max() <= scores[name][kept].min()
        assert np.all(np.diff(kept) > 0)


def test_the_error_is_lower_than_with_one_ratio_for_all() -> None:
    from graphprune.fitting.makeup import make_up
    from graphprune.select import select

    model, solution, scores, found = measured("transformer")
    feeds = pieces(12, x=normal(48, 6, 16, seed=1))
    statistics, judge = collect(model, pieces(12, x=normal(24, 6, 16))), output_error(model, feeds)
    errors: list[float] = []
    for sensitivities in (found, None):
        plan = select(solution, scores, Choice(target="params=0.6x"), sensitivities)
        small = cut(model, solution, plan)
        make_up(solution, small, statistics, "obs")
        errors.append(judge(small.model))
    assert errors[0] < errors[1]
