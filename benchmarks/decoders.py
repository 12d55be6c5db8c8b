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

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.child import ROOT, graphprune, has_peer, peer, run
from benchmarks.reference import Array, Unlike, read, reference, session
from benchmarks.sweep import agreed, gaps, left, said, sweep

FOLDER = ROOT / "build" / "decoders"
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
    wanted = {**SIZES, **boundaries(name)}
    return gaps(masked, opened, {label: feeds(opened, *sizes, 1) for label, sizes in wanted.items()})


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
    result |= {"said": said(default), "parameters left": left(model, out)}
    hand = folder / f"{name}.hand.onnx"
    ran = run(graphprune(*words, "-o", hand, "--shape", by_hand(model)), {"OMP_NUM_THREADS": "1"}, 300)
    result["left with shapes by hand"] = ran.complaint if ran.status else left(model, hand)
    try:
        found = compared(model, out, name)
    except Unlike as error:
        return result | {"status": "wrong", "why": str(error)}
    return result | {"gaps": found, "status": verdict(found)}


def verdict(found: Mapping[str, float | str]) -> str:
    """`right` where it agreed at prefill, decode and a boundary; `not beyond` where none could run."""
    numbers = agreed(found)
    if numbers is None:
        return "wrong"
    if not {"prefill", "decode"} <= numbers:
        return "not compared"
    return "right" if numbers - set(SIZES) else "not beyond"


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


COLUMNS = {
    "model": "name",
    "status": "status",
    "left": "parameters left",
    "by hand": "left with shapes by hand",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prune every model of the folder; 1 where one is wrong."""
    return sweep("decoders", "models", __doc__, FOLDER, build, measure, COLUMNS, arguments)


if __name__ == "__main__":
    sys.exit(main())
