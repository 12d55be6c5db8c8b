"""Faults put into the surgery itself: a copy of graphprune that cuts wrongly must refuse its own work.

    python -m benchmarks.faults [NAME ...] [--no-write]

Each fault is a change of the source text in a copy of the package. With it, `prune` runs at its defaults
over a few small graphs of GRAPHPRUNE_ZOO. The fault is found where the proof says no to one of them. Where
no graph shows it, the files that were written are compared with those of the unchanged copy, so that a fault
which did nothing is told from one that got through.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks import results
from benchmarks.child import ROOT
from benchmarks.graphs import load, loader
from benchmarks.reference import gap, run, store
from tests.networks.fill import fill
from tests.networks.quantised import TEXTS

SECONDS = 400
EFFECT = 1e-5


@dataclass(frozen=True)
class Fault:
    """A change of the source: the file, the text that stands there once, the text put there, and graphs."""

    file: str
    old: str
    new: str
    graphs: tuple[str, ...]
    words: tuple[str, ...] = ()


CONVOLUTIONS = ("custom__lenet5__dyn", "custom__cifar_resnet20_A__dyn", "custom__grouped_shuffle__dyn")
ENCODERS = ("hf__mpt__dyn", "hf__electra_disc__dyn", "hf__nomic_bert__dyn")
DECODERS = ("hf__gpt2__dyn", "hf__qwen2__dyn", "hf__falcon_mqa__dyn")
WINDOWS = ("hf__swinv2__dyn", "hf__longt5_encoder__dyn", "hf__vits_encoder__dyn")
ALL = CONVOLUTIONS + ENCODERS + DECODERS + WINDOWS


def _without(operator: str, row: str, *graphs: str) -> Fault:
    """An operator's patch is left out."""
    files = {"Reshape": "layout", "Expand": "layout", "Tile": "layout", "Resize": "layout", "Conv": "linear"}
    file = f"graphprune/rules/{files.get(operator, 'select')}.py"
    patch = f"_{operator.lower()}_patch"
    return Fault(file, f'"{operator}": Row({row}, {patch}', f'"{operator}": Row({row}, None', graphs)


FAULTS: Mapping[str, Fault] = {
    "Reshape's target is not rewritten": _without("Reshape", "_reshape", *CONVOLUTIONS, *ENCODERS, *DECODERS),
    "Split's pieces are not rewritten": _without(
        "Split", "_split", "hf__siglip_vision__dyn", "timm__test_mambaout__ts", "hf__levit__dyn"
    ),
    "Slice's bounds are not rewritten": _without(
        "Slice", "_slice", "custom__cifar_resnet20_A__dyn", *DECODERS, *ENCODERS
    ),
    "Pad's widths are not rewritten": _without("Pad", "_pad", "custom__cifar_resnet20_A__dyn", *WINDOWS),
    "Gather's indices are not renumbered": _without(
        "Gather", "_gather", "hf__focalnet__dyn", "timm__levit_128s__ts", *WINDOWS, *ENCODERS, *DECODERS
    ),
    "Expand's target is not rewritten": _without(
        "Expand", "_expand", "hf__vit_mae__dyn", "hf__fnet__dyn", *DECODERS, *WINDOWS
    ),
    "a convolution keeps its number of groups": Fault(
        "graphprune/rules/linear.py",
        '"Conv": Row(convolution, attribute_from(group="g"), ',
        '"Conv": Row(convolution, ',
        ("custom__grouped_plain__dyn", "tv__mobilenet_v3_small__ts", "timm__lcnet_050__ts"),
    ),
    "positions are one too high": Fault(
        "graphprune/cut.py",
        "        values = stored(tensor)\n",
        "        values = stored(tensor)\n"
        "        cuts = {d: (i + 1) % tensor.shape[d] if i.ndim == 1 else i for d, i in cuts.items()}\n",
        ALL,
    ),
    "positions are in reverse": Fault(
        "graphprune/cut.py",
        "        values = stored(tensor)\n",
        "        values = stored(tensor)\n"
        "        cuts = {d: i[::-1].copy() if i.ndim == 1 and d == 0 else i for d, i in cuts.items()}\n",
        ALL,
    ),
    "the first position is that of another unit": Fault(
        "graphprune/cut.py",
        "        values = stored(tensor)\n",
        "        values = stored(tensor)\n"
        "        cuts = {d: i + (i == i[0]) * ((i[-1] + 1) % tensor.shape[d] - i[0]) "
        "if i.ndim == 1 else i for d, i in cuts.items()}\n",
        ALL,
    ),
    "uses that are cut in two ways share one constant": Fault(
        "graphprune/cut.py",
        "    key = _key(cuts)\n    name = tensor.name\n",
        "    key = ()\n    name = tensor.name\n",
        ("made__shared", "hf__xglm__dyn", "hf__ctrl__dyn", *CONVOLUTIONS),
    ),
    "the mark of a norm over its units is dropped": Fault(
        "graphprune/rules/norms.py",
        'marked = [name + "!" if index >= first else name for index, name in enumerate(dims)]',
        "marked = list(dims)",
        ENCODERS + DECODERS,
    ),
    "the mark of a mean over its units is dropped": Fault(
        "graphprune/rules/reduce.py",
        '_reduction("!") for op',
        '_reduction("") for op',
        ("hf__qwen2__dyn", "hf__olmo2__ts", "hf__flan_t5_gated__ts"),
    ),
    "the mark of a softmax over its units is dropped": Fault(
        "graphprune/rules/norms.py",
        'dims = [name + "!" * (i == axis or (flattened and i >= axis))',
        'dims = [name + "" * (i == axis or (flattened and i >= axis))',
        (
            "made__softmax",
            "hf__xlstm__dyn",
            "hf__levit__dyn",
            *WINDOWS,
            *ENCODERS,
        ),
    ),
    "zero points are taken for zero": Fault(
        "graphprune/cut.py",
        "for slot, point in applied.row.zeros.items()}",
        "for slot, point in ()}",
        ("made__integer-convolutions", "made__integer-matrix-products"),
    ),
    "what was computed from sizes is not restored": Fault(
        "graphprune/cut.py",
        "    restore(node, applied, trace, work)\n",
        "",
        ("made__scale", "hf__sam_vision__dyn", "hf__codegen__dyn"),
    ),
    "one sum over removed units is forgotten": Fault(
        "graphprune/cut.py",
        "for found in places.values())",
        "for found in list(places.values())[1:])",
        ALL,
    ),
    "features are flattened the other way round": Fault(
        "graphprune/positions.py",
        "positions = (positions[:, None] * part.size + inner[None, :]).reshape(-1)",
        "positions = (positions[None, :] * part.size + inner[:, None]).reshape(-1)",
        ALL,
    ),
    "parts that are put together start one too early": Fault(
        "graphprune/positions.py",
        "offsets = np.cumsum([0, *(part.size for part in parts)])",
        "offsets = np.maximum(np.cumsum([0, *(part.size for part in parts)]) - 1, 0)",
        ("custom__unet_bilinear__dyn", "hf__gpt2__dyn", *CONVOLUTIONS, *DECODERS),
    ),
    "a layer that goes takes the other operand with it": Fault(
        "graphprune/cut.py",
        "leave_out(work.nodes[layer.at], layer.skip, layer.gone, wanted)",
        "leave_out(work.nodes[layer.at], 1 - layer.skip, layer.gone, wanted)",
        ("hf__gpt2__dyn", "custom__cifar_resnet20_A__dyn"),
        ("--only", "layers", "--data", "random", "--compensate", "none"),
    ),
}
"""What is done to the surgery, by what it says of it."""


def copy(folder: Path) -> Path:
    """The package as it is, where it can be changed; returns the folder to import it from."""
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "graphprune", folder / "graphprune", ignore=skip)  # follows the link to passes/
    return folder


def apply(fault: Fault, folder: Path) -> None:
    """Change the copy.

    Raises:
        ValueError: the text does not stand there once.
    """
    path = folder / fault.file
    text = path.read_text(encoding="utf-8")
    if text.count(fault.old) != 1:
        raise ValueError(f"{fault.file} has {text.count(fault.old)} times what is to be changed")
    path.write_text(text.replace(fault.old, fault.new), encoding="utf-8")


def prune(source: Path, model: Path, out: Path, words: Sequence[str]) -> tuple[int, str]:
    """Prune with the copy at `source`: the exit status and the last words."""
    command = [
        sys.executable,
        "-m",
        "graphprune",
        "prune",
        str(model),
        "-o",
        str(out),
        "--force",
        "--no-config",
    ]
    env = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    out.unlink(missing_ok=True)
    try:
        done = subprocess.run(
            [*command, *words],
            cwd=out.parent,
            env=env,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -9, f"took more than {SECONDS} s"
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    return done.returncode, (lines or done.stderr.splitlines() or [""])[-1][:200]


MADE: Mapping[str, str] = {
    **TEXTS,
    "shared": """
g (float[n, 6] x) => (float[n, 4] y)
<float[6, 16] w0, float[16, 16] w1, float[16, 4] w2, float[16] shared>
{
  a = MatMul (x, w0)
  b = Add (a, shared)
  c = Relu (b)
  d = MatMul (c, w1)
  e = Add (d, shared)
  f = Tanh (e)
  y = MatMul (f, w2)
}""",
    "scale": """
g (float[n, 6] x) => (float[n, 4] y)
<float[6, 16] w0, float[16, 4] w1, int64 last = {1}>
{
  a = MatMul (x, w0)
  sizes = Shape (a)
  size = Gather (sizes, last)
  long = Cast <to = 1> (size)
  root = Sqrt (long)
  b = Div (a, root)
  y = MatMul (b, w1)
}""",
    "softmax": """
g (float[n, 6] x) => (float[n, 4] y)
<float[6, 16] w0, float[16, 4] w1>
{
  a = MatMul (x, w0)
  b = Softmax <axis = -1> (a)
  y = MatMul (b, w1)
}""",
}
"""Small networks of what the zoo has none of, by the name behind `made__`."""


@dataclass
class Bench:
    """Where models lie, and what the unchanged copy made of them."""

    folder: Path
    clean: Path
    right: dict[tuple[str, tuple[str, ...]], tuple[int, bytes]]

    def model(self, name: str) -> Path:
        """The file of a zoo graph, or of a network of `MADE`."""
        path = self.folder / f"{name}.onnx"
        if not path.exists():
            store(fill(MADE[name[6:]]) if name.startswith("made__") else load(name), path)
        return path

    def expected(self, name: str, words: tuple[str, ...]) -> tuple[int, bytes]:
        """What the unchanged copy says and writes."""
        if (name, words) not in self.right:
            out = self.folder / "right.onnx"
            status, _ = prune(self.clean, self.model(name), out, words)
            self.right[name, words] = status, out.read_bytes() if out.exists() else b""
        return self.right[name, words]


def apart(graph: str, right: bytes, written: bytes) -> float:
    """The largest difference between the outputs of two files, on the graph's own inputs."""
    if right == written:
        return 0.0
    feeds = (
        {"x": np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)}
        if graph.startswith("made__")
        else loader().inputs(graph, 0)
    )
    pair = [run(onnx.ModelProto.FromString(file), feeds) for file in (right, written)]
    return max(gap(a, b) for a, b in zip(*pair, strict=True))


def measure(name: str, fault: Fault, bench: Bench) -> dict[str, Any]:
    """Prune with the fault until a graph is refused."""
    result: dict[str, Any] = {"fault": name, "verdict": "without effect", "graphs": {}}
    with tempfile.TemporaryDirectory(dir=bench.folder) as made:
        try:
            source = copy(Path(made))
            apply(fault, source)
        except ValueError as error:
            return result | {"verdict": "does not apply", "why": str(error)}
        for graph in dict.fromkeys(fault.graphs):
            status, right = bench.expected(graph, fault.words)
            if status:
                result["graphs"][graph] = f"exit {status} without the fault"
                continue
            out = Path(made, "out.onnx")
            status, said = prune(source, bench.model(graph), out, fault.words)
            if status == 1:
                result["graphs"][graph] = said
                return result | {"verdict": "refused", "why": f"{graph}: {said}"}
            if status == 0:
                differs = apart(graph, right, out.read_bytes())
                result["graphs"][graph] = f"written, differs by {differs:.1e}" if differs else "no effect"
                result["verdict"] = "got through" if differs > EFFECT else result["verdict"]
            else:
                result["graphs"][graph] = f"exit {status} {said}".strip()
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 where a fault got through, had no effect, or could not be put in."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="parts of the faults' names; all by default")
    parser.add_argument("--no-write", action="store_true", help="leave benchmarks/results/ alone")
    options = parser.parse_args(arguments)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as made:
        clean = Path(made, "clean")
        clean.mkdir()
        bench = Bench(Path(made), copy(clean), {})
        for name, fault in FAULTS.items():
            if not options.names or any(part in name for part in options.names):
                rows.append(measure(name, fault, bench))
                print(rows[-1], flush=True)
    print(
        results.table(
            ("fault", "verdict", "why"), [[r["fault"], r["verdict"], r.get("why", "")] for r in rows]
        )
    )
    refused = sum(row["verdict"] == "refused" for row in rows)
    print(f"{refused} of {len(rows)} refused")
    if not options.names and not options.no_write:
        results.write("faults", {"faults": len(rows), "refused": refused, "rows": rows})
    return int(refused < len(rows))


if __name__ == "__main__":
    sys.exit(main())
