"""Decoders with key-value caches: pruned without a word about shapes, right at prefill, decode and beyond.

    python -m benchmarks.decoders [--folder DIR] [--match GLOB] [--ratio 0.5] [--no-write]

The models are exported by `benchmarks.peers.export_decoders` and `benchmarks.peers.export_genai` in the
environment `exporters` (`make peers`) where the folder does not have them yet. Each is pruned by the command
line at its defaults. What is written is compared with a reference made from the two files (see
`benchmarks.reference`) with past 0, in a decode step, on a past, and past the boundary that the model holds:
the end of its table of positions, or its window. Parameters are counted beside a run that is given all
shapes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import results
from benchmarks.child import ROOT, Run, graphprune, has_peer, peer, run
from benchmarks.counting import parameters
from benchmarks.reference import Array, Unlike, gap, read, reference, session
from benchmarks.reference import run as compute

FOLDER = ROOT / "build" / "decoders"
LIMIT = 1e-3
"""The largest relative difference of a slice; float noise stays below 1e-4, a wrong unit is far above."""
SOURCE = 7
"""The length of what an encoder has read."""
SIZES: Mapping[str, tuple[int, int, int]] = {
    "prefill": (2, 5, 0),
    "decode": (2, 1, 7),
    "on a past": (3, 4, 6),
}
"""Batch, sequence and past of each run."""
SPANS = {"whisper": 32}
"""Positions of a model where they are not 64 (see `benchmarks.peers.export_decoders`)."""
SPAN = 64
WINDOWS = {"mistral": 16, "gemma3": 24, "gpt_oss": 24, "gpt_neo": 16}
NO_SPAN = frozenset({"t5", "bloom"})
"""Positions of these are relative, and nothing in the graph ends."""


def boundaries(name: str) -> dict[str, tuple[int, int, int]]:
    """Sizes at which what a model holds ends: its last position, and the first beyond its window."""
    parts = name.split("__")
    architecture = parts[1].partition("_")[0] if parts[0] == "genai" else parts[0]
    window = WINDOWS.get(architecture)
    if window is not None:
        return {
            "the window filled": (2, 1, window - 1),
            "the window crossed": (2, 4, window - 1),
            "past the window": (2, 4, window + 3),
        }
    span = SPANS.get(architecture, 300 if architecture in NO_SPAN else SPAN)
    return {"the last position": (2, 1, span - 1), "a long past": (1, 4, span - 4)}


def feeds(opened: Any, batch: int, sequence: int, past: int, seed: int) -> dict[str, Array]:
    """Inputs of a decoder that belong together."""
    draw = np.random.default_rng(seed)
    made: dict[str, Array] = {}
    for item in opened.get_inputs():
        if item.name == "attention_mask":
            made[item.name] = np.ones((batch, past + sequence), np.int64)
        elif item.name == "position_ids":
            made[item.name] = np.tile(np.arange(past, past + sequence), (batch, 1))
        elif "int" in item.type:
            made[item.name] = draw.integers(3, 90, (batch, sequence))
        elif item.name == "encoder_hidden_states":
            made[item.name] = draw.standard_normal((batch, SOURCE, item.shape[2])).astype(np.float32)
        else:
            length = SOURCE if ".encoder." in item.name else past
            heads, size = item.shape[1], item.shape[3] if isinstance(item.shape[3], int) else 32
            made[item.name] = draw.standard_normal((batch, heads, length, size)).astype(np.float32)
    return made


def compared(original: Path, pruned: Path, name: str) -> dict[str, Any]:
    """The largest difference of any output at each of the sizes; the original refuses some."""
    whole, small = read(original), read(pruned)
    opened = session(small)
    basis = feeds(opened, *SIZES["on a past"], 0)
    masked = session(reference(whole, small, basis))
    found: dict[str, Any] = {}
    for label, sizes in {**SIZES, **boundaries(name)}.items():
        values = feeds(opened, *sizes, 1)
        try:
            expected = compute(masked, values)
        except Exception as error:  # noqa: BLE001 - the original's limits are its own
            found[label] = f"the original refuses it: {error}"[:120]
            continue
        try:
            found[label] = max(gap(a, b) for a, b in zip(expected, compute(opened, values), strict=True))
        except Exception as error:  # noqa: BLE001 - that it cannot run is a finding
            found[label] = f"fails: {error}"[:200]
    return found


def by_hand(model: Path) -> str:
    """The shapes of all inputs as a user would write them."""
    opened = session(str(model))
    values = feeds(opened, *SIZES["decode"], 0)
    return ",".join(f"{name}:{'x'.join(map(str, value.shape))}" for name, value in values.items())


def measure(model: Path, ratio: float, folder: Path) -> dict[str, Any]:
    """Prune one model and compare it."""
    name, out = model.stem, folder / f"{model.stem}.pruned.onnx"
    words = ("prune", model, "--ratio", str(ratio), "--force", "--no-config")
    default = run(graphprune(*words, "-o", out), {"OMP_NUM_THREADS": "1"}, 300)
    result: dict[str, Any] = {"name": name, "exit": default.status, "seconds": round(default.seconds, 1)}
    if default.status:
        return result | {"status": "refused", "why": default.complaint}
    result |= {"said": said(default), "parameters left": _left(model, out)}
    hand = folder / f"{name}.hand.onnx"
    ran = run(graphprune(*words, "-o", hand, "--shape", by_hand(model)), {"OMP_NUM_THREADS": "1"}, 300)
    result["left with shapes by hand"] = ran.complaint if ran.status else _left(model, hand)
    try:
        gaps = compared(model, out, name)
    except Unlike as error:
        return result | {"status": "wrong", "why": str(error)}
    return result | {"gaps": gaps, "status": verdict(gaps)}


def verdict(gaps: Mapping[str, Any]) -> str:
    """`right` where it agreed at prefill, decode and a boundary; `not beyond` where none could run."""
    numbers = {label: value for label, value in gaps.items() if isinstance(value, float)}
    if any(value > LIMIT for value in numbers.values()) or any(
        str(v).startswith("fails") for v in gaps.values()
    ):
        return "wrong"
    if not {"prefill", "decode"} <= set(numbers):
        return "not compared"
    return "right" if set(numbers) - set(SIZES) else "not beyond"


def said(done: Run) -> str:
    """The line in which the command says what was proved."""
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines()]
    words = ("proved", "exact", "verified", "exercised")
    return " / ".join(line for line in lines if any(word in line.lower() for word in words))[:300]


def _left(model: Path, out: Path) -> float:
    return round(parameters(read(out)) / parameters(read(model)), 4)


def build(folder: Path) -> None:
    """Export what the folder does not have yet."""
    if not has_peer("exporters"):
        raise SystemExit("the models are not there, nor what exports them: make peers")
    folder.mkdir(parents=True, exist_ok=True)
    there = {path.stem for path in folder.glob("*.onnx")}
    known = run(peer("exporters", "export_decoders", "-o", folder, "--list")).stdout.split()
    missing = [name for name in known if name not in there]
    for script, names in (
        ("export_decoders", missing),
        ("export_genai", [] if any("genai" in n for n in there) else [""]),
    ):
        if names:
            print(run(peer("exporters", script, "-o", folder, *filter(None, names)), limit=3600).stdout)


HEADER = ("model", "status", "left", "by hand", "worst gap", "why")


def row(result: Mapping[str, Any]) -> list[Any]:
    """One line of the table."""
    gaps = [value for value in result.get("gaps", {}).values() if isinstance(value, float)]
    return [
        result["name"],
        result["status"],
        result.get("parameters left"),
        result.get("left with shapes by hand"),
        f"{max(gaps):.1e}" if gaps else None,
        result.get("why", "")[:100],
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prune every model of the folder; 1 where one is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the models are, or go")
    parser.add_argument("--match", default="*")
    parser.add_argument("--ratio", type=float, default=0.5)
    parser.add_argument("--out", type=Path, default=None, help="where pruned models go (beside the models)")
    parser.add_argument("--no-write", action="store_true", help="leave benchmarks/results/ alone")
    options = parser.parse_args(arguments)
    if not any(options.folder.glob("*.onnx")):
        build(options.folder)
    out = options.out or options.folder / "pruned"
    out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for model in sorted(options.folder.glob("*.onnx")):
        if fnmatchcase(model.stem, options.match):
            rows.append(measure(model, options.ratio, out))
            print(json.dumps(rows[-1]), flush=True)
    counts = Counter(item["status"] for item in rows)
    print(results.table(HEADER, [row(item) for item in rows]), "", dict(counts), sep="\n")
    if not options.no_write:
        results.write("decoders", {"ratio": options.ratio, "figures": dict(counts), "models": rows})
    return int(counts["wrong"] > 0)


if __name__ == "__main__":
    sys.exit(main())
