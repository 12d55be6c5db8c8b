"""Without a GPU the backends say so, with the real bindings of CUDA and the real TensorRT-RTX."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from graphprune.backends.trt_layers import described
from graphprune.backends.trt_names import made_by, names_of
from graphprune.model import from_proto
from tests.engines import prepare
from tests.engines.networks import network, write

OPEN = """
import numpy
from graphprune.backends import Setup, backend
from graphprune.errors import Environment
from graphprune.model import load

feeds = {"x": numpy.zeros((1, 3, 32, 32), numpy.float32)}
for step in ("device", "open"):
    try:
        if step == "device":
            print(backend("trt-rtx").device(Setup()))
        else:
            with backend("trt-rtx").open(load("model.onnx"), feeds, Setup()) as running:
                print(running.time(3))
    except Environment as error:
        print(error.code, error.what)
"""


def has_gpu() -> bool:
    return Path("/dev/nvidiactl").exists() or Path("/dev/nvidia0").exists()


def python(
    folder: Path, *names: str, code: str, libraries: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Python in `folder` with what `make engines` has fetched under `names`, and with `libraries`."""
    missing = [name for name in names if not prepare.is_ready(name)]
    if missing:
        pytest.skip(f"{missing[0]} is not there: `make engines` fetches it")
    found = os.pathsep.join(
        str(path) for path in (folder, *(prepare.FOLDER / name for name in names), prepare.ROOT)
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": found, "LD_LIBRARY_PATH": str(libraries or "")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(has_gpu(), reason="there is a GPU")
@pytest.mark.parametrize("cuda", [f"cuda-{version}" for version in prepare.CUDA])
def test_the_backend_says_that_there_is_no_gpu(cuda: str, tmp_path: Path) -> None:
    write("residual", tmp_path / "model.onnx")
    run = python(tmp_path, "rtx", cuda, code=OPEN)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert len(lines) == 2 and all(line.startswith("4 CUDA has failed: ") for line in lines)


WORK = """
from graphprune.engines.job import Job
from graphprune.engines.worker import work

ended = work(Job("trt", "model.onnx", "m.engine", {}), print)
print(type(ended).__name__, ended.kind, ended.text)
"""
BUILD = """
import sys
from graphprune.cli import main

sys.exit(main(["build", "model.onnx"]))
"""


@pytest.fixture
def tensorrt(tmp_path: Path) -> Path:
    """A folder with a model, in which the bindings are called `tensorrt`, as in a whole installation."""
    (tmp_path / "tensorrt.py").write_text(
        "from tensorrt_bindings import *\nfrom tensorrt_bindings import __version__\n"
    )
    write("residual", tmp_path / "model.onnx")
    return tmp_path


@pytest.mark.parametrize("version", prepare.BINDINGS)
def test_a_builder_of_tensorrt_that_finds_nothing_to_build_on_says_so(
    version: str, tensorrt: Path, empty_libraries: Path
) -> None:
    run = python(tensorrt, f"tensorrt-{version}", code=WORK, libraries=empty_libraries)
    assert run.stdout == "Failed environment TensorRT cannot start to build\n", run.stderr


@pytest.mark.skipif(has_gpu(), reason="there is a GPU")
def test_a_build_with_tensorrt_asks_for_the_gpu_first(tensorrt: Path, empty_libraries: Path) -> None:
    names = f"tensorrt-{prepare.BINDINGS[-1]}", f"cuda-{prepare.CUDA[-1]}"
    run = python(tensorrt, *names, code=BUILD, libraries=empty_libraries)
    assert run.returncode == 4
    assert run.stderr.startswith("error: CUDA has failed: ") and len(run.stderr.splitlines()) == 2


def test_without_cudas_bindings_the_backend_says_what_to_install(tmp_path: Path) -> None:
    if importlib.util.find_spec("cuda") is not None:
        pytest.skip("bindings of CUDA are installed")
    write("residual", tmp_path / "model.onnx")
    run = python(tmp_path, "rtx", code=OPEN)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[0].startswith("4 a GPU cannot be used: No module named 'cuda'")


def test_a_layer_makes_the_tensors_that_the_inspector_names() -> None:
    names = names_of(from_proto(network("residual")))
    layers = described(
        """{"Layers": [
            {"Name": "b + c", "LayerType": "conv", "Outputs": [{"Name": "c", "Dimensions": [1, 24]}]},
            {"Name": "copy", "LayerType": "Reformat", "Outputs": [{"Name": "Reformatted c"}],
             "Metadata": "[ONNX Layer: node_of_c]"},
            {"Name": "{ForeignNode[d...f]}", "LayerType": "kgen", "Outputs": [{"Name": "__tmp0"}],
             "Metadata": "[ONNX Layer: node_of_e]\\u001e[ONNX Layer: node_of_f]"},
            "a layer that is told by its name alone"
        ], "Bindings": ["x", "y"]}"""
    )
    assert {name: made_by(layer, names) for name, layer in layers.items()} == {
        "b + c": ("c",),
        "copy": (),
        "{ForeignNode[d...f]}": ("f",),
        "a layer that is told by its name alone": (),
    }
    assert described("no JSON") == described("[1]") == {}
