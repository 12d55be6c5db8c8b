"""A model is written whole or not at all, and never over anything by accident."""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

import graphprune.write
from graphprune.errors import Environment, Refused, Usage
from graphprune.model import Model, from_proto, load, save, to_proto
from graphprune.weights import stored

LAYERS, WIDTH = 4, 600  # 1.4 MB each: large enough to lie on a page


def _model() -> ModelProto:
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.standard_normal((WIDTH, WIDTH)).astype(np.float32), f"w{i}")
        for i in range(LAYERS)
    ]
    weights.append(numpy_helper.from_array(np.arange(WIDTH, dtype=np.float16), "middling"))
    weights.append(numpy_helper.from_array(np.float32([1, 2]), "small"))
    weights.append(helper.make_tensor("words", TensorProto.STRING, [2], [b"a" * 3000, b"b"]))
    nodes = [helper.make_node("MatMul", [f"x{i}", f"w{i}"], [f"x{i + 1}"]) for i in range(LAYERS)]
    nodes += [
        helper.make_node("Identity", [name], [f"{name}_out"]) for name in ("middling", "small", "words")
    ]
    outputs = [helper.make_tensor_value_info(f"x{LAYERS}", TensorProto.FLOAT, ["n", WIDTH])]
    for name, kind in (("middling", TensorProto.FLOAT16), ("small", 1), ("words", TensorProto.STRING)):
        outputs.append(helper.make_tensor_value_info(f"{name}_out", kind, [None]))
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x0", TensorProto.FLOAT, ["n", WIDTH])], outputs, weights
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """A model file with its weights inside, alone in its folder."""
    path = tmp_path / "in" / "m.onnx"
    path.parent.mkdir()
    onnx.save(_model(), path)
    return path


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A model file with its weights in a file beside it."""
    path = tmp_path / "ext" / "m.onnx"
    path.parent.mkdir()
    onnx.save(_model(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path


def _read(path: Path | str) -> ModelProto:
    """Read a model with all its weights, and no trace of where they lay."""
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        tensor.ClearField("data_location")
    return model


def _data_of(path: Path) -> Path:
    """The file that holds the weights of a model; its name says what it holds."""
    found = {
        entry.value
        for tensor in onnx.load(path, load_external_data=False).graph.initializer
        for entry in tensor.external_data
        if entry.key == "location"
    }
    (name,) = found
    data = path.with_name(name)
    digest = hashlib.blake2b(data.read_bytes(), digest_size=8).hexdigest()
    assert name == f"{path.name}.{digest}.data"
    return data


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _contents(folder: Path) -> dict[str, bytes | None]:
    return {path.name: path.read_bytes() if path.is_file() else None for path in folder.iterdir()}


def _cut(model: Model) -> Model:
    """Take half of the rows and columns of each layer."""
    half = np.arange(0, WIDTH, 2)
    for node in model.graph.nodes[:LAYERS]:
        first, last = node.outputs[0].name == "x1", node.outputs[0].name == f"x{LAYERS}"
        cuts = {dim: half for dim, whole in ((0, first), (1, last)) if not whole}
        node.inputs[1].values = stored(node.inputs[1]).take(cuts)
    return model


def test_weights_inside_stay_inside(inside: Path) -> None:
    save(load(inside), inside.parent / "o.onnx")
    assert _names(inside.parent) == ["m.onnx", "o.onnx"]
    assert _read(inside.parent / "o.onnx") == _model()


def test_weights_outside_stay_outside(outside: Path) -> None:
    save(load(outside), outside.parent / "o.onnx")
    name = _data_of(outside.parent / "o.onnx").name
    assert _names(outside.parent) == ["m.onnx", "o.onnx", name, "weights.bin"]
    assert _read(outside.parent / "o.onnx") == _model()
    assert (outside.parent / "o.onnx").stat().st_size < 10_000
    places = {}
    for tensor in onnx.load(outside.parent / "o.onnx", load_external_data=False).graph.initializer:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        places[tensor.name] = int(entries["offset"]) if entries else None
    assert [places[f"w{i}"] % 4096 for i in range(LAYERS)] == [0] * LAYERS
    assert places["middling"] % 64 == 0
    assert (places["small"], places["words"]) == (None, None)


@pytest.mark.parametrize("kind", ["inside", "outside"])
def test_a_cut_model_is_written_cut(kind: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(kind)
    model = _cut(load(path))
    expected = to_proto(model)
    save(model, path.parent / "o.onnx")
    written = _read(path.parent / "o.onnx")
    onnx.checker.check_model(written, full_check=True)
    assert written == expected
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in written.graph.initializer}
    before = numpy_helper.to_array(_model().graph.initializer[1])
    assert np.array_equal(weights["w1"], before[::2, ::2])
    session = ort.InferenceSession(path.parent / "o.onnx", providers=["CPUExecutionProvider"])
    assert session.run(["x4"], {"x0": np.ones((1, WIDTH), np.float32)})[0].shape == (1, WIDTH)


def test_more_than_a_message_holds_goes_outside(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphprune.write.INLINE_LIMIT", 4_000_000)
    save(load(inside), inside.parent / "o.onnx")
    assert _names(inside.parent) == ["m.onnx", "o.onnx", _data_of(inside.parent / "o.onnx").name]
    assert _read(inside.parent / "o.onnx") == _model()


@pytest.mark.parametrize("kind", ["inside", "outside"])
def test_the_same_model_gives_the_same_bytes(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    path = request.getfixturevalue(kind)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        save(_cut(load(path)), tmp_path / name / "o.onnx")
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


@pytest.mark.parametrize("kind", ["inside", "outside"])
def test_a_model_can_be_written_over_itself(kind: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(kind)
    model = _cut(load(path))
    expected = to_proto(model)
    before = _contents(path.parent)
    with pytest.raises(Usage, match="is the model that was read"):
        save(model, path, force=True)
    assert _contents(path.parent) == before
    save(model, path, in_place=True)
    assert _read(path) == expected
    again = load(path)
    save(again, path, in_place=True)
    assert _read(path) == expected
    if kind == "inside":
        with pytest.raises(Refused, match="has changed"):
            stored(again.graph.nodes[0].inputs[1]).load()


def test_a_model_is_never_written_over_its_weights(outside: Path) -> None:
    before = _contents(outside.parent)
    for in_place in (False, True):
        with pytest.raises(Usage, match="holds weights"):
            save(load(outside), outside.parent / "weights.bin", force=True, in_place=in_place)
    assert _contents(outside.parent) == before


def test_a_model_in_memory_can_be_written(tmp_path: Path) -> None:
    save(from_proto(_model()), tmp_path / "o.onnx")
    assert _read(tmp_path / "o.onnx") == _model()


def test_the_permissions_are_those_of_any_new_file(inside: Path) -> None:
    (inside.parent / "plain").touch()
    save(load(inside), inside.parent / "o.onnx")
    assert (inside.parent / "o.onnx").stat().st_mode == (inside.parent / "plain").stat().st_mode


TARGETS: list[tuple[str, str, Callable[[Path], object], str]] = [
    ("a file", "o.onnx", lambda path: path.write_text("mine"), "exists already"),
    ("a dangling link", "o.onnx", lambda path: path.symlink_to("nowhere"), "exists already"),
    ("the model itself", "m.onnx", lambda path: None, "exists already"),
    ("a folder", "o.onnx", lambda path: path.mkdir(), "is a folder"),
    ("no folder", "no/o.onnx", lambda path: None, "is no folder"),
    ("a file for a folder", "m.onnx/o.onnx", lambda path: None, "is no folder"),
    ("a text format", "o.onnxtxt", lambda path: None, "binary"),
]


@pytest.mark.parametrize(
    ("name", "make", "message"), [row[1:] for row in TARGETS], ids=[row[0] for row in TARGETS]
)
def test_a_place_that_is_taken_or_missing_is_wrong_usage(
    inside: Path, name: str, make: Callable[[Path], object], message: str
) -> None:
    path = inside.parent / name
    make(path)
    before = _contents(inside.parent)
    with pytest.raises(Usage, match=message) as caught:
        save(load(inside), path)
    assert caught.value.hint
    assert _contents(inside.parent) == before


def test_a_data_file_that_holds_something_else_is_left_alone(outside: Path) -> None:
    save(load(outside), outside.parent / "o.onnx")
    data = _data_of(outside.parent / "o.onnx")
    data.write_text("mine")
    (outside.parent / "o.onnx").unlink()
    for force in (False, True):
        with pytest.raises(Usage, match=r"o\.onnx\.[0-9a-f]{16}\.data' exists already"):
            save(load(outside), outside.parent / "o.onnx", force=force)
    assert data.read_text() == "mine"
    assert _names(outside.parent) == ["m.onnx", data.name, "weights.bin"]


def test_a_disk_that_is_too_small_is_seen_beforehand(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(inside.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(Environment, match="disk full") as caught:
        save(load(inside), inside.parent / "o.onnx")
    assert caught.value.code == 4
    assert _names(inside.parent) == ["m.onnx"]


@pytest.mark.parametrize("kind", ["inside", "outside"])
def test_a_disk_that_fills_up_leaves_nothing_behind(kind: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(kind)
    before = _names(path.parent)
    code = """
import resource, sys
from graphprune.errors import Environment
from graphprune.model import load, save
model = load(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
try:
    save(model, sys.argv[2])
except Environment as error:
    sys.exit(error.what)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(path.parent / "o.onnx")],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "disk full while writing" in done.stderr
    assert _names(path.parent) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_the_environments_fault(inside: Path) -> None:
    model = load(inside)
    inside.parent.chmod(0o500)
    try:
        with pytest.raises(Environment, match="cannot write"):
            save(model, inside.parent / "o.onnx")
    finally:
        inside.parent.chmod(0o700)


@pytest.mark.parametrize("kind", ["inside", "outside"])
def test_bytes_that_come_back_changed_leave_nothing_behind(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = request.getfixturevalue(kind)
    before = _contents(path.parent)
    write_one = graphprune.write._write_one

    def flip(to: Path, size: int, blocks: Iterable[bytes | memoryview]) -> None:
        """Write the file, and then a wrong byte into the middle of its weights."""
        write_one(to, size, blocks)
        with to.open("r+b") as stream:
            stream.seek(size // 3)
            byte = stream.read(1)[0]
            stream.seek(size // 3)
            stream.write(bytes([byte ^ 1]) if size > 10_000 else bytes([byte]))

    monkeypatch.setattr("graphprune.write._write_one", flip)
    with pytest.raises(Environment, match=r"weight w[12]\[\d+, \d+\] is .*, it should be"):
        save(load(path), path.parent / "o.onnx")
    assert _contents(path.parent) == before


@pytest.mark.parametrize("kind", ["inside", "outside"])
def test_a_file_is_looked_at_before_it_gets_its_place(kind: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(kind)
    before = _contents(path.parent)

    def check(written: Path) -> None:
        assert not (path.parent / "o.onnx").exists()
        ort.InferenceSession(written, providers=["CPUExecutionProvider"])
        raise Refused("it does not open", "please report this")

    with pytest.raises(Refused, match="does not open"):
        save(load(path), path.parent / "o.onnx", check=check)
    assert _contents(path.parent) == before


def test_weights_that_vanish_while_writing_leave_nothing_behind(outside: Path) -> None:
    model = load(outside)
    (outside.parent / "weights.bin").write_bytes(bytes(10))
    with pytest.raises(Refused, match="has changed"):
        save(model, outside.parent / "o.onnx")
    assert _names(outside.parent) == ["m.onnx", "weights.bin"]


def test_the_working_directory_is_left_alone(
    outside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    save(load(outside), outside.parent / "o.onnx")
    assert _names(elsewhere) == []
    shutil.copytree(outside.parent, elsewhere / "here")
    monkeypatch.chdir(elsewhere / "here")
    save(load("m.onnx"), "relative.onnx")
    assert _read("relative.onnx") == _model()


def test_a_model_of_a_few_gigabytes_takes_a_few_megabytes(tmp_path: Path) -> None:
    size, count = 64 << 20, 40  # 2.7 GB that take no room on disk: the file is a hole
    nodes = [helper.make_node("MatMul", [f"x{i}", f"w{i}"], [f"x{i + 1}"]) for i in range(count)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4096]) for name in ("x0", f"x{count}")]
    model = helper.make_model(
        helper.make_graph(nodes, "g", ends[:1], ends[1:]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    for i in range(count):
        tensor = model.graph.initializer.add(name=f"w{i}", data_type=TensorProto.FLOAT, dims=[4096, 4096])
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", "w.bin"), ("offset", i * size), ("length", size)):
            tensor.external_data.add(key=key, value=str(value))
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with (tmp_path / "w.bin").open("wb") as stream:
        stream.truncate(size * count)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = load(tmp_path / "m.onnx")
    few = np.arange(8)
    for i, node in enumerate(found.graph.nodes):
        cuts = {dim: few for dim, whole in ((0, i == 0), (1, i == count - 1)) if not whole}
        node.inputs[1].values = stored(node.inputs[1]).take(cuts)
    save(found, tmp_path / "o.onnx")
    assert _data_of(tmp_path / "o.onnx").stat().st_size < 1 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 << 10
