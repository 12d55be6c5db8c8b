"""Rules of another package are found, used and proved around like graphprune's own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from tests.third_party import graphprune, installed, write_model

TEXT = """<ir_version: 8, opset_import: ["": 17, "acme": 1]>
g (float[5, 8] x) => (float[5, 3] y) {
  a = MatMul (x, w) b = acme.Gate (a, s) c = acme.Grouped <groups = 4> (b) y = MatMul (c, v)
}"""
SHAPES = {"w": (8, 16), "s": (16,), "v": (16, 3)}
TABLES = {
    "conflict": "TABLE = {'': {'Relu': Row('... -> ...')}}",
    "twice": "TABLE = {'acme': {'Gate': Row('... c, c -> ... c')}}",
    "crash": "raise RuntimeError('no licence')",
    "plain": "TABLE = 7",
    "rowless": "TABLE = {'acme': {'Gate': '... c, c -> ... c'}}",
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model.onnx", TEXT, SHAPES)


Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, repository: Path) -> Install:
    """Install the example of the manual as a package, and others that are named."""
    manual = (repository / "docs" / "rules.md").read_text(encoding="utf-8")
    blocks: list[str] = re.findall(r"```python\n(.*?)```", manual, re.DOTALL)
    example = next(text for text in blocks if '"acme"' in text)

    def make(*others: str) -> Path:
        site = tmp_path / "site"
        for package in ("acme", *others):
            text = example if package == "acme" else f"from graphprune.rules import Row\n{TABLES[package]}\n"
            entry = f"[graphprune.rules]\n{package} = {package}_rules:TABLE\n"
            installed(site, f"{package}-pruning", {f"{package}_rules.py": text}, entry)
        return site

    return make


def test_an_operator_is_cut_through_by_its_rule_and_proved_around(install: Install, model: Path) -> None:
    out = model.with_name("out.onnx")
    ran = graphprune(install(), "prune", model, "-o", out, "--output-format", "json")
    assert ran.returncode == 0, ran.stderr
    result = json.loads(ran.stdout)
    assert [(change["before"], change["after"]) for change in result["changes"]] == [(4, 2)]
    assert result["verification"]["not_run"] == ["Gate 'b'", "Grouped 'c'"]
    nodes = {node.op_type: node for node in onnx.load(out).graph.node}
    assert [attribute.i for attribute in nodes["Grouped"].attribute] == [2]


def test_without_the_package_nothing_of_it_is_cut(model: Path) -> None:
    ran = graphprune(None, "prune", model, "-o", model.with_name("out.onnx"))
    assert ran.returncode == 3
    assert "a rule for acme.Gate, acme.Grouped would let a cut through" in ran.stderr


@pytest.mark.parametrize(
    ("other", "code", "what"),
    [
        ("conflict", 4, "conflict-pruning (conflict) and graphprune both have a rule for Relu"),
        ("twice", 4, "acme-pruning (acme) and twice-pruning (twice) both have a rule for acme.Gate"),
        (
            "crash",
            4,
            "rules of crash-pruning cannot be imported from crash_rules:TABLE: RuntimeError: no licence",
        ),
        ("plain", 4, "plain_rules:TABLE of plain-pruning is no table of rules: it is no mapping"),
        ("rowless", 4, "'Gate' of acme leads to no Row"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_with_the_package(
    other: str, code: int, what: str, install: Install, model: Path
) -> None:
    ran = graphprune(install(other), "prune", model, "-o", model.with_name("out.onnx"))
    assert ran.returncode == code
    error, hint = ran.stderr.splitlines()
    assert what in error
    assert hint.startswith("hint: ")


def test_a_broken_one_harms_no_model_that_does_without(install: Install, model: Path, tmp_path: Path) -> None:
    proto = onnx.load(model)
    del proto.graph.node[1:3]
    proto.graph.node[1].input[0] = "a"
    onnx.save(proto, tmp_path / "plain.onnx")
    ran = graphprune(install("crash"), "prune", tmp_path / "plain.onnx", "-o", tmp_path / "out.onnx")
    assert (ran.returncode, ran.stderr) == (0, "")


def test_doctor_lists_them_and_the_broken_ones(install: Install) -> None:
    ran = graphprune(install("crash"), "doctor", "--output-format", "json")
    findings = {finding["subject"]: finding for finding in json.loads(ran.stdout)["findings"]}
    assert findings["rules acme"]["found"] == "offered"
    assert "no licence" in findings["rules crash"]["fault"]
    assert ran.returncode == 0
