"""A pass of another package is found, documented and run like graphprune's own."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.third_party import graphprune, installed, write_model

TEXT = """<ir_version: 8, opset_import: ["" : 17]>
g (float[1, 8] x) => (float[1, 3] y) {
  [body] a = MatMul(x, w) b = LeakyRelu(a) [head] c = MatMul(b, v) d = LeakyRelu(c) [last] y = MatMul(d, u)
}"""
SHAPES = {"w": (8, 16), "v": (16, 12), "u": (12, 3)}


@pytest.fixture
def package(tmp_path: Path, repository: Path) -> Path:
    """The example of the manual as an installed package, with three broken passes beside it."""
    source = (repository / "docs" / "passes.md").read_text(encoding="utf-8")
    example = next(
        text for text in re.findall(r"```python\n(.*?)```", source, re.DOTALL) if "class Favour" in text
    )
    site = tmp_path / "site"
    modules = {"__init__.py": "", "favour.py": example, "crash.py": "raise RuntimeError('no licence')\n"}
    installed(
        site,
        "my-package",
        {f"my_package/{name}": text for name, text in modules.items()},
        "[graphprune.passes]\n"
        "favour = my_package.favour:Favour\n"
        "crash = my_package.crash:Crash\n"
        "gone = my_package.favour:Gone\n"
        "other = my_package.favour:Favour\n"
        "plain = my_package.favour:fnmatchcase\n"
        "cut = my_package.favour:Favour\n",
    )
    return site


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model.onnx", TEXT, SHAPES)


def kept(ran: subprocess.CompletedProcess[str]) -> list[tuple[int, int]]:
    assert ran.returncode == 0, ran.stderr
    return [(change["before"], change["after"]) for change in json.loads(ran.stdout)["changes"]]


def test_its_options_steer_the_pipeline(package: Path, model: Path) -> None:
    def run(favour: str) -> list[tuple[int, int]]:
        text = f"fold,group,score,{favour}select{{ratio=0.5 scope=global}},cut,verify"
        words = (
            "run",
            model,
            "-o",
            model.with_name("out.onnx"),
            "-p",
            text,
            "--force",
            "--output-format",
            "json",
        )
        return kept(graphprune(package, *words))

    assert run("") == [(16, 9), (12, 5)]
    # the 14 units that go are all those of the other group, but one, and three
    assert run("favour{groups=body* factor=1000},") == [(16, 13), (12, 1)]
    assert run("favour{groups=head* factor=1000},") == [(16, 2)]


def test_it_stands_in_the_record_of_the_run(package: Path, model: Path) -> None:
    text = "fold,group,score,favour{factor=4},select,cut"
    ran = graphprune(package, "run", model, "--dry-run", "-p", text, "--output-format", "json")
    record = json.loads(ran.stdout)
    assert record["pipeline"] == text.replace("factor=4", "factor=4.0")
    assert "favour" in [step["pass"] for step in record["seconds"]]


@pytest.mark.parametrize(
    ("text", "code", "what"),
    [
        ("favour{factr=2}", 2, "pass favour has no option factr"),
        ("favour{factor=much}", 2, "option factor of pass favour is 'much'"),
        ("favour", 2, "pass favour needs the scores"),
        ("favor", 2, "there is no pass favor"),
        ("crash", 4, "pass crash cannot be imported from my_package.crash:Crash: RuntimeError: no licence"),
        ("gone", 4, "pass gone cannot be imported from my_package.favour:Gone: AttributeError"),
        ("other", 4, "its name is 'favour', not 'other'"),
        ("plain", 4, "it is not a dataclass"),
    ],
)
def test_what_is_wrong_with_it_is_said_when_it_is_used(
    text: str, code: int, what: str, package: Path, model: Path
) -> None:
    ran = graphprune(package, "run", model, "--dry-run", "-p", f"fold,group,{text}")
    assert ran.returncode == code
    error, hint = ran.stderr.splitlines()
    assert what in error
    assert hint.startswith("hint: ")


def test_a_broken_one_harms_nobody_who_does_not_use_it(package: Path, model: Path) -> None:
    ran = graphprune(package, "prune", model, "-o", model.with_name("out.onnx"))
    assert (ran.returncode, ran.stderr) == (0, "")


def test_it_cannot_take_the_name_of_one_of_graphprunes_own(package: Path, model: Path) -> None:
    text = "fold,group,score,select,cut"
    ran = graphprune(package, "run", model, "--dry-run", "-p", text, "--output-format", "json")
    assert kept(ran) == [(16, 8), (12, 6)]


def test_doctor_lists_it_and_the_broken_ones(package: Path) -> None:
    ran = graphprune(package, "doctor", "--output-format", "json")
    findings = {finding["subject"]: finding for finding in json.loads(ran.stdout)["findings"]}
    assert findings["pass favour"] == {"subject": "pass favour", "found": "offered", "fault": "", "hint": ""}
    assert findings["pass crash"]["found"] == "broken"
    assert "no licence" in findings["pass crash"]["fault"]
    assert "graphprune's own pass" in findings["pass cut"]["fault"]
    assert ran.returncode == 0


def test_the_list_of_passes_documents_it(package: Path) -> None:
    ran = graphprune(package, "run", "--list-passes")
    assert ran.returncode == 0
    assert "favour: Multiplies the scores of the groups that a glob matches." in ran.stdout
    assert "what their scores are multiplied by" in ran.stdout
    assert "no licence" in ran.stdout
