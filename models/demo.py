"""The demo: prune a pretrained model by half, verify it, time it against the original, and report on it.

`make demo`, or `python -m models.demo`. Where no package index can be reached, the small network of
models/small.py is pruned instead. The pruned model and the report stay in build/demo.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from graphprune.cost import Cost, cost
from graphprune.errors import Environment, GraphpruneError
from graphprune.fold import fold
from graphprune.model import load
from graphprune.profiling.files import read_profile
from graphprune.profiling.result import Profile
from graphprune.profiling.summary import compare, summarise
from graphprune.solve import solve
from models import small
from models.fetch import fetch
from models.manifest import read

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "demo"
RATIO = "0.5"
DURATION = "2s"

Shapes = dict[str, tuple[int, ...]]


def main() -> int:
    """Run the demo; returns the exit code of the first step that failed, or 0."""
    console = Console(width=100)
    try:
        original, shapes = obtain(console)
        pruned = OUT / f"{original.stem}-pruned.onnx"
        plan = OUT / f"{original.stem}-plan.json"
        latency = OUT / f"{original.stem}-latency.json"
        runs = [OUT / f"{original.stem}-{verb}.json" for verb in ("prune", "profile")]
        page = OUT / f"{original.stem}-report.html"
        written = ("--save-plan", plan, "--save-run", runs[0], "--force")
        step(console, "prune", original, "-o", pruned, "--ratio", RATIO, *written)
        step(console, "verify", original, pruned, "--plan", plan)
        sizes = [f"--shape={name}:{'x'.join(map(str, shape))}" for name, shape in shapes.items()]
        kept = ("--per-layer", "--export-json", latency, "--save-run", runs[1], "--force")
        step(console, "profile", original, pruned, *sizes, "--duration", DURATION, *kept)
        step(console, "report", *runs, "-o", page, "--force")
    except subprocess.CalledProcessError as failed:
        return failed.returncode
    except GraphpruneError as error:
        print(f"error: {error.what}\nhint: {error.hint}", file=sys.stderr)
        return error.code
    console.print()
    console.print(table(original, pruned, read_profile(latency), shapes))
    console.print(f"\nThe pruned model is {shown(pruned)}, the report {shown(page)}.")
    console.print("It was not fine-tuned, so do not expect the original's accuracy of it.")
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
    """An argument as text; paths in the repository are relative to it."""
    if isinstance(argument, Path) and argument.is_relative_to(ROOT):
        return str(argument.relative_to(ROOT))
    return str(argument)


def table(original: Path, pruned: Path, profile: Profile, shapes: Shapes) -> Table:
    """The before/after table: what both files hold, and what was measured."""
    before, after = (priced(path, shapes) for path in (original, pruned))
    found = Table("", title=f"with {described(shapes)}", title_justify="left")
    for heading in ("original", "pruned", "remaining"):
        found.add_column(heading, justify="right")
    rows = [
        ("parameters, thousands", before.params / 1e3, after.params / 1e3),
        ("MACs, millions", before.macs / 1e6, after.macs / 1e6),
        ("file, MB", original.stat().st_size / 1e6, pruned.stat().st_size / 1e6),
    ]
    for name, first, second in rows:
        found.add_row(name, f"{first:,.1f}", f"{second:,.1f}", f"{second / first:.1%}")
    (timed,) = profile.batches
    first, second = (summarise(each, timed.batch).median for each in timed.models)
    comparison = compare(profile, timed, 1)
    assert comparison is not None
    ratio = comparison.interval
    found.add_row("latency on one thread, ms", f"{first:.2f}", f"{second:.2f}", f"{ratio.ratio:.1%}")
    found.add_row("95 % interval", "", "", f"{ratio.low:.1%} to {ratio.high:.1%}")
    return found


def priced(path: Path, shapes: Shapes) -> Cost:
    """What the model in the file `path` costs at these shapes."""
    return cost(solve(fold(load(path)).graph, shapes))


def described(shapes: Shapes) -> str:
    """The shapes as a reader expects them."""
    return ", ".join(f"{name} of {'x'.join(map(str, shape))}" for name, shape in shapes.items())


if __name__ == "__main__":
    sys.exit(main())
