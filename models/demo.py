"""The demo: prune a pretrained model by half, verify it, and time it against the original.

`make demo`, or `python -m models.demo`. Where no package index can be reached, the small network of
models/small.py is pruned instead. The pruned model stays in build/demo.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from graphprune.errors import Environment, GraphpruneError
from models import small
from models.fetch import fetch
from models.manifest import read
from models.timing import Timing, compare

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "demo"
RATIO = "0.5"

Shapes = dict[str, tuple[int, ...]]


def main() -> int:
    """Run the demo; returns the exit code of the first step that failed, or 0."""
    console = Console(width=100)
    try:
        original, shapes = obtain(console)
        pruned = OUT / f"{original.stem}-pruned.onnx"
        plan = OUT / f"{original.stem}-plan.json"
        step(console, "prune", original, "-o", pruned, "--ratio", RATIO, "--save-plan", plan, "--force")
        step(console, "verify", original, pruned, "--plan", plan)
    except subprocess.CalledProcessError as failed:
        return failed.returncode
    except GraphpruneError as error:
        print(f"error: {error.what}\nhint: {error.hint}", file=sys.stderr)
        return error.code
    console.print("\nTiming both models, interleaved, in ONNX Runtime on the CPU ...")
    console.print(table(original, pruned, compare(original, pruned, shapes), shapes))
    console.print(f"The pruned model is {pruned.relative_to(ROOT)}.")
    console.print("It was not fine-tuned: it computes exactly what its remaining weights say, no more.")
    return 0


def obtain(console: Console) -> tuple[Path, Shapes]:
    """The model to prune and the shapes to time it at: the manifest's default, or else the small network."""
    manifest = read()
    entry = manifest.entry(manifest.default)
    try:
        path = fetch(manifest.default, manifest)
    except Environment as error:
        console.print(f"{error.what}\nGoing on with the small network of models/small.py.")
        path = OUT / "small.onnx"
        small.main(str(path))
        return path, {"x": small.SHAPE}
    console.print(f"{manifest.default}: {entry.task}\nfrom {entry.package} {entry.version} ({entry.licence})")
    OUT.mkdir(parents=True, exist_ok=True)
    return path, entry.inputs


def step(console: Console, *arguments: str | Path) -> None:
    """Run one verb of the command line, shown as one would type it."""
    words = [shown(argument) for argument in arguments]
    console.print(f"\n$ graphprune {' '.join(words)}", markup=False, highlight=False, soft_wrap=True)
    subprocess.run([sys.executable, "-m", "graphprune", *words], cwd=ROOT, check=True)


def shown(argument: str | Path) -> str:
    """An argument as text; paths relative to the repository."""
    return str(argument.relative_to(ROOT)) if isinstance(argument, Path) else argument


def table(original: Path, pruned: Path, timing: Timing, shapes: Shapes) -> Table:
    """The before/after table of what the demo itself measured: file size and latency."""
    sizes = [path.stat().st_size / 1e6 for path in (original, pruned)]
    found = Table("", "original", "pruned", "ratio", title=f"at {', '.join(map(str, shapes.values()))}")
    found.add_row("file, MB", *(f"{size:.2f}" for size in sizes), f"{sizes[1] / sizes[0]:.3f}")
    interval = f"{timing.ratio:.3f} (95 %: {timing.low:.3f} to {timing.high:.3f})"
    found.add_row("latency, ms", f"{timing.first_ms:.2f}", f"{timing.second_ms:.2f}", interval)
    return found


if __name__ == "__main__":
    sys.exit(main())
