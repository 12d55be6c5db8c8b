"""Operators of a library that the user names are run; no library is loaded unasked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

import graphprune
from graphprune.cli import main
from graphprune.custom_ops import custom_ops, libraries
from graphprune.errors import Environment, Usage
from graphprune.kernels import foreign
from graphprune.model import from_proto
from graphprune.state import made

TEXT = """<ir_version: 8, opset_import: ["": 17, "ai.onnx.contrib": 1]>
g (float[5, 8] x) => (float[5, 3] y) {
  a = MatMul (x, w) b = Relu (a) c = MatMul (b, v) d, e = ai.onnx.contrib.NegPos (c) f = Add (d, e)
  h = MatMul (f, u) i = Relu (h) y = MatMul (i, t)
}"""
SHAPES = {"w": (8, 16), "v": (16, 12), "u": (12, 24), "t": (24, 3)}


def proto() -> onnx.ModelProto:
    draw = np.random.default_rng(0)
    model = parser.parse_model(TEXT)
    model.graph.initializer.extend(
        numpy_helper.from_array(draw.normal(size=shape).astype(np.float32), name)
        for name, shape in SHAPES.items()
    )
    return model


@pytest.fixture
def library() -> str:
    extensions = pytest.importorskip("onnxruntime_extensions", reason="it brings a library of operators")
    return str(extensions.get_library_path())


def test_an_operator_of_a_named_library_is_run(library: str) -> None:
    model = from_proto(proto())
    assert foreign(model.graph) == (3,)
    with custom_ops([library]):
        assert foreign(model.graph) == ()
    assert foreign(model.graph) == (3,)


def test_a_model_is_proved_as_a_whole_with_the_library_and_around_without(library: str) -> None:
    whole = made(graphprune.prune(from_proto(proto()), custom_ops=[library]).verification, "verification")
    around = made(graphprune.prune(from_proto(proto())).verification, "verification")
    assert (whole.passed, whole.not_run) == (True, ())
    assert (around.passed, around.not_run) == (True, ("NegPos 'd'",))


def test_the_option_reaches_the_proof_and_the_timing(
    library: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx.save(proto(), tmp_path / "m.onnx")
    config = tmp_path / "graphprune.toml"
    config.write_text(f"[prune]\ncustom-ops = [{json.dumps(library)}]\n", encoding="utf-8")
    out = tmp_path / "o.onnx"
    words = ["prune", str(tmp_path / "m.onnx"), "-o", str(out), "-c", str(config), "--output-format", "json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["verification"]["not_run"] == []
    words = ["profile", str(out), "--custom-ops", library, "--duration", "0.2s", "--output-format", "json"]
    assert main(words) == 0
    assert libraries() == ()


def test_a_file_that_is_no_library_is_a_fault_of_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "libnothing.so"
    path.write_bytes(b"nothing")
    with custom_ops([path]), pytest.raises(Environment, match="no library of operators"):
        graphprune.prune(from_proto(proto()))


def test_a_library_that_is_not_there_is_wrong_usage() -> None:
    with pytest.raises(Usage, match="no such file"), custom_ops(["nowhere.so"]):
        pass
