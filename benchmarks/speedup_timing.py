"""Models of a folder timed against the original in one interleaved run; where the time goes, by kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import onnx_graphsurgeon as gs

from graphprune.backends import Setup
from graphprune.model import load
from graphprune.profiling.conditions import disturbances
from graphprune.profiling.paired import Rounds
from graphprune.profiling.profile import Request, profile
from graphprune.profiling.result import Profile, Timed
from graphprune.profiling.summary import compare, summarise


@dataclass(frozen=True)
class Where:
    """What is measured on, and how: backend, threads, samples of an inference, float16, outputs checked."""

    backend: str = "ort:cpu"
    setup: Setup = field(default_factory=Setup)
    batch: int = 1
    half: bool = False
    check: bool = True
    rounds: int = 60

    def described(self) -> dict[str, Any]:
        """Return this for the results."""
        return {
            "backend": self.backend,
            "threads": self.setup.threads,
            "batch": self.batch,
            "type": "float16" if self.half else "float32",
        }


def timed(paths: Sequence[Path], where: Where) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Time models against the first one, all in one run.

    Returns:
        For each model median milliseconds, and the ratio of its time to the first one's with its 95 %
        interval; and the device with what disturbed the run.
    """
    found = profile(_request(paths, where))
    batch = found.batches[0]
    rows: list[dict[str, Any]] = []
    for number, model in enumerate(batch.models):
        row: dict[str, Any] = {"milliseconds": round(summarise(model, batch.batch).median, 4)}
        row["runs"] = sum(map(len, model.blocks))
        compared = compare(found, batch, number)
        if compared is not None:
            interval = compared.interval
            row["latency"] = {key: round(value, 4) for key, value in asdict(interval).items()}
        if model.deviation is not None:
            row["deviation"] = model.deviation
        rows.append(row)
    return rows, _run_facts(found)


def _request(paths: Sequence[Path], where: Where, **more: Any) -> Request:
    rounds = Rounds(rounds=where.rounds)
    return Request(tuple(paths), where.backend, where.setup, rounds, check=where.check, **more)


def _run_facts(found: Profile) -> dict[str, Any]:
    device = {"name": found.device.name, **found.device.details, **found.device.versions}
    return {"device": device, "disturbed_by": _unnamed(disturbances(found.before, found.after))}


def _unnamed(texts: Sequence[str]) -> list[str]:
    """What disturbed, without the names of other processes."""
    return [text.partition(": ")[0] if text.startswith("other") else text for text in texts]


def kinds(paths: Sequence[Path], where: Where) -> list[dict[str, Any]]:
    """Return the milliseconds that steps of each kind take in each of several models; [] where unknown.

    The steps are timed in sessions of their own that note every step, which costs time of its own.
    """
    found = profile(_request(paths, where, per_layer=True))
    totals: list[dict[str, float]] = [
        _by_kind(model, load(path).graph) for model, path in zip(found.batches[0].models, paths)
    ]
    names = sorted({kind for each in totals for kind in each}, key=lambda kind: -totals[0].get(kind, 0.0))
    return [
        {"kind": kind, "milliseconds": [round(1000 * each.get(kind, 0.0), 4) for each in totals]}
        for kind in names
    ]


def _by_kind(model: Timed, graph: gs.Graph) -> dict[str, float]:
    made = {tensor.name: node for node in graph.nodes for tensor in node.outputs}
    total: dict[str, float] = defaultdict(float)
    for step in model.layers:
        nodes = [made[name] for name in step.outputs if name in made]
        total[_kind(step.op, nodes)] += step.seconds
    return total


def _kind(op: str, nodes: Sequence[gs.Node]) -> str:
    """What a step does: for a convolution its kernel, or that it is depthwise."""
    if "Conv" not in op:
        return op
    # A step's outputs are those of the last operator fused into it: the convolution stands before it.
    for node in nodes:
        following: gs.Node | None = node
        while following is not None and following.op != "Conv":
            before = [producer for tensor in following.inputs for producer in tensor.inputs]
            following = before[0] if before else None
        if following is not None:
            kernel = "x".join(map(str, following.inputs[1].shape[2:]))
            grouped = following.attrs.get("group", 1) > 1
            return f"depthwise convolution {kernel}" if grouped else f"convolution {kernel}"
    return "convolution"
