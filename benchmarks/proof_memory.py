"""Memory of the proof, above what the interpreters take with nothing loaded.

    python -m benchmarks.proof_memory [NAME ...] [--folder DIR] [--no-write]

Each model is pruned to half with a plan and without a proof; then `graphprune verify --plan` proves the
result in a process of its own. What counts are the peaks of all processes that live at one time (VmHWM of
the command and of every child that it starts), less what those processes take with the same imports and no
model. Pages of mapped files that were touched count. Linux only.

The models: ResNet-50 and ViT-B of GRAPHPRUNE_ZOO, a UNet with attention whose height and width are free,
layers of 3 GB, and a synthetic decoder of 7 thousand million parameters in float16 (13.5 GB on disk, 4 GB
more for the result; written in blocks, and removed again).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.child import ROOT

EVERY = 0.02
"""Seconds between two looks at the processes."""
LIMIT = 3600.0
PARENT = (
    "import graphprune.cli.verify, graphprune.model, graphprune.solve, graphprune.verify, graphprune.twin"
)
CHILD = "import numpy, onnx, onnxruntime"


@dataclass(frozen=True)
class Decoder:
    """Sizes of a synthetic decoder."""

    layers: int = 32
    width: int = 4096
    inner: int = 11008
    heads: int = 32
    words: int = 32000


@dataclass(frozen=True)
class Subject:
    """A model to measure: how it is written to a folder, and how much its proof may take, in GB."""

    write: Callable[[Path], Path]
    target: float
    words: tuple[str, ...] = ()


def zoo(name: str) -> Callable[[Path], Path]:
    """Writes a graph of the zoo."""

    def write(folder: Path) -> Path:

        from benchmarks.graphs import load
        from benchmarks.reference import store

        store(load(name), folder / "model.onnx")
        return folder / "model.onnx"

    return write


def stack(folder: Path) -> Path:
    """Writes the layers of 3 GB that `benchmarks.memory` measures."""
    from benchmarks.memory import build

    build(folder, 3.0)
    return folder / "stack.onnx"


def unet(folder: Path) -> Path:
    """Writes a UNet with attention over pixels; batch, height and width are free."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    from benchmarks.reference import store

    draw = np.random.default_rng(0)
    nodes: list[Any] = []
    constants: list[Any] = []

    def put(values: Any) -> str:
        constants.append(numpy_helper.from_array(values, f"w{len(constants)}"))
        return str(constants[-1].name)

    def node(op: str, *operands: str, **attributes: Any) -> str:
        nodes.append(
            helper.make_node(op, list(operands), [f"t{len(nodes)}"], name=f"n{len(nodes)}", **attributes)
        )
        return str(nodes[-1].output[0])

    def conv(x: str, into: int, out: int, stride: int = 1) -> str:
        weight = (draw.standard_normal((out, into, 3, 3)) / np.sqrt(9 * into)).astype(np.float32)
        bias = (0.1 * draw.standard_normal(out)).astype(np.float32)
        made = node("Conv", x, put(weight), put(bias), pads=[1, 1, 1, 1], strides=[stride, stride])
        return node("Relu", made)

    def attention(x: str, width: int) -> str:
        flat = node("Transpose", node("Reshape", x, put(np.array([0, width, -1], np.int64))), perm=[0, 2, 1])
        q, k, v = (
            node(
                "MatMul",
                flat,
                put((draw.standard_normal((width, width)) / np.sqrt(width)).astype(np.float32)),
            )
            for _ in range(3)
        )
        scores = node(
            "Mul", node("MatMul", q, node("Transpose", k, perm=[0, 2, 1])), put(np.float32(width**-0.5))
        )
        seen = node("MatMul", node("Softmax", scores, axis=-1), v)
        back = node("Transpose", seen, perm=[0, 2, 1])
        return node("Add", x, node("Reshape", back, node("Shape", x)))

    first = conv("x", 3, 32)
    second = attention(conv(first, 32, 64, 2), 64)
    deep = attention(conv(second, 64, 96, 2), 96)
    size = put(np.array([1.0, 1.0, 2.0, 2.0], np.float32))
    up = node("Concat", node("Resize", conv(deep, 96, 64), "", size, mode="nearest"), second, axis=1)
    up = node("Concat", node("Resize", conv(up, 128, 32), "", size, mode="nearest"), first, axis=1)
    nodes[-1].output[0] = up
    last = conv(up, 64, 32)
    weight = (draw.standard_normal((3, 32, 1, 1)) / np.sqrt(32)).astype(np.float32)
    nodes.append(helper.make_node("Conv", [last, put(weight)], ["y"], name="last"))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, "h", "w"]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "unet", ends[:1], ends[1:], constants)
    store(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        folder / "unet.onnx",
    )
    return folder / "unet.onnx"


def decoder(sizes: Decoder) -> Callable[[Path], Path]:
    """Writes a decoder in float16 without caches, its weights a block at a time."""

    def write(folder: Path) -> Path:
        import numpy as np
        from onnx import ModelProto, TensorProto, helper, numpy_helper

        model = ModelProto()
        nodes: list[Any] = []
        draw = np.random.default_rng(0)
        base = draw.standard_normal(1 << 22, np.float32)
        data = folder / "decoder.onnx.data"
        width, inner, heads, words = sizes.width, sizes.inner, sizes.heads, sizes.words

        def small(values: Any) -> str:
            name = f"c{len(model.graph.initializer)}"
            model.graph.initializer.append(numpy_helper.from_array(values, name))
            return name

        def weight(*shape: int) -> str:
            name = f"w{len(model.graph.initializer)}"
            count = int(np.prod(shape))
            offset = -(-data.stat().st_size // 4096) * 4096
            tensor = model.graph.initializer.add(name=name, data_type=TensorProto.FLOAT16, dims=shape)
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", data.name), ("offset", offset), ("length", 2 * count)):
                tensor.external_data.add(key=key, value=str(value))
            with data.open("r+b") as stream:
                stream.seek(offset)
                left = count
                while left:
                    block = np.roll(base, int(draw.integers(base.size)))[:left]
                    scale = np.float32(draw.uniform(0.9, 1.1) * shape[0] ** -0.5)
                    stream.write((block * scale).astype(np.float16).data)
                    left -= block.size
            return name

        def node(op: str, *operands: str, **attributes: Any) -> str:
            nodes.append(
                helper.make_node(op, list(operands), [f"t{len(nodes)}"], name=f"n{len(nodes)}", **attributes)
            )
            return str(nodes[-1].output[0])

        def norm(x: str) -> str:
            wide = node("Cast", x, to=TensorProto.FLOAT)
            mean = node("ReduceMean", node("Mul", wide, wide), axes=[-1], keepdims=1)
            root = node("Sqrt", node("Add", mean, small(np.float32(1e-5))))
            scale = small((1 + 0.1 * draw.standard_normal(width)).astype(np.float16))
            return node("Mul", node("Cast", node("Div", wide, root), to=TensorProto.FLOAT16), scale)

        def split(x: str) -> str:
            shape = small(np.array([0, 0, heads, width // heads], np.int64))
            return node("Transpose", node("Reshape", x, shape), perm=[0, 2, 1, 3])

        data.write_bytes(b"")
        x = node("Gather", weight(words, width), "ids")
        for _ in range(sizes.layers):
            seen = norm(x)
            q, k, v = (split(node("MatMul", seen, weight(width, width))) for _ in range(3))
            scores = node(
                "MatMul",
                node("Mul", q, small(np.float16((width // heads) ** -0.5))),
                node("Transpose", k, perm=[0, 1, 3, 2]),
            )
            mixed = node("Transpose", node("MatMul", node("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
            joined = node("Reshape", mixed, small(np.array([0, 0, width], np.int64)))
            x = node("Add", x, node("MatMul", joined, weight(width, width)))
            seen = norm(x)
            gate = node("MatMul", seen, weight(width, inner))
            active = node(
                "Mul", node("Mul", gate, node("Sigmoid", gate)), node("MatMul", seen, weight(width, inner))
            )
            x = node("Add", x, node("MatMul", active, weight(inner, width)))
        nodes.append(helper.make_node("MatMul", [norm(x), weight(width, words)], ["logits"], name="head"))
        model.graph.node.extend(nodes)
        model.graph.name, model.ir_version = "decoder", 8
        model.graph.input.append(
            helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "sequence"])
        )
        model.graph.output.append(
            helper.make_tensor_value_info("logits", TensorProto.FLOAT16, ["batch", "sequence", words])
        )
        model.opset_import.append(helper.make_opsetid("", 17))
        (folder / "decoder.onnx").write_bytes(model.SerializeToString())
        return folder / "decoder.onnx"

    return write


SUBJECTS: Mapping[str, Subject] = {
    "resnet50": Subject(zoo("tv__resnet50__ts"), 0.2),
    "vit_b": Subject(zoo("timm__vit_base_patch16_siglip_224__ts"), 0.3),
    "unet": Subject(unet, 1.0),
    "stack": Subject(stack, 0.6),
    "decoder_1b": Subject(decoder(Decoder(layers=12, width=2048, inner=5632, heads=16)), 0.6),
    "decoder_7b": Subject(decoder(Decoder()), 1.5),
}


def family(root: int) -> dict[int, int]:
    """VmHWM in kB of `root` and of all that descends from it."""
    parents: dict[int, int] = {}
    peaks: dict[int, int] = {}
    for path in Path("/proc").iterdir():
        if not path.name.isdigit():
            continue
        try:
            lines = (path / "status").read_text().splitlines()
        except OSError:
            continue
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        if "VmHWM" in fields:
            parents[int(path.name)] = int(fields["PPid"])
            peaks[int(path.name)] = int(fields["VmHWM"].split()[0])
    kin = {root}
    while more := {pid for pid, parent in parents.items() if parent in kin} - kin:
        kin |= more
    return {pid: peaks[pid] for pid in kin if pid in peaks}


@dataclass(frozen=True)
class Peak:
    """What a command and its children took: exit status, the sum of their peaks in MB, and its parts."""

    status: int
    megabytes: float
    parts: tuple[float, ...]
    seconds: float
    processor: float
    said: str


def watch(command: Sequence[str], limit: float = LIMIT) -> Peak:
    """Run a command and look at its processes until it ends."""
    started = time.perf_counter()
    best: dict[int, int] = {}
    with tempfile.TemporaryFile() as said:
        # A child of a small interpreter: a process starts with the peak of the one that it was forked from.
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=said)
        while True:
            pid, status, used = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            now = family(child.pid)
            if sum(now.values()) > sum(best.values()):
                best = now
            if time.perf_counter() - started > limit:
                child.kill()
            time.sleep(EVERY)
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        lines = [line for line in said.read().decode(errors="replace").splitlines() if line.strip()]
    parts = tuple(round(best[pid] / 1024, 1) for pid in sorted(best))
    return Peak(
        child.returncode,
        sum(parts),
        parts,
        time.perf_counter() - started,
        used.ru_utime + used.ru_stime,
        lines[-1][:160] if child.returncode and lines else "",
    )


def bare(code: str) -> float:
    """What an interpreter takes after the imports, in MB."""
    return watch([sys.executable, "-c", f"{code}; import time; time.sleep(0.5)"]).megabytes


def measure(name: str, folder: Path, empty: tuple[float, float]) -> dict[str, Any]:
    """Build, prune and prove one model; the memory of the proof."""
    build = [sys.executable, "-m", "benchmarks.proof_memory", "--build", name, "--folder", str(folder)]
    done = subprocess.run(build, cwd=ROOT, check=True, capture_output=True, text=True)
    model = Path(done.stdout.strip().splitlines()[-1])
    size = sum(path.stat().st_size for path in folder.iterdir())
    out, plan = folder / "pruned.onnx", folder / "plan.json"
    product = [sys.executable, "-m", "graphprune"]
    prune = [*product, "prune", str(model), "-o", str(out), "--ratio", "0.5", "--save-plan", str(plan)]
    cut = watch([*prune, "--no-verify", "--no-config"])
    result: dict[str, Any] = {
        "name": name,
        "GB on disk": round(size / 1e9, 2),
        "target GB": SUBJECTS[name].target,
    }
    result["surgery GB"] = round((cut.megabytes - empty[0]) / 1024, 3)
    if cut.status:
        return result | {"exit": cut.status, "why": cut.said}
    proof = watch([*product, "verify", str(model), str(out), "--plan", str(plan), "--no-config"])
    above = proof.megabytes - empty[0] - empty[1] * max(0, len(proof.parts) - 1)
    return result | {
        "proof GB": round(above / 1024, 3),
        "parts MB": list(proof.parts),
        "exit": proof.status,
        "why": proof.said,
        "seconds": round(proof.seconds, 1),
        "processor seconds": round(proof.processor, 1),
    }


HEADER = (
    "name",
    "GB on disk",
    "surgery GB",
    "proof GB",
    "target GB",
    "exit",
    "seconds",
    "processor seconds",
    "why",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 where a proof failed or took more than its target."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SUBJECTS)}; all by default")
    parser.add_argument("--folder", type=Path, default=None, help="where the models go (a temporary folder)")
    parser.add_argument("--build", choices=list(SUBJECTS), help=argparse.SUPPRESS)
    parser.add_argument("--no-write", action="store_true", help="leave benchmarks/results/ alone")
    options = parser.parse_args(arguments)
    if options.build:
        print(SUBJECTS[options.build].write(options.folder))
        return 0
    empty = (bare(PARENT), bare(CHILD))
    rows: list[dict[str, Any]] = []
    for name in options.names or SUBJECTS:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            rows.append(measure(name, Path(folder), empty))
        print(rows[-1], flush=True)
    print(results.table(HEADER, [[row.get(key) for key in HEADER] for row in rows]))
    if not options.no_write:
        results.write("proof_memory", {"interpreters MB": list(empty), "models": rows})
    return int(any(row["exit"] != 0 or row["proof GB"] > row["target GB"] for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
