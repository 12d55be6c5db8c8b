"""Files that a report is made of, as the verbs write them, with figures that are the same every time."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from graphprune.backends import Device, LayerTime, Setup
from graphprune.gate.evidence import Evidence, Figures, Scored, to_values
from graphprune.gate.outcome import Assertion, Bound, ClassChange, Finding, Level, Location, Outcome, Status
from graphprune.graph_view.groups import GraphView, Group, Layer, Node
from graphprune.json_values import plain
from graphprune.metrics.paired import ClassScore, Paired
from graphprune.profiling.result import Batch, Conditions, Profile, Timed
from graphprune.runs.files import write_run
from graphprune.runs.run import File, Run
from graphprune.sensitivity_report import Report, Row

BAD = "</script><img src=x onerror=alert(1)>\u2028'\"&`|"
"""A name that breaks out of whatever does not escape it."""
HASHES = ("0" * 32, "1" * 32)


def profile(
    name: str = "small.onnx", device: str = "a device", steps: int = 12, ratio: float = 0.7
) -> Profile:
    """Two models in 40 rounds; one step in five got slower."""
    wave = [1 + 0.02 * math.sin(at) for at in range(400)]
    original = tuple(tuple(2.0 * wave[10 * at + run] for run in range(10)) for at in range(40))
    candidate = tuple(tuple(2.0 * ratio * wave[10 * at + 9 - run] for run in range(10)) for at in range(40))
    times = [(f"{name}/{at}", 1e-5 * (at + 1)) for at in range(steps)]
    before = tuple(LayerTime(f"step {at}", "Conv", (each,), took) for at, (each, took) in enumerate(times))
    after = tuple(
        LayerTime(f"step {at}", "FusedConv", (each,), took * (1.5 if at % 5 == 0 else 0.6))
        for at, (each, took) in enumerate(times)
    )
    models = (
        Timed("model.onnx", HASHES[0], 4_000_000, original, layers=before, layer_rounds=_rounds(before)),
        Timed(name, HASHES[1], 2_000_000, candidate, layers=after, layer_rounds=_rounds(after)),
    )
    now = Conditions("2026-01-01T00:00:00+00:00", load=0.9, clocks={"core 0": 2500.0}, others=("make (7)",))
    return Profile(
        Device("ort:cpu", device, {"cores": "2"}, {"onnxruntime": "1.32.0"}),
        Setup(),
        0,
        0.02,
        (Batch(1, {"x": (1, 3, 32, 32)}, models),),
        now,
        now,
        versions={"graphprune": "0.1.0"},
    )


def _rounds(layers: Sequence[LayerTime]) -> tuple[tuple[float, ...], ...]:
    return tuple((layer.seconds,) * 4 for layer in layers)


def finding(
    metric: str,
    bound: Bound,
    limit: float,
    status: Status,
    values: Sequence[float] = (),
    level: Level = "error",
) -> Finding:
    """A finding with a value, an interval and both sides, or without any."""
    where = Location("graphprune.toml", 12, f"{bound} = {limit}")
    assertion = Assertion(metric, bound, limit, str(limit), level, where)
    if not values:
        return Finding(assertion, status, reason="nothing was measured")
    value, low, high, original, candidate = values
    unit = "s" if metric.startswith("latency") else "share" if metric.startswith("accuracy") else "B"
    return Finding(
        assertion, status, value, low, high, original, candidate, unit, 400, 250, device="a device"
    )


def outcome(classes: int = 10, name: str = "") -> Outcome:
    """A gate that fails, with a limit of every status."""
    changes = tuple(
        ClassChange(
            at,
            f"{name}{at}",
            100,
            0.9,
            0.9 - (0.5 if at == 3 else 0.01),
            *((-0.6, -0.4) if at == 3 else (-0.05, 0.03)),
        )
        for at in range(classes)
    )
    findings = (
        finding("size", "max", 3e6, "pass", (2e6, 2e6, 2e6, 4e6, 2e6)),
        finding("latency.p50", "max-ratio", 0.6, "fail", (0.7, 0.69, 0.71, 2e-3, 1.4e-3)),
        finding("accuracy.top1", "max-drop", 0.01, "inconclusive", (0.012, 0.004, 0.02, 0.75, 0.738)),
        finding("latency.p99", "max", 1e-3, "fail", (2e-3, 1.9e-3, 2.1e-3, 3e-3, 2e-3), "warn"),
        finding("exact", "max", 1.0, "skipped"),
    )
    return Outcome("model.onnx", "small.onnx", "fail", 1, findings, changes, ("the machine was busy",))


def paired(classes: int = 10) -> Paired:
    """Class 3 is dead in the candidate."""
    scores = tuple(
        ClassScore(at, 100, 90, 20 if at == 3 else 88, 20 if at == 3 else 86) for at in range(classes)
    )
    return Paired("top1", True, "share", classes=scores)


def view(layers: int = 24, name: str = "conv") -> GraphView:
    """A chain of convolutions in blocks of four that share a residual stream; every third group is pinned."""
    nodes = tuple(
        Node(f"{name}{at}", f"{name}{at}_out", "Conv", at, (at,), 0.5, (1000, 500), (9000, 4500))
        for at in range(layers)
    )
    groups = tuple(
        Group(
            f"{name}{at}",
            "channels",
            (64, 64 if at % 3 == 2 else 16 + at % 40),
            "",
            "it is a dimension of graph output 'y'" if at % 3 == 2 else "",
            tuple(sorted({at, min(at + 1, layers - 1), min(at + 3 * (at % 4 == 0), layers - 1)})),
            (at,),
            (min(at + 1, layers - 1),),
        )
        for at in range(layers)
    )
    return GraphView(True, nodes, groups, (Layer("a layer", True, 3, (1, 2)),), ())


def pruned(layers: int = 24, name: str = "conv") -> dict[str, object]:
    """What `prune` prints as JSON."""
    figures = {"params": 1_000_000, "macs": 50_000_000, "bytes": 4_000_000, "units": 640}
    after = {"params": 400_000, "macs": 20_000_000, "bytes": 1_600_000, "units": 320}
    stages = [("original", 4_000_000), ("cut", 1_600_000), ("quantise", 400_000)]
    groups = view(layers, name).groups
    return {
        "version": 1,
        "pipeline": "fold,group,score{by=l2},select{ratio=0.5},cut,verify",
        "before": figures,
        "after": after,
        "groups_found": layers,
        "groups_pinned": layers // 3,
        "layers_removed": ["a layer"],
        "changes": [
            {
                "name": each.name,
                "kind": each.kind,
                "before": each.units[0],
                "after": each.units[1],
                "mixed": "",
            }
            for each in groups
            if not each.reason
        ],
        "verification": {
            "passed": True,
            "distance": 1e-6,
            "largest": 1e-7,
            "limit": 1e-4,
            "output": "y",
            "comparisons": 4,
            "shapes": ["x:1x3x32x32"],
        },
        "stages": [{"name": stage, "params": 10, "macs": 10, "bytes": size} for stage, size in stages],
        "judged": {
            "data": "eval.npz",
            "scores": {
                "top1": {"value": 0.738, "reference": 0.75, "count": 1000, "paired": asdict(paired())},
                "cosine": {"value": 0.98, "reference": None, "count": 1000},
            },
        },
        "model": "model.onnx",
        "output": "small.onnx",
        "seconds": [{"pass": "fold", "seconds": 0.01}, {"pass": "cut", "seconds": 1.5}],
    }


def sensitivity(groups: int = 12, name: str = "conv") -> dict[str, object]:
    """What `sensitivity` prints as JSON."""
    ratios = (0.1, 0.5, 0.9)
    rows = tuple(
        Row(
            f"{name}{at}",
            "channels",
            64,
            (0.01 / (at + 1), 0.1 / (at + 1), None if at == 2 else 0.9 / (at + 1)),
        )
        for at in range(groups)
    )
    found = Report("output error", "calib.npz", False, 0.0, True, ratios, rows, ())
    return {"model": "model.onnx", **found.to_dict()}


def run(verb: str, result: Mapping[str, object], raw: Mapping[str, object], *words: str) -> Run:
    """The record of a run."""
    return Run(
        verb,
        (verb, *words),
        {"seed": 0},
        {"seed": "default"},
        "",
        (
            File("model", "model.onnx", 4_000_000, HASHES[0], False),
            File("--output", "small.onnx", 2_000_000, HASHES[1], True),
        ),
        {"graphprune": "0.1.0"},
        {"processor": "a processor", "cores": "2"},
        "2026-01-01T00:00:00+00:00",
        12.5,
        None,
        0,
        result=result,
        raw=raw,
    )


def write(folder: Path, layers: int = 24, name: str = "conv", classes: int = 10) -> list[Path]:
    """Write the records of a pruning, a profile on two devices, a gate, a sensitivity; return the paths."""
    evidence = Evidence(
        Figures("model.onnx", HASHES[0], 4_000_000, 1_000_000, 50_000_000),
        Figures("small.onnx", HASHES[1], 2_000_000, 400_000, 20_000_000),
        scores={"top1": Scored(0.738, 0.75, 100 * classes, paired(classes))},
        data="eval.npz",
    )
    records = {
        "gate": (plain(asdict(outcome(classes, name))), {"evidence": to_values(evidence)}),
        "prune": (pruned(layers, name), {"groups": asdict(view(layers, name))}),
        "profile": ({}, {"profile": plain(asdict(profile(steps=layers)))}),
        "sensitivity": (sensitivity(layers // 2, name), {}),
    }
    paths: list[Path] = []
    for verb, (result, raw) in records.items():
        paths.append(folder / f"{verb}.json")
        assert isinstance(result, dict)
        write_run(run(verb, result, raw, "model.onnx", "-o", "small.onnx"), paths[-1])
    paths.append(folder / "other.json")
    text = json.dumps(plain(asdict(profile(device="another device", steps=0, ratio=1.2))))
    paths[-1].write_text(text, encoding="utf-8")
    return paths
