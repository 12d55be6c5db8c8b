"""Passes run in order, get what they need, and change nothing that they were given."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from typing import Any, ClassVar, get_args, get_type_hints

import numpy as np
import pytest
from onnx import numpy_helper, parser

import graphprune
from graphprune import pipeline
from graphprune.errors import Negative, Refused, Usage
from graphprune.model import Model, from_proto, to_proto
from graphprune.passes.score import Score
from graphprune.passes.select import Select
from graphprune.pipeline import Step
from graphprune.pipeline_text import parse, show
from graphprune.pruning import OPTIONS, passes
from graphprune.registry import BUILTIN, find
from graphprune.select import Choice
from graphprune.state import Pass, State, made

PERCEPTRON = """<ir_version: 8, opset_import: ["" : 17]>
g (float[batch, 8] x) => (float[batch, 3] y) {
  a = Identity(b) [first] h = Gemm(x, w, a) r = Relu(h) [last] y = MatMul(r, v)
}"""
WHOLE = "fold,group,score,select,cut,verify"
CALIBRATED = (
    "fold,group,calibrate{data=random samples=32},score,probe,select{target=macs=0.5x},cut,verify,compensate"
)


def perceptron(seed: int = 0) -> Model:
    draw = np.random.default_rng(seed)
    model = parser.parse_model(PERCEPTRON)
    for name, shape in {"w": (8, 16), "b": (16,), "v": (16, 3)}.items():
        model.graph.initializer.append(
            numpy_helper.from_array(draw.normal(size=shape).astype(np.float32), name)
        )
    return from_proto(model)


START = State(perceptron())
IMPORTANCES: tuple[str, ...] = get_args(get_type_hints(Score)["by"])


@dataclass(frozen=True)
class Spy:
    """Needs what it is told to need; notes that it ran."""

    name: ClassVar[str] = "spy"
    needs: ClassVar[tuple[str, ...]] = ("solution",)
    gives: ClassVar[tuple[str, ...]] = ()

    def run(self, state: State) -> State:
        return replace(state, facts={**state.facts, "spy": len(made(state.solution, "solution").groups)})


def test_the_whole_pipeline_makes_every_field_of_the_state() -> None:
    state = pipeline.run(parse(CALIBRATED), State(perceptron()))
    unmade = {field.name for field in dataclasses.fields(State) if not state.has(field.name)}
    assert unmade <= {"steps", "latencies", "refined", "stages"}
    assert state.verification is not None
    assert state.verification.passed


@pytest.mark.parametrize("count", range(9))
def test_a_pass_gives_what_it_says_and_leaves_the_rest_as_it_was(count: int) -> None:
    chain = parse(CALIBRATED)
    kind = chain[count]
    state = pipeline.run(chain[:count], State(perceptron()))
    after = kind.run(state)
    changed = {
        field.name
        for field in dataclasses.fields(State)
        if getattr(after, field.name) is not getattr(state, field.name)
    }
    assert changed - {"facts"} == set(kind.gives)


@pytest.mark.parametrize("kind", BUILTIN, ids=lambda kind: kind.name)
def test_a_pass_is_a_frozen_dataclass_whose_options_are_documented(kind: type[Pass]) -> None:
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert (kind.__doc__ or "").strip()
    assert all(field.metadata.get("help") for field in dataclasses.fields(kind))


def test_no_pass_changes_the_model_it_was_given() -> None:
    model = perceptron()
    before = to_proto(model).SerializeToString(deterministic=True)
    pipeline.run(parse(WHOLE), State(model))
    assert to_proto(model).SerializeToString(deterministic=True) == before


def test_fold_resolves_aliases_and_changes_nothing_else() -> None:
    folded = made(find("fold")().run(State(perceptron())).model, "model")
    assert [node.op for node in folded.graph.nodes] == ["Gemm", "Relu", "MatMul"]
    assert folded.graph.nodes[0].inputs[2].name == "b"


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("fold,score", "pass score needs the solution", "put it before score"),
        ("group", "pass group needs the model", "pass fold"),
        ("fold,group,select", "pass select needs the scores", "pass score makes it"),
        ("fold,group,cut", "pass cut needs the plan", "pass select or replay"),
        ("fold,group,score,probe", "pass probe needs the calibration", "pass calibrate makes it"),
        ("fold,group,score,select,cut,compensate", "needs the calibration", "put it before compensate"),
        ("fold,score,group", "pass score needs the solution", "put group before score"),
    ],
)
def test_a_pass_that_lacks_its_input_says_which_pass_makes_it(text: str, what: str, hint: str) -> None:
    with pytest.raises(Usage) as refused:
        pipeline.run(parse(text), State(perceptron()))
    assert what in refused.value.what
    assert hint in refused.value.hint


def test_a_pipeline_that_cannot_work_is_refused_before_its_first_pass() -> None:
    seen: list[Step] = []
    with pytest.raises(Usage):
        pipeline.run(parse("fold,group,cut"), State(perceptron()), [seen.append])
    assert not seen


def test_a_state_may_bring_what_a_pipeline_needs() -> None:
    half = pipeline.run(parse("fold,group"), State(perceptron()))
    assert pipeline.run([Spy()], half).facts == {"spy": len(made(half.solution, "solution").groups)}


def test_a_pass_run_by_hand_without_its_input_is_refused() -> None:
    with pytest.raises(Usage, match="the state has no solution"):
        Spy().run(State(perceptron()))


def test_hooks_see_every_pass_before_and_after() -> None:
    seen: list[Step] = []
    pipeline.run(parse("fold,group"), State(perceptron()), [seen.append])
    assert [(step.index, step.count, step.ran.name, step.seconds is None) for step in seen] == [
        (1, 2, "fold", True),
        (1, 2, "fold", False),
        (2, 2, "group", True),
        (2, 2, "group", False),
    ]
    assert [step.state.solution is None for step in seen] == [True, True, True, False]


def test_stop_after_runs_the_first_passes_only() -> None:
    assert show(pipeline.stop_after(parse(WHOLE), 2)) == "fold,group"
    for count in (0, 7, -1):
        with pytest.raises(Usage, match="6 passes"):
            pipeline.stop_after(parse(WHOLE), count)


def test_selecting_takes_the_options_that_choosing_has() -> None:
    mine = {field.name: field for field in dataclasses.fields(find("select"))}
    for field in dataclasses.fields(Choice):
        assert getattr(Select().choice(), field.name) == getattr(Choice(), field.name)
        assert field.name in mine


def test_scoring_offers_the_criteria_that_there_are() -> None:
    from graphprune.importance import CRITERIA, data, trials

    assert set(IMPORTANCES) == {"auto", *CRITERIA, *data.CRITERIA, *trials.CRITERIA}


@pytest.mark.parametrize("by", IMPORTANCES)
def test_every_importance_gives_every_unit_a_number(by: str) -> None:
    state = pipeline.run(parse(f"fold,group,calibrate{{data=random samples=32}},score{{by={by}}}"), START)
    values = made(state.scores, "scores").values
    for group in made(state.solution, "solution").groups:
        if group.prunable:
            assert values[group.name].shape == (group.size,)
            assert np.isfinite(values[group.name]).all()


def test_every_option_of_pruning_is_an_option_of_a_pass() -> None:
    from graphprune.options import options

    for targets in OPTIONS.values():
        for of, name in targets:
            assert name in {option.name for option in options(find(of))}


def test_the_options_of_pruning_reach_the_passes() -> None:
    from graphprune.options import Item

    chain = passes({"ratio": (Item("0.25"),), "importance": (Item("l1"),), "seed": (Item("7"),)})
    assert show(chain) == "fold,group,score{by=l1 seed=7},select{ratio=0.25},cut,verify{seed=7}"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"sparsify": "2:4"}, "select{round-to=4},cut,verify,sparsify{pattern=2:4}"),
        (
            {"sparsify": "1:2", "permute": "", "seed": "3", "round-to": "8"},
            "select{round-to=8},cut,verify{seed=3},permute{pattern=1:2 seed=3},sparsify{pattern=1:2}",
        ),
        (
            {"sparsify": "2:4", "permute": "true", "precision": "fp16"},
            "select{round-to=4},cut,verify,permute,sparsify{pattern=2:4},cast",
        ),
        ({"sparsify": "2:4", "permute": "no"}, "select{round-to=4},cut,verify,sparsify{pattern=2:4}"),
        ({"permute": "false"}, "select,cut,verify"),
    ],
    ids=str,
)
def test_the_order_is_surgery_then_order_of_channels_then_pattern_then_precision(
    options: dict[str, str], expected: str
) -> None:
    from graphprune.options import Item

    chain = passes({name: (Item(text),) if text else () for name, text in options.items()})
    assert show(chain).split(",score", 1)[1].split(",", 1)[1] == expected


@pytest.mark.parametrize(
    ("precision", "asked", "given"),
    [
        ("int8", "auto", "round-to=16"),
        ("int8", "32", "round-to=32"),
        ("fp16", "auto", "round-to=auto"),
        ("none", "auto", "round-to=auto"),
    ],
)
def test_before_a_model_is_quantised_auto_rounds_to_what_was_measured(
    precision: str, asked: str, given: str
) -> None:
    from graphprune.options import Item

    options = {"precision": precision, "round-to": asked, "data": "random"}
    chain = passes({name: (Item(text),) for name, text in options.items()})
    assert f"select{{{given}}}" in show(chain)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "calibrate,score,select,cut,verify,compensate"),
        ({"target": "macs=0.5x"}, "calibrate,score,probe,select,cut,verify,compensate"),
        ({"target": "macs=0.5x", "scope": "local"}, "calibrate,score,select,cut,verify,compensate"),
        ({"only": "layers"}, "calibrate,score,influence,select,cut,verify,compensate"),
        ({"only": "layers", "target": "macs=0.5x"}, "calibrate,score,probe,select,cut,verify,compensate"),
        ({"plan": "p.json"}, "calibrate,replay,cut,verify,compensate"),
    ],
    ids=str,
)
def test_calibration_data_brings_in_the_passes_that_use_it(options: dict[str, str], expected: str) -> None:
    from graphprune.options import Item

    chain = passes({"data": (Item("random"),), **{name: (Item(text),) for name, text in options.items()}})
    assert ",".join(one.name for one in chain) == "fold,group," + expected


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"rato": 0.5}, "pruning has no option rato"),
        ({"ratio": "half"}, "ratio is 'half'"),
        ({"ratio": 1.5}, "ratio is 1.5"),
        ({"verify": False, "rtol": 1e-3}, "rtol has no effect here"),
        ({"only": ["chanels"]}, "only is 'chanels'"),
        ({"permute": True}, "permute has no effect here"),
        ({"permute": "perhaps", "sparsify": "2:4"}, "permute is 'perhaps'"),
    ],
)
def test_python_refuses_a_wrong_option_in_the_words_of_the_command_line(
    options: dict[str, Any], what: str
) -> None:
    with pytest.raises(Usage, match=what):
        graphprune.prune(perceptron(), **options)


def test_pruning_in_python_is_the_pipeline_of_the_same_options() -> None:
    one = graphprune.prune(perceptron(), ratio=0.5, importance="l1", ignore=["last"], ratio_for={"w": 0.25})
    text = "fold,group,score{by=l1},select{ratio=0.25},cut,verify"
    other = graphprune.run(perceptron(), text)
    results = [to_proto(state.result).SerializeToString(deterministic=True) for state in (one, other)]
    assert results[0] == results[1]
    assert [len(index) for index in made(one.plan, "plan").keep.values()] == [12]


def test_the_functions_of_the_package_are_not_the_modules_they_live_in() -> None:
    graphprune.prune(perceptron(), verify=True)
    for name in graphprune.__all__:
        assert callable(getattr(graphprune, name)), name


def test_nothing_pruned_is_refused_unless_allowed() -> None:
    with pytest.raises(Refused, match="nothing was pruned"):
        graphprune.prune(perceptron(), ratio=0.01)
    with pytest.raises(Refused, match="nothing can be pruned"):
        graphprune.prune(perceptron(), only=("heads",))
    for options in ({"ratio": 0.01}, {"only": ("heads",)}):
        state = graphprune.prune(perceptron(), allow_noop=True, **options)
        assert not made(state.plan, "plan").keep
        assert made(state.verification, "verification").passed


@dataclass(frozen=True)
class Spoil:
    """Makes one weight of the cut model wrong."""

    name: ClassVar[str] = "spoil"
    needs: ClassVar[tuple[str, ...]] = ("cut",)
    gives: ClassVar[tuple[str, ...]] = ("cut",)

    def run(self, state: State) -> State:
        cut = made(state.cut, "cut")
        graph = cut.model.graph.copy()
        weight = graph.nodes[-1].inputs[1]
        weight.values = weight.values * np.float32(1.01)
        return replace(state, cut=replace(cut, model=replace(cut.model, graph=graph)))


@pytest.mark.parametrize("tolerance", ["", "{rtol=0.02}"])
def test_a_model_that_is_not_exact_is_refused_and_no_tolerance_of_numbers_forgives_a_weight(
    tolerance: str,
) -> None:
    chain = [*parse("fold,group,score,select,cut"), Spoil(), *parse(f"verify{tolerance}")]
    with pytest.raises(Negative, match=r"weight v\[0, 0\] is .*, it should be"):
        pipeline.run(chain, State(perceptron()))
