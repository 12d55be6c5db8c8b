"""verify says yes or no."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx


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


def test_an_infinite_difference_is_shown_in_json_too(model: Path, call: Any) -> None:
    proto = onnx.load("model.onnx")
    weight = onnx.numpy_helper.to_array(proto.graph.initializer[2]) * np.float32(np.inf)
    proto.graph.initializer[2].CopyFrom(onnx.numpy_helper.from_array(weight, "v"))
    onnx.save(proto, "broken.onnx")
    code, out, _ = call("verify model.onnx broken.onnx --output-format json")
    assert code == 1
    assert json.loads(out)["verification"]["distance"] == "inf"
