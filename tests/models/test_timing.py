"""Timing tells a network from itself only by noise, and from a smaller one for certain."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx.parser
import pytest

from models.small import SHAPE, main
from models.timing import compare

TINY = """
<ir_version: 9, opset_import: ["" : 18]>
tiny (float[n, 3, 64, 64] x) => (float[n, 3, 64, 64] y) { y = Relu (x) }
"""


@pytest.fixture
def small_file(tmp_path: Path) -> Path:
    path = tmp_path / "folder" / "small.onnx"
    main(str(path))
    return path


def test_the_ratio_of_a_network_to_itself_is_about_one(small_file: Path) -> None:
    timing = compare(small_file, small_file, {"x": SHAPE}, pairs=6)
    assert timing.low <= timing.ratio <= timing.high
    assert 0.5 < timing.ratio < 2.0


def test_a_network_that_does_less_is_faster(small_file: Path, tmp_path: Path) -> None:
    tiny = tmp_path / "tiny.onnx"
    onnx.save(onnx.parser.parse_model(TINY), tiny)
    timing = compare(small_file, tiny, {"x": SHAPE}, pairs=4)
    assert timing.high < 0.5
    assert timing.second_ms < timing.first_ms
