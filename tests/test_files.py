"""What is written gets its place whole or not at all, and what dead runs have left goes with the next one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from graphprune import files
from graphprune.errors import Environment
from graphprune.files import room, sweep, undisturbed
from graphprune.model import load, save
from graphprune.text_file import write_text
from tests.dying import WAYS, seed_of, store

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks")
COMMITS = "rename,replace,unlink,rmdir"
CALLS = f"mkdir,open,flock,write,fsync,{COMMITS},close"


def dying(folder: Path, *words: str) -> dict[str, Any]:
    """Save over a model, and die or fail on the way, at each call and in each way of `words`."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.dying", str(folder), *words],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["calls"] > 5
    return found


def test_a_process_that_is_killed_leaves_the_old_model_or_the_new_one(tmp_path: Path) -> None:
    assert dying(tmp_path, "outside", "outside", COMMITS, "SIGKILL")["wrong"] == {}


@pytest.mark.slow
@pytest.mark.parametrize("new", ["inside", "outside"])
@pytest.mark.parametrize("old", ["inside", "outside"])
def test_whatever_fails_leaves_the_old_model_or_the_new_one(tmp_path: Path, old: str, new: str) -> None:
    assert dying(tmp_path, old, new, CALLS, *WAYS)["wrong"] == {}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def data_of(path: Path) -> str:
    proto = onnx.load(path, load_external_data=False)
    return next(entry.value for entry in proto.graph.initializer[0].external_data if entry.key == "location")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A model of ours with its weights outside, and another one to save over it."""
    for seed in (1, 2):
        store(tmp_path / f"{seed}.onnx", seed, outside=True)
    save(load(tmp_path / "1.onnx"), tmp_path / "o.onnx")
    return tmp_path / "o.onnx"


def test_the_data_of_a_model_goes_with_it(saved: Path) -> None:
    before = data_of(saved)
    save(load(saved.with_name("2.onnx")), saved, force=True)
    assert data_of(saved) != before
    assert names(saved.parent) == {"1.onnx", "1.onnx.bin", "2.onnx", "2.onnx.bin", "o.onnx", data_of(saved)}
    assert seed_of(saved, (2,)) == 2


@pytest.mark.parametrize("place", ["kept.onnx", "kept", "kept.bin"])
def test_data_that_another_model_names_stays(saved: Path, place: str) -> None:
    saved.rename(saved.with_name(place))
    save(load(saved.with_name("1.onnx")), saved)
    save(load(saved.with_name("2.onnx")), saved, force=True)
    assert seed_of(saved.with_name(place), (1, 2)) == 1
    assert seed_of(saved, (1, 2)) == 2


def test_a_name_is_found_across_blocks_and_only_in_models(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = data_of(saved).encode()
    saved.with_name("notes.txt").write_bytes(b"# " + name)
    for block in (16, 31, 1 << 20):
        monkeypatch.setattr(files, "_BLOCK", block)
        assert files.names(saved, name)
        assert not files.names(saved, name[:-1] + b"?")
        assert not files.names(saved.with_name("notes.txt"), name)


def test_data_that_a_model_above_names_stays(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for seed in (1, 2):
        store(tmp_path / "sub" / f"{seed}.onnx", seed, outside=True)
    target = tmp_path / "sub" / "o.onnx"
    save(load(tmp_path / "sub" / "1.onnx"), target)
    above = onnx.load(target, load_external_data=False)
    for tensor in above.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = f"sub/{entry.value}"
    onnx.save(above, tmp_path / "above.onnx")
    save(load(tmp_path / "sub" / "2.onnx"), target, force=True)
    assert seed_of(tmp_path / "above.onnx", (1, 2)) == 1


def test_data_that_is_not_of_our_making_stays(tmp_path: Path) -> None:
    for seed in (1, 2):
        store(tmp_path / f"{seed}.onnx", seed, outside=True)
    save(load(tmp_path / "2.onnx"), tmp_path / "1.onnx", force=True)
    assert names(tmp_path) == {"1.onnx", "1.onnx.bin", "2.onnx", "2.onnx.bin", data_of(tmp_path / "1.onnx")}


def test_the_same_data_is_not_written_again(saved: Path) -> None:
    data = saved.with_name(data_of(saved))
    before = data.stat()
    save(load(saved.with_name("1.onnx")), saved, force=True)
    assert (data.stat().st_ino, data.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("links", ["symbolic", "hard"])
def test_a_link_at_the_place_is_replaced_and_not_followed(tmp_path: Path, links: str) -> None:
    """As in the cache of Hugging Face, where a snapshot consists of links to blobs."""
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshot"
    blobs.mkdir()
    snapshot.mkdir()
    for seed in (1, 2):
        store(tmp_path / f"{seed}.onnx", seed, outside=True)
    save(load(tmp_path / "1.onnx"), blobs / "o.onnx")
    for path in blobs.iterdir():
        link = snapshot / path.name
        link.symlink_to(path) if links == "symbolic" else link.hardlink_to(path)
    before = {path: path.read_bytes() for path in blobs.iterdir()}
    save(load(tmp_path / "2.onnx"), snapshot / "o.onnx", force=True)
    assert {path: path.read_bytes() for path in blobs.iterdir()} == before
    assert (seed_of(blobs / "o.onnx", (1, 2)), seed_of(snapshot / "o.onnx", (1, 2))) == (1, 2)


def test_what_ours_are_called_can_be_read_through_the_cache_of_hugging_face(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshot"
    blobs.mkdir()
    snapshot.mkdir()
    store(tmp_path / "1.onnx", 1, outside=True)
    save(load(tmp_path / "1.onnx"), tmp_path / "o.onnx")
    for number, name in enumerate(("o.onnx", data_of(tmp_path / "o.onnx"))):
        (tmp_path / name).rename(blobs / str(number))
        (snapshot / name).symlink_to(Path("..") / "blobs" / str(number))
    save(load(snapshot / "o.onnx"), tmp_path / "again.onnx")
    assert seed_of(tmp_path / "again.onnx", (1,)) == 1


@pytest.mark.parametrize("name", ["mödel.onnx", "a b'\"\\.onnx", os.fsdecode(b"m\xff.onnx")])
def test_any_name_of_a_file_will_do(tmp_path: Path, name: str) -> None:
    store(tmp_path / "1.onnx", 1, outside=True)
    for _ in range(2):
        save(load(tmp_path / "1.onnx"), tmp_path / name, force=True)
    assert len(names(tmp_path)) == 4
    (tmp_path / name).rename(tmp_path / "o.onnx")
    assert seed_of(tmp_path / "o.onnx", (1,)) == 1


def test_a_room_of_a_process_that_lives_is_left_alone(tmp_path: Path) -> None:
    with room(tmp_path) as made:
        assert made.stat().st_mode & 0o777 == 0o700
        (made / "a").touch()
        sweep(tmp_path)
        write_text("b", tmp_path / "b")
        assert (made / "a").exists()
    assert names(tmp_path) == {"b"}


def test_a_room_of_a_dead_process_goes_with_the_next_run(tmp_path: Path) -> None:
    code = (
        f"import os; from pathlib import Path; from graphprune.files import room; "
        f"at = room(Path({str(tmp_path)!r})); (at.__enter__() / 'a').touch(); "
    )
    for ending in ("os._exit(1)", "os.kill(os.getpid(), 9)"):
        subprocess.run([sys.executable, "-c", code + ending], check=False)
        (left,) = names(tmp_path)
        assert left.startswith(".graphprune-")
        write_text("b", tmp_path / "b")
        assert names(tmp_path) == {"b"}
        (tmp_path / "b").unlink()


def test_what_only_looks_like_a_room_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".graphprune-0123456789abcdef").touch()
    (tmp_path / "else").mkdir()
    (tmp_path / ".graphprune-fedcba9876543210").symlink_to("else")
    (tmp_path / ".graphprune-cache").mkdir()
    before = names(tmp_path)
    sweep(tmp_path)
    assert names(tmp_path) == before


@pytest.mark.parametrize(
    "noted",
    [
        "../precious.0123456789abcdef.data",
        "precious",
        "sub/x.0123456789abcdef.data",
        "o.0123456789abcdef.data",
    ],
)
def test_a_note_that_was_tampered_with_removes_nothing_but_data_of_ours(tmp_path: Path, noted: str) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    files_there = [
        tmp_path / "precious.0123456789abcdef.data",
        folder / "precious",
        folder / "sub" / "x.0123456789abcdef.data",
        folder / "o.0123456789abcdef.data",
    ]
    for path in files_there:
        path.touch()
    dead = folder / ".graphprune-0123456789abcdef"
    dead.mkdir()
    (dead / ".graphprune-note").write_text(json.dumps([noted, 3, None]))
    sweep(folder)
    assert not dead.exists()
    ours = files_there[3:] if noted.startswith("o.") else []
    assert [path for path in files_there if not path.exists()] == ours


def test_signals_are_heard_after_the_block() -> None:
    told = []

    def disturbed() -> None:
        with undisturbed():
            signal.raise_signal(signal.SIGINT)
            told.append("whole")
        told.append("never")

    heard = signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored, as under nohup
    try:
        with pytest.raises(KeyboardInterrupt):
            disturbed()
    finally:
        signal.signal(signal.SIGINT, heard)
    assert told == ["whole"]


def test_a_disk_that_fails_after_the_model_has_its_place_says_so(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(folder: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(files, "sync", fails)
    with pytest.raises(Environment, match="Input/output error"):
        save(load(saved.with_name("2.onnx")), saved, force=True)
    assert seed_of(saved, (1, 2)) in (1, 2)


def test_two_processes_that_write_one_model_leave_one_of_the_two(tmp_path: Path) -> None:
    for seed in (1, 2):
        store(tmp_path / f"{seed}.onnx", seed, outside=True)
    code = (
        "import sys; from graphprune.model import load, save\n"
        "for _ in range(4): save(load(sys.argv[1]), sys.argv[2], force=True)"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / f"{seed}.onnx"), str(tmp_path / "o.onnx")]
        )
        for seed in (1, 2, 1, 2)
    ]
    assert [run.wait() for run in runs] == [0] * 4
    assert seed_of(tmp_path / "o.onnx", (1, 2)) in (1, 2)
    assert sum(name.endswith(".data") for name in names(tmp_path)) <= 2
    assert not any(name.startswith(".") for name in names(tmp_path))


def test_weights_are_what_they_were(saved: Path) -> None:
    first, second = (onnx.load(path) for path in (saved, saved.with_name("1.onnx")))
    for a, b in zip(first.graph.initializer, second.graph.initializer, strict=True):
        assert np.array_equal(onnx.numpy_helper.to_array(a), onnx.numpy_helper.to_array(b))
