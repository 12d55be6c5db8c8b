"""`prune --target latency=...` from the command line.

What a run ends with must not hang on what else the machine does: where it does, the device is one whose clock
follows from the model.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from graphprune import backends
from graphprune.cli import main
from graphprune.errors import Usage
from graphprune.latency import latencies as kept
from graphprune.latency import pair
from graphprune.model import load
from graphprune.passes.fold import Fold
from graphprune.passes.group import Group
from graphprune.passes.tabulate import Tabulate
from graphprune.profiling.paired import Rounds
from graphprune.state import State
from graphprune.target import LatencyTarget, read_latency
from tests.latency.networks import TEXT
from tests.networks.fill import fill


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "model.onnx"
    onnx.save(fill(TEXT), path)
    samples = np.random.default_rng(0).standard_normal((32, 3, 8, 8)).astype(np.float32)
    np.savez(tmp_path / "calib.npz", x=samples)
    return path


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a device whose clock follows from the model take the place of the processor."""
    monkeypatch.setitem(backends._MODULES, "ort:cpu", "tests.latency.device")
    monkeypatch.setattr(pair, "_ROUNDS", Rounds(warmup=0.0, duration=0.0, rounds=8, longest=0.0))


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main([str(word) for word in words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.mark.usefixtures("steady")
@pytest.mark.parametrize("with_data", [False, True], ids=["one-ratio", "by-sensitivity"])
def test_a_smaller_model_is_written_with_what_was_measured(
    model: Path, capsys: pytest.CaptureFixture[str], with_data: bool
) -> None:
    out = model.with_name("small.onnx")
    data = ("--data", model.with_name("calib.npz")) if with_data else ()
    words = ("prune", model, "-o", out, "--target", "latency=0.7x@ort:cpu", *data, "--output-format", "json")
    code, text, problem = run(capsys, *words)
    assert code == 0, problem
    record = json.loads(text)
    measured = record["facts"]["profile"]
    assert measured["limit"] == 0.7
    assert 0.63 <= measured["ratio"]["ratio"] <= 0.7
    attempts = record["facts"]["select"]["attempts"]
    assert sum(attempt["chosen"] for attempt in attempts) == 1
    assert all(change["after"] % 8 == 0 for change in record["changes"])
    assert out.stat().st_size < model.stat().st_size


@pytest.mark.usefixtures("steady")
def test_the_table_leads_with_the_measured_latency(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text, problem = run(
        capsys, "prune", model, "-o", model.with_name("s.onnx"), "--target", "latency=80%"
    )
    assert code == 0, problem
    assert text.startswith("Measured latency on tiles of 8 (")
    assert "; the target is 0.800)" in " ".join(text.split())


def test_what_was_measured_once_is_kept_for_the_device(model: Path) -> None:
    state = Group().run(Fold().run(State(load(model))))
    first, second = Tabulate().run(state), Tabulate().run(state)
    assert first.latencies is not None
    assert second.latencies is not None
    assert (first.latencies.cached, second.latencies.cached) == (False, True)
    assert second.latencies.samples == first.latencies.samples
    assert second.latencies.times == first.latencies.times
    other = Tabulate(threads=2).run(state)
    assert other.latencies is not None
    assert not other.latencies.cached


def test_a_broken_entry_of_the_cache_is_measured_anew(model: Path) -> None:
    state = Group().run(Fold().run(State(load(model))))
    Tabulate().run(state)
    (entry,) = (model.parent / "cache" / "graphprune" / "latency").glob("*.json")
    whole = entry.read_bytes()
    for broken in (whole[: len(whole) // 2], b'{"times": 3}'):
        entry.write_bytes(broken)
        again = Tabulate().run(state).latencies
        assert again is not None
        assert not again.cached
        assert entry.read_bytes() != broken


def test_the_cache_is_bounded(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 2)
    state = Group().run(Fold().run(State(load(model))))
    for threads in (1, 2, 3):
        Tabulate(threads=threads).run(state)
    assert len(list((model.parent / "cache" / "graphprune" / "latency").glob("*.json"))) == 2


@pytest.mark.usefixtures("steady")
@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--target", "latency=0.7x@tpu"), 2, "there is no backend tpu"),
        (("--target", "latency=fast"), 2, "cannot be read"),
        (("--target", "latency=0x"), 2, "leaves nothing"),
        (("--target", "latency=1.2.3x"), 2, "has no number"),
        (("--target", "latency=0.7x@ort:cuda"), 4, "no CUDAExecutionProvider"),
        (("--target", "latency=0.7x", "--steps", "2", "--data", "random"), 2, "not met in steps"),
        (("--target", "macs=0.7x", "--threads", "2"), 2, "--threads has no effect"),
        (("--target", "latency=0.01x", "--max-ratio", "0.2"), 1, "cannot be reached"),
        (("--target", "latency=1us"), 1, "cannot be reached"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    model: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, says: str
) -> None:
    out = model.with_name("small.onnx")
    found, _, problem = run(capsys, "prune", model, "-o", out, *words)
    assert (found, says in problem) == (code, True), problem
    assert not out.exists()


@pytest.mark.usefixtures("steady")
def test_open_sizes_must_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = TEXT.replace("float[1, 3, 8, 8] x", "float[n, 3, h, 8] x").replace(
        "float[1, 10] y", "float[n, 10] y"
    )
    path, out = tmp_path / "open.onnx", tmp_path / "small.onnx"
    onnx.save(fill(text), path)
    code, _, problem = run(capsys, "prune", path, "-o", out, "--target", "latency=0.8x")
    assert code == 2
    assert "--shape x:1x3x" in problem
    code, _, problem = run(
        capsys, "prune", path, "-o", out, "--target", "latency=0.8x", "--shape", "x:2x3x8x8"
    )
    assert code == 0, problem


def test_a_target_says_what_it_is() -> None:
    assert read_latency("macs=0.5x") is None
    assert read_latency(" latency = 0.7x @ ort:cuda ") == LatencyTarget(0.7, None, "ort:cuda")
    assert LatencyTarget(None, 0.002, "trt").limit(0.004) == 0.5
    assert LatencyTarget(0.7, None, "trt").limit(0.004) == 0.7
    with pytest.raises(Usage):
        read_latency("latency=0.7x@")
