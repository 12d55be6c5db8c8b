"""doctor tries out what is there."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest

import graphprune
from graphprune.backends import BACKENDS
from graphprune.cli.doctor_latency import demand_same, findings_of
from graphprune.errors import Negative
from graphprune.profiling.null_test import judged
from graphprune.profiling.result import Batch
from tests.profiling.profiles import profile, timed

PACKAGES = {"trt": ("tensorrt",), "trt-rtx": ("tensorrt_rtx",)}


def found(out: str) -> dict[str, str]:
    return {finding["subject"]: finding["found"] for finding in json.loads(out)["findings"]}


def test_doctor_runs_a_session(call: Any) -> None:
    code, out, err = call("doctor --output-format json")
    assert (code, err) == (0, "")
    assert found(out)["ort:cpu"].startswith("runs on ")
    assert found(out)["onnx"] == onnx.__version__
    assert found(out)["telemetry"] == "off"


def test_doctor_says_that_telemetry_is_on_where_onnx_runtime_came_first(
    call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphprune, "telemetry_off", False)
    code, _, err = call("doctor")
    assert (code, "telemetry: onnxruntime was imported before graphprune" in err) == (4, True)


def test_doctor_says_of_every_backend_whether_it_is_here(call: Any) -> None:
    findings = found(call("doctor --output-format json")[1])
    assert set(BACKENDS) <= set(findings)
    assert all(findings[name].startswith(("runs on ", "finds ", "not here: ")) for name in BACKENDS)


@pytest.mark.parametrize("name", BACKENDS)
def test_doctor_exits_with_4_exactly_where_a_required_backend_does_not_run(call: Any, name: str) -> None:
    if any(importlib.util.find_spec(package) for package in PACKAGES.get(name, ())):
        pytest.skip("it is installed: a build takes long, and the folder of engines is the user's")
    code, out, err = call(f"doctor --require {name} --output-format json")
    runs = found(out)[name].startswith("runs on ")
    assert code == (0 if runs else 4)
    assert runs or err.startswith(f"error: {name}: ")
    assert len(err.strip().splitlines()) == (0 if runs else 2)


@pytest.mark.parametrize(
    ("line", "what", "hint"),
    [
        ("doctor --require ort:gpu", "there is no backend ort:gpu", "did you mean"),
        ("doctor --null-test model.onnx --backend cpu", "there is no backend cpu", ""),
        ("doctor --null-test none.onnx", "none.onnx", "path"),
        ("doctor --null-test model.onnx --duration soon", "--duration is 'soon'", "3s"),
        ("doctor --null-test model.onnx --shape z:1x8", "no input z", "x"),
        ("doctor --duration 3s", "--null-test", "name its model"),
    ],
)
def test_what_cannot_be_done_is_refused(model: Path, call: Any, line: str, what: str, hint: str) -> None:
    code, out, err = call(line)
    assert (code, out) == (2, "")
    error, advice = err.strip().splitlines()
    assert what in error
    assert hint in advice


def test_the_null_test_shows_the_noise_floor_and_what_was_found(model: Path, call: Any) -> None:
    # On a disturbed machine a short one may find a difference: what is shown must agree with the exit code.
    code, out, err = call("doctor --null-test model.onnx --duration 100ms --output-format json")
    tested = json.loads(out)["null_test"]
    assert tested["finding"] in {"same", "inconclusive", "different"}
    assert (code == 1) == (tested["finding"] == "different") == bool(err)
    assert tested["low"] <= tested["ratio"] <= tested["high"]
    assert tested["noise_floor"] == max(abs(tested["low"] - 1), abs(tested["high"] - 1))
    assert tested["rounds"] >= 6
    code, out, err = call("doctor --null-test model.onnx --duration 100ms")
    assert "noise floor" in out
    assert code in {0, 1}


@pytest.mark.parametrize(
    ("slower", "finding"), [(1.0, "same"), (1.05, "different"), (0.9, "different"), (1.0201, "inconclusive")]
)
def test_the_null_test_fails_where_a_model_is_told_from_itself(slower: float, finding: str) -> None:
    model = timed("model.onnx", 10.0)
    again = replace(model, blocks=tuple(tuple(time * slower for time in block) for block in model.blocks))
    if finding == "inconclusive":
        half = len(model.blocks) // 2
        again = replace(again, blocks=(*again.blocks[:half], *model.blocks[half:]))
    tested = judged(profile(Batch(1, {}, (model, again))))
    assert findings_of(tested)["finding"] == finding
    if finding != "different":
        demand_same(tested)
        return
    with pytest.raises(Negative, match=f"below {100 * abs(slower - 1):.1f} %"):
        demand_same(tested)
