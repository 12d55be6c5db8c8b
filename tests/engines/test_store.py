"""Engines are found again, checked, thrown away where they are damaged, trusted where they are ours."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import onnx
import pytest

from graphprune.engines import store
from graphprune.engines.build import build
from graphprune.engines.foreign import note_of, read_engine, write_engine
from graphprune.engines.options import BuildOptions
from graphprune.engines.store import NOTE, PLAN, Entry
from graphprune.errors import Environment, Refused, Usage
from graphprune.model import from_proto, load
from tests.engines.networks import network

HERE = BuildOptions(capability=86)


def kept(key: str, plan: bytes = b"native code") -> Entry:
    """Put an engine into the cache without building it."""
    digest = hashlib.sha256(plan).hexdigest()
    entry = Entry(digest, len(plan), "model", "TensorRT", "11.4", "SM86", {}, 0.1)
    with store.room() as room:
        (room / PLAN).write_bytes(plan)
        store.keep(key, entry, room / PLAN)
    return entry


def truncate(place: Path) -> None:
    os.truncate(place / PLAN, 5)


def flip(place: Path) -> None:
    data = bytearray((place / PLAN).read_bytes())
    data[3] ^= 1
    (place / PLAN).write_bytes(data)


def scribble(place: Path) -> None:
    (place / NOTE).write_text("{")


def falsify(place: Path) -> None:
    note = json.loads((place / NOTE).read_text())
    (place / NOTE).write_text(json.dumps({**note, "bytes": "many"}))


def lose(place: Path) -> None:
    (place / NOTE).unlink()


DAMAGES = [truncate, flip, scribble, falsify, lose]


def test_what_is_kept_is_found(own_cache: Path) -> None:
    entry = kept("a")
    assert store.find("a") == (entry, b"native code")
    assert store.find("b") is None


def test_nobody_else_can_read_or_write_the_cache(own_cache: Path) -> None:
    own_cache.mkdir(parents=True, mode=0o755)
    kept("a")
    assert own_cache.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_thrown_away_with_a_warning(
    damage: Callable[[Path], None], own_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept("a")
    kept("b", b"other code")
    damage(own_cache / "a")
    with caplog.at_level(logging.WARNING, "graphprune"):
        assert store.find("a") is None
    assert "damaged" in caplog.text
    assert [path.name for path in own_cache.iterdir()] == ["b"]


def test_a_failed_build_leaves_nothing(own_cache: Path) -> None:
    def build() -> None:
        with store.room() as room:
            (room / "half").write_bytes(b"x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build()
    assert list(own_cache.iterdir()) == []


def test_what_was_not_used_for_longest_goes_first(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST", 2500)
    for age, name in enumerate("abc"):
        kept(name, bytes(700))
        if name != "c":
            os.utime(own_cache / name / NOTE, (1e9 + age, 1e9 + age))
    assert sorted(path.name for path in own_cache.iterdir()) == ["b", "c"]


def test_a_cache_that_cannot_be_written_to_is_no_obstacle(
    own_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own_cache.parent.parent.mkdir(parents=True, exist_ok=True)
    own_cache.parent.write_text("a file where the folder should be")
    with store.room() as room, caplog.at_level(logging.WARNING, "graphprune"):
        assert room.is_dir()
        store.keep("a", Entry("", 0, "", "", "", "", {}, 0), room / PLAN)
    assert store.find("a") is None
    assert not room.exists()


@pytest.mark.usefixtures("rtx")
class TestBuilding:
    """With TensorRT-RTX."""

    def test_the_second_build_comes_from_the_cache(self, own_cache: Path) -> None:
        model = from_proto(network("residual"))
        first, second = (build(model, "trt-rtx", HERE) for _ in range(2))
        assert (first.cached, second.cached) == (False, True)
        assert (first.plan, first.entry) == (second.plan, second.entry)
        assert build(model, "trt-rtx", HERE, rebuild=True).cached is False

    def test_the_same_model_from_another_file_is_the_same(self, own_cache: Path, tmp_path: Path) -> None:
        proto = network("residual")
        build(from_proto(proto), "trt-rtx", HERE)
        onnx.save(proto, tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
        assert build(load(tmp_path / "m.onnx"), "trt-rtx", HERE).cached

    def test_another_weight_target_or_option_is_another_engine(self, own_cache: Path) -> None:
        proto = network("residual")
        build(from_proto(proto), "trt-rtx", HERE)
        for options in (BuildOptions(capability=89), BuildOptions(capability=86, level=2)):
            assert not build(from_proto(proto), "trt-rtx", options).cached
        weight = proto.graph.initializer[0]
        values = onnx.numpy_helper.to_array(weight) * 1.001
        weight.CopyFrom(onnx.numpy_helper.from_array(values.astype("float32"), weight.name))
        assert not build(from_proto(proto), "trt-rtx", HERE).cached

    @pytest.mark.parametrize("damage", DAMAGES)
    def test_a_damaged_entry_is_built_again(
        self, damage: Callable[[Path], None], own_cache: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        model = from_proto(network("residual"))
        before = build(model, "trt-rtx", HERE)
        (place,) = own_cache.iterdir()
        damage(place)
        with caplog.at_level(logging.WARNING, "graphprune"):
            after = build(model, "trt-rtx", HERE)
        assert (after.cached, after.plan) == (False, before.plan)
        assert build(model, "trt-rtx", HERE).cached


def test_an_engine_of_ours_is_read_back(own_cache: Path, tmp_path: Path) -> None:
    entry = kept("a")
    path = tmp_path / "m.engine"
    write_engine(path, entry, b"native code")
    assert read_engine(path, "TensorRT", "11.4", trusted=False) == b"native code"
    assert msgspec.json.decode(note_of(path).read_bytes(), type=Entry) == entry


def test_a_foreign_engine_is_read_only_where_it_is_trusted(own_cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.engine"
    path.write_bytes(b"who knows")
    with pytest.raises(Usage, match="was not built by graphprune here") as refusal:
        read_engine(path, "TensorRT", "11.4", trusted=False)
    assert "--trust-engine" in refusal.value.hint
    assert read_engine(path, "TensorRT", "11.4", trusted=True) == b"who knows"


def test_a_note_does_not_make_an_engine_trusted(own_cache: Path, tmp_path: Path) -> None:
    plan = b"who knows"
    entry = Entry(hashlib.sha256(plan).hexdigest(), len(plan), "", "TensorRT", "11.4", "SM86", {}, 0)
    write_engine(tmp_path / "m.engine", entry, plan)
    with pytest.raises(Usage, match="was not built by graphprune here"):
        read_engine(tmp_path / "m.engine", "TensorRT", "11.4", trusted=False)


def test_an_engine_of_another_version_or_damaged_is_refused(own_cache: Path, tmp_path: Path) -> None:
    entry, path = kept("a"), tmp_path / "m.engine"
    write_engine(path, entry, b"native code")
    with pytest.raises(Environment, match=r"built by TensorRT 11\.4, and this is TensorRT 10\.12"):
        read_engine(path, "TensorRT", "10.12", trusted=False)
    path.write_bytes(b"native cod")
    with pytest.raises(Refused, match="damaged"):
        read_engine(path, "TensorRT", "11.4", trusted=True)
    with pytest.raises(Usage, match="cannot be read"):
        read_engine(tmp_path / "none.engine", "TensorRT", "11.4", trusted=True)
