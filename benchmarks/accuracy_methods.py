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


FLAP = ("--importance", "fluctuation", "--compensate", "bias")
"""An et al. 2024: units whose inputs fluctuate least go, and their means move into the bias."""

METHODS: dict[str, Method] = {
    "graphprune": graphprune(data=True),
    "graphprune-steps": graphprune("--steps", "2", data=True),
    "graphprune-l2": graphprune("--importance", "l2"),
    "flap-local": graphprune(*FLAP, "--scope", "local", data=True),
    "flap-global": graphprune(*FLAP, "--scope", "global", data=True),
}
"""graphprune's own, by name. `benchmarks/accuracy_peers.py` has the others'."""

SHOWN: dict[str, tuple[str, ...]] = {
    "graphprune": ("graphprune",),
    "graphprune, 2 steps": ("graphprune-steps",),
    "plain l2": ("graphprune-l2",),
    "FLAP": ("flap-local", "flap-global"),
}
"""The rows of the table, and the methods of which the best is shown in each."""
