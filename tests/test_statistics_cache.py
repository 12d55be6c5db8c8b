"""Statistics are gathered once for a model and its data, and only for them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from graphprune.errors import Environment, Usage
from graphprune.fitting import statistics_cache
from graphprune.fitting.calibration import Calibration
from graphprune.fitting.statistics import Statistics
from graphprune.fitting.statistics_cache import folder, gathered, key
from graphprune.model import Model
from tests.calibrated import normal, prepared, samples

TEXT = """g (float[n, 6] x) => (float[n, 3] y) <float[6, 8] w0, float[8, 3] w1>
    { a = MatMul (x, w0) r = Relu (a) y = MatMul (r, w1) }"""
LARGE = """g (float[n, 6] x, bool which) => (float[n, 20] z) <float[6, 20] w0, float[20, 20] w1>
    { a = MatMul (x, w0) y = If (which) <
        then_branch = yes () => (float[n, 20] p) { p = MatMul (a, w1) },
        else_branch = no () => (float[n, 20] q) { q = Relu (a) }>
      z = Identity (y) }"""


def cut_off(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def emptied(file: Path) -> None:
    os.truncate(file, 0)


def altered(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def of_another(file: Path) -> None:
    """What is whole, and of another number of samples or another operator."""
    other = file.with_name("2.npz" if file.name == "0.npz" else "0.npz")
    file.write_bytes(other.read_bytes())


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache, which is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def model() -> Model:
    return prepared(TEXT)[0]


@pytest.fixture
def data(model: Model, tmp_path: Path) -> Calibration:
    return samples(model, tmp_path, x=normal(64, 6))


def told(model: Model, data: Calibration, *, keep: bool = True) -> tuple[Statistics, int]:
    """The statistics, and how often an operator was looked at for them."""
    times: list[int] = []
    found = gathered(model, data, keep=keep, tell=lambda done, _: times.append(done))
    return found, len(times)


def test_a_second_call_runs_nothing_and_gives_the_same(cache: Path, model: Model, data: Calibration) -> None:
    (first, ran), (second, again) = told(model, data), told(model, data)
    assert (ran, again) == (2, 0)
    assert first.numbers == second.numbers == {0, 2}
    assert first.samples == second.samples == 56, "one in eight batches is held out"
    for number in first.numbers:
        a, b = first.moments(number), second.moments(number)
        assert a.rows == b.rows
        for name in ("covariance", "mean", "power", "effective"):
            assert np.array_equal(getattr(a, name), getattr(b, name))


def test_the_cache_lies_in_the_users_cache_folder(
    cache: Path, model: Model, data: Calibration, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert folder() == cache / "graphprune" / "statistics"
    gathered(model, data)
    (entry,) = folder().iterdir()
    assert entry.name == key(model, data)
    assert sorted(file.name for file in entry.iterdir()) == ["0.npz", "2.npz", "seal"]
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(cache))
    assert folder() == cache / ".cache" / "graphprune" / "statistics"


def test_without_the_cache_nothing_is_written_there(cache: Path, model: Model, data: Calibration) -> None:
    found, ran = told(model, data, keep=False)
    assert ran == 2
    assert not cache.exists()
    assert found.moments(0).rows == 56


def test_files_outside_the_cache_go_with_the_statistics(model: Model, data: Calibration) -> None:
    found = gathered(model, data, keep=False)
    place = found.folder
    assert sorted(file.name for file in place.iterdir()) == ["0.npz", "2.npz"]
    del found
    assert not place.exists()


def test_another_weight_model_data_or_batch_has_another_key(
    model: Model, data: Calibration, tmp_path: Path
) -> None:
    w0 = normal(6, 8)
    others = {
        key(model, data),
        key(prepared(TEXT, w0=w0)[0], data),
        key(prepared(TEXT, w0=w0 + np.eye(6, 8, dtype=np.float32) * 1e-6)[0], data),
        key(prepared(TEXT.replace("Relu", "Tanh"))[0], data),
        key(model, samples(model, tmp_path, x=normal(64, 6, seed=1))),
        key(model, samples(model, tmp_path, x=normal(63, 6))),
        key(model, samples(model, tmp_path, batch=5, x=normal(64, 6))),
    }
    assert len(others) == 7
    assert key(prepared(TEXT)[0], samples(model, tmp_path, x=normal(64, 6))) in others


def test_a_weight_that_a_body_reads_belongs_to_the_key(model: Model, data: Calibration) -> None:
    first, second = (prepared(LARGE, w1=normal(20, 20, seed=seed))[0] for seed in (0, 1))
    assert key(first, data) != key(second, data)
    assert key(first, data) == key(prepared(LARGE, w1=normal(20, 20))[0], data)


def test_a_cache_that_cannot_be_written_is_done_without(
    model: Model, data: Calibration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    for _ in range(2):
        found, ran = told(model, data)
        assert ran == 2
        assert found.moments(2).covariance.shape == (1, 8, 8)


def test_data_that_is_refused_leaves_nothing_behind(cache: Path, tmp_path: Path) -> None:
    model, _ = prepared(TEXT.replace("Relu", "Log"))
    data = samples(model, tmp_path, x=normal(64, 6))
    with pytest.raises(Usage, match="not finite"):
        gathered(model, data)
    assert list(folder().iterdir()) == []


def test_what_is_half_written_is_not_taken_for_statistics(
    cache: Path, model: Model, data: Calibration
) -> None:
    found = gathered(model, data)
    (found.folder / "seal").unlink()
    again, ran = told(model, data)
    assert ran == 2
    assert again.moments(0).rows == 56


@pytest.mark.parametrize("damage", [cut_off, emptied, altered, of_another, Path.unlink])
@pytest.mark.parametrize("name", ["0.npz", "2.npz", "seal"])
def test_what_is_damaged_is_gathered_again(
    cache: Path,
    model: Model,
    data: Calibration,
    name: str,
    damage: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = gathered(model, data)
    covariance = first.moments(0).covariance
    damage(first.folder / name)
    again, ran = told(model, data)
    assert (ran, again.samples) == (2, 56)
    assert "damaged" in caplog.text
    assert np.array_equal(again.moments(0).covariance, covariance)
    assert told(model, data)[1] == 0, "it is whole again"
    assert [entry.name for entry in folder().iterdir()] == [key(model, data)]


def test_what_vanishes_while_it_is_used_is_the_environments_fault(
    cache: Path, model: Model, data: Calibration
) -> None:
    found = gathered(model, data)
    for damage in (cut_off, emptied, Path.unlink):
        damage(found.folder / "0.npz")
        with pytest.raises(Environment, match="cannot be read"):
            found.moments(0)


def test_nobody_else_may_read_the_cache(cache: Path, model: Model, data: Calibration) -> None:
    folder().mkdir(parents=True, mode=0o755)
    entry = gathered(model, data).folder
    modes = {path: path.stat().st_mode & 0o777 for path in (entry, entry.parent, entry.parent.parent)}
    assert set(modes.values()) == {0o700}, modes


def test_the_entries_that_were_not_used_for_longest_go_first(
    cache: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [samples(model, tmp_path, x=normal(64, 6, seed=seed)) for seed in range(4)]
    entries = [gathered(model, each).folder for each in kept[:3]]
    for age, entry in zip((300, 200, 100), entries, strict=True):
        now = (entry / "seal").stat().st_mtime
        os.utime(entry / "seal", (now - age, now - age))
    assert told(model, kept[0])[1] == 0, "this makes it the newest"
    size = sum(file.stat().st_size for file in entries[0].iterdir())
    monkeypatch.setattr(statistics_cache, "MOST", int(2.5 * size))
    newest = gathered(model, kept[3]).folder
    assert {entry.name for entry in folder().iterdir()} == {entries[0].name, newest.name}
    monkeypatch.setattr(statistics_cache, "MOST", 0)
    again = gathered(model, kept[1])
    assert [entry.name for entry in folder().iterdir()] == [again.folder.name], "never the one just made"
    assert again.moments(0).rows == 56
