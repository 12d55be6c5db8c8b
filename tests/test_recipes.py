"""The recipes are what they show: their YAML is read, their commands exist, their Python compiles."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from graphprune.cli import VERBS, verbs
from tests.test_documents import blocks, flags

RECIPES = sorted((Path(__file__).parent.parent / "docs" / "recipes").glob("*.md"))
PLACES = {"matrix.backend": "ort:cpu", "matrix.device": "l4"}
"""What stands for the expressions of GitHub in a command."""


def recipe(name: str) -> Path:
    (found,) = (path for path in RECIPES if path.name == name)
    return found


def fenced(path: Path) -> str:
    """All fenced blocks of a page, with lines that are continued as one."""
    found = re.findall(r"^```\w*\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return re.sub(r"\\\n\s*", " ", "".join(found))


def commands(path: Path) -> Iterator[list[str]]:
    """The words of every `graphprune VERB ...` of a page, without what belongs to the shell."""
    for line in re.findall(r"(?<![\w/-])graphprune (?!\[)([a-z].*)", fenced(path)):
        told = re.sub(r"\$\{\{ *([\w.]+) *\}\}", lambda place: PLACES[place[1]], line)
        yield shlex.split(re.split(r"\s(?:>>?|\||&&)\s", told)[0])


def yaml_of(name: str) -> Any:
    yaml = pytest.importorskip("yaml")
    (text,) = blocks(recipe(name), "yaml")
    return yaml.safe_load(text)


def check(words: list[str]) -> None:
    """Let a verb read its words, as the command line does; files need not be there."""
    assert words[0] in VERBS, words
    command = verbs.get_command(click.Context(verbs), words[0])
    assert command is not None
    command.make_context(words[0], words[1:])


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_every_command_of_a_recipe_is_one_that_graphprune_reads(
    path: Path, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(repository / "graphprune" / "ci" / "starter.toml", tmp_path / "graphprune.toml")
    monkeypatch.chdir(tmp_path)  # the one file that is read before a verb runs
    found = list(commands(path))
    assert found or path.name in {"README.md", "slurm.md"}
    for words in found:
        check(words)


def test_a_command_that_graphprune_does_not_read_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```yaml\n- run: |\n    graphprune profile a.onnx \\\n      --bakend ${{ matrix.backend }} > x\n```\n"
    )
    (words,) = commands(page)
    assert words == ["profile", "a.onnx", "--bakend", "ort:cpu"]
    with pytest.raises(click.NoSuchOption):
        check(words)


@pytest.mark.parametrize("verb", ["build", "profile"])
def test_the_table_of_engines_names_options_that_the_verb_has(verb: str) -> None:
    text = recipe("engines.md").read_text(encoding="utf-8")
    (table,) = re.findall(rf"^\| graphprune {verb} \|.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    firsts = [line.split("|")[1] for line in table.splitlines()]
    named = {flag for first in firsts for flag in re.findall(r"--[a-z][a-z-]+", first)}
    assert len(named) >= 8
    assert named - flags(verb) == set()


def test_the_workflow_profiles_on_every_runner_and_compares_what_was_uploaded() -> None:
    jobs = yaml_of("github-matrix.md")["jobs"]
    profile, compare = jobs["profile"]["steps"], jobs["compare"]["steps"]
    assert {"device", "runner", "backend", "package"} == set.intersection(
        *(set(entry) for entry in jobs["profile"]["strategy"]["matrix"]["include"])
    )
    assert jobs["compare"]["needs"] == "profile"
    (uploaded,) = (step["with"] for step in profile if "upload-artifact" in step.get("uses", ""))
    (fetched,) = (step["with"] for step in compare if "download-artifact" in step.get("uses", ""))
    assert uploaded["name"].startswith(fetched["pattern"].removesuffix("*"))
    assert any(uploaded["path"] in step.get("run", "") for step in profile)
    assert any(f"{fetched['path']}/*.json" in step.get("run", "") for step in compare)
    assert fetched["merge-multiple"] is True


def test_actions_are_pinned_by_their_major_version() -> None:
    jobs = yaml_of("github-matrix.md")["jobs"].values()
    used = [step["uses"] for job in jobs for step in job["steps"] if "uses" in step]
    assert len(used) >= 5
    assert [name for name in used if not re.fullmatch(r"actions/[a-z-]+@v\d+", name)] == []


def test_the_job_of_kubernetes_asks_for_one_gpu_and_mounts_what_it_names() -> None:
    job = yaml_of("kubernetes.md")
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["restartPolicy"] == "Never"
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    mounts = {mount["name"] for mount in container["volumeMounts"]}
    assert mounts == {volume["name"] for volume in pod["volumes"]}
    assert container["workingDir"] in {mount["mountPath"] for mount in container["volumeMounts"]}
    assert container["command"][0] == "graphprune"
    check(container["command"][1:])


def test_the_workflow_of_the_gate_gives_inputs_and_reads_outputs_that_the_action_has(
    repository: Path,
) -> None:
    yaml = pytest.importorskip("yaml")
    action = yaml.safe_load((repository / "action.yml").read_text(encoding="utf-8"))
    page = recipe("gate-github.md").read_text(encoding="utf-8")
    (gate,) = (
        step for step in yaml_of("gate-github.md")["jobs"]["gate"]["steps"] if step.get("id") == "gate"
    )
    assert set(gate["with"]) <= set(action["inputs"])
    assert set(re.findall(r"steps\.gate\.outputs\.([a-z-]+)", page)) <= set(action["outputs"])
    inputs, outputs = re.findall(r"^\| (?:input|output) \|.*\n((?:\|.*\n)+)", page, re.MULTILINE)
    for table, known in ((inputs, action["inputs"]), (outputs, action["outputs"])):
        firsts = [line.split("|")[1] for line in table.splitlines()[1:]]
        assert {name for first in firsts for name in re.findall(r"`([a-z-]+)`", first)} == set(known)


def test_the_words_of_the_workflow_of_the_gate_are_read() -> None:
    (gate,) = (
        step for step in yaml_of("gate-github.md")["jobs"]["gate"]["steps"] if step.get("id") == "gate"
    )
    given = gate["with"]
    words = [
        word for name in ("config", "original", "candidate", "data") for word in (f"--{name}", given[name])
    ]
    check(["gate", *words[2:], *shlex.split(given["args"])])


def test_the_job_of_gitlab_is_the_one_that_init_writes(repository: Path) -> None:
    yaml = pytest.importorskip("yaml")
    written = (repository / "graphprune" / "ci" / "gitlab.yml").read_text(encoding="utf-8")
    assert yaml_of("gate-gitlab.md") == yaml.safe_load(written.replace("@CONFIG@", "graphprune.toml"))


SUBMITIT = {
    "AutoExecutor": {"folder"},
    "update_parameters": {"name", "timeout_min", "cpus_per_task", "mem_gb", "slurm_exclusive", "slurm_gres"},
    "submit": set[str](),
    "result": set[str](),
}
"""What the script calls of submitit 1.5 (its API reference), with the keywords that it takes."""


def test_the_script_for_slurm_compiles_and_calls_what_submitit_has() -> None:
    (script,) = blocks(recipe("slurm.md"), "python")
    tree = ast.parse(script)
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    ours = {"run", "mkdir", "append"}
    found: dict[str, set[str]] = {}
    for call in calls:
        assert isinstance(call.func, ast.Attribute)
        words = {keyword.arg for keyword in call.keywords if keyword.arg is not None}
        found.setdefault(call.func.attr, set()).update(words)
    assert {name: words for name, words in found.items() if name not in ours} == SUBMITIT


def test_the_commands_of_the_script_for_slurm_are_read() -> None:
    (script,) = blocks(recipe("slurm.md"), "python")
    tree = ast.parse(script)
    words: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple | ast.List):
            words += [item.value for item in node.elts if isinstance(item, ast.Constant)]
    named = {str(word) for word in words if str(word).startswith("--")}
    assert {"--backend", "--batch", "--export-json", "--force", "--threshold"} <= named
    assert named - flags("profile") - flags("compare") - {"--gres"} == set()
