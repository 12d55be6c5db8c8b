"""What a verb reads is never what it writes, by whatever name, and `--in-place` replaces a model."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from graphprune.cli import main
from tests.cli.perceptron import write_model


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, the same with weights beside it, data, a plan, a config, code and a record."""
    monkeypatch.chdir(tmp_path)
    model = write_model(tmp_path / "m.onnx")
    (tmp_path / "sub").mkdir()
    onnx.save(
        onnx.load(model),
        tmp_path / "e.onnx",
        save_as_external_data=True,
        location="sub/e.data",
        size_threshold=0,
    )
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(0).standard_normal((8, 8)).astype(np.float32))
    (tmp_path / "folder").mkdir()
    (tmp_path / "d.npz").rename(tmp_path / "folder" / "d.npz")
    (tmp_path / "d.npz").symlink_to("folder/d.npz")
    (tmp_path / "c.toml").write_text("[prune]\nratio = 0.5\n")
    (tmp_path / "metric.py").write_text("def func(a, b):\n    return 0.0\n")
    line = "prune m.onnx -q -o p.onnx --save-plan p.json --save-run r.json --no-config"
    assert main(shlex.split(line)) == 0
    (tmp_path / "p.onnx").unlink()
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


LINKS: dict[str, Callable[[Path], object]] = {
    "m.onnx": lambda path: None,
    "./sub/../m.onnx": lambda path: None,
    "link.onnx": lambda path: path.symlink_to("m.onnx"),
    "hard.onnx": lambda path: path.hardlink_to("m.onnx"),
}
CASES = [
    "prune m.onnx -o {link}",
    "sparsify m.onnx -o {link}",
    "run m.onnx -p fold -o {link}",
    "run m.onnx -p fold -o {absolute}",
    "prune m.onnx -o x.onnx --save-plan {link}",
    "prune m.onnx -o x.onnx --save-run {link}",
    "prune m.onnx --plan-only {link}",
    "prune e.onnx -o sub/e.data",
    "prune e.onnx -o x.onnx --save-plan sub/e.data",
    "run e.onnx -p fold -o sub/e.data",
    "prune m.onnx --plan p.json -o p.json",
    "prune m.onnx --plan p.json -o x.onnx --save-plan p.json",
    "prune m.onnx --data d.npz -o d.npz",
    "prune m.onnx --data d.npz -o folder/d.npz",
    "prune m.onnx --data folder -o x.onnx --save-plan folder/d.npz",
    "prune m.onnx --eval-data d.npz --metric mse -o d.npz",
    "prune m.onnx --eval-data d.npz --metric metric.py:func -o metric.py",
    "prune m.onnx -c c.toml -o c.toml",
    "prune m.onnx -c c.toml -o x.onnx --save-run c.toml",
    "prune --from-run r.json -o r.json",
    "prune m.onnx -o x.onnx --save-plan x.onnx",
    "prune m.onnx -o x.onnx --save-run ./x.onnx",
    "gate m.onnx e.onnx --assert params<=1000 -o {link}",
    "gate m.onnx e.onnx --assert params<=1000 --export json=sub/e.data",
    "gate m.onnx e.onnx --assert params<=1000 --plan p.json --save-evidence p.json",
    "profile m.onnx --export-json {link}",
    "sensitivity m.onnx --data d.npz -o {link}",
    "report r.json -o r.json",
    "compare r.json --merge -o r.json",
    "verify m.onnx e.onnx --plan p.json --save-run p.json",
    "run m.onnx -p fold,group -o x.onnx --dump-after fold",
]


@pytest.mark.parametrize("line", CASES)
def test_an_output_that_is_an_input_or_another_output_is_refused(
    line: str, room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (room / "m.onnx").rename(room / "x.1-fold.onnx") if "--dump-after" in line else None
    line = line.replace("m.onnx", "x.1-fold.onnx") if "--dump-after" in line else line
    for link, make in LINKS.items() if "{link}" in line else [("", lambda path: None)]:
        make(room / link)
        before = contents(room)
        words = shlex.split(line.format(link=link, absolute=room / "m.onnx"))
        force = [] if words[0] == "verify" else ["--force"]
        code = main([*words, *force])
        said = capsys.readouterr().err
        assert code == 2, (link, said)
        assert "is an input: " in said or "is named twice" in said
        assert contents(room) == before


def test_the_message_names_the_way_to_replace_a_model(room: Path, call: Any) -> None:
    assert "or --in-place to replace it" in call("prune m.onnx -o m.onnx")[2]
    assert "--in-place" not in call("prune m.onnx -o x.onnx --save-plan m.onnx")[2]
    assert "--in-place" not in call("profile m.onnx --export-json m.onnx")[2]


@pytest.mark.parametrize(
    ("name", "verb", "where"),
    [
        ("m.onnx", "prune {name}", ""),
        ("e.onnx", "prune {name}", "-o {name}"),
        ("e.onnx", "sparsify {name} --sparsity 0.5", ""),
        ("m.onnx", "run {name} -p fold,group,score,select,cut", "-o ./sub/../{name}"),
    ],
)
def test_a_model_is_replaced_in_place(name: str, verb: str, where: str, room: Path, call: Any) -> None:
    before = contents(room)
    assert call(f"{verb} -o x.onnx --no-config".format(name=name))[0] == 0
    assert call(f"{verb} {where} --in-place --no-config".format(name=name))[0] == 0
    after = contents(room)
    for key in before.keys() - {str(room / name)}:
        assert after[key] == before[key]
    assert after[str(room / name)] != before[str(room / name)]
    left, right = (onnx.load(room / each) for each in (name, "x.onnx"))
    for tensor in (*left.graph.initializer, *right.graph.initializer):
        tensor.ClearField("data_location")
    assert left == right


def test_in_place_beside_another_output_is_wrong_usage(room: Path, call: Any) -> None:
    code, _, said = call("prune m.onnx -o x.onnx --in-place")
    assert (code, "--in-place has no effect here" in said) == (2, True)


def test_a_dry_run_replaces_nothing(room: Path, call: Any) -> None:
    before = contents(room)
    assert call("prune m.onnx --in-place --dry-run --no-config")[0] == 0
    assert contents(room) == before


def test_a_file_that_no_input_names_is_overwritten(room: Path, call: Any) -> None:
    for name in ("x.onnx", "sub/other.data", "copy.onnx"):
        (room / name).write_bytes((room / "m.onnx").read_bytes())
        assert call(f"prune m.onnx -o {name} --force --no-config")[0] == 0
        assert (room / name).read_bytes() != (room / "m.onnx").read_bytes()
