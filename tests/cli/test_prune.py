"""prune writes the smaller model, and says what was done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest


def test_prune_writes_the_smaller_model_and_says_what_was_done(model: Path, call: Any) -> None:
    code, out, err = call("prune model.onnx -o out.onnx --ratio 0.25")
    assert (code, err) == (0, "")
    weights = {tensor.name: tuple(tensor.dims) for tensor in onnx.load("out.onnx").graph.initializer}
    assert weights == {"w": (8, 12), "b": (12,), "v": (12, 3)}
    lines = out.splitlines()
    assert "Latency was not measured" in lines[0]
    assert any(line.split() == ["parameters", "192", "144", "75.0", "%"] for line in lines)
    assert any(line.split() == ["units", "16", "12", "75.0", "%"] for line in lines)
    assert "Groups pruned: 1 of 1 found" in out
    assert "Exactness: exact" in out
    assert all(len(line) <= 100 for line in lines)


def test_the_record_in_json_holds_the_same_figures(model: Path, call: Any) -> None:
    code, out, _ = call("prune model.onnx -o out.onnx --ratio 0.25 --output-format json")
    record = json.loads(out)
    assert code == 0
    assert record["version"] == 1
    assert record["pipeline"] == "fold,group,score,select{ratio=0.25},cut,verify"
    assert record["before"] == {"params": 192, "macs": 176, "bytes": 768, "units": 16}
    assert record["after"]["params"] == 144
    assert record["changes"] == [
        {"name": record["changes"][0]["name"], "kind": "neurons", "before": 16, "after": 12, "mixed": ""}
    ]
    assert record["verification"]["passed"]
    assert record["verification"]["distance"] < 1e-6
    assert len(record["verification"]["shapes"]) == 2
    assert [step["pass"] for step in record["seconds"]] == [
        "fold",
        "group",
        "score",
        "select",
        "cut",
        "verify",
    ]


def test_prune_and_the_pipeline_it_stands_for_write_the_same_bytes(model: Path, call: Any) -> None:
    assert call("prune model.onnx -o one.onnx --importance l1 --round-to 4")[0] == 0
    assert call("run model.onnx -o two.onnx -p fold,group,score{by=l1},select{round-to=4},cut,verify")[0] == 0
    assert Path("one.onnx").read_bytes() == Path("two.onnx").read_bytes()


def test_a_plan_replays_to_the_same_bytes(model: Path, call: Any) -> None:
    assert call("prune model.onnx -o one.onnx --save-plan plan.json --importance random --seed 5")[0] == 0
    assert call("prune model.onnx --plan-only same.json --importance random --seed 5")[0] == 0
    assert call("prune model.onnx -o two.onnx --plan plan.json")[0] == 0
    assert Path("plan.json").read_bytes() == Path("same.json").read_bytes()
    assert Path("one.onnx").read_bytes() == Path("two.onnx").read_bytes()


def test_a_plan_of_another_model_is_refused(model: Path, call: Any) -> None:
    plan = {"version": 1, "groups": {"head": {"units": 4, "keep": [0]}}, "layers": []}
    Path("plan.json").write_text(json.dumps(plan))
    code, _, err = call("prune model.onnx -o out.onnx --plan plan.json")
    assert code == 2
    assert "there is no group 'head'" in err
    assert not Path("out.onnx").exists()


@pytest.mark.parametrize("option", ["--shape x:5x8", "--shape 5,8", "--shapes x:[5,8]", "--optShapes=x:5x8"])
def test_a_shape_is_used_in_whatever_way_it_is_spelled(option: str, model: Path, call: Any) -> None:
    _, out, _ = call(f"prune model.onnx -o out.onnx --output-format json {option}")
    assert json.loads(out)["verification"]["shapes"] == ["x:5x8"]


def test_dry_run_writes_nothing(model: Path, call: Any) -> None:
    code, out, _ = call("prune model.onnx -o out.onnx --save-plan plan.json --dry-run")
    assert code == 0
    assert "Nothing was written." in out
    assert "not verified" in out
    assert [path.name for path in Path().iterdir()] == ["model.onnx"]


def test_allow_noop_writes_the_model_as_it_was(model: Path, call: Any) -> None:
    code, out, _ = call("prune model.onnx -o out.onnx --ratio 0 --allow-noop")
    assert code == 0
    assert "Groups pruned: 0 of 1 found" in out
    before, after = onnx.load("model.onnx"), onnx.load("out.onnx")
    assert [node.op_type for node in before.graph.node] == [node.op_type for node in after.graph.node]


def test_quiet_prints_nothing_and_verbose_says_what_is_done(model: Path, call: Any) -> None:
    assert call("prune model.onnx -o one.onnx -q") == (0, "", "")
    code, out, err = call("prune model.onnx -o two.onnx -v")
    assert (code, "parameters" in out) == (0, True)
    assert [line.split()[1] for line in err.splitlines()] == [
        "fold:",
        "group:",
        "score:",
        "select:",
        "cut:",
        "verify:",
    ]
