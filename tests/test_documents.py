"""What the documents say is what the code does: their options exist, their examples run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import onnx
import pytest

from graphprune.cli import verbs
from graphprune.config.document import read
from graphprune.gate.config import gate_config
from models import small

VERBS = (
    "inspect",
    "prune",
    "sparsify",
    "sensitivity",
    "verify",
    "build",
    "profile",
    "gate",
    "report",
    "init",
    "compare",
    "run",
    "schema",
    "doctor",
)


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of a document that are marked with `language`."""
    return re.findall(
        rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def flags(verb: str) -> set[str]:
    """The long options of a verb."""
    command = verbs.get_command(click.Context(verbs), verb)
    assert command is not None
    found = [flag for option in command.params if isinstance(option, click.Option) for flag in option.opts]
    return {flag for flag in found if flag.startswith("--")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the small network as `model.onnx`, and samples for it as `calib.npz`."""
    small.main(str(tmp_path / "model.onnx"))
    given = onnx.load(tmp_path / "model.onnx").graph.input[0]
    sizes = [dim.dim_value or 32 for dim in given.type.tensor_type.shape.dim]
    samples = np.random.default_rng(0).standard_normal((32, *sizes[1:]), np.float32)
    np.savez(tmp_path / "calib.npz", **{given.name: samples})
    return tmp_path


def python(folder: Path, *arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python in `folder`, with the working tree, and `path`, where it finds packages."""
    found = os.pathsep.join(str(item) for item in (Path(__file__).parent.parent, path) if item)
    environment = {**os.environ, "PYTHONPATH": found}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("verb", VERBS)
def test_the_interface_page_has_every_option_of_the_verb(repository: Path, verb: str) -> None:
    page = (repository / "docs" / "interface.md").read_text(encoding="utf-8")
    common, *sections = re.split(r"^## ", page, flags=re.MULTILINE)
    section = next(text for text in sections if text.startswith(verb))
    documented = set(re.findall(r"--[a-z][a-z-]*", common + section))
    assert flags(verb) - documented - {"--help"} == set()


def test_the_interface_page_invents_no_option(repository: Path) -> None:
    page = (repository / "docs" / "interface.md").read_text(encoding="utf-8")
    known = {"--help"}.union(*(flags(verb) for verb in VERBS))
    assert set(re.findall(r"--[a-z][a-z-]*", page)) - known == set()


@pytest.mark.parametrize("page", ["README.md", "docs/interface.md"])
def test_the_python_examples_run(repository: Path, folder: Path, page: str) -> None:
    for example in blocks(repository / page, "python"):
        run = python(folder, "-c", example)
        assert run.returncode == 0, run.stderr
    assert (folder / "small.onnx").exists()


def test_the_example_of_a_pass_runs_as_another_package_would_offer_it(repository: Path, folder: Path) -> None:
    page = repository / "docs" / "passes.md"
    site = folder / "site"
    (site / "my_package").mkdir(parents=True)
    (site / "my_package" / "favour.py").write_text(blocks(page, "python")[0], encoding="utf-8")
    (table,) = blocks(page, "toml")
    info = site / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n", encoding="utf-8"
    )
    entry = table.replace('[project.entry-points."graphprune.passes"]', "[graphprune.passes]").replace(
        '"', ""
    )
    (info / "entry_points.txt").write_text(entry, encoding="utf-8")
    command = re.search(
        r"^graphprune run model.onnx -o small.onnx -p \"(.*)\"", page.read_text(), re.MULTILINE
    )
    assert command is not None
    run = python(
        folder, "-m", "graphprune", "run", "model.onnx", "-o", "small.onnx", "-p", command[1], path=site
    )
    assert run.returncode == 0, run.stderr
    assert (folder / "small.onnx").stat().st_size < (folder / "model.onnx").stat().st_size


@pytest.mark.parametrize("page", ["README.md", "docs/interface.md"])
def test_the_gate_takes_the_example_of_its_config(repository: Path, tmp_path: Path, page: str) -> None:
    examples = [text for text in blocks(repository / page, "toml") if "[[gate.assert]]" in text]
    assert examples
    for text in examples:
        (tmp_path / "graphprune.toml").write_text(text, encoding="utf-8")
        config = gate_config(read(tmp_path / "graphprune.toml"))
        assert len(config.assertions) == text.count("[[gate.assert]]")


def test_the_tour_of_the_readme_runs(repository: Path, folder: Path) -> None:
    tour = re.findall(r"^graphprune .*", (repository / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(tour) >= len(VERBS)
    for line in tour:
        run = python(folder, "-m", *shlex.split(line, comments=True))
        assert run.returncode == 0, f"{line}\n{run.stderr}"
