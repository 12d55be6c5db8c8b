"""Hold what graphprune says of TensorRT and of CUDA to the real modules.

`python -m tests.engines.contract tensorrt_bindings` prints the faults as a list in JSON, in a process of its
own, which sees one version. `--misspell IBuilderConfig.set_flag` changes a name first: that must be found.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from graphprune.backends import cuda as cuda_protocols
from graphprune.engines import api, libraries
from graphprune.engines.configure import FLAGS

SOURCES = Path(libraries.__file__).resolve().parents[1]
FILES = [*sorted((SOURCES / "engines").glob("*.py")), *sorted((SOURCES / "backends").glob("trt*.py"))]
MODULES = {"trt": "tensorrt", "rtx": "tensorrt_rtx", "_trt": "tensorrt", "cuda": "cuda", "_cuda": "cuda"}
"""What the code calls the modules: their names, and the attributes that hold them."""
OVERRIDDEN = {
    "ILogger": ("log",),
    "IProgressMonitor": ("phase_start", "phase_finish", "step_complete"),
    "IProfiler": ("report_layer_time",),
    "IOutputAllocator": ("reallocate_output", "reallocate_output_async", "notify_shape"),
}
"""The methods that our subclasses give."""
MEMBERS = {
    "DataType": ("FLOAT", "HALF", "BF16", "INT8", "INT32", "INT64", "BOOL", "UINT8", "FP8"),
    "ErrorCode": ("UNSUPPORTED_NODE", "UNSUPPORTED_NODE_ATTR", "INVALID_NODE"),
}
"""Members of enumerations that the code knows by their names."""


def members(protocol: type) -> dict[str, Any]:
    """The attributes and methods that a protocol names itself, by name; methods with their functions."""
    found: dict[str, Any] = dict.fromkeys(inspect.get_annotations(protocol))
    found |= {
        name: value
        for name, value in vars(protocol).items()
        if callable(value) or isinstance(value, property)
    }
    return {name: value for name, value in found.items() if not name.startswith("_")}


def protocols(is_rtx: bool) -> Iterator[tuple[str, type]]:
    """The protocols of `api` that hold for a library, with the names of the real classes."""
    for name, each in vars(api).items():
        ours = isinstance(each, type) and each.__module__ == api.__name__ and name != "Named"
        if ours and (is_rtx or not name.startswith("Rtx")):
            yield name.removeprefix("Rtx"), each


def takes(function: Any, count: int) -> bool:
    """Whether a function of pybind11 or Cython takes `count` arguments by position."""
    signatures = re.findall(r"\w+\(self[^,)]*(?:, )?(.*)\) -> ", function.__doc__ or "")
    for text in signatures:
        parts = [part for part in re.split(r", (?=\w+: )", text) if part]
        needed = sum(" = " not in part for part in parts)
        if needed <= count <= len(parts):
            return True
    if signatures:
        return False
    try:
        inspect.signature(function).bind(*[None] * count)
    except (TypeError, ValueError):
        return False
    return True


def compare(name: str, protocol: type, real: Any, misspelt: str) -> Iterator[str]:
    """The faults of a protocol beside the real class or module."""
    for member, ours in members(protocol).items():
        if f"{name}.{member}" == misspelt:
            member += "x"
        if not hasattr(real, member):
            yield f"{name} has no {member}"
        elif inspect.isfunction(ours) and not takes(
            getattr(real, member), len(inspect.signature(ours).parameters) - 1
        ):
            yield f"{name}.{member} does not take {len(inspect.signature(ours).parameters) - 1} arguments"


def tensorrt(module: ModuleType, misspelt: str = "") -> Iterator[str]:
    """The faults beside `tensorrt` or `tensorrt_rtx`."""
    is_rtx = hasattr(module, "ComputeCapability")
    for name, protocol in protocols(is_rtx):
        if hasattr(module, name):
            yield from compare(name, protocol, getattr(module, name), misspelt)
        else:
            yield f"there is no {name}"
    for protocol in (libraries.TensorRT, libraries.RtxTensorRT)[: 1 + is_rtx]:
        names = (name for name in inspect.get_annotations(protocol) if not hasattr(module, name))
        yield from (f"there is no {name}" for name in names)
    for name, wanted in {**MEMBERS, "BuilderFlag": tuple(FLAGS.values())}.items():
        known = getattr(module, name).__members__
        yield from (f"{name} has no {each}" for each in wanted if each not in known)
    for kind in ("DataType", "Severity"):
        known = getattr(module if kind == "DataType" else module.ILogger, kind).__members__
        yield from (
            f"{kind}.{word} is called {each.name}" for word, each in known.items() if each.name != word
        )
    codes = module.ErrorCode.__members__
    yield from (
        f"{each} is written {codes[each]}" for each in codes if str(codes[each]) != f"ErrorCode.{each}"
    )
    for name, methods in OVERRIDDEN.items():
        base = getattr(module, name)
        yield from (
            f"{name} has no {each}"
            for each in methods
            if each not in (*dir(base), *re.findall(r"def (\w+)", base.__doc__))
        )


def chains(source: str) -> Iterator[tuple[str, list[str]]]:
    """The attributes that code uses of a module, or of a parameter that is annotated `api.X`."""
    tree = ast.parse(source)
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    scopes = [(tree, {}), *((f, _annotated(f)) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef))]
    for scope, names in scopes:
        for node in ast.walk(scope):
            if not isinstance(node, ast.Attribute) or id(node) in inner:
                continue
            path: list[str] = []
            base: ast.expr = node
            while isinstance(base, ast.Attribute):
                path.insert(0, base.attr)
                base = base.value
            root = base.id if isinstance(base, ast.Name) else ""
            if root == "self" and path[0] in MODULES:
                root = path.pop(0)
            if root in names or (root in MODULES and not names):
                yield names.get(root) or MODULES[root], path


def _annotated(function: ast.FunctionDef) -> dict[str, str]:
    given = [(each.arg, each.annotation) for each in function.args.args]
    return {
        name: kind.attr
        for name, kind in given
        if isinstance(kind, ast.Attribute)
        and isinstance(kind.value, ast.Name)
        and kind.value.id == "api"
        and kind.attr != "Named"
    }


def used(module: ModuleType, sources: dict[str, str]) -> Iterator[str]:
    """The faults of the code itself: attributes that the module, or one of its classes, does not have."""
    is_rtx, is_cuda = hasattr(module, "ComputeCapability"), hasattr(module, "cudaMalloc")
    for place, source in sources.items():
        for root, path in chains(source):
            if is_cuda != (root == "cuda") or (
                not is_rtx and (root == "tensorrt_rtx" or root.startswith("Rtx"))
            ):
                continue
            real: Any = (
                module if root in MODULES.values() else getattr(module, root.removeprefix("Rtx"), None)
            )
            for name in path:
                if not hasattr(real, name):
                    yield f"{place}: {root} has no {'.'.join(path)}"
                    break
                real = getattr(real, name)
                if isinstance(real, property):
                    break


def cuda(module: ModuleType, misspelt: str = "") -> Iterator[str]:
    """The faults beside `cuda.bindings.runtime`."""
    yield from compare("CudaRuntime", cuda_protocols.CudaRuntime, module, misspelt)
    yield from compare("CaptureMode", cuda_protocols.CaptureMode, module.cudaStreamCaptureMode, misspelt)
    yield from compare("CopyKind", cuda_protocols.CopyKind, module.cudaMemcpyKind, misspelt)
    wanted = ("name", "major", "minor", "totalGlobalMem", "multiProcessorCount")
    yield from (
        f"cudaDeviceProp has no {name}" for name in wanted if not hasattr(module.cudaDeviceProp, name)
    )


def main() -> None:
    """Print the faults of the module that the command line names."""
    name, misspelt = (
        sys.argv[1],
        sys.argv[sys.argv.index("--misspell") + 1] if "--misspell" in sys.argv else "",
    )
    module = importlib.import_module(name)
    sources = {path.name: path.read_text(encoding="utf-8") for path in FILES}
    if "--code" in sys.argv:
        sources = {"code": sys.argv[sys.argv.index("--code") + 1]}
    check = cuda if name.startswith("cuda") else tensorrt
    print(json.dumps([*check(module, misspelt), *dict.fromkeys(used(module, sources))]))


if __name__ == "__main__":
    main()
