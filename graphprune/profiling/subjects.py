"""The models that are timed: what they are called, what they hash to, how large they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from onnx import TensorProto

from graphprune import elements
from graphprune.ir import body_constants, constants
from graphprune.model import Model, load
from graphprune.model_hash import model_hash
from graphprune.weights import stored


@dataclass(frozen=True, eq=False)
class Subject:
    """A model that is timed.

    Attributes:
        name: how results call it; no two have one name.
        model: the model.
        hash: of its graph and weights.
        bytes: of its file and its weights.
    """

    name: str
    model: Model
    hash: str
    bytes: int


def subjects(models: Sequence[Path | str | Model]) -> tuple[Subject, ...]:
    """Read `models`, each file once, and name them.

    Raises:
        Usage: there is no such file.
        Refused: it is no valid model.
    """
    read: dict[str, Model] = {}
    hashes: dict[int, str] = {}
    found: list[Model] = []
    for each in models:
        if not isinstance(each, Model) and str(each) not in read:
            read[str(each)] = load(each)
        model = each if isinstance(each, Model) else read[str(each)]
        if id(model) not in hashes:
            hashes[id(model)] = model_hash(model)
        found.append(model)
    names = _names(["model" if each.path is None else str(each.path) for each in found])
    return tuple(
        Subject(name, each, hashes[id(each)], bytes_of(each)) for name, each in zip(names, found, strict=True)
    )


def bytes_of(model: Model) -> int:
    """Return the bytes of the model's file and its external data; of its weights where it has no file."""
    if model.path is None:
        tensors = (*constants(model.graph), *body_constants(model.graph))
        return sum(int(stored(tensor).nbytes) for tensor in tensors)
    outside = [
        tensor for tensor in model.source.graph.initializer if tensor.data_location == TensorProto.EXTERNAL
    ]
    return model.path.stat().st_size + sum(
        elements.stored_bytes(tensor.data_type, elements.count(tensor.dims)) for tensor in outside
    )


def _names(paths: Sequence[str]) -> list[str]:
    """File names; whole paths where those are the same, and numbers where these are, too.

    >>> _names(["a/m.onnx", "b/m.onnx", "c/n.onnx", "c/n.onnx"])
    ['a/m.onnx', 'b/m.onnx', 'n.onnx', 'n.onnx (2)']
    """
    short = {path: Path(path).name for path in paths}
    meant = Counter(short.values())
    names = [path if meant[short[path]] > 1 else short[path] for path in paths]
    seen: Counter[str] = Counter()
    result: list[str] = []
    for name in names:
        seen[name] += 1
        numbered = name if seen[name] == 1 else f"{name} ({seen[name]})"
        # What a file system allows in a name, a text in UTF-8 need not.
        result.append(numbered.encode("utf-8", "replace").decode())
    return result
