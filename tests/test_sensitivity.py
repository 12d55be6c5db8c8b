"""sensitivity shows what each group and each layer may lose, as it is measured."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import onnx
import pytest

from graphprune.cli import main
from graphprune.curves_svg import NAMED, Curve, draw
from graphprune.model import load
from graphprune.ratios import read_ratios
from tests.networks.fill import fill

# `loud` matters a hundred times as much as `quiet`; a residual branch of almost nothing; a group of three.
TEXT = """g (float[n, 8] x) => (float[n, 3] y)
    <float[8, 16] w0, float[16, 8] v0, float[8, 16] w1, float[16, 8] v1, float[8, 3] w2, float[3, 8] v2,
     float[8, 3] last, float small = {0.01}>
    { loud = MatMul(x, w0) a = Relu(loud) a1 = MatMul(a, v0) a2 = Add(x, a1)
      quiet = MatMul(a2, w1) b = Relu(quiet) b1 = MatMul(b, v1) b2 = Mul(b1, small) [faint] b3 = Add(a2, b2)
      three = MatMul(b3, w2) c = Relu(three) c1 = MatMul(c, v2) c2 = Add(b3, c1)
      y = MatMul(c2, last) }"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model and data whose labels are the model's own answers, for 9 of 10 samples."""
    onnx.save(fill(TEXT), tmp_path / "model.onnx")
    draw = np.random.default_rng(0)
    for name in ("calib", "eval"):
        x = draw.normal(size=(160, 8)).astype(np.float32)
        from graphprune.runtime import run, session

        with session(load(tmp_path / "model.onnx")) as opened:
            labels = run(opened, {"x": x})[0].argmax(axis=1)
        labels[::10] = (labels[::10] + 1) % 3
        np.savez(tmp_path / f"{name}.npz", x=x, labels=labels)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def measured(capsys: pytest.CaptureFixture[str], options: str) -> dict[str, Any]:
    """The result in JSON."""
    line = f"sensitivity model.onnx --data calib.npz --output-format json {options}"
    assert main(line.split()) == 0, capsys.readouterr().err
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def groups(found: dict[str, Any]) -> dict[str, Any]:
    return {group["name"]: group["values"] for group in found["groups"]}


def test_the_group_that_matters_more_comes_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = measured(capsys, "--ratios 0.25,0.5,0.75")
    assert (found["measure"], found["original"], found["made_up"]) == ("output error", 0.0, True)
    assert found["ratios"] == [0.25, 0.5, 0.75]
    by_name = groups(found)
    order = list(by_name)
    assert order.index("loud") < order.index("quiet")
    assert all(0 < small < big for small, big in zip(by_name["quiet"], by_name["loud"], strict=True))
    assert by_name["loud"] == sorted(by_name["loud"], key=float)


def test_the_error_is_that_of_the_model_that_prune_writes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One group at one ratio, measured from outside with numpy on the written models."""
    from graphprune.runtime import run, session

    options = "--importance l2 --ignore quiet,three"
    found = measured(capsys, f"{options} --ratios 0.5 --plain --eval-data eval.npz")
    assert main(f"prune model.onnx -o half.onnx -q {options}".split()) == 0
    x = np.load("eval.npz")["x"]
    outputs = []
    for name in ("model.onnx", "half.onnx"):
        with session(load(name)) as opened:
            outputs.append(run(opened, {"x": x})[0])
    error = np.square(outputs[0] - outputs[1]).sum() / np.square(outputs[0] - outputs[0].mean()).sum()
    assert groups(found) == {"loud": [pytest.approx(error, rel=1e-4)]}


def test_weights_that_make_up_lower_the_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_up, plain = (groups(measured(capsys, f"--ratios 0.5 {more}")) for more in ("", "--plain"))
    assert made_up["loud"][0] < plain["loud"][0]


def test_a_metric_is_shown_beside_that_of_the_original(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = measured(capsys, "--metric top1 --eval-data eval.npz --ratios 0.5,0.75")
    assert (found["measure"], found["original"], found["higher_is_better"]) == ("top1", 0.9, True)
    by_name = groups(found)
    assert by_name["loud"][1] < by_name["quiet"][1]
    assert list(by_name).index("loud") < list(by_name).index("quiet")


def test_a_ratio_that_removes_no_unit_or_all_is_not_measured(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    three = groups(measured(capsys, "--ratios 0.1,0.34,0.9"))["three"]
    assert [value is None for value in three] == [True, False, True]


def test_layers_are_taken_out_one_at_a_time(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = measured(capsys, "--only layers")
    assert found["groups"] == []
    layers = {layer["name"]: layer["value"] for layer in found["layers"]}
    assert min(layers, key=lambda name: layers[name]) == "faint"
    assert list(layers)[-1] == "faint"
    assert len(layers) == 3


def test_the_table_fits_and_names_every_group(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sensitivity", "model.onnx", "--data", "calib.npz", "--only", "neurons,layers"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert all(len(line) <= 100 for line in out.splitlines())
    assert all(name in out for name in ("loud", "quiet", "three", "10 %", "90 %", "without it"))


def test_the_result_and_the_picture_are_written_and_not_overwritten(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "sensitivity model.onnx --data calib.npz --ratios 0.5 -o s.json --plot s.svg"
    assert main(line.split()) == 0
    assert "Written to s.svg" in capsys.readouterr().out
    assert len(json.loads(Path("s.json").read_text())["groups"]) == 3
    before = Path("s.svg").read_bytes()
    assert main(line.split()) == 2
    assert "s.json exists" in capsys.readouterr().err
    assert main([*line.split(), "--force", "-q"]) == 0
    assert capsys.readouterr() == ("", "")
    assert Path("s.svg").read_bytes() == before
    assert main([*line.replace("s.svg", "s.html").replace("s.json", "t.json").split()]) == 0
    assert before.decode() in Path("s.html").read_text()


@pytest.mark.parametrize(
    ("options", "what", "hint"),
    [
        ("", "none is given", "--data"),
        ("--data calib.npz --ratios half", "--ratios is 'half'", "0.1:0.9:0.1"),
        ("--data calib.npz --ratios 0.5,1.5", "--ratios has 1.5", "0.25,0.5,0.75"),
        ("--data calib.npz --ratios 0.5,nan", "--ratios has NaN", "0.25,0.5,0.75"),
        ("--data calib.npz --ratios 0.9:0.1:0.1", "--ratios is '0.9:0.1:0.1'", "first:last:step"),
        ("--data calib.npz --ratios 0.1:0.9", "--ratios is '0.1:0.9'", "first:last:step"),
        ("--data calib.npz --ratios 0.1:0.9:1e-9", "more than 99", "first:last:step"),
        ("--data calib.npz --ratios 0.1:0.9:0", "--ratios has 0", "first:last:step"),
        ("--data calib.npz --metric top2", "no metric top2", "did you mean"),
        ("--data calib.npz --metric top1", "needs labels", "--eval-data"),
        ("--data calib.npz --only chanels", "--only is 'chanels'", "did you mean channels"),
        ("--data calib.npz --ignore nothing*", "matches no group", "inspect"),
        ("--data calib.npz --plot s.png", "--plot s.png", "file"),
        ("--data calib.npz --plot s.svg -o s.svg", "s.svg is named twice", "name of its own"),
        ("--data none.npz", "none.npz", ".npz"),
        ("--data calib.npz --eval-data none.npz", "none.npz", ".npz"),
        ("--data calib.npz -o nowhere/s.json", "no folder nowhere", "make it"),
    ],
)
def test_a_wrong_option_is_refused_in_two_lines(
    options: str, what: str, hint: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(f"sensitivity model.onnx {options}".split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert what in first
    assert hint in second
    assert sorted(path.name for path in folder.iterdir()) == ["calib.npz", "eval.npz", "model.onnx"]


def test_no_group_left_is_a_refusal_of_the_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sensitivity", "model.onnx", "--data", "calib.npz", "--only", "heads"]) == 3
    assert "nothing can be pruned" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "ratios"),
    [
        ("0.5", (0.5,)),
        ("0.75, 0.25,0.5,0.5", (0.25, 0.5, 0.75)),
        ("0.1:0.9:0.4", (0.1, 0.5, 0.9)),
        ("0.1:0.3:0.1", (0.1, 0.2, 0.3)),
        ("0.2:0.5:0.2", (0.2, 0.4)),
    ],
)
def test_ratios_are_read_from_lists_and_ranges(text: str, ratios: tuple[float, ...]) -> None:
    assert read_ratios(text) == ratios


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("count", [0, 1, NAMED + 5])
def test_a_picture_is_xml_and_holds_every_curve(count: int, log: bool) -> None:
    curves = [
        Curve(f"<b>&{n}\x1b[31m", ((0.1, 0.0), (0.5, math.inf), (0.7, 10.0**-n), (0.9, float(n))))
        for n in range(count)
    ]
    root = ET.fromstring(draw("a < b", "x & y", "<z>", curves, log=log, level=0.0))
    name = "{http://www.w3.org/2000/svg}"
    lines = root.findall(f"{name}polyline")
    assert len(lines) == count
    assert all(len(line.attrib["points"].split()) == 3 for line in lines)
    for line in lines:
        for point in line.attrib["points"].split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= 960
            assert 0 <= y <= 540
    legend = [text for text in root.findall(f"{name}text") if text.find(f"{name}title") is not None]
    assert len(legend) == min(count, NAMED)
    assert "\x1b" not in ET.tostring(root, encoding="unicode")


def test_a_higher_error_lies_higher_in_the_picture() -> None:
    root = ET.fromstring(
        draw("t", "x", "y", [Curve("a", ((0.1, 1e-4), (0.9, 0.5))), Curve("b", ((0.1, 0.01),))], log=True)
    )
    drawn = {
        line[0].text: [float(point.split(",")[1]) for point in line.attrib["points"].split()]
        for line in root.findall("{http://www.w3.org/2000/svg}polyline")
    }
    assert drawn["a"][0] > drawn["b"][0] > drawn["a"][1]
