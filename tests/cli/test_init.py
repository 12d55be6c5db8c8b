"""`graphprune init`: what it writes is valid, explains every key, and harms nothing that is there."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any, cast

import click
import jsonschema
import pytest
import yaml

import graphprune
from graphprune.cli import main, verbs
from graphprune.config.document import read
from graphprune.gate.config import PRESENTATION, gate_config
from graphprune.gate.settings import READERS
from tests.test_recipes import check
from tests.vendored_schemas import SCHEMAS

JOBS = {
    "github": (".github/workflows/graphprune.yml", "github-workflows.json"),
    "gitlab": ("graphprune.gitlab-ci.yml", "gitlab-ci.json"),
}
ELSEWHERE = {"from", "run", "gpu", "rounds", "output", "only", "warn-only"}
"""Keys that a starter leaves to the manual."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def uncommented(text: str) -> str:
    """The starter with all that it offers: lines as `# key = value` and `# [[table]]` count."""
    return re.sub(r"^# (?=[a-z-]+ = |\[\[)", "", text, flags=re.MULTILINE)


def test_the_starter_is_a_config_that_the_gate_takes(folder: Path) -> None:
    assert main(["init"]) == 0
    config = gate_config(read(Path("graphprune.toml")))
    assert [(limit.metric, limit.bound) for limit in config.assertions] == [
        ("latency.p50", "max-ratio"),
        ("size", "max-ratio"),
    ]
    assert (config.settings.original, config.settings.candidate) == (Path("model.onnx"), Path("small.onnx"))


def test_the_gate_runs_by_the_starter(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "-q"]) == 0
    assert main(["gate", "--dry-run", "--output-format", "json"]) == 0
    budgets = json.loads(capsys.readouterr().out)["budgets"]
    lines = Path("graphprune.toml").read_text(encoding="utf-8").splitlines()
    for budget in budgets:
        _, _, number = budget["where"].rpartition(":")
        assert "max-ratio = 1.0" in lines[int(number) - 1]


def test_what_it_offers_is_valid_and_has_every_key_of_the_gate(folder: Path) -> None:
    assert main(["init"]) == 0
    path = Path("graphprune.toml")
    path.write_text(uncommented(path.read_text(encoding="utf-8")), encoding="utf-8")
    config = gate_config(read(path))
    assert len(config.assertions) == 6
    table = tomllib.loads(path.read_text(encoding="utf-8"))["gate"]
    assert set(table) - {"assert"} == set(READERS) - ELSEWHERE - set(PRESENTATION)
    words = {word for limit in table["assert"] for word in limit}
    assert words >= {"metric", "max", "min", "max-ratio", "max-drop", "level", "device", "batch"}


def test_every_key_is_explained_where_it_stands() -> None:
    text = (Path(graphprune.__file__).parent / "ci" / "starter.toml").read_text(encoding="utf-8")
    settings = text[text.index("[gate]") : text.index("# A budget")].splitlines()[1:]
    keys = [line for line in settings if re.match(r"(# )?[a-z-]+ = ", line)]
    assert len(keys) > 10
    assert [line for line in keys if not re.search(r"\s# \w", line[2:])] == []
    told = text[text.index("# A budget") : text.index("[[gate.assert]]")]
    assert all(
        word in told for word in ("metric", "max", "min", "max-ratio", "max-increase", "level", "device")
    )


@pytest.mark.parametrize("ci", JOBS)
def test_a_job_is_valid_by_the_schema_of_its_kind(folder: Path, ci: str) -> None:
    assert main(["init", "--ci", ci, "-o", "gate.toml"]) == 0
    path, name = JOBS[ci]
    schema = json.loads((SCHEMAS / name).read_text(encoding="utf-8"))
    made: Any = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    text = json.dumps({str(key).replace("True", "on"): value for key, value in made.items()})
    jsonschema.validators.validator_for(schema)(schema).validate(json.loads(text))


@pytest.mark.parametrize("ci", JOBS)
def test_the_command_of_a_job_is_one_that_graphprune_reads(folder: Path, ci: str) -> None:
    assert main(["init", "--ci", ci, "-o", "gate.toml"]) == 0
    made: Any = yaml.safe_load(Path(JOBS[ci][0]).read_text(encoding="utf-8"))
    steps = made["graphprune-gate"]["script"] if ci == "gitlab" else made["jobs"]["gate"]["steps"]
    lines = [step if isinstance(step, str) else step.get("run", "") for step in steps]
    (line,) = (line for line in lines if line.startswith("graphprune "))
    words = line.split()[1:]
    assert words[:3] == ["gate", "--config", "gate.toml"]
    check(words)


def test_the_reports_of_the_job_of_gitlab_are_files_that_it_writes(folder: Path) -> None:
    assert main(["init", "--ci", "gitlab"]) == 0
    job: Any = yaml.safe_load(Path(JOBS["gitlab"][0]).read_text(encoding="utf-8"))["graphprune-gate"]
    exported = dict(re.findall(r"--export (\w+)=(\S+)", " ".join(job["script"])))
    reports = job["artifacts"]["reports"]
    assert reports == {
        "junit": exported["junit"],
        "metrics": exported["gitlab"],
        "codequality": exported["codequality"],
    }
    assert job["artifacts"]["paths"] == [exported["json"]]
    assert job["artifacts"]["when"] == "always"


@pytest.mark.parametrize("ci", JOBS)
def test_nothing_that_is_there_is_overwritten(
    folder: Path, ci: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(JOBS[ci][0])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    assert main(["init", "--ci", ci]) == 2
    assert "--force" in capsys.readouterr().err
    assert path.read_text() == "mine"
    assert not Path("graphprune.toml").exists()
    assert main(["init", "--ci", ci, "--force"]) == 0
    assert path.read_text() != "mine"


REFUSED = {
    "what a shell would run": (["-o", "$(x).toml", "--ci", "github"], "a job cannot name"),
    "a path of this machine alone": (["-o", "{folder}/gate.toml", "--ci", "gitlab"], "a job cannot name"),
    "a folder that is not there": (["-o", "none/gate.toml"], "there is no folder none"),
    "a folder": (["-o", "."], ". is a folder"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_is(folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, said = REFUSED[name]
    assert main(["init", *(word.format(folder=folder) for word in words)]) == 2
    assert said in capsys.readouterr().err
    assert list(folder.iterdir()) == []


def test_the_verb_says_what_it_has_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--ci", "github", "--output-format", "json"]) == 0
    written = json.loads(capsys.readouterr().out)["written"]
    assert written == ["graphprune.toml", ".github/workflows/graphprune.yml"]
    assert cast("click.Command", verbs.get_command(click.Context(verbs), "init")).help
