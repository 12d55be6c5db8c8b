"""`graphprune build` from the command line: what it prints, what it writes, how it ends."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from graphprune.cli import main
from graphprune.engines import store
from tests.engines import prepare
from tests.engines.networks import write

pytestmark = pytest.mark.usefixtures("rtx")


@pytest.fixture
def call(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    """Call `graphprune build` with TensorRT-RTX in the folder of the model."""
    monkeypatch.chdir(tmp_path)

    def call(line: str) -> tuple[int, str, str]:
        code = main(["build", *line.split(), "--backend", "trt-rtx"])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_every_target_has_a_line_and_the_second_run_takes_the_cache(model: Path, call: Any) -> None:
    line = "model.onnx --compute-capability 80,8.6,sm_89"
    code, out, err = call(line)
    assert (code, err) == (0, "")
    rows = [row.split() for row in out.splitlines()[1:]]
    assert [(row[0], row[-1]) for row in rows] == [(name, "built") for name in ("SM80", "SM86", "SM89")]
    assert call(line)[1].count("from the cache") == 3
    assert call(line + " --force")[1].count("built") == 3


def test_json_says_what_each_engine_is(model: Path, call: Any) -> None:
    code, out, _ = call("model.onnx --compute-capability 86 --builds 2 --output-format json")
    result = json.loads(out)
    assert code == 0
    assert (result["version"], result["backend"], result["model"]) == (1, "trt-rtx", "model.onnx")
    assert [(each["target"], each["build"]) for each in result["engines"]] == [("SM86", 1), ("SM86", 2)]
    for each in result["engines"]:
        assert each["refusal"] is None and not each["cached"]
        assert {"sha256", "bytes", "seconds", "library", "version", "model"} <= set(each["entry"])


def test_engines_are_saved_under_names_of_their_own_with_their_notes(
    model: Path, call: Any, tmp_path: Path
) -> None:
    assert call("model.onnx --compute-capability 80,86 --saveEngine=out.engine")[0] == 0
    for name in ("out.sm80.engine", "out.sm86.engine"):
        note = json.loads((tmp_path / f"{name}.json").read_text())
        assert (tmp_path / name).stat().st_size == note["bytes"]
    code, _, err = call("model.onnx --compute-capability 80,86 --save-engine out.engine")
    assert code == 2 and "out.sm80.engine exists" in err


def test_one_refused_target_does_not_keep_the_others_back(model: Path, call: Any) -> None:
    code, out, err = call("model.onnx --compute-capability 86,90")
    assert code == 3
    assert "built" in out and "SM90: TensorRT-RTX" in out
    assert err.splitlines()[0].startswith("error: no engine for SM90") and len(err.splitlines()) == 2


def test_trtexecs_spellings_mean_the_same(call: Any, tmp_path: Path) -> None:
    write("dynamic", tmp_path / "d.onnx")
    options = "--minShapes=x:1x3x8x8 --optShapes=x:2x3x8x8 --maxShapes=x:4x3x8x8 --builderOptimizationLevel=2"
    code, out, _ = call(f"d.onnx {options} --output-format json")
    assert code == 0
    assert json.loads(out)["engines"][0]["entry"]["options"] == {
        "level": 2,
        "shapes": {"x": ["1x3x8x8", "2x3x8x8", "4x3x8x8"]},
    }


def test_a_dry_run_parses_and_builds_nothing(model: Path, call: Any, own_cache: Path, tmp_path: Path) -> None:
    code, out, _ = call("model.onnx --compute-capability 86 --dry-run")
    assert code == 0 and "parsed" in out
    assert list(own_cache.iterdir()) == []
    write("unsupported", tmp_path / "u.onnx")
    code, _, err = call("u.onnx --compute-capability 86 --dry-run")
    assert code == 3 and "Det 'y'" in err


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("none.onnx", 2, "no such file"),
        ("model.onnx --compute-capability eighty", 2, "'eighty' is not one"),
        ("model.onnx --workspace much", 2, "--workspace much"),
        ("model.onnx --level 9", 2, "9"),
        ("model.onnx --shape 1x3", 2, "does not fit input x"),
        ("model.onnx --hardware-compatible", 2, "--hardware-compatible"),
        ("model.onnx --save-engine nowhere/m.engine", 2, "no folder"),
        ("u.onnx", 3, "refuses 2 nodes: Det 'y'"),
        ("d.onnx", 3, "--shape x:1x3x8x8"),
        ("model.onnx --workspace 1", 3, "workspace"),
        ("model.onnx --strip", 4, "needs a GPU"),
    ],
    ids=lambda value: value if isinstance(value, str) and "onnx" in value else "",
)
def test_a_refusal_is_two_lines_and_a_code(
    line: str, code: int, words: str, model: Path, call: Any, tmp_path: Path, own_cache: Path
) -> None:
    write("unsupported", tmp_path / "u.onnx")
    write("dynamic", tmp_path / "d.onnx")
    found, _, err = call(line)
    assert found == code, err
    assert words in err
    assert [each.split(":")[0] for each in err.splitlines()] == ["error", "hint"]
    assert not own_cache.exists() or list(own_cache.iterdir()) == []


def test_tensorrt_that_is_not_installed_ends_with_the_hint(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if importlib.util.find_spec("tensorrt") is not None:
        pytest.skip("TensorRT is installed")
    assert main(["build", str(model)]) == 4
    assert "hint: pip install graphprune[trt]" in capsys.readouterr().err


def _heed_interrupts() -> None:
    """Undo what a shell does to the processes that it starts in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="signals are sent as on POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_ends_the_build_and_leaves_the_cache_as_it_was(
    number: signal.Signals, code: int, model: Path, call: Any, tmp_path: Path, own_cache: Path
) -> None:
    assert call("model.onnx --compute-capability 86")[0] == 0
    before = {path.name for path in own_cache.iterdir()}
    command = [
        sys.executable,
        "-m",
        "graphprune",
        "build",
        "model.onnx",
        "--backend",
        "trt-rtx",
        "--builds",
        "100",
    ]
    path = os.pathsep.join((str(prepare.FOLDER / "rtx"), str(prepare.ROOT)))
    environment = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_interrupts,  # noqa: PLW1509  no thread of ours runs here
    ) as run:
        while not list(own_cache.glob(".*/job.json")):  # a build is under way
            assert run.poll() is None
            time.sleep(0.005)
        run.send_signal(number)
        _, err = run.communicate(timeout=60)
    assert run.returncode == code
    assert "Traceback" not in err
    left = {path.name for path in own_cache.iterdir()}
    assert before <= left and not [name for name in left if name.startswith(".")]
    assert all(store.find(name) for name in left)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as on Linux")
@pytest.mark.parametrize("megabytes", [1000, 1150, 1300])
def test_a_build_that_runs_out_of_memory_ends_with_4_and_an_intact_cache(
    megabytes: int, call: Any, tmp_path: Path, own_cache: Path
) -> None:
    import resource

    write("wide", tmp_path / "wide.onnx")
    write("residual", tmp_path / "small.onnx")
    assert call("small.onnx")[0] == 0
    before = list(own_cache.iterdir())
    path = os.pathsep.join((str(prepare.FOLDER / "rtx"), str(prepare.ROOT)))
    run = subprocess.run(
        [sys.executable, "-m", "graphprune", "build", "wide.onnx", "--backend", "trt-rtx"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20,) * 2),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 4, run.stderr
    assert "memory ran out while TensorRT-RTX built the model" in run.stderr
    assert list(own_cache.iterdir()) == before
