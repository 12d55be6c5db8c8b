"""Test data sets, as the ONNX backend tests have them, are data; damaged ones are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from graphprune.data import open_data
from tests.data_sources import IMAGE, PAIR, X, gathered, graph, normal
from tests.refused_data import refusal


def write_set(folder: Path, number: int, *arrays: NDArray[Any], names: tuple[str, ...] = ()) -> None:
    room = folder / f"test_data_set_{number}"
    room.mkdir()
    for index, array in enumerate(arrays):
        tensor = numpy_helper.from_array(array, names[index] if names else None)
        (room / f"input_{index}.pb").write_bytes(tensor.SerializeToString())
    (room / "output_0.pb").write_bytes(b"not read")


def test_test_data_sets_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    write_set(tmp_path, 10, X[6:])
    write_set(tmp_path, 2, X[:6])
    feeds, labels = gathered(open_data(str(tmp_path), graph(IMAGE)))
    np.testing.assert_array_equal(feeds["x"], X)
    assert labels is None
    one = open_data(str(tmp_path / "test_data_set_10"), graph(IMAGE))
    np.testing.assert_array_equal(gathered(one)[0]["x"], X[6:])


def test_inputs_of_a_test_data_set_are_found_by_name_or_else_by_number(tmp_path: Path) -> None:
    mask, ids = normal(2, 4), np.ones((2, 4), np.int64)
    write_set(tmp_path, 0, mask, ids, names=("mask", "ids"))
    write_set(tmp_path, 1, ids, mask)
    feeds, _ = gathered(open_data(str(tmp_path), graph(PAIR)))
    np.testing.assert_array_equal(feeds["mask"], np.concatenate([mask, mask]))


def test_texts_are_fed_as_they_are(tmp_path: Path) -> None:
    words = "g (string[batch, 2] x) => (string[batch, 2] y) { y = Identity(x) }"
    np.save(tmp_path / "x.npy", [["a", "bé"], ["", "c"]])
    (tmp_path / "sets").mkdir()
    write_set(tmp_path / "sets", 0, np.array([["a", "bé"], ["", "c"]], object))
    for source in ("x.npy", "sets"):
        batch = next(open_data(str(tmp_path / source), graph(words)).batches(2))
        assert batch.feeds["x"].dtype == object and batch.feeds["x"].tolist() == [["a", "bé"], ["", "c"]]


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"\xff\xff\xff", "no TensorProto"), (b"\x08\x02\x08\x03\x10\x01", "no data"), (b"", "unknown element")],
)
def test_damaged_test_data_sets_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "test_data_set_0").mkdir()
    (tmp_path / "test_data_set_0" / "input_0.pb").write_bytes(data)
    error = refusal(str(tmp_path), IMAGE)
    assert error.code == 2
    assert "test_data_set_0/input_0.pb cannot be read" in error.what and message in error.what


def test_a_test_data_set_without_inputs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test_data_set_0").mkdir()
    assert "no values for input" in refusal(str(tmp_path), IMAGE).what
