"""External data is read from the model's own folder only, and only where the file holds it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, numpy_helper, parser

from graphprune.errors import Refused
from graphprune.model import from_proto, load
from graphprune.weights import stored

VALUES = np.arange(12, dtype=np.float32).reshape(4, 3)


def _model(**entries: str) -> ModelProto:
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[n, 4] x) => (float[n, 3] y) <float[1] w = {0}> { y = MatMul(x, w) }"""
    )
    tensor = model.graph.initializer[0]
    tensor.Clear()
    tensor.name, tensor.data_type = "w", TensorProto.FLOAT
    tensor.dims.extend([4, 3])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    return model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for a model with its weights `w.bin`, and a file `secret.bin` outside it."""
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "w.bin").write_bytes(VALUES.tobytes())
    (tmp_path / "secret.bin").write_bytes(VALUES.tobytes())
    return inside


def _load(folder: Path, model: ModelProto) -> np.ndarray:
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    return stored(load(folder / "m.onnx").graph.nodes[0].inputs[1]).load()


@pytest.mark.parametrize(
    "entries",
    [
        {"location": "w.bin"},
        {"location": "./w.bin", "offset": "0"},
        {"location": "w.bin", "offset": "0", "length": "48"},
        {"location": "w.bin", "checksum": "ignored", "basepath": "/ignored"},
    ],
    ids=str,
)
def test_external_data_in_the_folder_is_read(folder: Path, entries: dict[str, str]) -> None:
    assert np.array_equal(_load(folder, _model(**entries)), VALUES)


def test_an_offset_is_followed(folder: Path) -> None:
    (folder / "w.bin").write_bytes(b"\1" * 7 + VALUES.tobytes() + b"\1" * 9)
    assert np.array_equal(_load(folder, _model(location="w.bin", offset="7", length="48")), VALUES)


def test_a_model_in_memory_reads_from_the_folder_it_is_given(folder: Path) -> None:
    model = from_proto(_model(location="w.bin"), base=folder)
    assert np.array_equal(stored(model.graph.nodes[0].inputs[1]).load(), VALUES)
    with pytest.raises(Refused, match="no folder is known"):
        from_proto(_model(location="w.bin"))


REFUSED: list[tuple[str, dict[str, str], str]] = [
    ("no location", {}, "no file is named"),
    ("empty location", {"location": ""}, "no file is named"),
    ("nul", {"location": "w.bin\0x"}, "no file is named"),
    ("missing", {"location": "gone.bin"}, "no such file"),
    ("folder", {"location": "."}, "not a plain file"),
    ("parent", {"location": "../secret.bin"}, "leads out"),
    ("parent within", {"location": "sub/../../secret.bin"}, "leads out"),
    ("parent, backslash", {"location": "..\\secret.bin"}, "leads out"),
    ("absolute", {"location": "/etc/passwd"}, "absolute"),
    ("drive", {"location": "C:\\w.bin"}, "absolute"),
    ("negative offset", {"location": "w.bin", "offset": "-4"}, "offset '-4'"),
    ("negative length", {"location": "w.bin", "length": "-48"}, "length '-48'"),
    ("words", {"location": "w.bin", "offset": "four"}, "offset 'four'"),
    ("underscore", {"location": "w.bin", "length": "4_8"}, "length '4_8'"),
    ("fraction", {"location": "w.bin", "offset": "0.0"}, "offset '0.0'"),
    ("offset past the end", {"location": "w.bin", "offset": "4"}, "of a file of 48"),
    ("absurd offset", {"location": "w.bin", "offset": "9" * 19}, "of a file of 48"),
    ("endless offset", {"location": "w.bin", "offset": "9" * 5000}, "not a non-negative integer"),
    ("short length", {"location": "w.bin", "length": "44"}, "takes 48 bytes"),
    ("absurd length", {"location": "w.bin", "length": "9" * 18}, "takes 48 bytes"),
]


@pytest.mark.parametrize(
    ("entries", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_wrong_place_is_refused_naming_tensor_and_file(
    folder: Path, entries: dict[str, str], message: str
) -> None:
    with pytest.raises(Refused, match=message) as caught:
        _load(folder, _model(**entries))
    assert caught.value.hint
    assert "tensor 'w'" in caught.value.what


def test_a_file_that_is_too_short_is_refused(folder: Path) -> None:
    (folder / "w.bin").write_bytes(VALUES.tobytes()[:-1])
    with pytest.raises(Refused, match="of a file of 47"):
        _load(folder, _model(location="w.bin"))


def _link(make: Callable[[Path, Path], object], target: Path, name: Path) -> None:
    make(target, name)


@pytest.mark.parametrize("make", [os.symlink, os.link], ids=["symlink", "hard link"])
def test_a_link_out_of_the_folder_is_refused(folder: Path, make: Callable[[Path, Path], object]) -> None:
    _link(make, folder.parent / "secret.bin", folder / "link.bin")
    with pytest.raises(Refused, match="link"):
        _load(folder, _model(location="link.bin"))


@pytest.mark.parametrize("make", [os.symlink, os.link], ids=["symlink", "hard link"])
def test_a_link_within_the_folder_is_followed(folder: Path, make: Callable[[Path, Path], object]) -> None:
    _link(make, folder / "w.bin", folder / "link.bin")
    assert np.array_equal(_load(folder, _model(location="link.bin")), VALUES)


def test_a_linked_subfolder_is_refused(folder: Path) -> None:
    (folder / "sub").symlink_to(folder.parent)
    with pytest.raises(Refused, match="link"):
        _load(folder, _model(location="sub/secret.bin"))


def test_links_in_a_circle_are_refused(folder: Path) -> None:
    (folder / "a.bin").symlink_to(folder / "b.bin")
    (folder / "b.bin").symlink_to(folder / "a.bin")
    with pytest.raises(Refused):
        _load(folder, _model(location="a.bin"))


def test_a_pipe_is_refused_and_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.bin")
    with pytest.raises(Refused, match="not a plain file"):
        _load(folder, _model(location="pipe.bin"))


@pytest.mark.parametrize("below", [".", "onnx"])
def test_the_layout_of_the_hugging_face_cache_works(tmp_path: Path, below: str) -> None:
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "abc" / below
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    (blobs / "1111").write_bytes(_model(location="m.onnx_data").SerializeToString())
    (blobs / "2222").write_bytes(VALUES.tobytes())
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "3333").write_bytes(VALUES.tobytes())
    (snapshot / "m.onnx").symlink_to(os.path.relpath(blobs / "1111", snapshot))
    (snapshot / "m.onnx_data").symlink_to(os.path.relpath(blobs / "2222", snapshot))
    model = load(snapshot / "m.onnx")
    assert np.array_equal(stored(model.graph.nodes[0].inputs[1]).load(), VALUES)
    (snapshot / "m.onnx_data").unlink()
    (snapshot / "m.onnx_data").symlink_to(tmp_path / "other" / "3333")
    with pytest.raises(Refused, match="link"):
        load(snapshot / "m.onnx")


def test_data_both_inside_and_outside_is_refused(folder: Path) -> None:
    model = _model(location="w.bin")
    model.graph.initializer[0].raw_data = VALUES.tobytes()
    with pytest.raises(Refused, match="both in the model and in external data"):
        _load(folder, model)


def test_strings_cannot_lie_outside(folder: Path) -> None:
    model = _model(location="w.bin")
    model.graph.initializer[0].data_type = TensorProto.STRING
    with pytest.raises(Refused, match="strings"):
        _load(folder, model)


def test_the_tensor_of_a_constant_node_may_lie_outside(folder: Path) -> None:
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[n, 4] x) => (float[n, 3] y) { w = Constant <value = float[1] {0}> () y = MatMul(x, w) }"""
    )
    model.graph.node[0].attribute[0].t.CopyFrom(_model(location="w.bin").graph.initializer[0])
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    assert np.array_equal(stored(load(folder / "m.onnx").graph.nodes[0].attrs["value"]).load(), VALUES)
    tensor = numpy_helper.from_array(VALUES, "w")
    assert tensor.raw_data == VALUES.tobytes()
