"""profile measures, says what it means, keeps it, and refuses in two lines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import parser

from graphprune.profiling.files import read_profile
from tests.cli.perceptron import write_model

QUICK = "--duration 50ms --warmup 0 --rounds 6"


@pytest.fixture
def small(model: Path) -> Path:
    """A second model beside the first."""
    return write_model(model.parent / "small.onnx")


def test_latency_comes_first_then_figures_and_never_more_than_100_columns(small: Path, call: Any) -> None:
    code, out, err = call(f"profile model.onnx small.onnx {QUICK}")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0].startswith("Latency on ")
    assert lines[0].endswith("x:1x8")
    assert lines[1].split() == ["model", "median", "ms", "ratio", "95", "%", "interval", "verdict", "outputs"]
    assert lines[2].split()[-2:] == ["reference", "agree"]
    assert lines[3].split()[-2] in ("faster", "slower", "same", "inconclusive")
    assert lines[5].split()[:3] == ["model", "runs", "min"]
    assert all(len(line) <= 100 for line in lines)


def test_a_single_model_has_the_interval_of_its_median(model: Path, call: Any) -> None:
    code, out, _ = call(f"profile model.onnx {QUICK} --threads 2 --no-spin --no-check")
    assert code == 0
    assert "2 threads" in out
    assert out.splitlines()[1].split() == ["model", "median", "ms", "95", "%", "interval"]


def test_json_has_the_figures_and_the_file_has_every_time(small: Path, call: Any) -> None:
    code, out, _ = call(f"profile model.onnx small.onnx {QUICK} --output-format json --export-json p.json")
    found, kept = json.loads(out), read_profile("p.json")
    assert code == 0
    assert found["version"] == 1
    assert found["device"]["backend"] == "ort:cpu"
    assert [entry["name"] for entry in found["models"]] == ["model.onnx", "small.onnx"]
    assert found["models"][1]["ratio"]["verdict"] in ("faster", "slower", "same", "inconclusive")
    assert found["null_test"] is None
    runs = [sum(len(block) for block in timed.blocks) for timed in kept.batches[0].models]
    assert [entry["runs"] for entry in found["models"]] == runs


def test_the_reference_may_be_named(small: Path, call: Any) -> None:
    for line in ("model.onnx small.onnx --reference small.onnx", "model.onnx --reference small.onnx"):
        _, out, _ = call(f"profile {line} {QUICK} --output-format json")
        assert json.loads(out)["reference"] == "small.onnx"
        assert {entry["name"] for entry in json.loads(out)["models"]} == {"model.onnx", "small.onnx"}


def test_a_sweep_has_a_row_for_each_batch(small: Path, call: Any) -> None:
    code, out, _ = call(f"profile model.onnx small.onnx --batch 1,4 {QUICK}")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[2:6]] == ["1", "1", "4", "4"]


def test_files_are_written_and_named(small: Path, call: Any) -> None:
    names = {"json": "a.json", "csv": "a.csv", "markdown": "a.md"}
    options = " ".join(f"--export-{kind} {name}" for kind, name in names.items())
    code, out, _ = call(f"profile model.onnx small.onnx {QUICK} {options} --trace t.json")
    assert code == 0
    for name in (*names.values(), "t.json"):
        assert f"Written to {name}." in out
        assert Path(name).stat().st_size > 100
    assert {event["pid"] for event in json.loads(Path("t.json").read_text())["traceEvents"]} == {1, 2}
    assert sorted(path.name for path in Path().iterdir()) == [
        "a.csv", "a.json", "a.md", "model.onnx", "small.onnx", "t.json"
    ]  # fmt: skip


def test_layers_are_shown_side_by_side_and_alone(small: Path, call: Any) -> None:
    code, out, _ = call(f"profile model.onnx small.onnx --per-layer {QUICK}")
    assert code == 0
    assert "Layers of model.onnx and small.onnx" in out
    assert any(line.split()[:1] == ["y"] and "16x3" in line for line in out.splitlines())
    code, out, _ = call(f"profile model.onnx --per-layer {QUICK}")
    assert "Layers of model.onnx, the longest first" in out
    assert "no multiple of 8" in out
    assert all(len(line) <= 100 for line in out.splitlines())


def test_a_model_is_timed_against_itself(model: Path, call: Any) -> None:
    code, out, _ = call(f"profile model.onnx --null-test {QUICK} --output-format json")
    found = json.loads(out)
    assert code == 0
    assert found["null_test"]["finding"] in ("same", "inconclusive", "different")
    assert found["null_test"]["noise_floor"] >= 0
    assert [entry["name"] for entry in found["models"]] == ["model.onnx", "model.onnx (2)"]
    code, out, _ = call(f"profile model.onnx --null-test {QUICK}")
    assert code == 0
    assert "Noise floor:" in out


def test_a_dry_run_says_what_would_be_timed_and_does_nothing(small: Path, call: Any) -> None:
    code, out, _ = call("profile model.onnx small.onnx --batch 1,8 --dry-run --export-json p.json")
    assert code == 0
    assert "model.onnx (reference)" in out
    assert "x:8x8" in out
    assert "Nothing was timed." in out
    assert not Path("p.json").exists()
    _, out, _ = call("profile model.onnx small.onnx --dry-run --output-format json")
    assert json.loads(out)["models"] == ["model.onnx", "small.onnx"]


@pytest.mark.parametrize(
    "options",
    ["--warmUp=0 --duration=0.05", "--warmup 0 --duration 0.05", "--shapes=x:1x8", "--optShapes x:1,8"],
)
def test_the_spellings_of_trtexec_are_known(options: str, model: Path, call: Any) -> None:
    assert (
        call(f"profile model.onnx --duration 50ms --rounds 6 {options} --percentile=50 --iterations=5")[0]
        == 0
    )


def test_percentiles_that_have_too_few_runs_are_dashes_with_a_reason(model: Path, call: Any) -> None:
    line = "profile model.onnx --duration 1ms --warmup 0 --rounds 6 --percentile 50,99.999"
    code, out, _ = call(line)
    assert code == 0
    assert "p99.999 is left out: it needs" in out
    row = next(line for line in out.splitlines() if line.startswith("model.onnx") and " - " in line)
    assert row


def test_quiet_prints_nothing(model: Path, call: Any) -> None:
    assert call(f"profile model.onnx {QUICK} -q --export-csv a.csv") == (0, "", "")
    assert Path("a.csv").exists()


DYNAMIC = "m (float[n, 3, h, w] x) => (float[n, 3, h, w] y) { y = Relu (x) }"
FIXED = "m (float[4, 8] x) => (float[4, 8] y) { y = Relu (x) }"
OTHER = "m (float[n, 8] z) => (float[n, 8] y) { y = Relu (z) }"
UNRUNNABLE = "m (float[n, 8] x) => (float[n, 8] y) <float[3] c = {1, 2, 3}> { y = Add (x, c) }"
LATE = "m (float[n, m] x) => (float[n, m] y) <float[3] c = {1, 2, 3}> { y = Add (x, c) }"


@pytest.fixture
def folder(small: Path) -> Path:
    texts = {"dynamic": DYNAMIC, "fixed": FIXED, "other": OTHER, "unrunnable": UNRUNNABLE, "late": LATE}
    for name, text in texts.items():
        made = parser.parse_model(f'<ir_version: 9, opset_import: ["": 18]>{text}')
        onnx.save(made, small.parent / f"{name}.onnx")
    (small.parent / "junk.onnx").write_bytes(b"this is not a protobuf" * 10)
    (small.parent / "there.json").write_text("{}")
    return small.parent


@pytest.mark.parametrize(
    ("line", "code", "what", "hint"),
    [
        ("", 2, "missing argument", "profile --help"),
        ("missing.onnx", 2, "missing.onnx", "path"),
        ("model.onnx missing.onnx", 2, "missing.onnx", "path"),
        ("junk.onnx", 3, "not an ONNX model", "export"),
        (".", 3, "a folder", ".onnx"),
        ("model.onnx other.onnx", 2, "only model.onnx has an input x", "one by one"),
        ("dynamic.onnx", 2, "[n, 3, h, w]", "--shape x:1x3x224x224"),
        ("dynamic.onnx --batch 2", 2, "[n, 3, h, w]", "--shape x:2x3x224x224"),
        ("fixed.onnx --batch 8", 2, "takes 4 samples at a time", "dynamic"),
        ("model.onnx --batch 0", 2, "--batch is '0'", "1,8,32"),
        ("model.onnx --shape z:1x8", 2, "no input z", "x"),
        ("model.onnx --shape 1x9", 2, "does not fit input x", "fixed size"),
        ("model.onnx --data missing.npz", 2, "no such data", ".npz"),
        ("unrunnable.onnx", 3, "ONNX Runtime refuses the model", "onnx.checker"),
        ("late.onnx --shape 1x8", 3, "ONNX Runtime refuses the model", "--shape"),
        ("model.onnx --backend ort:gpu", 2, "no backend ort:gpu", "did you mean"),
        ("model.onnx --backend ort:cuda", 4, "CUDA", "onnxruntime-gpu"),
        ("model.onnx --percentile 101", 2, "--percentile is '101'", "50,90,99"),
        ("model.onnx --duration fast", 2, "--duration is 'fast'", "200ms"),
        ("model.onnx --duration 0", 2, "--duration is '0'", "3s"),
        ("model.onnx --margin 3", 2, "--margin is '3'", "2%"),
        ("model.onnx --rounds 5", 2, "rounds", "profile --help"),
        ("model.onnx --threads -1", 2, "threads", "profile --help"),
        ("model.onnx small.onnx --null-test", 2, "one model against itself", "one MODEL"),
        ("model.onnx --export-json there.json", 2, "there.json exists", "--force"),
        ("model.onnx --export-json nowhere/p.json", 2, "no folder nowhere", "make it"),
        ("model.onnx --export-csv .", 2, "is a folder", "file"),
        ("model.onnx --export-csv a --trace a", 2, "named twice", "name of its own"),
        ("model.onnx --export-csv model.onnx --force", 2, "is an input: MODELS", "another name"),
        ("model.onnx --bach 1", 2, "no option --bach", "did you mean --batch"),
    ],
)
def test_a_refusal_is_two_lines_and_leaves_nothing_behind(
    line: str, code: int, what: str, hint: str, folder: Path, call: Any
) -> None:
    import onnxruntime as ort

    if "ort:cuda" in line and "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    found, out, err = call(f"profile {line}")
    lines = [text for text in err.splitlines() if not text.startswith("warning:")]
    assert (found, out, len(lines)) == (code, "", 2), err
    assert what in lines[0]
    assert hint in lines[1]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_timed(model: Path, call: Any) -> None:
    folder = model.parent / "locked"
    folder.mkdir(mode=0o500)
    code, _, err = call("profile model.onnx --export-json locked/p.json")
    assert code == 4
    assert "cannot be written" in err


def _heed_interrupts() -> None:
    """Undo what a shell does to the processes that it starts in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_in_the_middle_leaves_no_file(sent: signal.Signals, code: int, model: Path) -> None:
    words = ["profile", str(model), "--duration", "60s", "--export-json", str(model.parent / "p.json")]
    child = subprocess.Popen(
        [sys.executable, "-m", "graphprune", *words, "--export-csv", str(model.parent / "p.csv"), "-v"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        preexec_fn=_heed_interrupts,  # noqa: PLW1509  the tests have no threads
    )
    assert child.stderr is not None
    said = child.stderr.readline()  # the measurement has begun
    time.sleep(0.2)
    child.send_signal(sent)
    out, err = child.communicate(timeout=60)
    assert "timing" in said
    assert (child.returncode, out) == (code, ""), err
    assert "Traceback" not in err
    assert [path.name for path in model.parent.iterdir()] == ["model.onnx"]
