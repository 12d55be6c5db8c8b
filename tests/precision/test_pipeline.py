"""Precision in the pipeline, in the record, and on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from graphprune.cli import main
from graphprune.errors import Refused, Usage
from graphprune.model import from_proto, load
from graphprune.options import Item
from graphprune.pipeline_text import parse
from graphprune.pruning import passes, prune, run
from graphprune.record import record
from tests.calibrated import normal
from tests.networks.fill import fill
from tests.precision import networks


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    onnx.save(fill(networks.CONVOLUTIONS), tmp_path / "m.onnx")  # pyright: ignore[reportUnknownMemberType]
    np.savez(tmp_path / "calib.npz", x=normal(64, 3, 8, 8))
    return tmp_path / "m.onnx", tmp_path / "calib.npz"


@pytest.mark.parametrize("precision", ["fp16", "bf16", "int8"])
def test_pruning_and_precision_are_one_pipeline(files: tuple[Path, Path], precision: str) -> None:
    model, calib = files
    state = prune(model, ratio=0.5, data=str(calib), precision=precision)
    name = "quantise" if precision == "int8" else "cast"
    assert [each for each, _ in state.stages or ()] == [name]
    assert state.result is state.refined
    facts = state.facts[name]
    assert isinstance(facts, dict)
    assert 0 < facts["output_error"] < 0.05
    assert 0.8 <= facts["agreement"] <= 1
    assert state.verification is not None
    assert state.verification.passed


def test_the_record_shows_each_stage(files: tuple[Path, Path]) -> None:
    model, calib = files
    text = f"fold,group,calibrate{{data={calib}}},score,select{{ratio=0.5}},cut,verify"
    state = run(model, f"{text},quantise")
    found = record(parse(f"{text},quantise"), state).to_dict()
    stages = found["stages"]
    assert isinstance(stages, tuple)
    assert [each["name"] for each in stages] == ["original", "cut", "quantise"]
    original, cut, quantised = stages
    assert original["bytes"] > cut["bytes"] > quantised["bytes"]
    assert original["params"] > cut["params"] == quantised["params"]
    assert original["macs"] > cut["macs"] == quantised["macs"]
    after = found["after"]
    assert isinstance(after, dict)
    assert after["bytes"] == quantised["bytes"]


def test_without_precision_there_are_no_stages(files: tuple[Path, Path]) -> None:
    state = prune(files[0], ratio=0.5)
    assert record((), state).stages == ()


def test_a_model_is_cast_without_being_pruned(files: tuple[Path, Path]) -> None:
    state = run(files[0], "cast{to=fp16}")
    assert [(s.name, s.macs) for s in record((), state).stages] == [("original", None), ("cast", None)]
    first, last = (stage.bytes for stage in record((), state).stages)
    assert last == first / 2


def test_the_command_writes_what_it_shows(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, calib = files
    output = tmp_path / "s.onnx"
    arguments = ["prune", str(model), "-o", str(output), "--data", str(calib), "--precision", "int8"]
    assert main(arguments) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "quantise" in shown
    assert "In int8: the same class on" in shown
    assert {"QuantizeLinear", "DequantizeLinear"} <= {node.op for node in load(output).graph.nodes}
    assert main([*arguments, "--force", "--output-format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["facts"]["quantise"]["quantised"] > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "int8"}, "int8 needs calibration data"),
        ({"precision": "fp8"}, "precision is 'fp8'"),
    ],
)
def test_precisions_that_cannot_be_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(Usage, match=message):
        passes({name: (Item(text),) for name, text in options.items()})


def test_a_plan_has_no_precision() -> None:
    with pytest.raises(Usage, match="--precision has no effect here"):
        passes({"precision": (Item("fp16"),)}, "plan")


def test_a_model_is_not_quantised_twice(files: tuple[Path, Path]) -> None:
    model, calib = files
    with pytest.raises(Refused, match="quantised already"):
        run(model, f"fold,calibrate{{data={calib}}},quantise,quantise")


def test_quantisation_says_what_gives_it_data(files: tuple[Path, Path]) -> None:
    with pytest.raises(Usage, match="calibrat"):
        run(files[0], "fold,quantise")


def test_weights_are_readable_when_the_quantizer_is_gone(files: tuple[Path, Path]) -> None:
    model, calib = files
    state = run(model, f"fold,calibrate{{data={calib}}},quantise")
    again = prune(state.result, ratio=0.5)
    assert again.verification is not None
    assert again.verification.passed


def test_what_cannot_be_cast_is_refused() -> None:
    text = "g (int64[n, 6] x) => (int64[n, 6] y) <int64[6] w> { y = Add (x, w) }"
    with pytest.raises(Refused, match="no operator can be cast to fp16"):
        run(from_proto(fill(text)), "cast{to=fp16}")
