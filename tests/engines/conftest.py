"""What the tests of engines share: TensorRT-RTX where `make engines` has fetched it, and small networks."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.engines import prepare
from tests.engines.networks import write

FUNCTIONS = (
    "createInferBuilder_INTERNAL",
    "createInferRefitter_INTERNAL",
    "createInferRuntime_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL",
    "createNvOnnxParser_INTERNAL",
    "getBuilderPluginRegistry",
    "getNvOnnxParserVersion",
    "getPluginRegistry",
    "initLibNvInferPlugins",
)
"""What the bindings ask of TensorRT's libraries when they are imported."""
LIBRARIES = ("nvinfer", "nvonnxparser", "nvinfer_plugin")


@pytest.fixture
def rtx(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT-RTX, as if it were installed."""
    if not prepare.is_ready("rtx"):
        pytest.skip("TensorRT-RTX is not there: `make engines` fetches it")
    monkeypatch.syspath_prepend(str(prepare.FOLDER / "rtx"))


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own; returns the folder of the engines in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "graphprune" / "engines"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small convolutional network, `model.onnx`."""
    return write("convolutions", tmp_path / "model.onnx")


@pytest.fixture(scope="session")
def empty_libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared libraries under the names of TensorRT's, in which nothing is done."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to build empty libraries with")
    folder = tmp_path_factory.mktemp("libraries")
    source = folder / "empty.c"
    source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in FUNCTIONS))
    for major in sorted({version.split(".")[0] for version in prepare.BINDINGS}):
        for name in LIBRARIES:
            target = folder / f"lib{name}.so.{major}"
            subprocess.run([compiler, "-shared", "-fPIC", "-o", str(target), str(source)], check=True)
    return folder
