"""Calibration data that cannot be used ends in two lines and exit code 2, and nothing is written."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from graphprune.cli import main
from tests.networks.fill import fill

OPEN = """g (float[n, 8] x) => (float[n, 3] y) <float[8, 16] w, float[16] b, float[16, 3] v>
    { h = Gemm(x, w, b) r = Relu(h) y = MatMul(r, v) }"""
BY_FOUR = OPEN.replace("[n, ", "[4, ")
TWO = """g (float[n, 8] x, float[n, 8] z) => (float[n, 3] y) <float[8, 16] w, float[16] b, float[16, 3] v>
    { a = Add(x, z) h = Gemm(a, w, b) r = Relu(h) y = MatMul(r, v) }"""
X = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
LABELS = np.arange(40) % 3


def holed(value: float) -> NDArray[np.float32]:
    """Samples one of whose values is `value`."""
    x = X.copy()
    x[17, 3] = value
    return x


def refused(folder: Path, capsys: pytest.CaptureFixture[str], text: str, options: str) -> str:
    """Prune, expect a refusal, and return its lines; `{}` in the options is the folder."""
    onnx.save(fill(text), folder / "model.onnx")
    before = sorted(path.name for path in folder.iterdir())
    line = f"prune {folder}/model.onnx -o {folder}/out.onnx {options.replace('{}', str(folder))}"
    code = main(line.split())
    out, err = capsys.readouterr()
    assert code == 2, (out, err)
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 2, err
    assert lines[0].startswith("error: ")
    assert lines[1].startswith("hint: ")
    assert [
        name for name in sorted(path.name for path in folder.iterdir()) if name != "__pycache__"
    ] == before
    return err


@pytest.mark.parametrize(
    ("text", "arrays", "said"),
    [
        (TWO, {"x": X, "z": X[:39]}, ("40", "39")),
        (OPEN, {"x": X[:0]}, ("no samples",)),
        (BY_FOUR, {"x": X[:3]}, ("3 samples", "4")),
        (BY_FOUR, {"x": X[:39]}, ("39 samples", "36")),
        (OPEN, {"pixels": X, "more": X}, ("x", "pixels")),
        (TWO, {"x": X}, ("z",)),
        (OPEN, {"x": X.astype(np.complex64)}, ("complex64",)),
        (OPEN, {"x": X.astype(str)}, ("x",)),
        (OPEN, {"x": holed(np.nan)}, ("17",)),
        (OPEN, {"x": holed(np.inf)}, ("17",)),
        (OPEN, {"x": X[:, :7]}, ("x", "7", "8")),
        (OPEN, {"x": X[:, :, None, None]}, ("x",)),
        (OPEN, {"x": X, "labels": LABELS[:30]}, ("30", "40")),
    ],
    ids=[
        "unaligned",
        "empty",
        "less than a batch",
        "no whole batches",
        "wrong names",
        "an input is missing",
        "complex",
        "texts",
        "nan",
        "infinite",
        "wrong size",
        "wrong rank",
        "fewer labels",
    ],
)
def test_arrays_that_do_not_fit_the_model_are_refused(
    text: str,
    arrays: dict[str, NDArray[Any]],
    said: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    np.savez(tmp_path / "calib.npz", **arrays)  # type: ignore[arg-type]
    err = refused(tmp_path, capsys, text, "--data {}/calib.npz")
    assert all(word in err for word in said), err


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise RuntimeError('the disk is away')", ("data.py", "the disk is away")),
        ("yield {'x': X}\n    raise RuntimeError('half way')", ("data.py", "half way")),
        ("return\n    yield", ("no samples",)),
        ("return iter(())", ("no samples",)),
        ("return 5", ("int",)),
        ("yield [1, 2]", ("item 0", "list")),
        ("yield {'x': X[:, :7]}", ("x", "7")),
        ("yield {'y': X, 'z': X}", ("x",)),
        ("yield {'x': X * np.nan}", ("x",)),
        ("import nothing_of_this_name", ("nothing_of_this_name",)),
    ],
)
def test_a_function_that_yields_nothing_usable_is_refused(
    body: str, said: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = "import numpy as np\nX = np.ones((4, 8), np.float32)\ndef load_data():\n    "
    (tmp_path / "data.py").write_text(head + body + "\n")
    err = refused(tmp_path, capsys, OPEN, "--data {}/data.py")
    assert all(word in err for word in said), err


def test_a_function_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data.py").write_text("def load():\n    yield {}\n")
    assert "load_data" in refused(tmp_path, capsys, OPEN, "--data {}/data.py")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "calib.npz"),
        (b"", "calib.npz"),
        (b"these are no arrays", "no .npz or .npy file"),
        (pickle.dumps({"x": X}), "no .npz or .npy file"),
        (b"PK\x03\x04 cut short", "calib.npz"),
    ],
    ids=["missing", "empty", "text", "pickle", "cut short"],
)
def test_a_file_that_is_no_archive_is_refused(
    content: bytes | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / "calib.npz").write_bytes(content)
    assert said in refused(tmp_path, capsys, OPEN, "--data {}/calib.npz")


def test_an_archive_of_objects_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "calib.npz", x=np.array([None, {}], dtype=object))
    assert "calib.npz (x.npy)" in refused(tmp_path, capsys, OPEN, "--data {}/calib.npz")


@pytest.mark.parametrize(
    ("options", "what", "hint"),
    [
        ("--compensate obs", "--compensate has no effect", "--data"),
        ("--samples 3", "--samples has no effect", "--data"),
        ("--label-key y", "--label-key has no effect", "--data"),
        ("--importance wanda", "importance wanda judges units on data", "--data"),
        ("--scope sensitivity", "none is given", "--target"),
        ("--scope sensitivity --target macs=0.5x", "needs measurements", "--data"),
        ("--scope sensitivity --data {}/calib.npz", "none is given", "--target"),
        ("--only layers,neurons --target macs=0.5x", "needs measurements", "--data"),
        ("--data {}/calib.npz --samples 0", "0 samples", "at least 1"),
        ("--data {}/calib.npz --samples -5", "-5 samples", "at least 1"),
        ("--data {}/calib.npz --samples many", "--samples is 'many'", "whole number"),
        ("--data {}/calib.npz --compensate least", "--compensate is 'least'", "lstsq"),
        ("--data {}/calib.npz --importance wand", "--importance is 'wand'", "did you mean wanda"),
        ("--data {}/calib.npz --label-key target", "no input labels", "hint"),
        ("--metric cosine", "no data to judge on", "--eval-data"),
        ("--data {}/calib.npz --metric cosin", "no metric cosin", "did you mean cosine"),
        ("--data {}/calib.npz --metric top1", "metric top1 needs labels", "--eval-data"),
        ("--metric top1 --eval-data {}/plain.npz", "metric top1 needs labels", "--label-key"),
        ("--metric top1 --eval-data {}/far.npz", "label 7 of sample 5 is out of range", "0 to 2"),
        ("--metric top1 --eval-data {}/far.npz --data {}/calib.npz", "label 7 of sample 5", "0 to 2"),
        ("--metric top1 --eval-data {}/missing.npz", "missing.npz", "name a .npz"),
        ("--metric {}/metric.py --eval-data {}/calib.npz", "metric.py", "hint"),
        ("--eval-data {}/far.npz --seed one", "--seed is 'one'", "whole number"),
    ],
)
def test_options_that_lack_their_data_are_refused(
    options: str, what: str, hint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "calib.npz", x=X, labels=LABELS)
    np.savez(tmp_path / "plain.npz", x=X)
    np.savez(tmp_path / "far.npz", x=X, labels=np.where(np.arange(40) == 5, 7, LABELS))
    (tmp_path / "metric.py").write_text("def metric(a, b):\n    raise ValueError('no such thing')\n")
    first, second = refused(tmp_path, capsys, OPEN, options).splitlines()
    assert what in first
    assert hint in second
