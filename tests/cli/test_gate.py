"""gate says with its exit code whether a model may ship."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graphprune.gate.evidence import write_evidence
from tests.gate.classifier import change_weight, write_classifier, write_samples
from tests.gate.evidence import evidence, timing

CONFIG = """version = 1

[gate]
original = "model.onnx"
candidate = "small.onnx"
plan = "plan.json"
data = "val.npz"
duration = "0.05s"
rounds = 6

[[gate.assert]]
metric = "params"
max-ratio = 0.6

[[gate.assert]]
metric = "accuracy.top1"
max-drop = "2%"

[[gate.assert]]
metric = "latency.p50"
max = "10s"
"""


@pytest.fixture
def folder(tmp_path: Path, call: Any) -> Path:
    """A folder with a model, a pruned one, its plan and record, data, and a config."""
    write_classifier(tmp_path / "model.onnx")
    write_samples(tmp_path / "val.npz")
    call("prune model.onnx -o small.onnx --save-plan plan.json --save-run prune.json -q")
    (tmp_path / "graphprune.toml").write_text(CONFIG)
    return tmp_path


def findings(out: str) -> dict[str, str]:
    return {each["assertion"]["metric"]: each["status"] for each in json.loads(out)["findings"]}


def test_the_gate_of_a_config_passes(folder: Path, call: Any) -> None:
    code, out, err = call("gate")
    assert (code, err) == (0, "")
    assert "gate passed" in out
    code, out, _ = call("gate --output-format json")
    assert (code, findings(out)) == (
        0,
        {"params": "pass", "accuracy.top1": "pass", "latency.p50": "pass", "exact": "pass"},
    )


def test_a_broken_budget_exits_with_1_and_names_its_line(folder: Path, call: Any) -> None:
    (folder / "graphprune.toml").write_text(CONFIG.replace("0.6", "0.1"))
    code, out, err = call("gate --only params")
    assert (code, err) == (1, "")
    assert "graphprune.toml:13" in out
    assert call("gate --only params --warn-only")[0] == 0


def test_a_budget_of_the_command_line_takes_the_place_of_the_same_in_the_file(
    folder: Path, call: Any
) -> None:
    assert call("gate --only params --assert params.ratio<=0.1")[0] == 1
    assert call("gate --only params")[0] == 0


def test_a_corrupted_candidate_fails_by_the_plan_and_by_the_record(folder: Path, call: Any) -> None:
    name = change_weight(folder / "small.onnx", folder / "bad.onnx")
    code, out, _ = call("gate model.onnx bad.onnx --only params")
    assert code == 1
    assert f"weight {name}[" in out
    assert "graphprune.toml:6" in out
    code, out, _ = call("gate model.onnx bad.onnx --no-config --run prune.json --assert size.ratio<=1")
    assert code == 1
    assert "prune.json" in out


def test_what_was_measured_gives_the_same_findings_again(folder: Path, call: Any) -> None:
    first = call("gate --save-evidence evidence.json --save-run run.json --output-format json")[1]
    (folder / "val.npz").unlink()
    (folder / "model.onnx").unlink()
    (folder / "small.onnx").unlink()
    for result in ("evidence.json", "run.json"):
        code, out, err = call(f"gate --from {result} --output-format json")
        assert (code, err) == (0, "")
        assert json.loads(out)["findings"] == json.loads(first)["findings"]
        assert json.loads(out)["classes"] == json.loads(first)["classes"]


def test_a_saved_profile_is_judged_without_models(folder: Path, call: Any) -> None:
    call("profile model.onnx small.onnx --export-json profile.json --duration 0.05s --rounds 6 -q")
    (folder / "model.onnx").unlink()
    (folder / "small.onnx").unlink()
    code, out, _ = call("gate --from profile.json --output-format json")
    assert (code, findings(out)) == (
        0,
        {"params": "skipped", "accuracy.top1": "skipped", "latency.p50": "pass"},
    )
    code, out, err = call("gate --from profile.json --candidate other.onnx")
    assert (code, out) == (2, "")
    assert err.startswith("error: 'profile.json' holds no model called 'other.onnx'")


def test_every_format_goes_to_a_file_of_its_own(folder: Path, call: Any) -> None:
    exports = "--export markdown=gate.md --export github=gate.txt --export json=gate.json"
    code, out, err = call(f"gate --only params --output-format junit -o gate.xml {exports}")
    assert (code, err) == (0, "")
    assert "gate passed" in out
    assert (folder / "gate.xml").read_text().startswith("<testsuites")
    assert findings((folder / "gate.json").read_text())["params"] == "pass"
    assert all((folder / name).stat().st_size for name in ("gate.md", "gate.txt"))
    code, _, err = call("gate --only params --export json=gate.json")
    assert (code, "gate.json exists" in err) == (2, True)
    assert call("gate --only params --export json=gate.json --force")[0] == 0
    code, out, _ = call("gate --only params -o gate.text")
    assert (folder / "gate.text").read_text().splitlines()[0].startswith("gate passed")


@pytest.mark.parametrize(("choice", "expected"), [("warn", 0), ("fail", 1), ("exit", 5)])
def test_what_is_undecided_exits_as_chosen(tmp_path: Path, call: Any, choice: str, expected: int) -> None:
    write_evidence(evidence(timing(jitter=0.05)), tmp_path / "evidence.json")
    line = f"gate --from evidence.json --assert p50.ratio<=0.705 --inconclusive {choice}"
    code, out, _ = call(line)
    assert code == expected
    assert "more" in " ".join(out.split())


def test_nothing_that_could_be_judged_exits_with_5(folder: Path, call: Any) -> None:
    code, out, _ = call("gate --no-config model.onnx small.onnx --assert latency.p50<=1s@nothing")
    assert code == 5
    assert "nothing could be judged" in out


def test_a_dry_run_says_what_would_be_judged_and_measures_nothing(folder: Path, call: Any) -> None:
    (folder / "val.npz").unlink()
    code, out, err = call("gate --dry-run")
    assert (code, err) == (0, "")
    assert "graphprune.toml:13" in out
    budgets = json.loads(call("gate --dry-run --output-format json")[1])["budgets"]
    assert [each["metric"] for each in budgets] == ["params", "accuracy.top1", "latency.p50", "exact"]


REFUSED = {
    "gate --no-config model.onnx small.onnx": "nothing to judge by",
    "gate --no-config model.onnx --assert size<=1": "one model is named",
    "gate --no-config --assert size<=1": "the original is not named",
    "gate --no-config model.onnx small.onnx --assert sise<=1": "there is no metric 'sise'",
    "gate --no-config model.onnx small.onnx --assert latency.p50<=1": "has no unit",
    "gate --no-config model.onnx small.onnx --assert top1>=0.5": "needs labelled data",
    "gate --only macs": "selects no assertion",
    "gate --export pdf=gate.pdf": "there is no format 'pdf'",
    "gate --export gate.xml": "--export is 'gate.xml'",
    "gate -o a.json --export json=a.json": "named twice",
    "gate -o nowhere/a.json": "no folder",
    "gate --duration soon": "soon",
    "gate --batch 0": "--batch",
    "gate --backend cpu": "cpu",
}


@pytest.mark.parametrize(("line", "what"), REFUSED.items(), ids=REFUSED)
def test_wrong_usage_is_refused_in_two_lines(folder: Path, call: Any, line: str, what: str) -> None:
    code, out, err = call(line)
    assert (code, out) == (2, "")
    lines = err.strip().splitlines()
    assert what in lines[0]
    assert [line.split(":")[0] for line in lines] == ["error", "hint"]


def test_the_line_of_a_bad_config_is_named(folder: Path, call: Any) -> None:
    (folder / "graphprune.toml").write_text(CONFIG.replace("max-drop", "max-dorp"))
    code, _, err = call("gate")
    assert code == 2
    assert err.splitlines() == [
        "error: graphprune.toml:17: an assertion has no key 'max-dorp'",
        "hint: did you mean max-drop?",
    ]
