"""verify says yes or no."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from tests.gate.classifier import change_weight, rename_weights


def test_verify_with_the_plan_says_yes_and_without_it_no(model: Path, call: Any) -> None:
    call("prune model.onnx -o out.onnx --save-plan plan.json")
    code, out, err = call("verify model.onnx out.onnx --plan plan.json")
    assert (code, err) == (0, "")
    assert "equal" in out
    code, out, err = call("verify model.onnx out.onnx --output-format json")
    assert code == 1
    assert json.loads(out)["verification"]["passed"] is False
    assert err.startswith("error: output y differs from model.onnx")


def test_verify_finds_a_model_that_the_plan_does_not_explain(model: Path, call: Any) -> None:
    call("prune model.onnx -o out.onnx --save-plan plan.json")
    call("prune model.onnx -o other.onnx --importance random --seed 3")
    assert call("verify model.onnx other.onnx --plan plan.json")[0] == 1


def test_a_last_digit_of_a_weight_is_named_with_the_plan_whatever_the_weight_is_called(
    model: Path, call: Any
) -> None:
    call("prune model.onnx -o out.onnx --save-plan plan.json")
    rename_weights(Path("out.onnx"), Path("renamed.onnx"))
    assert call("verify model.onnx renamed.onnx --plan plan.json")[0] == 0
    name = change_weight(Path("renamed.onnx"), Path("bad.onnx"), by=1.000001)
    code, out, err = call("verify model.onnx bad.onnx --plan plan.json")
    assert (code, out) == (1, "")
    assert f"weight {name}[" in err and err.count("\n") == 2


def test_what_is_computed_by_other_operators_is_compared_by_numbers_and_said(model: Path, call: Any) -> None:
    call("prune model.onnx -o out.onnx --save-plan plan.json")
    proto = onnx.load("out.onnx")
    last = proto.graph.node[-1]
    last.output[0] = "before"
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(1), "one"))
    proto.graph.node.append(onnx.helper.make_node("Mul", ["before", "one"], ["y"]))
    onnx.save(proto, "other.onnx")
    code, out, err = call("verify model.onnx other.onnx --plan plan.json")
    assert (code, err) == (0, "")
    assert "not compared as weights" in out and "no counterpart" in out
    found = json.loads(call("verify model.onnx other.onnx --plan plan.json --output-format json")[1])
    assert "no counterpart" in found["left_out"]


def test_an_infinite_difference_is_shown_in_json_too(model: Path, call: Any) -> None:
    proto = onnx.load("model.onnx")
    weight = onnx.numpy_helper.to_array(proto.graph.initializer[2]) * np.float32(np.inf)
    proto.graph.initializer[2].CopyFrom(onnx.numpy_helper.from_array(weight, "v"))
    onnx.save(proto, "broken.onnx")
    code, out, _ = call("verify model.onnx broken.onnx --output-format json")
    assert code == 1
    assert json.loads(out)["verification"]["distance"] == "inf"


def test_data_judges_a_pruned_model_beside_the_original(model: Path, call: Any) -> None:
    call("prune model.onnx -o out.onnx --ratio 0.25")
    inputs = onnx.load("model.onnx").graph.input[0]
    width = inputs.type.tensor_type.shape.dim[1].dim_value
    draw = np.random.default_rng(0)
    x = draw.normal(size=(64, width)).astype(np.float32)
    np.savez("val.npz", **{inputs.name: x, "labels": draw.integers(0, 3, 64)})
    code, out, err = call("verify model.onnx out.onnx --data val.npz --metric top1,agreement,cosine")
    assert (code, err) == (0, "")
    assert all(name in out for name in ("top1", "agreement", "cosine"))

    def agreement(other: str) -> float:
        line = f"verify model.onnx {other} --data val.npz --metric agreement --output-format json"
        return float(json.loads(call(line)[1])["scores"]["agreement"]["value"])

    assert 0 < agreement("out.onnx") < 1
    assert agreement("model.onnx") == 1


def test_a_plan_and_data_together_are_one_result(model: Path, call: Any) -> None:
    call("prune model.onnx -o out.onnx --ratio 0.25 --save-plan plan.json")
    given = onnx.load("model.onnx").graph.input[0]
    sizes = (16, given.type.tensor_type.shape.dim[1].dim_value)
    np.savez("val.npz", **{given.name: np.random.default_rng(0).standard_normal(sizes, np.float32)})
    line = "verify model.onnx out.onnx --plan plan.json --data val.npz"
    code, out, _ = call(f"{line} --output-format json")
    found = json.loads(out)
    assert code == 0 and found["verification"]["passed"] and "cosine" in found["scores"]
    code, out, _ = call(line)
    assert code == 0 and out.index("cosine") < out.index("with the removed units masked")


def test_data_that_does_not_fit_is_refused_in_two_lines(model: Path, call: Any) -> None:
    np.savez("bad.npz", nothing=np.zeros((4, 3), np.float32), other=np.zeros(4))
    wrong = ("bad.npz", "none.npz", "random --metric topp1", "random --output 9", "random --metric top1")
    for options in wrong:
        code, out, err = call(f"verify model.onnx model.onnx --data {options}")
        assert (code, out) == (2, ""), options
        assert len(err.strip().splitlines()) >= 2, options


def test_without_a_plan_a_smaller_model_is_not_told_to_widen_tolerances(model: Path, call: Any) -> None:
    assert call("prune model.onnx -o small.onnx")[0] == 0
    code, _, err = call("verify model.onnx small.onnx")
    assert code == 1
    assert "--plan" in err.splitlines()[-1]
    assert "--rtol" not in err
    assert "--rtol" in call("verify small.onnx model.onnx")[2]
