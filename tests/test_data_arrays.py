"""Arrays are read by their headers; damaged files are refused, and no pickle is read."""

from __future__ import annotations

import io
import pickle
import struct
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from graphprune.data import open_data
from graphprune.data.arrays import open_archive, open_array
from graphprune.errors import Usage
from tests.data_sources import graph
from tests.refused_data import refusal

IMAGE = "g (float[batch, 3, 4, 4] input) => (float[batch, 3, 4, 4] y) { y = Relu(input) }"
X = np.zeros((8, 3, 4, 4), np.float32)


class Bomb:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return (Path.touch, (Path("touched"),))


def archive(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name.replace("__", "."), data)
    return stream.getvalue()


def npy(array: NDArray[Any], **options: Any) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, **options)
    return stream.getvalue()


def header(text: str, version: int = 1) -> bytes:
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode()


WHOLE = npy(X)
HUGE = header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 3, 4, 4)}\n")
OBJECTS = npy(np.array([Bomb()] * 8), allow_pickle=True)


def without_crc(data: bytes) -> bytes:
    at = data.index(b"NUMPY") + 200
    return data[:at] + b"\xff" + data[at + 1 :]


def stored(data: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("input.npy", data)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("d.npz", b"", "no .npz or .npy file"),
        ("d.npz", b"x,y\n1,2\n", "no .npz or .npy file"),
        ("d.npz", pickle.dumps({"input": [1, 2]}), "no .npz or .npy file"),
        ("d.npz", archive(input__npy=WHOLE)[:-30], "damaged"),
        ("d.npz", archive(input__npy=WHOLE)[:100], "damaged"),
        ("d.npz", archive(), "no values for input"),
        ("d.npz", archive(input__npy=WHOLE[:-4]), "damaged or no array: it should hold 1536 bytes"),
        ("d.npz", archive(input__npy=b"text"), "damaged"),
        ("d.npz", archive(data__pkl=pickle.dumps(1)), "'data.pkl', which is no array"),
        ("d.npz", archive(input__npy=OBJECTS), "holds Python objects"),
        ("d.npz", archive(input__npy=HUGE), "it should hold 192000000000 bytes"),
        ("d.npz", without_crc(stored(WHOLE)), "damaged"),
        ("d.npy", WHOLE[:-1], "it should hold 1536 bytes of values, 1535 are there"),
        ("d.npy", WHOLE[:20], "damaged"),
        ("d.npy", HUGE, "it should hold 192000000000 bytes"),
        ("d.npy", OBJECTS, "holds Python objects"),
        ("d.npy", header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 3, 4, 4)}\n"), "negative"),
        ("d.npy", header("{'descr': '<f4', 'shape': (1, 3, 4, 4)}\n"), "damaged"),
        ("d.npy", header("__import__('os').getcwd()\n"), "damaged"),
        ("d.npy", header("(" * 5000), "damaged"),
        (
            "d.npy",
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}" + " " * 70000, 2),
            "damaged",
        ),
        ("d.npy", b"\x93NUMPY\x09\x00" + WHOLE[8:], "version 9.0"),
    ],
)
def test_files_that_are_damaged_or_no_arrays_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, data: bytes, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(data)
    error = refusal(str(tmp_path / name), IMAGE)
    assert error.code == 2
    assert message in error.what
    assert not Path("touched").exists()


def test_a_header_cannot_take_memory_that_its_file_does_not_back(tmp_path: Path) -> None:
    bomb = b"\x93NUMPY\x02\x00" + struct.pack("<I", 200 << 20) + b" " * (200 << 20)
    (tmp_path / "d.npz").write_bytes(archive(input__npy=bomb))
    tracemalloc.start()
    try:
        assert refusal(str(tmp_path / "d.npz"), IMAGE).code == 2
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, len(WHOLE) - 1),
    st.binary(min_size=1, max_size=6),
    st.sampled_from([WHOLE, archive(input__npy=WHOLE), stored(WHOLE)]),
)
def test_damage_ends_in_a_refusal_or_in_other_numbers(
    tmp_path_factory: pytest.TempPathFactory, at: int, junk: bytes, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.npz"
    at %= len(data)
    path.write_bytes(data[:at] + junk + data[at + len(junk) :])
    with warnings.catch_warnings(), suppress(Usage):
        warnings.simplefilter("ignore")  # zipfile's, of names that occur twice
        for _ in open_data(str(path), graph(IMAGE)).batches(3):
            pass


def test_a_file_that_shrinks_while_it_is_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.npy").write_bytes(WHOLE)
    data = open_data(str(tmp_path / "d.npy"), graph(IMAGE))
    (tmp_path / "d.npy").write_bytes(WHOLE[:1000])
    with pytest.raises(Usage, match="damaged or no array: it ends early"):
        list(data.batches(3))


def test_large_arrays_in_fortran_order_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphprune.data.arrays._MOST_IN_ONE", 1000)
    np.save(tmp_path / "x.npy", np.asfortranarray(np.ones((8, 3, 4, 4))))
    error = refusal(str(tmp_path / "x.npy"), IMAGE)
    assert error.code == 2 and "ascontiguousarray" in error.hint


def test_headers_are_read_without_their_values(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "d.npz", a=X, b=np.zeros(3, np.int8))
    np.save(tmp_path / "x.npy", X)
    found = open_archive(tmp_path / "d.npz")
    assert {key: (array.shape, array.dtype.name) for key, array in found.items()} == {
        "a": (X.shape, "float32"),
        "b": ((3,), "int8"),
    }
    assert open_array(tmp_path / "x.npy").offset == 128
