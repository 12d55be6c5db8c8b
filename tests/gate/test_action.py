"""The composite action for GitHub: what its file says, and its steps run as a runner would run them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import yaml

import graphprune
from graphprune.gate.outputs.github import relative
from models import small
from tests.vendored_schemas import SCHEMAS

ROOT = Path(__file__).parent.parent.parent
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = [step for step in ACTION["runs"]["steps"] if "run" in step]
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
LIMITS = """\
[gate]
original = "model.onnx"
candidate = "small.onnx"

[[gate.assert]]
metric = "size"
max-ratio = 0.8

[[gate.assert]]
metric = "params"
max = "1"
level = "warn"
"""

PYTHON = """\
#!/bin/sh
if [ "$1 $2" = "-m pip" ]; then printf '%s\\n' "$@" >> "{runner}/pip"; exit 0; fi
exec "{python}" "$@"
"""
"""A Python that writes down what pip would install."""


def test_it_is_an_action_by_the_schema_of_schemastore() -> None:
    schema = json.loads((SCHEMAS / "github-actions.json").read_text(encoding="utf-8"))
    jsonschema.validators.validator_for(schema)(schema).validate(ACTION)


def test_every_input_that_is_named_exists_and_every_one_that_exists_is_used() -> None:
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"\binputs\.([a-z-]+)", text))
    assert named == set(ACTION["inputs"])
    assert all(given["description"] and "default" in given for given in ACTION["inputs"].values())


def test_every_output_is_written_by_the_step_that_it_is_read_from() -> None:
    (gate,) = (step for step in STEPS if step.get("id") == "gate")
    for name, output in ACTION["outputs"].items():
        assert output["value"] == f"${{{{ steps.gate.outputs.{name} }}}}"
        assert re.search(rf'echo "{name}=', gate["run"])


def test_no_input_is_written_into_a_script() -> None:
    assert len(STEPS) == 2
    assert all(EXPRESSION.search(step["run"]) is None for step in STEPS)


def test_other_actions_are_github_own_and_only_where_they_are_asked_for() -> None:
    (other,) = (step for step in ACTION["runs"]["steps"] if "uses" in step)
    assert re.fullmatch(r"actions/setup-python@v\d+", other["uses"])
    assert other["if"] == "${{ inputs.python-version != '' }}"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A repository with a model, its pruned form, and budgets that it keeps to."""
    folder = tmp_path / "work space"
    folder.mkdir()
    small.main(str(folder / "model.onnx"))
    state = graphprune.prune(folder / "model.onnx", ratio=0.5)
    graphprune.save(state.result, folder / "small.onnx")
    (folder / "graphprune.toml").write_text(LIMITS, encoding="utf-8")
    return folder


class Ran:
    """What a job with the action has left behind."""

    def __init__(self, code: int, log: str, output: Mapping[str, str], summary: str) -> None:
        self.code, self.log, self.output, self.summary = code, log, output, summary


def run(workspace: Path, **given: str) -> Ran:
    """Run the steps of the action as a runner does: bash -eo pipefail, inputs by way of expressions."""
    if shutil.which("bash") is None:
        pytest.skip("there is no bash to run the steps of the action")
    unknown = {name.replace("_", "-") for name in given} - set(ACTION["inputs"])
    assert not unknown
    inputs = {
        name: given.get(name.replace("-", "_"), each["default"]) for name, each in ACTION["inputs"].items()
    }
    runner = workspace.parent / "runner temp"
    (runner / "bin").mkdir(parents=True, exist_ok=True)
    python = runner / "bin" / "python"
    if not python.exists():
        python.write_text(PYTHON.format(runner=runner, python=sys.executable), encoding="utf-8")
        python.chmod(0o755)
    output, summary = runner / "output", runner / "summary"
    output.write_text("")
    summary.write_text("")
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")},
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_OUTPUT": str(output),
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_WORKSPACE": str(workspace),
        "RUNNER_TEMP": str(runner),
    }
    log, code = "", 0
    for step in STEPS:
        script = runner / "script.sh"
        script.write_text(evaluated(step["run"], inputs), encoding="utf-8")
        own = {name: evaluated(value, inputs) for name, value in step.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=workspace / evaluated(step.get("working-directory", "."), inputs),
            env={**variables, **own},
            capture_output=True,
            text=True,
            check=False,
        )
        log += done.stdout + done.stderr
        code = done.returncode
        if code:
            break
    lines = [line.partition("=") for line in output.read_text(encoding="utf-8").splitlines()]
    return Ran(code, log, {key: value for key, _, value in lines}, summary.read_text(encoding="utf-8"))


def evaluated(text: str, inputs: Mapping[str, str]) -> str:
    """A text with its expressions replaced; they name inputs and nothing else."""
    return EXPRESSION.sub(lambda found: inputs[found[1].removeprefix("inputs.")], text)


def test_a_pair_within_its_budgets_passes(workspace: Path) -> None:
    ran = run(workspace, install="false")
    assert ran.code == 0, ran.log
    assert (ran.output["status"], ran.output["exit-code"]) == ("pass", "0")
    assert json.loads(Path(ran.output["json"]).read_text(encoding="utf-8"))["status"] == "pass"
    assert len(list(ET.parse(ran.output["junit"]).iter("testcase"))) == 2
    assert Path(ran.output["markdown"]).read_text(encoding="utf-8") == ran.summary
    assert "gate passed" in ran.summary
    assert {path.name for path in Path(ran.output["folder"]).iterdir()} == {
        "gate.json",
        "gate.xml",
        "gate.md",
    }
    assert {path.name for path in workspace.iterdir()} == {"graphprune.toml", "model.onnx", "small.onnx"}
    line = LIMITS.splitlines().index('max = "1"') + 1
    assert re.search(
        rf"^::warning title=warn%3A params,file=graphprune\.toml,line={line}::", ran.log, re.MULTILINE
    )


def test_a_budget_that_is_broken_fails_the_step_and_points_at_its_line(workspace: Path) -> None:
    (workspace / "ci").mkdir()
    text = (
        LIMITS.replace("= 0.8", "= 0.1").replace('= "model', '= "../model').replace('= "small', '= "../small')
    )
    (workspace / "ci" / "my gate.toml").write_text(text, encoding="utf-8")
    ran = run(workspace, install="false", config="my gate.toml", working_directory="ci")
    assert ran.code == 1
    assert (ran.output["status"], ran.output["exit-code"]) == ("fail", "1")
    line = text.splitlines().index("max-ratio = 0.1") + 1
    assert re.search(
        rf"^::error title=fail%3A size,file=ci/my gate\.toml,line={line}::size is ", ran.log, re.MULTILINE
    )
    assert "❌ fail" in ran.summary


def test_inputs_and_words_reach_the_gate(workspace: Path) -> None:
    words = "--no-config --assert 'size.ratio <= 0.8' \\\n  --warn-only"
    ran = run(workspace, install="false", original="model.onnx", candidate="small.onnx", args=words)
    assert ran.code == 0, ran.log
    (finding,) = json.loads(Path(ran.output["json"]).read_text(encoding="utf-8"))["findings"]
    assert finding["assertion"]["where"]["text"] == "size.ratio <= 0.8"


def test_what_is_wrong_with_a_config_is_an_error_of_the_step(workspace: Path) -> None:
    (workspace / "graphprune.toml").write_text("[gate]\ncandidte = 1\n", encoding="utf-8")
    ran = run(workspace, install="false")
    assert ran.code == 2
    assert (ran.output["status"], ran.output["exit-code"]) == ("error", "2")
    assert "did you mean candidate?" in ran.log


@pytest.mark.parametrize(
    ("install", "installed"),
    [("", [str(ROOT)]), ("graphprune[trt]==0.1.0", ["--", "graphprune[trt]==0.1.0"]), ("false", [])],
)
def test_what_is_installed_is_chosen_by_an_input(workspace: Path, install: str, installed: list[str]) -> None:
    run(workspace, install=install, args="--dry-run")
    pip = workspace.parent / "runner temp" / "pip"
    words = pip.read_text(encoding="utf-8").split("\n") if pip.exists() else []
    assert [word for word in words if word][5:] == installed


@pytest.mark.parametrize("harm", ['"; touch pwned; "', "$(touch pwned)", "`touch pwned`", "x && touch pwned"])
def test_an_input_is_never_run(workspace: Path, harm: str) -> None:
    ran = run(workspace, install="false", config=harm, original=harm, candidate=harm, data=harm, args=harm)
    assert ran.code != 0
    assert not list(workspace.parent.rglob("pwned"))


def test_words_that_are_not_quoted_right_stop_the_step(workspace: Path) -> None:
    ran = run(workspace, install="false", args="--assert 'size")
    assert ran.code != 0
    assert "No closing quotation" in ran.log


def test_paths_of_annotations_are_those_of_the_repository() -> None:
    assert relative(str(ROOT / "a" / "b.toml"), str(ROOT)) == "a/b.toml"
