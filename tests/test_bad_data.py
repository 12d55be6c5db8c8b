"""Data that does not fit, is damaged or is code that fails: two lines and exit code 2, and no pickle is read."""

from __future__ import annotations

import io
import pickle
import struct
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from graphprune.data import open_data
from graphprune.data_arrays import open_archive, open_array
from graphprune.errors import GraphpruneError, Refused, Usage
from graphprune.model import from_proto
from tests.networks.fill import fill

IMAGE = "g (float[batch, 3, 4, 4] input) => (float[batch, 3, 4, 4] y) { y = Relu(input) }"
PAIR = (
    "g (int64[batch, seq] ids, float[batch, seq] mask) => (float[batch, seq] y) "
    "{ a = Cast<to=1>(ids) y = Mul(a, mask) }"
)
HALF = "g (float16[batch, 3] x) => (float16[batch, 3] y) { y = Relu(x) }"
BYTES = "g (uint8[batch, 3] x) => (uint8[batch, 3] y) { y = Identity(x) }"
BY_TWO = "g (float[2, 5] x) => (float[2, 5] y) { y = Relu(x) }"
STATE = "g (float[N, 5] x, int64 rate) => (float[N, 5] y, int64 r) { y = Relu(x) r = Identity(rate) }"
IDS, MASK = np.ones((4, 6), np.int64), np.ones((4, 6), np.float32)
X = np.zeros((8, 3, 4, 4), np.float32)


def graph(text: str) -> gs.Graph:
    return from_proto(fill(text)).graph


def with_value(value: float, sample: int) -> NDArray[np.float32]:
    array = X.copy()
    array[sample, 1, 2, 3] = value
    return array


def refusal(text: str, model: str, **options: Any) -> GraphpruneError:
    """The error of opening data and going through it; there must be one."""
    with pytest.raises(GraphpruneError) as caught:
        for _ in open_data(text, graph(model), **options).batches(3):
            pass
    error = caught.value
    assert error.what and "\n" not in error.what
    assert error.hint and "\n" not in error.hint
    return error


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
        (STATE, {"x": np.ones((3, 5), np.float32), "rate": 8}, "x is 3x5, the model takes [?]x5", "leading axis"),
        (PAIR, {"ids": IDS.astype(float), "mask": MASK}, "ids is float64, the model takes int64", "astype"),
        (PAIR, {"ids": IDS, "mask": MASK.astype(complex)}, "mask is complex128", "save it as float32"),
        (PAIR, {"ids": IDS.astype(str), "mask": MASK}, "ids is str", "save it as int64"),
        (BYTES, {"x": np.full((4, 3), 256)}, "sample 0 of x does not fit uint8", "range"),
        (BYTES, {"x": np.array([[1, 2, 3], [4, -5, 6]])}, "sample 1 of x does not fit uint8", "range"),
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
        ("d.npy", header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}" + " " * 70000, 2), "damaged"),
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
def test_no_damage_ends_in_anything_but_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, at: int, junk: bytes, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.npz"
    at %= len(data)
    path.write_bytes(data[:at] + junk + data[at + len(junk) :])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zipfile's, of names that occur twice
            for _ in open_data(str(path), graph(IMAGE)).batches(3):
                pass
    except GraphpruneError as error:
        assert error.code == 2, error.what


def test_a_file_that_shrinks_while_it_is_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.npy").write_bytes(WHOLE)
    data = open_data(str(tmp_path / "d.npy"), graph(IMAGE))
    (tmp_path / "d.npy").write_bytes(WHOLE[:1000])
    with pytest.raises(Usage, match="damaged or no array: it ends early"):
        list(data.batches(3))


def test_large_arrays_in_fortran_order_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphprune.data_arrays._MOST_IN_ONE", 1000)
    np.save(tmp_path / "x.npy", np.asfortranarray(np.ones((8, 3, 4, 4))))
    error = refusal(str(tmp_path / "x.npy"), IMAGE)
    assert error.code == 2 and "ascontiguousarray" in error.hint


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


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("def load_data(:\n", "data.py, line 2: SyntaxError"),
        ("import nowhere_to_be_found\n", "data.py, line 2: ModuleNotFoundError: No module named"),
        ("raise SystemExit(0)\n", "data.py, line 2: SystemExit: 0"),
        ("def loaddata():\n    return []\n", "no function load_data"),
        ("load_data = 3\n", "no function load_data"),
        ("def load_data(path):\n    return []\n", "TypeError: load_data() missing 1 required"),
        ("def load_data():\n    raise OSError('disk\\nfull')\n", "data.py, line 3: OSError: disk full"),
        (
            "def load_data():\n    yield {'input': X}\n    check(0)\ndef check(n):\n    return 1 / n\n",
            "data.py, line 6: ZeroDivisionError: division by zero",
        ),
        ("def load_data():\n    return 3\n", "returned int"),
        ("def load_data():\n    return {'input': X}\n", "returned dict"),
        ("def load_data():\n    return iter([])\n", "yields no samples"),
        ("def load_data():\n    yield {'input': X[:0]}\n", "yields no samples"),
        ("def load_data():\n    yield X\n", "item 0 is a ndarray, no feed"),
        ("def load_data():\n    yield {'input': X}\n    yield None\n", "item 1 is a NoneType, no feed"),
        ("def load_data():\n    yield {'input': X}, 1, 2\n", "item 0 is a tuple, no feed"),
        ("def load_data():\n    yield {'input': [[1, 2], [3]]}\n", "item 0: input is no array"),
        ("def load_data():\n    yield {'input': None}\n", "holds Python objects"),
        ("def load_data():\n    yield {'input': X[:, :1]}\n", "input is 8x1x4x4"),
        ("def load_data():\n    yield {'input': X}\n    yield {'input': X * np.nan}\n", "sample 8 of input"),
        ("def load_data():\n    yield {'input': X}, [1, 2]\n", "differ: samples 8, targets 2"),
        ("def load_data():\n    yield {'input': X}, 1\n", "one target is given for 8 samples"),
        ("def load_data():\n    yield {'input': X}, 'a' * 8\n", "one target is given"),
        ("def load_data():\n    yield {'input': X[:1]}, 'cat'\n", "the labels are str"),
        ("def load_data():\n    yield {'input': X[0]}, {'a': 1}\n", "holds|labels are object"),
        (
            "def load_data():\n    yield {'input': X}, np.arange(8)\n    yield {'input': X}\n",
            "some samples have labels",
        ),
    ],
)
def test_code_that_fails_is_named_with_its_line(tmp_path: Path, body: str, message: str) -> None:
    lines = f"import numpy as np; X = np.zeros((8, 3, 4, 4))\n{body}"
    (tmp_path / "data.py").write_text(lines)
    error = refusal(str(tmp_path / "data.py"), IMAGE)
    assert error.code == 2
    assert any(part in error.what for part in message.split("|")), error.what


def test_samples_of_a_function_that_do_not_fill_a_batch_are_refused(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text(
        "import numpy as np\ndef load_data():\n    yield {'x': np.ones((3, 5))}\n"
    )
    error = refusal(str(tmp_path / "data.py"), BY_TWO)
    assert error.code == 2 and "1 are left" in error.what


def test_a_function_with_another_name_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text("def load_date():\n    return []\n")
    assert refusal(str(tmp_path / "data.py"), IMAGE).hint == "did you mean load_date?"


def test_an_interrupted_function_interrupts(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text("def load_data():\n    raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        open_data(str(tmp_path / "data.py"), graph(IMAGE))


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


def test_a_model_without_inputs_or_with_a_sequence_cannot_be_fed(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    for text in (
        "g () => (float[1] y) <float[1] w> { y = Relu(w) }",
        "g (seq(float[2]) s, int64 i) => (float[2] y) { y = SequenceAt(s, i) }",
    ):
        with pytest.raises(Refused):
            open_data(str(tmp_path / "x.npy"), graph(text))


def test_headers_are_read_without_their_values(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "d.npz", a=X, b=np.zeros(3, np.int8))
    np.save(tmp_path / "x.npy", X)
    found = open_archive(tmp_path / "d.npz")
    assert {key: (array.shape, array.dtype.name) for key, array in found.items()} == {
        "a": (X.shape, "float32"),
        "b": ((3,), "int8"),
    }
    assert open_array(tmp_path / "x.npy").offset == 128
