"""What `benchmarks/accuracy.py` compares: functions that prune a model without training.

A method is a function `(model, calib, target, workdir) -> path of the pruned model`: `calib` is an `.npz` of
unlabelled inputs, `target` the fraction of MACs to keep, `workdir` a folder of its own for this model, method
and target. It raises `Failed` where there is no model. What a tool prints as JSON is left in
`workdir/report.json`; its `seconds`, if any, go before those of the clock.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import child

Method = Callable[[Path, Path, float, Path], Path]
LIMIT = 3600.0


class Failed(Exception):
    """A tool made no model; the message is what it said."""


def produce(workdir: Path, command: Sequence[str | Path], output: Path) -> Path:
    """Run a command that writes `output`.

    Raises:
        Failed: it did not.
    """
    output.unlink(missing_ok=True)
    run = child.run(command, limit=LIMIT)
    report = run.json()
    (workdir / "report.json").write_text(json.dumps(report), encoding="utf-8")
    if run.status or not output.exists():
        raise Failed(str(report.get("error", run.complaint)))
    return output


def graphprune(*options: str, data: bool = False) -> Method:
    """graphprune's command line with these options; with `data` it reads the calibration samples."""

    def method(model: Path, calib: Path, target: float, workdir: Path) -> Path:
        output = workdir / "pruned.onnx"
        words: list[str | Path] = ["prune", model, "-o", output, "--target", f"macs={target}x", *options]
        words += ["--data", calib] if data else []
        command = child.graphprune(*words, "--output-format", "json", "--force")
        return produce(workdir, command, output)

    return method


METHODS: dict[str, Method] = {
    "graphprune-l2": graphprune("--importance", "l2"),
}
"""graphprune's own, by name. `benchmarks/accuracy_peers.py` has the others'."""

SHOWN: dict[str, tuple[str, ...]] = {
    "graphprune, l2": ("graphprune-l2",),
}
"""The rows of the table, and the methods of which the best is shown in each."""
