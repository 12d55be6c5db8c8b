"""Pruning on data, from the command line to the file: what is said is what was written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from graphprune.cli import main
from graphprune.model import load
from graphprune.runtime import run, session
from tests.networks.fill import fill

# Inputs of rank 4 in 16 dimensions, so that the hidden units say much the same.
TEXT = """g (float[n, 16] x) => (float[n, 4] y)
    <float[16, 24] w0, float[24, 16] v0, float[16, 24] w1, float[24] b1, float[24, 16] v1, float[16, 4] last,
     float small = {0.05}>
    { first = MatMul(x, w0) a = Relu(first) a1 = MatMul(a, v0) a2 = Add(x, a1)
      second = Gemm(a2, w1, b1) b = Relu(second) b1_ = MatMul(b, v1) b2 = Mul(b1_, small)
      [faint] b3 = Add(a2, b2)
      y = MatMul(b3, last) }"""
Floats = NDArray[np.float32]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    onnx.save(fill(TEXT), tmp_path / "model.onnx")
    draw = np.random.default_rng(0)
    basis = draw.normal(size=(4, 16))
    for name in ("calib", "eval"):
        x = (draw.normal(size=(320, 4)) @ basis + 0.1 * draw.normal(size=(320, 16))).astype(np.float32)
        labels = outputs(tmp_path / "model.onnx", x).argmax(axis=1)
        np.savez(tmp_path / f"{name}.npz", x=x, labels=labels)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def outputs(path: Path | str, x: Floats) -> Floats:
    with session(load(path)) as opened:
        found: Floats = run(opened, {"x": x})[0]
    return found


def error(path: str) -> float:
    """The squared error over the variance of the outputs on data that was not calibrated on."""
    x = np.load("eval.npz")["x"]
    expected, found = outputs("model.onnx", x), outputs(path, x)
    return float(np.square(expected - found).sum() / np.square(expected - expected.mean()).sum())


def record(capsys: pytest.CaptureFixture[str], options: str) -> dict[str, Any]:
    line = f"prune model.onnx -o out.onnx --force --output-format json {options}"
    assert main(line.split()) == 0, capsys.readouterr().err
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def said(capsys: pytest.CaptureFixture[str], options: str) -> str:
    assert main(f"prune model.onnx -o out.onnx --force {options}".split()) == 0, capsys.readouterr().err
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("by", ["lstsq", "obs", "bias", "bn"])
def test_weights_that_make_up_bring_the_outputs_nearer(
    by: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = record(capsys, "--data calib.npz --ratio 0.25 --compensate none")
    as_cut = error("out.onnx")
    made_up = record(capsys, f"--data calib.npz --ratio 0.25 --compensate {by}")
    facts = made_up["facts"]["compensate"]
    assert facts["by"] == by
    assert facts["kept"]
    assert facts["output_error_after"] < facts["output_error_before"]
    assert facts["output_error_before"] == plain["facts"]["compensate"]["output_error_before"]
    assert not plain["facts"]["compensate"]["kept"]
    assert error("out.onnx") < as_cut
    assert made_up["verification"]["passed"]


def test_the_agreement_that_is_said_is_near_the_one_on_other_data(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = record(capsys, "--data calib.npz --ratio 0.5")["facts"]["compensate"]
    assert error("out.onnx") == pytest.approx(facts["output_error_after"], rel=0.5)


def test_the_result_says_that_weights_were_made_up(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "--data calib.npz --ratio 0.25")
    assert "Calibrated on 320 samples of calib.npz" in out
    assert "Exactness of the cut, before weights were made up: exact" in out
    assert "Agreement with the original on the calibration data" in out
    assert "The weights made up are the result." in out
    out = said(capsys, "--data calib.npz --ratio 0.25 --compensate none")
    assert "Exactness: exact" in out
    assert "Weights were not made up." in out


def test_the_model_as_it_was_cut_is_written_where_new_weights_are_no_nearer(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The units that go are zero, and so is what is made of them: nothing is lost."""
    model = onnx.load("model.onnx")
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor).copy()
        if tensor.name in ("w0", "w1", "b1"):
            values[..., 12:] = 0
        elif tensor.name in ("v0", "v1"):
            values[12:] = 0
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    onnx.save(model, "model.onnx")
    found = record(capsys, "--data calib.npz --importance l2")
    assert not found["facts"]["compensate"]["kept"]
    made_up = Path("out.onnx").read_bytes()
    assert "the result is the model as it was cut" in said(capsys, "--data calib.npz --importance l2")
    said(capsys, "--importance l2")
    assert Path("out.onnx").read_bytes() == made_up


def test_the_figures_after_are_those_of_the_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Making up adds biases, which count."""
    found = record(capsys, "--data calib.npz --ratio 0.25")
    tensors = [numpy_helper.to_array(tensor) for tensor in onnx.load("out.onnx").graph.initializer]
    assert found["after"]["params"] == sum(tensor.size for tensor in tensors)
    assert found["after"]["bytes"] == sum(tensor.nbytes for tensor in tensors)


def test_layers_that_went_are_named_and_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = "--data calib.npz --only layers --ratio 0.5"
    found = record(capsys, options)
    assert (found["layers_found"], found["layers_removed"]) == (2, ["faint"])
    assert "faint" not in [node.name for node in onnx.load("out.onnx").graph.node]
    assert "Layers removed: 1 of 2 found: faint." in said(capsys, options)
    assert "Layers removed" not in said(capsys, "--data calib.npz")


def test_a_target_is_met_and_spread_by_what_groups_bear(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = record(capsys, "--data calib.npz --target macs=0.6x")
    assert "probe" in found["pipeline"]
    assert found["after"]["macs"] <= 0.6 * found["before"]["macs"]
    spread = error("out.onnx")
    record(capsys, "--data calib.npz --target macs=0.6x --scope local")
    assert spread < error("out.onnx")


@pytest.mark.parametrize("text", ["calib.npz", "data.py"])
@pytest.mark.parametrize("target", ["--ratio 0.5", "--target params=0.6x"])
def test_a_few_samples_do(text: str, target: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("data.py").write_text(
        "import numpy as np\ndef load_data():\n"
        "    yield from ({'x': row} for row in np.load('calib.npz')['x'][:9])\n"
    )
    assert record(capsys, f"--data {text} --samples 9 {target}")["verification"]["passed"]


@pytest.mark.parametrize("batch", [1, 8])
def test_a_model_that_takes_a_fixed_batch_can_be_calibrated(
    batch: int, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx.save(fill(TEXT.replace("[n, ", f"[{batch}, ")), "model.onnx")
    found = record(capsys, "--data calib.npz --samples 32 --target macs=0.6x")
    assert found["facts"]["calibrate"]["samples"] == 32
    assert found["facts"]["compensate"]["kept"]


def test_metrics_judge_what_is_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = "--data calib.npz --metric top1,cosine --eval-data eval.npz"
    judged = record(capsys, options)["judged"]
    assert judged["data"] == "eval.npz"
    data = np.load("eval.npz")
    hits = (outputs("out.onnx", data["x"]).argmax(axis=1) == data["labels"]).mean()
    assert judged["scores"]["top1"]["value"] == pytest.approx(hits)
    assert judged["scores"]["top1"]["reference"] == 1.0
    assert judged["scores"]["top1"]["count"] == 320
    out = said(capsys, options)
    assert "Judged on eval.npz: metric original pruned of top1 1" in out
    assert out.index("parameters") < out.index("Judged on")


def test_a_metric_without_labels_is_judged_on_the_calibration_data(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judged = record(capsys, "--data calib.npz --samples 64 --metric cosine")["judged"]
    assert judged["data"] == "the calibration data"
    assert judged["scores"]["cosine"]["count"] == 64
    assert record(capsys, "--data calib.npz")["judged"] is None


def test_evaluation_data_alone_judges_a_model_that_was_pruned_without_data(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = np.load("eval.npz")
    np.savez("named.npz", x=data["x"], kinds=data["labels"])
    found = record(capsys, "--eval-data named.npz --label-key kinds --metric top1")
    assert found["pipeline"] == "fold,group,score,select,cut,verify"
    assert found["judged"]["scores"]["top1"]["count"] == 320
    assert set(record(capsys, "--eval-data eval.npz")["judged"]["scores"]) == {"cosine"}


def test_a_dry_run_is_judged_and_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(folder.iterdir())
    line = "prune model.onnx --dry-run --data calib.npz --metric agreement"
    assert main(line.split()) == 0
    out = capsys.readouterr().out
    assert "agreement" in out
    assert "Nothing was written." in out
    assert sorted(folder.iterdir()) == before


def test_the_same_data_and_options_give_the_same_bytes(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From statistics that are gathered, and from those that were kept."""
    options = "--data calib.npz --target macs=0.6x"
    said(capsys, options)
    first = Path("out.onnx").read_bytes()
    said(capsys, options)
    assert Path("out.onnx").read_bytes() == first
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    said(capsys, options)
    assert Path("out.onnx").read_bytes() == first


def test_pruning_on_data_is_the_pipeline_that_the_record_names(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = record(capsys, "--data calib.npz --importance wanda --samples 128")["pipeline"]
    first = Path("out.onnx").read_bytes()
    assert main(["run", "model.onnx", "-o", "out.onnx", "--force", "-q", "-p", pipeline]) == 0
    assert Path("out.onnx").read_bytes() == first
