"""Other tools as methods of `benchmarks/accuracy.py`, each in the environment that `make peers` builds.

Torch-Pruning and onnxsim rank channels within a layer (local) or over the whole model (global). Which does
better differs from model to model, so both are run, and the better one is shown.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks import child
from benchmarks.accuracy_methods import Failed, Method, produce

SCOPES = ("local", "global")


def _demand(name: str) -> None:
    if not child.has_peer(name):
        raise Failed(f"there is no environment of {name}: run `make peers`")


def torch_pruning(importance: str, scope: str) -> Method:
    """Torch-Pruning with GroupMagnitudeImportance (`l2`) or GroupTaylorImportance (`taylor`).

    Gradients are computed once for a model and kept beside the folders of its runs; the seconds they took
    count in each.
    """

    def method(model: Path, calib: Path, target: float, workdir: Path) -> Path:
        _demand("torch-pruning")
        output = workdir / "pruned.onnx"
        words: list[str | Path] = [model, "-o", output, "--data", calib, "--macs", str(target)]
        words += ["--importance", importance, "--scope", scope]
        words += ["--gradients", workdir.parent / "gradients.pt"] if importance == "taylor" else []
        return produce(workdir, child.peer("torch-pruning", "torch_pruning_onnx", *words), output)

    return method


def onnxsim(scope: str, *options: str) -> Method:
    """onnxsim's structured pruning by weights and activations; with `--refit`, then its closed-form refit."""

    def method(model: Path, calib: Path, target: float, workdir: Path) -> Path:
        _demand("onnxsim")
        output = workdir / "pruned.onnx"
        words: list[str | Path] = [
            model,
            "-o",
            output,
            "--data",
            calib,
            "--macs",
            str(target),
            "--scope",
            scope,
            *options,
        ]
        return produce(workdir, child.peer("onnxsim", "onnxsim_wanda", *words), output)

    return method


METHODS: dict[str, Method] = {
    **{
        f"torch-pruning-{importance}-{scope}": torch_pruning(importance, scope)
        for importance in ("l2", "taylor")
        for scope in SCOPES
    },
    **{f"onnxsim-wanda-{scope}": onnxsim(scope) for scope in SCOPES},
    **{f"onnxsim-wanda-refit-{scope}": onnxsim(scope, "--refit") for scope in SCOPES},
}
"""By name; the last word is the scope."""


def _scopes(start: str) -> tuple[str, ...]:
    return tuple(f"{start}-{scope}" for scope in SCOPES)


SHOWN: dict[str, tuple[str, ...]] = {
    "Torch-Pruning, l2": _scopes("torch-pruning-l2"),
    "Torch-Pruning, Taylor": _scopes("torch-pruning-taylor"),
    "onnxsim, Wanda": _scopes("onnxsim-wanda"),
    "onnxsim, Wanda and refit": _scopes("onnxsim-wanda-refit"),
}
"""The rows of the table, and the methods of which the best is shown in each."""
