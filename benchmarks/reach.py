"""How far pruning reaches: torchvision's networks at ratio 0.5, graphprune beside Torch-Pruning.

    python -m benchmarks.reach [NAME ...] [--exporter dynamo] [--fresh]

graphprune prunes the exported ONNX file (l2, every kind of group) and verifies what it wrote; Torch-Pruning
prunes the module itself by the recipe of its own examples, within two minutes. Each is measured in its own
currency: floats of initializers in the file (a batch norm that the exporter folded is gone, a table that it
computed is there), parameters of the module. The target is at most one point more than Torch-Pruning leaves,
as measured here or, where it crashes or hangs, as published; and that attention loses heads or head dims.
Exported files stay in `build/reach`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import child, counting, judge, results

RATIO = "0.5"
MARGIN = 0.01
PEER_LIMIT = 120.0
FILES = child.ROOT / "build" / "reach"
PUBLISHED: dict[str, float | None] = {
    "resnet50": 0.271,
    "resnext50_32x4d": None,
    "densenet121": 0.285,
    "googlenet": 0.290,
    "inception_v3": 0.272,
    "mobilenet_v2": 0.349,
    "mobilenet_v3_large": None,
    "mnasnet1_0": None,
    "efficientnet_b0": 0.322,
    "regnet_y_400mf": 0.277,
    "convnext_tiny": 0.260,
    "deeplabv3_mobilenet_v3_large": 0.253,
    "squeezenet1_0": 0.357,
    "shufflenet_v2_x1_0": None,
    "swin_t": None,
    "swin_v2_t": None,
    "maxvit_t": None,
    "vit_b_32": None,
}
"""The networks, and the fraction of parameters that Torch-Pruning is known to leave."""
ATTENTION = frozenset({"swin_t", "swin_v2_t", "maxvit_t", "vit_b_32"})


def exported(name: str, exporter: str, fresh: bool) -> Path | str:
    """The ONNX file of the network `name`, or why there is none."""
    FILES.mkdir(parents=True, exist_ok=True)
    path = FILES / f"{name}-{exporter}.onnx"
    if fresh or not path.exists():
        words = (name, "-o", path.with_suffix(".part"), "--exporter", exporter)
        run = child.run(child.peer("torch-pruning", "export_torchvision", *words))
        if run.status:
            return run.complaint
        path.with_suffix(".part").replace(path)
    return path


def by_graphprune(source: Path, folder: Path) -> dict[str, Any]:
    """What graphprune leaves of the file, counted in what it wrote, and what its verification says."""
    output = folder / "pruned.onnx"
    words = ("prune", source, "-o", output, "--ratio", RATIO, "--output-format", "json", "--force")
    run = child.run(child.graphprune(*words))
    if run.status:
        return {"failed": f"exit {run.status}: {run.complaint}"}
    report, before, after = run.json(), judge.read(source), judge.read(output)
    params = counting.parameters(before), counting.parameters(after)
    macs = counting.macs(before), counting.macs(after)
    if None in macs:  # onnx's inference does not see through sizes that are assembled at run time
        macs = report["before"]["macs"], report["after"]["macs"]
    cut = Counter(change["kind"] for change in report["changes"])
    return {
        "parameters": {"before": params[0], "after": params[1], "remaining": _share(*params)},
        "macs": {"before": macs[0], "after": macs[1], "remaining": _share(*macs)},
        "distance": report["verification"]["distance"],
        "limit": report["verification"]["limit"],
        "groups": {"found": report["groups_found"], "pinned": report["groups_pinned"], "cut": dict(cut)},
    }


def _share(before: int | None, after: int | None) -> float | None:
    return round(after / before, 4) if before and after is not None else None


def by_peer(name: str) -> dict[str, Any]:
    """What Torch-Pruning says of the network; a hang is a status of its own, `timeout`."""
    run = child.run(child.peer("torch-pruning", "torch_pruning", name, "--ratio", RATIO), limit=PEER_LIMIT)
    if run.status < 0 and run.seconds >= PEER_LIMIT:
        return {"status": "timeout", "error": f"killed after {PEER_LIMIT:.0f} s"}
    report = run.json() or {"status": "crash", "error": run.complaint}
    return {key: report[key] for key in ("status", "error", "parameters", "versions") if key in report}


def missed(row: dict[str, Any]) -> str:
    """What of the target `row` misses, in words; '' where it is met."""
    ours, theirs = row["graphprune"], row["torch_pruning"]
    if "failed" in ours:
        return str(ours["failed"])
    left = ours["parameters"]["remaining"]
    goal = theirs["parameters"]["remaining"] if theirs.get("status") == "ok" else row["published"]
    found: list[str] = []
    if goal is not None and left > goal + MARGIN:
        found.append(f"leaves {left:.1%}, not {goal + MARGIN:.1%}")
    if row["network"] in ATTENTION and not _heads(ours):
        found.append("no head lost anything")
    return "; ".join(found)


def _heads(ours: dict[str, Any]) -> str:
    """How many groups of heads and of head dims were cut."""
    cut = ours.get("groups", {}).get("cut", {})
    return ", ".join(f"{cut[kind]} {kind}" for kind in ("heads", "head-dims") if kind in cut)


def measure(name: str, exporter: str, fresh: bool) -> dict[str, Any]:
    """One network through both tools."""
    row: dict[str, Any] = {"network": name, "published": PUBLISHED.get(name)}
    source = exported(name, exporter, fresh)
    with tempfile.TemporaryDirectory() as scratch:
        ours = {"failed": source} if isinstance(source, str) else by_graphprune(source, Path(scratch))
    row |= {"torch_pruning": by_peer(name), "graphprune": ours}
    return {**row, "missed": missed(row)}


HEADER = (
    "network",
    "left by Torch-Pruning",
    "published",
    "left by graphprune",
    "its MACs left",
    "relative L2 to the masked model",
    "attention groups cut",
    "target",
)


def _cells(row: dict[str, Any]) -> list[object]:
    ours, theirs = row["graphprune"], row["torch_pruning"]
    return [
        row["network"],
        _percent(theirs) or theirs.get("status"),
        None if row["published"] is None else f"{row['published']:.1%}",
        _percent(ours) or "failed",
        _percent(ours, "macs"),
        None if "failed" in ours else f"{ours['distance']:.0e}",
        _heads(ours) or None,
        "missed" if row["missed"] else "met",
    ]


def _percent(part: dict[str, Any], key: str = "parameters") -> str | None:
    value = part.get(key, {}).get("remaining")
    return None if value is None else f"{value:.1%}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, write `results/reach.json`; 1 where the target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks; the whole list by default")
    parser.add_argument("--exporter", choices=("torchscript", "dynamo"), default="torchscript")
    parser.add_argument("--fresh", action="store_true", help="export again what is in the cache")
    options = parser.parse_args(arguments)
    if not child.has_peer("torch-pruning"):
        print("error: there is no environment to export with\nhint: run `make peers`", file=sys.stderr)
        return 4
    child.keep_to_cores()
    rows: list[dict[str, Any]] = []
    for name in options.names or PUBLISHED:
        rows.append(measure(name, options.exporter, options.fresh))
        print(f"{name}: {rows[-1]['missed'] or 'met'}", file=sys.stderr)
    print(results.table(HEADER, [_cells(row) for row in rows]), end="\n\n")
    for row in rows:
        if "error" in row["torch_pruning"]:
            print(f"{row['network']}, Torch-Pruning: {row['torch_pruning']['error']}")
        if row["missed"]:
            print(f"{row['network']}, graphprune: {row['missed']}")
    if options.exporter == "torchscript" and not options.names:
        results.write("reach", {"ratio": float(RATIO), "exporter": options.exporter, "rows": rows})
    return int(any(row["missed"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
