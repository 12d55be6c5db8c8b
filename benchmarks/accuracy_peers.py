"""Other tools as methods of `benchmarks/accuracy.py`, each in the environment that `make peers` builds.

Torch-Pruning and onnxsim rank channels within a layer (local) or over the whole model (global). Which does
better differs from model to model, so both are run, and the better one is shown. Torch-Pruning is run again
with the channels of residual streams left alone, as a user may tell it to.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks import child
from benchmarks.accuracy_methods import Failed, Method, produce

SCOPES = ("local", "global")
REACHES = (*SCOPES, "inner_local", "inner_global")
"""Torch-Pruning's scopes; `inner` channels are those that no addition ties to others."""


def _demand(name: str) -> None:
    if not child.has_peer(name):
        raise Failed(f"there is no environment of {name}: run `make peers`")


def torch_pruning(importance: str, reach: str) -> Method:
    """Torch-Pruning with GroupMagnitudeImportance (`l2`) or GroupTaylorImportance (`taylor`).

    Gradients are computed once for a model and kept beside the folders of its runs; the seconds they took
    count in each.
    """

    def method(model: Path, calib: Path, target: float, workdir: Path) -> Path:
        _demand("torch-pruning")
        output = workdir / "pruned.onnx"
        words: list[str | Path] = [model, "-o", output, "--data", calib, "--macs", str(target)]
        inner, _, scope = reach.rpartition("_")
        words += ["--importance", importance, "--scope", scope, *(["--inner"] if inner else [])]
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
        f"torch-pruning-{importance}-{reach}": torch_pruning(importance, reach)
        for importance in ("l2", "taylor")
        for reach in REACHES
    },
    **{f"onnxsim-wanda-{scope}": onnxsim(scope) for scope in SCOPES},
    **{f"onnxsim-wanda-refit-{scope}": onnxsim(scope, "--refit") for scope in SCOPES},
}
"""By name; the last word is the scope."""


def _named(start: str, scopes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{start}-{scope}" for scope in scopes)


SHOWN: dict[str, tuple[str, ...]] = {
    "Torch-Pruning, l2": _named("torch-pruning-l2", REACHES),
    "Torch-Pruning, Taylor": _named("torch-pruning-taylor", REACHES),
    "onnxsim, Wanda": _named("onnxsim-wanda", SCOPES),
    "onnxsim, Wanda and refit": _named("onnxsim-wanda-refit", SCOPES),
}
"""The rows of the table, and the methods of which the best is shown in each."""
