"""inspect draws the groups across the graph, and writes node data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.perceptron import write_model


def test_the_map_shows_what_a_plan_leaves_of_each_group(model: Path, call: Any) -> None:
    assert call("prune model.onnx --plan-only plan.json -q")[0] == 0
    code, out, _ = call("inspect model.onnx --show map --plan plan.json")
    assert code == 0
    assert any(line.split() == ["first", "neurons", "16", "8", "▒▒"] for line in out.splitlines())
    _, out, _ = call("inspect model.onnx --show map")
    assert any(line.split() == ["first", "neurons", "16", "██"] for line in out.splitlines())


def test_node_data_are_written_and_their_use_is_told(model: Path, call: Any, tmp_path: Path) -> None:
    call("prune model.onnx --plan-only plan.json -q")
    code, out, _ = call("inspect model.onnx --plan plan.json --node-data seen/here")
    assert code == 0
    assert "--node_data_paths=$(echo seen/here/*.json | tr ' ' ,)" in out
    written = sorted(path.name for path in (tmp_path / "seen/here").iterdir())
    assert written == [
        "groups.json",
        "kept.json",
        "macs-removed.json",
        "macs.json",
        "parameters-removed.json",
        "parameters.json",
    ]
    kept = json.loads((tmp_path / "seen/here/kept.json").read_text(encoding="utf-8"))
    assert {key: each["value"] for key, each in kept["g"]["results"].items()} == {"first": 0.5, "node": 0.5}
    code, _, err = call("inspect model.onnx --node-data seen/here")
    assert (code, "exists" in err, "--force" in err) == (2, True, True)
    code, out, _ = call("inspect model.onnx --node-data seen/here --force --output-format json")
    assert sorted(Path(path).name for path in json.loads(out)["node_data"]) == [
        "groups.json",
        "macs.json",
        "parameters.json",
    ]


def test_node_data_have_the_times_of_a_profile(model: Path, call: Any, tmp_path: Path) -> None:
    call("prune model.onnx -o small.onnx -q")
    times = "--duration 50ms --warmup 0 --rounds 6 --per-layer --export-json times.json -q"
    assert call(f"profile model.onnx small.onnx {times}")[0] == 0
    assert call("inspect model.onnx --node-data seen --profile times.json")[0] == 0
    found = {
        name: json.loads((tmp_path / "seen" / f"{name}.json").read_text(encoding="utf-8"))["g"]["results"]
        for name in ("latency", "latency-after", "latency-saved")
    }
    assert set(found["latency"]) <= {"first", "node", "last"}
    for key, each in found["latency-saved"].items():
        before, after = (
            found[name].get(key, {"value": 0.0})["value"] for name in ("latency", "latency-after")
        )
        assert each["value"] == pytest.approx(before - after, abs=2e-3)
    assert sum(each["value"] for each in found["latency"].values()) > 0


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("inspect model.onnx --plan plan.json", "--plan tells the map and node data what stays"),
        ("inspect model.onnx --profile times.json", "--profile tells node data what takes how long"),
        ("inspect model.onnx --node-data model.onnx", "there can be no folder model.onnx"),
        ("inspect other.onnx --show map --plan plan.json", "the plan does not fit the model"),
        ("inspect model.onnx --node-data seen --profile times.json", "no such file"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    line: str, complaint: str, model: Path, call: Any, tmp_path: Path
) -> None:
    call("prune model.onnx --plan-only plan.json -q")
    write_model(tmp_path / "other.onnx")
    (tmp_path / "other.onnx").write_bytes((tmp_path / "other.onnx").read_bytes().replace(b"first", b"other"))
    code, out, err = call(line)
    assert code in (2, 4)
    assert complaint in err
    assert out == ""
