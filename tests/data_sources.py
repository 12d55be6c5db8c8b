"""The same ten samples in every form that `--data` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.data import Data
from graphprune.model import from_proto
from tests.networks.fill import fill

Array = NDArray[Any]

IMAGE = "g (float[batch, 3, 4, 4] x) => (float[batch, 3, 4, 4] y) { y = Relu(x) }"
PAIR = (
    "g (int64[batch, seq] ids, float[batch, seq] mask) => (float[batch, seq] y) "
    "{ a = Cast<to=1>(ids) y = Mul(a, mask) }"
)
BY_TWO = "g (float[2, 5] x) => (float[2, 5] y) { y = Relu(x) }"
STATE = (
    "g (float[N, 5] x, float[2, N, 3] state, int64 rate) => (float[N, 5] y, float[2, N, 3] s, int64 r) "
    "{ y = Relu(x) s = Relu(state) r = Identity(rate) }"
)


def graph(text: str) -> gs.Graph:
    return from_proto(fill(text)).graph


def normal(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def gathered(data: Data, size: int = 3) -> tuple[dict[str, NDArray[Any]], NDArray[Any] | None]:
    batches = list(data.batches(size))
    feeds = {name: np.concatenate([batch.feeds[name] for batch in batches]) for name in batches[0].feeds}
    labels = [batch.targets for batch in batches if batch.targets is not None]
    return feeds, np.concatenate(labels) if labels else None


X, Y = normal(10, 3, 4, 4), np.arange(10) % 3


def npz(folder: Path, x: Array = X) -> str:
    np.savez(folder / "d.npz", x=x, labels=Y)
    return str(folder / "d.npz")


def packed(folder: Path, x: Array = X) -> str:
    np.savez_compressed(folder / "d.npz", x=x, labels=Y)
    return str(folder / "d.npz")


def another_name(folder: Path, x: Array = X) -> str:
    np.savez(folder / "d.npz", pictures=x, labels=Y)
    return str(folder / "d.npz")


def doubles(folder: Path, x: Array = X) -> str:
    np.savez(folder / "d.npz", x=x.astype(">f8"), labels=Y)
    return str(folder / "d.npz")


def folder_of_npz(folder: Path, x: Array = X) -> str:
    for name, part in (("10", slice(7, 10)), ("2", slice(0, 7))):
        np.savez(folder / f"{name}.npz", x=x[part], labels=Y[part])
    return str(folder)


def folder_of_inputs(folder: Path, x: Array = X) -> str:
    np.save(folder / "x.npy", x)
    np.save(folder / "labels.npy", Y)
    (folder / "README").write_text("what this is")
    return str(folder)


def folder_of_samples(folder: Path, x: Array = X) -> str:
    for number, sample in enumerate(x):
        np.save(folder / f"image{number}.npy", sample)
    np.save(folder / "labels.npy", Y)
    return str(folder)


def folder_of_single_npz(folder: Path, x: Array = X) -> str:
    for number, sample in enumerate(x):
        np.savez(folder / f"{number}.npz", x=sample, labels=Y[number])
    return str(folder)


def code(folder: Path, x: Array = X) -> str:
    np.save(folder / "x.npy", x)
    (folder / "beside.py").write_text("LABELS = [number % 3 for number in range(10)]")
    (folder / "data.py").write_text(
        "import numpy as np\nfrom beside import LABELS\n"
        f"def load_data():\n    x = np.load({str(folder / 'x.npy')!r})\n"
        "    for at in range(0, 10, 4):\n        yield {'x': x[at:at+4]}, LABELS[at:at+4]\n"
    )
    return str(folder / "data.py")


def code_of_samples(folder: Path, x: Array = X) -> str:
    np.save(folder / "x.npy", x)
    (folder / "data.py").write_text(
        f"import numpy as np\ndef pairs():\n    x = np.load({str(folder / 'x.npy')!r})\n"
        "    return [({'x': sample}, number % 3) for number, sample in enumerate(x)]\n"
    )
    return f"{folder / 'data.py'}:pairs"


SOURCES = [
    npz,
    packed,
    another_name,
    doubles,
    folder_of_npz,
    folder_of_inputs,
    folder_of_samples,
    folder_of_single_npz,
    code,
    code_of_samples,
]
