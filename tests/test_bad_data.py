"""Data that does not fit the model ends in two lines that name it, and exit code 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from graphprune.data import open_data
from graphprune.errors import Refused, Usage
from tests.data_sources import graph
from tests.refused_data import refusal

IMAGE = "g (float[batch, 3, 4, 4] input) => (float[batch, 3, 4, 4] y) { y = Relu(input) }"
PAIR = (
    "g (int64[batch, seq] ids, float[batch, seq] mask) => (float[batch, seq] y) "
    "{ a = Cast<to=1>(ids) y = Mul(a, mask) }"
)
HALF = "g (float16[batch, 3] x) => (float16[batch, 3] y) { y = Relu(x) }"
BYTES = "g (uint8[batch, 3] x) => (uint8[batch, 3] y) { y = Identity(x) }"
IDS64 = "g (int64[batch, 3] x) => (int64[batch, 3] y) { y = Identity(x) }"
NIBBLE = (
    '<ir_version: 10, opset_import: ["" : 21]> g (int4[batch, 3] x) => (int4[batch, 3] y) { y = Identity(x) }'
)
BY_TWO = "g (float[2, 5] x) => (float[2, 5] y) { y = Relu(x) }"
STATE = "g (float[N, 5] x, int64 rate) => (float[N, 5] y, int64 r) { y = Relu(x) r = Identity(rate) }"
IDS, MASK = np.ones((4, 6), np.int64), np.ones((4, 6), np.float32)
X = np.zeros((8, 3, 4, 4), np.float32)


def with_value(value: float, sample: int) -> NDArray[np.float32]:
    array = X.copy()
    array[sample, 1, 2, 3] = value
    return array


@pytest.mark.parametrize(
    ("model", "arrays", "message", "hint"),
    [
        (PAIR, {"idz": IDS, "mask": MASK}, "no input idz", "did you mean ids?"),
        (PAIR, {"ids": IDS, "mask": MASK, "extra": MASK}, "no input extra", "inputs are ids, mask"),
        (PAIR, {"ids": IDS}, "no values for input mask", "it holds ids"),
        (PAIR, {"labels": IDS}, "no values for input ids", "under that name"),
        (IMAGE, {"a": X, "b": X}, "no input a", "--label-key"),
        (IMAGE, {"input": X[0]}, "input is 3x4x4, the model takes [?]x3x4x4", "Nx3x4x4"),
        (IMAGE, {"input": X[None]}, "input is 1x8x3x4x4", "Nx3x4x4"),
        (IMAGE, {"input": X.transpose(0, 2, 3, 1)}, "input is 8x4x4x3", "transpose"),
        (IMAGE, {"input": X[:, :, :3]}, "input is 8x3x3x4", "Nx3x4x4"),
        (IMAGE, {"input": np.float32(1)}, "input is a scalar", "leading axis"),
        (
            STATE,
            {"x": np.ones((3, 5), np.float32), "rate": 8},
            "x is 3x5, the model takes [?]x5",
            "leading axis",
        ),
        (PAIR, {"ids": IDS.astype(float), "mask": MASK}, "ids is float64, the model takes int64", "astype"),
        (PAIR, {"ids": IDS, "mask": MASK.astype(complex)}, "mask is complex128", "save it as float32"),
        (PAIR, {"ids": IDS.astype(str), "mask": MASK}, "ids is str", "save it as int64"),
        (BYTES, {"x": np.full((4, 3), 256)}, "sample 0 of x does not fit uint8", "range"),
        (BYTES, {"x": np.array([[1, 2, 3], [4, -5, 6]])}, "sample 1 of x does not fit uint8", "range"),
        (IDS64, {"x": np.array([[1, 2, 2**64 - 1]], np.uint64)}, "sample 0 of x does not fit int64", "range"),
        (NIBBLE, {"x": np.array([[1, 2, -8], [1, 8, 0]])}, "sample 1 of x does not fit int4", "range"),
        (HALF, {"x": np.array([[1, 2, 3], [4, 1e6, 6]])}, "sample 1 of x does not fit float16", "range"),
        (IMAGE, {"input": with_value(np.nan, 0)}, "sample 0 of input has a value that is NaN", "leave out"),
        (IMAGE, {"input": with_value(np.nan, 7)}, "sample 7 of input has a value that is NaN", "leave out"),
        (IMAGE, {"input": with_value(-np.inf, 5)}, "sample 5 of input has a value that is inf", "leave out"),
        (PAIR, {"ids": IDS, "mask": MASK[:3]}, "numbers of samples differ: ids 4, mask 3", "equally long"),
        (IMAGE, {"input": X, "labels": np.arange(7)}, "differ: input 8, labels 7", "equally long"),
        (IMAGE, {"input": X, "labels": 3}, "labels are a single number", "one label a sample"),
        (IMAGE, {"input": X, "labels": np.array(["a"] * 8)}, "labels are str", "integers or floats"),
        (IMAGE, {"input": X, "labels": np.full(8, np.nan)}, "sample 0 of the labels .* NaN", "leave out"),
        (IMAGE, {"input": X[:0]}, "holds no samples", "at least one"),
        (BY_TWO, {"x": np.ones((5, 5))}, "5 samples do not fill batches of 2", "--samples 4"),
        (BY_TWO, {"x": np.ones((1, 5))}, "1 samples do not fill batches of 2", "at least 2"),
    ],
)
def test_arrays_that_do_not_fit_the_model_are_refused(
    tmp_path: Path, model: str, arrays: dict[str, Any], message: str, hint: str
) -> None:
    np.savez(tmp_path / "d.npz", **arrays)
    error = refusal(str(tmp_path / "d.npz"), model)
    assert error.code == 2
    assert pytest.raises(Usage, match=message).matches(error), error.what
    assert hint in error.hint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_key": "ys"}, "no labels under ys"),
        ({"samples": 0}, "0 samples are none"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "d.npz", input=X, labels=np.arange(8))
    error = refusal(str(tmp_path / "d.npz"), IMAGE, **options)
    assert error.code == 2 and (message in error.what or "no input labels" in error.what)


def test_fewer_samples_than_the_model_takes_at_a_time_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((6, 5)))
    assert "2 samples at a time, 1 are asked for" in refusal(str(tmp_path / "x.npy"), BY_TWO, samples=1).what


def test_no_file_an_empty_folder_and_a_mixed_one_are_refused(tmp_path: Path) -> None:
    assert "no such data" in refusal(str(tmp_path / "nothing.npz"), IMAGE).what
    assert "no such file" in refusal(str(tmp_path / "nothing.py"), IMAGE).what
    assert "no .npz or .npy files" in refusal(str(tmp_path), IMAGE).what
    np.save(tmp_path / "x.npy", X)
    np.savez(tmp_path / "y.npz", x=X)
    assert "both" in refusal(str(tmp_path), IMAGE).what


def test_the_parts_of_a_folder_must_be_alike(tmp_path: Path) -> None:
    np.savez(tmp_path / "0.npz", input=X, labels=np.arange(8))
    np.savez(tmp_path / "1.npz", input=X)
    assert "1.npz has no labels" in refusal(str(tmp_path), IMAGE).what
    np.savez(tmp_path / "1.npz", input=X[:, :2], labels=np.arange(8))
    assert "1.npz: input input is 8x2x4x4" in refusal(str(tmp_path), IMAGE).what


def test_the_sample_of_a_folder_is_named_with_its_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "0.npz", input=X)
    np.savez(tmp_path / "1.npz", input=with_value(np.nan, 2))
    what = refusal(str(tmp_path), IMAGE).what
    assert what.startswith("1.npz (input.npy): sample 10 of input")


def test_a_model_without_inputs_or_with_a_sequence_cannot_be_fed(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    for text in (
        "g () => (float[1] y) <float[1] w> { y = Relu(w) }",
        "g (seq(float[2]) s, int64 i) => (float[2] y) { y = SequenceAt(s, i) }",
    ):
        with pytest.raises(Refused):
            open_data(str(tmp_path / "x.npy"), graph(text))
