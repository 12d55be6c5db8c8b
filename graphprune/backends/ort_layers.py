"""What each step of ONNX Runtime takes, and which tensors of the model it makes."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort

from graphprune.backends import LayerTime, undisturbed
from graphprune.feeds import Feeds

_SUFFIX = "_kernel_time"
_BLOCKED = "_nchwc"
_WARM = 3


def layer_times(
    source: bytes | str,
    feeds: Feeds,
    options: ort.SessionOptions,
    providers: list[str | tuple[str, dict[Any, Any]]],
    runs: int,
) -> tuple[LayerTime, ...]:
    """Run a model under ONNX Runtime's profiler and return its steps in the order in which they run.

    The optimised graph, as ONNX Runtime writes it, tells which tensors a step makes: fused operators keep
    the name of the last one's output, and convolutions in blocked layout (NCHWc) carry it in their own name.
    """
    proto = _proto(source)
    known = frozenset(name for node in proto.graph.node for name in node.output if name)
    for node in proto.graph.node:
        node.name = node.name or next(name for name in node.output if name)
    with tempfile.TemporaryDirectory(prefix="graphprune-") as folder, _named(source, proto) as named:
        written = Path(folder) / "optimised.onnx"
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        options.optimized_model_filepath = str(written)
        options.add_session_config_entry(
            "session.optimized_model_external_initializers_file_name", "optimised.weights"
        )
        session = ort.InferenceSession(named, options, providers=providers)
        for _ in range(_WARM + runs):
            session.run(None, feeds)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        optimised = _proto(str(written)).graph
    made = {node.name: _made(node, known) for node in optimised.node}
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and str(event["name"]).endswith(_SUFFIX):
            taken[event["name"].removesuffix(_SUFFIX), event["args"]["op_name"]].append(event["dur"] * 1e-6)
    return tuple(
        LayerTime(name, op, made.get(name, ()), undisturbed(seconds[_repeated(seconds, runs) :]))
        for (name, op), seconds in taken.items()
    )


def _proto(source: bytes | str) -> onnx.ModelProto:
    """Return a model without its external data."""
    proto = onnx.ModelProto()
    proto.ParseFromString(source if isinstance(source, bytes) else Path(source).read_bytes())
    return proto


@contextmanager
def _named(source: bytes | str, proto: onnx.ModelProto) -> Generator[bytes | str]:
    """Yield the model `proto` as ONNX Runtime takes it; what was a file becomes one beside it."""
    if isinstance(source, bytes):
        yield proto.SerializeToString()
        return
    beside = Path(source).with_suffix(".named.onnx")
    beside.write_bytes(proto.SerializeToString())
    yield str(beside)


def _repeated(seconds: Sequence[float], runs: int) -> int:
    """Return how many of the first times are those of the warm-up."""
    return len(seconds) * _WARM // (_WARM + runs)


def _made(node: onnx.NodeProto, known: frozenset[str]) -> tuple[str, ...]:
    names = [name for name in node.output if name in known]
    blocked = node.name.removesuffix(_BLOCKED)
    if not names and blocked != node.name and blocked in known:
        names = [blocked]
    return tuple(names)
