"""inspect shows the groups, why the rest is pinned, and names as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest

from tests.cli.perceptron import write_model
from tests.networks.fill import fill
from tests.networks.residuals import RESIDUALS

ODD = "[red]x[/]"


def test_inspect_shows_the_groups_and_why_the_rest_is_pinned(model: Path, call: Any) -> None:
    code, out, err = call("inspect model.onnx")
    assert (code, err) == (0, "")
    assert any(line.split()[1:] == ["neurons", "16", "free", "3"] for line in out.splitlines())
    assert "dimension of graph input 'x'" in " ".join(out.split())
    assert "dimension of graph output 'y'" in " ".join(out.split())
    assert any(line.split() == ["input", "x", "float32", "batch", "x", "8"] for line in out.splitlines())


def test_inspect_shows_the_parts_that_are_asked_for(model: Path, call: Any) -> None:
    _, out, _ = call("inspect model.onnx --show weights,ops,shapes,pinned")
    lines = [line.split() for line in out.splitlines()]
    assert ["MatMul", "1", "...", "m", "k,", "...", "k", "n", "->", "...", "m", "n"] in lines
    assert ["h", "batch", "x", "16"] in lines
    assert any(line[:3] == ["last", "MatMul", "48"] for line in lines)


def test_inspect_shows_the_layers_and_why_other_additions_have_none(tmp_path: Path, call: Any) -> None:
    onnx.save(fill(RESIDUALS["basic blocks of a ResNet"].text), tmp_path / "blocks.onnx")
    code, out, _ = call("inspect blocks.onnx --show layers")
    lines = [line.split() for line in out.splitlines()]
    weights, macs = 2 * 6 * 6 * 9 + 6, 2 * 8 * 8 * 6 * 6 * 9
    assert code == 0
    assert ["first", "Add", "4", str(weights), f"{macs / 1e3:.4g}", "k", "s_r"] in lines
    assert lines[-1][:7] == ["down", "both", "operands", "are", "computed", "with", "weights,"]
    _, out, _ = call("inspect blocks.onnx --output-format json")
    first, second = json.loads(out)["layers"]
    assert first == {
        "name": "first",
        "op": "Add",
        "node": "first",
        "skipped": "s_r",
        "branch": "b",
        "nodes": 4,
        "params": weights,
        "macs": macs,
        "bytes": 4 * weights,
    }
    assert second["name"] == "second"
    assert [each["name"] for each in json.loads(out)["additions"]] == ["down"]


def test_inspect_shows_every_place_of_a_group(model: Path, call: Any) -> None:
    _, out, _ = call("inspect model.onnx --output-format json")
    (name,) = [group["name"] for group in json.loads(out)["groups"] if not group["reason"]]
    _, out, _ = call(f"inspect model.onnx --group {name} --output-format json")
    places = json.loads(out)["group"]["places"]
    assert [(place["tensor"], place["dim"], place["role"]) for place in places] == [
        ("w", 1, "out"),
        ("b", 0, "vector"),
        ("v", 0, "in"),
    ]
    code, out, _ = call(f"inspect model.onnx --group {name}")
    assert code == 0
    assert f"{name}: 16 neurons" in out


@pytest.mark.parametrize(
    "line", ["inspect odd.onnx", "inspect odd.onnx --show shapes", "verify odd.onnx odd.onnx"]
)
def test_a_name_is_shown_as_it_is_whatever_it_holds(line: str, tmp_path: Path, call: Any) -> None:
    write_model(tmp_path / "odd.onnx", ends=ODD)
    _, out, _ = call(line)
    assert ODD in out


def test_a_name_cannot_steer_the_terminal(tmp_path: Path, call: Any) -> None:
    write_model(tmp_path / "odd.onnx", ends="a\x1b[31mb")
    _, out, _ = call("inspect odd.onnx")
    assert "\x1b" not in out
    assert r"a\x1b[31mb" in out
