"""The models of `benchmarks/speedup.py`: a network of torchvision's, and what three tools make of it.

Torch-Pruning prunes the module that the ONNX file was exported from, with the same weights, and exports it
the same way; graphprune and onnxsim prune the file. The batch and the element type are set in what the tools
wrote, alike for all of them. Exported files stay in `build/speedup`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from benchmarks import child, judge

FILES = child.ROOT / "build" / "speedup"


class Failed(Exception):
    """A tool wrote no model; the text says why."""


def exported(name: str) -> Path:
    """Return the ONNX file of the network `name`: weights from a seed, batch norms as the exporter left them.

    Raises:
        Failed: it cannot be exported.
    """
    FILES.mkdir(parents=True, exist_ok=True)
    path = FILES / f"{name}.onnx"
    if not path.exists():
        part = path.with_suffix(".part")
        _ran(child.peer("torch-pruning", "export_torchvision", name, "-o", part))
        part.replace(path)
    return path


def by_graphprune(
    source: Path, output: Path, ratio: float, rounding: str, verify: bool = True
) -> dict[str, Any]:
    """Prune the file by the command line, without data; return what the verification says."""
    words = ("prune", source, "-o", output, "--ratio", f"{ratio:g}", "--round-to", rounding)
    more = ("--allow-noop", "--force", *(() if verify else ("--no-verify",)))
    run = _ran(child.graphprune(*words, *more, "--output-format", "json"))
    said: dict[str, Any] = run.json().get("verification") or {}
    return {key: said[key] for key in ("distance", "limit") if key in said}


def by_torch_pruning(name: str, output: Path, ratio: float, rounding: str) -> dict[str, Any]:
    """Prune the module as Torch-Pruning's examples do, and export it; return versions."""
    words = (name, "-o", output, "--ratio", f"{ratio:g}", "--round-to", rounding, "--stir")
    run = _ran(child.peer("torch-pruning", "torch_pruning", *words))
    return {"versions": run.json().get("versions", {})}


def by_onnxsim(source: Path, output: Path, ratio: float) -> dict[str, Any]:
    """Simplify and prune the file with onnxsim; return versions."""
    run = _ran(child.peer("onnxsim", "onnxsim_prune", source, "-o", output, "--ratio", f"{ratio:g}"))
    return {"versions": run.json().get("versions", {})}


def _ran(command: tuple[str | Path, ...]) -> child.Run:
    run = child.run(command)
    if run.status:
        raise Failed(f"exit {run.status}: {run.json().get('error') or run.complaint}")
    return run


def counted(path: Path) -> dict[str, int]:
    """Return parameters, and multiply-accumulates of one sample, as graphprune counts them in a file."""
    from graphprune.inspection import inspect

    found = inspect(path)
    return {"parameters": found.params, "macs": found.macs}


def settle(path: Path, batch: int, half: bool) -> None:
    """Give a file of one sample in float32 another batch, and the element type float16."""
    if batch == 1 and not half:
        return
    model = judge.read(path)
    for info in (*model.graph.input, *model.graph.output):
        info.type.tensor_type.shape.dim[0].dim_value = batch
        if half and info.type.tensor_type.elem_type == TensorProto.FLOAT:
            info.type.tensor_type.elem_type = TensorProto.FLOAT16
    del model.graph.value_info[:]
    if half:
        _halve(model)
    path.write_bytes(model.SerializeToString())


def _halve(model: onnx.ModelProto) -> None:
    """Turn weights, and constants such as the bounds of a Clip, into float16."""
    within = [each.t for node in model.graph.node if node.op_type == "Constant" for each in node.attribute]
    for tensor in (*model.graph.initializer, *within):
        if tensor.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
