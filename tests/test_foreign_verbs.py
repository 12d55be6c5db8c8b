"""What the verbs answer to a model with an operator that ONNX Runtime does not have."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from graphprune.cli import main
from tests.test_foreign_operators import CASES, build


@pytest.fixture
def model(tmp_path: Path) -> Path:
    onnx.save(build(CASES["in the middle"][0]), tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


@pytest.fixture
def pruned(model: Path) -> Path:
    out = model.with_name("o.onnx")
    assert main(["prune", str(model), "-o", str(out), "--save-plan", f"{out}.json", "-q"]) == 0
    return out


def test_the_result_names_what_was_not_run(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prune", str(model), "-o", str(model.with_name("o.onnx"))]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Not run, since ONNX Runtime does not have them: Attention 'd'" in said


def test_verify_and_gate_judge_around_it(model: Path, pruned: Path) -> None:
    assert main(["verify", str(model), str(pruned), "--plan", f"{pruned}.json", "-q"]) == 0
    assert main(["verify", str(model), str(model), "-q"]) == 0
    limits = ["--assert", "params.ratio<=0.9", "-q"]
    assert main(["gate", str(model), str(pruned), "--plan", f"{pruned}.json", *limits]) == 0
    broken = onnx.load(pruned)
    broken.graph.initializer[-1].raw_data = bytes(len(broken.graph.initializer[-1].raw_data))
    onnx.save(broken, pruned)
    assert main(["verify", str(model), str(pruned), "--plan", f"{pruned}.json", "-q"]) == 1
    assert main(["gate", str(model), str(pruned), "--plan", f"{pruned}.json", *limits]) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["profile", "{}", "--duration", "0.2s"],
        ["sensitivity", "{}", "--data", "random"],
        ["prune", "{}", "-o", "{}.o.onnx", "--data", "random"],
        ["prune", "{}", "-o", "{}.o.onnx", "--precision", "fp16"],
    ],
    ids=["profile", "sensitivity", "calibration", "precision"],
)
def test_what_needs_the_whole_model_says_what_is_missing(
    words: list[str], model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word.format(model) for word in words]) == 3
    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith("error: ") and "ONNX Runtime has no acme.Attention" in line for line in lines)
    assert any("--custom-ops" in line for line in lines)


def test_inspect_shows_why_the_operator_pins(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(model)]) == 0
    assert "ONNX Runtime has no" in capsys.readouterr().out
