"""Peak memory on a model of 3 GB: reading and writing it, inspecting it, pruning it.

    python -m benchmarks.memory [--gigabytes 3] [--folder DIR]

builds a stack of layers whose weights lie in external data, runs each command in a process of its own and
prints wall seconds and peak resident memory, which counts the pages of mapped files that were touched. A
row whose command fails says so.

A process starts with the peak of the one that started it, so this one imports next to nothing and has the
model built by another.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.child import ROOT

WIDTH = 4096  # a layer of WIDTH x WIDTH float32 takes 64 MB
TARGET_MB = 400

_READ = "from graphprune.model import load; load({model!r})"
_COPY = "from graphprune.model import load, save; save(load({model!r}), {out!r})"
_HALF = """
import numpy as np
from graphprune.model import load, save
from graphprune.weights import stored
model = load({model!r})
half = np.arange(0, {width}, 2)
layers = [node.inputs[1] for node in model.graph.nodes if node.op == "MatMul"]
for i, constant in enumerate(layers):
    cuts = {{dim: half for dim, end in ((0, 0), (1, len(layers) - 1)) if i != end}}
    constant.values = stored(constant).take(cuts)
save(model, {out!r})
"""


@dataclass(frozen=True)
class Peak:
    """What a command took: exit status, seconds, and peak resident memory in MB."""

    status: int
    seconds: float
    megabytes: float
    complaint: str


def build(folder: Path, gigabytes: float) -> None:
    """Write `stack.onnx`, MatMul and Relu layers with weights of `gigabytes` in all, to `folder`."""
    import numpy as np
    from onnx import ModelProto, NodeProto, TensorProto, helper

    layer = WIDTH * WIDTH * 4
    count = max(3, round(gigabytes * 1e9 / layer))
    nodes: list[NodeProto] = []
    for i in range(count):
        nodes.append(helper.make_node("MatMul", [f"x{i}", f"w{i}"], [f"a{i}"], name=f"layer{i}"))
        nodes.append(helper.make_node("Relu", [f"a{i}"], [f"x{i + 1}"]))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", WIDTH]) for name in ("x0", f"x{count}")
    ]
    graph = helper.make_graph(nodes, "stack", ends[:1], ends[1:])
    model: ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    rng = np.random.default_rng(0)
    with (folder / "stack.onnx.data").open("wb") as stream:
        for i in range(count):
            tensor = model.graph.initializer.add(
                name=f"w{i}", data_type=TensorProto.FLOAT, dims=[WIDTH, WIDTH]
            )
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", "stack.onnx.data"), ("offset", i * layer), ("length", layer)):
                tensor.external_data.add(key=key, value=str(value))
            stream.write((rng.standard_normal((WIDTH, WIDTH), np.float32) / WIDTH**0.5).data)
    (folder / "stack.onnx").write_bytes(model.SerializeToString())


def measure(command: list[str]) -> Peak:
    """Run `command` in a process of its own."""
    start = time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        said = child.stderr.read().decode(errors="replace") if child.stderr else ""
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    kilobytes = used.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    lines = [line for line in said.splitlines() if line.strip()]
    return Peak(
        child.returncode, seconds, kilobytes / 1024, lines[-1][:80] if child.returncode and lines else ""
    )


def commands(model: Path, folder: Path) -> list[tuple[str, list[str]]]:
    """Return the commands to measure, by name."""
    python, words = sys.executable, {"model": str(model), "width": WIDTH}
    product = [python, "-m", "graphprune"]
    return [
        ("start Python, import the reader", [python, "-c", "import graphprune.model"]),
        ("load", [python, "-c", _READ.format(**words)]),
        ("load, save", [python, "-c", _COPY.format(out=str(folder / "copy.onnx"), **words)]),
        (
            "load, cut to a quarter, save",
            [python, "-c", _HALF.format(out=str(folder / "half.onnx"), **words)],
        ),
        ("inspect", [*product, "inspect", str(model)]),
        (
            "prune --no-verify",
            [*product, "prune", str(model), "-o", str(folder / "p.onnx"), "--ratio", "0.5", "--no-verify"],
        ),
    ]


def main() -> int:
    """Print the table; 1 where a command that ran took more than the target."""
    parser = argparse.ArgumentParser(description="Peak memory of graphprune on a large model.")
    parser.add_argument("--gigabytes", type=float, default=3.0, help="size of the weights (3)")
    parser.add_argument(
        "--folder", type=Path, default=None, help="where to build the model (a temporary folder)"
    )
    parser.add_argument("--build", type=Path, default=None, help="only build the model, in this folder")
    chosen = parser.parse_args()
    if chosen.build is not None:
        build(chosen.build, chosen.gigabytes)
        return 0
    over = False
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        again = [
            sys.executable,
            "-m",
            "benchmarks.memory",
            "--build",
            name,
            "--gigabytes",
            str(chosen.gigabytes),
        ]
        subprocess.run(again, cwd=ROOT, check=True)
        size = (folder / "stack.onnx.data").stat().st_size
        print(f"{size / 1e9:.2f} GB in external data, layers of {WIDTH * WIDTH * 4 / 1e6:.0f} MB")
        print(f"{'command':34} {'seconds':>8} {'peak MB':>8}", flush=True)
        for label, command in commands(folder / "stack.onnx", folder):
            found = measure(command)
            over |= not found.status and found.megabytes > TARGET_MB
            note = f"  exit {found.status}: {found.complaint}" if found.status else ""
            print(f"{label:34} {found.seconds:8.2f} {found.megabytes:8.0f}{note}", flush=True)
    return int(over)


if __name__ == "__main__":
    raise SystemExit(main())
