"""Every name that graphprune uses of TensorRT and CUDA is there, in every version that is supported."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from graphprune.engines import api
from tests.engines import contract, prepare

VERSIONS = [
    *(f"tensorrt-{version}" for version in prepare.BINDINGS),
    "rtx",
    *(f"cuda-{version}" for version in prepare.CUDA),
]
Check = Callable[..., list[str]]


@pytest.fixture
def check(empty_libraries: Path, repository: Path) -> Check:
    """Hold graphprune to one version; returns the faults."""

    def check(version: str, *more: str) -> list[str]:
        if not prepare.is_ready(version):
            pytest.skip(f"{version} is not there: `make engines` fetches it")
        kind = version.split("-", maxsplit=1)[0]
        module = {"tensorrt": "tensorrt_bindings", "rtx": "tensorrt_rtx", "cuda": "cuda.bindings.runtime"}[
            kind
        ]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(prepare.FOLDER / version), str(repository))),
            "LD_LIBRARY_PATH": str(empty_libraries),
        }
        run = subprocess.run(
            [sys.executable, "-m", "tests.engines.contract", module, *more],
            cwd=repository,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        found: list[str] = json.loads(run.stdout)
        return found

    return check


@pytest.mark.parametrize("version", VERSIONS)
def test_every_name_that_is_used_is_there(check: Check, version: str) -> None:
    assert check(version) == []


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("tensorrt-10.12.0.36", "IBuilderConfig.progress_monitor"),
        ("tensorrt-10.12.0.36", "Builder.build_serialized_network"),
        ("tensorrt-11.4.0.106", "IExecutionContext.execute_async_v3"),
        ("tensorrt-11.4.0.106", "MemoryPoolType.WORKSPACE"),
        ("rtx", "IBuilderConfig.set_compute_capability"),
        ("cuda-13.5.0", "CudaRuntime.cudaEventRecord"),
    ],
)
def test_a_name_that_no_library_has_is_found(check: Check, version: str, name: str) -> None:
    kind, member = name.split(".")
    assert check(version, "--misspell", name) == [f"{kind} has no {member}x"]


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("def f(trt): return trt.BuilderFlags.REFIT", "tensorrt has no BuilderFlags.REFIT"),
        ("def f(trt): return trt.BuilderFlag.FP17", "tensorrt has no BuilderFlag.FP17"),
        ("def f(config: api.IBuilderConfig): config.set_flags(1)", "IBuilderConfig has no set_flags"),
        ("class A:\n def f(self): return self._trt.Runtimes", "tensorrt has no Runtimes"),
    ],
)
@pytest.mark.parametrize("version", ["tensorrt-10.12.0.36", "tensorrt-11.4.0.106"])
def test_a_misspelt_attribute_of_the_code_is_found(check: Check, version: str, code: str, fault: str) -> None:
    assert check(version, "--code", code) == [f"code: {fault}"]


def test_a_call_with_too_many_arguments_is_found() -> None:
    def stop(what: object) -> None:
        """stop(self: trt.Builder, what: str, how: int = 3) -> None"""

    assert [contract.takes(stop, count) for count in (0, 1, 2, 3)] == [False, True, True, False]


def test_the_type_checker_finds_a_misspelt_attribute_of_what_a_call_returns(
    repository: Path, tmp_path: Path
) -> None:
    code = tmp_path / "code.py"
    code.write_text(
        "from graphprune.engines import api\n"
        "def right(builder: api.Builder) -> None:\n"
        "    builder.create_builder_config().set_flag\n"
        "def wrong(builder: api.Builder) -> None:\n"
        "    builder.create_builder_config().set_flags\n"
    )
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file=",
        "--cache-dir",
        str(tmp_path),
        str(code),
    ]
    run = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert re.findall(
        r"code.py:(\d+): error: \"IBuilderConfig\" has no attribute \"set_flags\"", run.stdout
    ) == ["5"]
    assert "code.py:3" not in run.stdout


def test_every_name_of_the_protocols_is_used() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in contract.FILES if path.name != "api.py")
    named = {
        member
        for each in vars(api).values()
        if isinstance(each, type) and each.__module__ == api.__name__
        for member in contract.members(each)
    }
    assert {member for member in named if not re.search(rf"\.{member}\b|\b{member}\b", sources)} == set()
