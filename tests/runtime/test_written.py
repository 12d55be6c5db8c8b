"""What is written is opened as its users open it, before it gets its name."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from graphprune.errors import Negative
from graphprune.runtime.written import check_opens

RUNS = '<ir_version: 10, opset_import: ["": 21]> g (float[2] x) => (float[2] y) { y = Relu (x) }'
LACKS = """
<ir_version: 10, opset_import: ["": 21, "acme": 1]> g (float[2] x) => (float[2] y) { y = acme.Relu (x) }
"""


def written(text: str, path: Path) -> Path:
    path.write_bytes(onnx.parser.parse_model(text).SerializeToString())
    return path


def test_what_opens_passes(tmp_path: Path) -> None:
    check_opens(written(RUNS, tmp_path / "a.onnx"))


def test_what_does_not_open_while_the_original_does_is_refused(tmp_path: Path) -> None:
    original = written(RUNS, tmp_path / "a.onnx")
    with pytest.raises(Negative, match="opens the original, and not what was made of it"):
        check_opens(written(LACKS, tmp_path / "b.onnx"), original)


def test_what_does_not_open_as_the_original_does_not_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        check_opens(written(LACKS, tmp_path / "b.onnx"), written(LACKS, tmp_path / "a.onnx"))
    assert "takes neither" in caplog.text
