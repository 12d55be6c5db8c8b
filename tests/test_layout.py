"""The repository is laid out as its documents say, and what is shipped is what stands in it."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.version import Version

MACHINE_PATH = re.compile(r"(?<![\w.:/~])/(?:home|root|tmp|work|Users|mnt)/\w")


def tracked(repository: Path) -> list[Path]:
    """The files under version control; the test is skipped where there is no git checkout."""
    git = shutil.which("git")
    if git is None or not (repository / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        [git, "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=True
    )
    paths = [repository / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def pyproject(repository: Path) -> dict[str, object]:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names inside a wheel that is built from a copy of the working tree, without a network."""
    room = tmp_path_factory.mktemp("wheel")
    source = room / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(repository / name, source / name)
    for name in ("graphprune", "passes"):
        no_caches = shutil.ignore_patterns("__pycache__")
        shutil.copytree(repository / name, source / name, symlinks=True, ignore=no_caches)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(room), str(source)]
    run = subprocess.run(build, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    with zipfile.ZipFile(next(room.glob("*.whl"))) as archive:
        return archive.namelist()


def test_the_oldest_versions_are_those_that_the_project_allows(repository: Path) -> None:
    project = pyproject(repository)["project"]
    assert isinstance(project, dict)
    pins = (repository / ".ci" / "oldest.txt").read_text(encoding="utf-8").splitlines()
    oldest = {line.partition("==")[::2] for line in pins if not line.startswith("#")}
    allowed = {text.partition(">=")[::2] for text in project["dependencies"]}
    assert {(name, Version(version)) for name, version in oldest} == {
        (name, Version(version)) for name, version in allowed
    }


def test_the_wheel_holds_every_pass_as_graphprune_passes(repository: Path, wheel: list[str]) -> None:
    written = {path.name for path in (repository / "passes").glob("*.py")}
    shipped = {Path(name).name for name in wheel if Path(name).parent == Path("graphprune/passes")}
    assert shipped == written


def test_the_wheel_has_no_other_top_level_package(wheel: list[str]) -> None:
    roots = {Path(name).parts[0] for name in wheel}
    assert {root for root in roots if not root.endswith(".dist-info")} == {"graphprune"}


def test_the_wheel_says_that_it_is_typed(wheel: list[str]) -> None:
    assert "graphprune/py.typed" in wheel


def test_every_module_of_the_source_is_in_the_wheel(repository: Path, wheel: list[str]) -> None:
    source = repository / "graphprune"
    written = {path.relative_to(repository).as_posix() for path in source.glob("**/*.py")}
    assert written - set(wheel) == set()


def test_what_init_writes_is_in_the_wheel(repository: Path, wheel: list[str]) -> None:
    written = {f"graphprune/ci/{path.name}" for path in (repository / "graphprune" / "ci").iterdir()}
    assert len(written) == 3
    assert written - set(wheel) == set()


def test_what_the_report_is_made_of_is_in_the_wheel(repository: Path, wheel: list[str]) -> None:
    folder = repository / "graphprune" / "report" / "assets"
    written = {f"graphprune/report/assets/{path.name}" for path in folder.iterdir()}
    assert {path.rpartition(".")[2] for path in written} == {"css", "js"}
    assert written <= set(wheel)


def test_every_package_folder_is_listed(repository: Path) -> None:
    source = repository / "graphprune"
    folders = {path.parent for path in source.glob("**/*.py")} | {source / "passes"}
    found = {".".join(folder.relative_to(repository).parts) for folder in folders}
    setuptools = pyproject(repository)["tool"]["setuptools"]  # type: ignore[index]
    assert set(setuptools["packages"]) == found


def test_the_symlink_shows_passes_inside_the_package(repository: Path) -> None:
    link = repository / "graphprune" / "passes"
    assert link.is_symlink()
    assert link.readlink() == Path("../passes")


def test_passes_refuses_to_be_a_package_of_its_own(repository: Path) -> None:
    spec = importlib.util.spec_from_file_location("passes", repository / "passes" / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    with pytest.raises(ImportError, match=r"graphprune\.passes"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def test_the_commands_of_the_readme_are_targets_of_the_makefile(repository: Path) -> None:
    readme = (repository / "README.md").read_text(encoding="utf-8")
    makefiles = [repository / "Makefile", repository / "benchmarks" / "Makefile"]
    rules = "".join(path.read_text(encoding="utf-8") for path in makefiles)
    commands = set(re.findall(r"^(?:\$ )?make ([a-z-]+)", readme, re.MULTILINE))
    targets = set(re.findall(r"^([a-z-]+):", rules, re.MULTILINE))
    assert {"demo", "test"} <= commands <= targets


def test_no_tracked_file_names_a_path_of_one_machine(repository: Path) -> None:
    found: list[str] = []
    for path in tracked(repository):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.name}:{n}" for n, line in enumerate(text.splitlines(), 1) if MACHINE_PATH.search(line)
        ]
    assert found == []


def test_no_tracked_file_is_larger_than_one_megabyte(repository: Path) -> None:
    assert [path.name for path in tracked(repository) if path.stat().st_size > 1_000_000] == []


def test_relative_links_in_the_documents_lead_somewhere(repository: Path) -> None:
    dead: list[str] = []
    for path in tracked(repository):
        if path.suffix != ".md":
            continue
        links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", path.read_text(encoding="utf-8"))
        dead += [f"{path.name}: {link}" for link in links if not (path.parent / link).exists()]
    assert dead == []
