"""`graphprune doctor`: the environment, and whether it can do what graphprune needs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

import graphprune
from graphprune.cli.common import emit, listen, shared
from graphprune.errors import Environment

if TYPE_CHECKING:
    from rich.console import RenderableType

PACKAGES = ("numpy", "onnx", "onnx-graphsurgeon", "onnxruntime", "click", "rich", "msgspec")
BACKENDS = {"ort:cpu": "CPUExecutionProvider", "ort:cuda": "CUDAExecutionProvider"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `fault` is empty where all is well."""

    subject: str
    found: str
    fault: str = ""


@click.command()
@click.option(
    "--require",
    multiple=True,
    type=click.Choice(list(BACKENDS)),
    help="Exit with 4 where this backend does not run; may be repeated.",
)
@shared
def command(require: tuple[str, ...], output_format: str, quiet: bool, verbose: bool, debug: bool) -> None:
    """Show versions, cores and providers, and try out ONNX Runtime.

    Exits with 4 where something that graphprune needs is missing or does not work.
    """
    listen(quiet, verbose, debug)
    findings = [*_machine(), *_packages(), *_backends(("ort:cpu", *require)), *_passes()]
    result = {"version": 1, "findings": [vars(finding) for finding in findings]}
    if not quiet or output_format == "json":
        emit(result, output_format, lambda: _tables(findings))
    needed = [finding for finding in findings if finding.fault and not finding.subject.startswith("pass ")]
    if needed:
        hint = (
            "install a build of onnxruntime that has it" if ":" in needed[0].subject else "install it again"
        )
        raise Environment(f"{needed[0].subject}: {needed[0].fault}", hint)


def _machine() -> Iterable[Finding]:
    yield Finding("graphprune", graphprune.__version__)
    yield Finding("python", f"{platform.python_implementation()} {platform.python_version()}")
    yield Finding("system", f"{platform.system()} {platform.machine()}")
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("cores", f"{usable} usable of {os.cpu_count()}")


def _packages() -> Iterable[Finding]:
    for package in PACKAGES:
        try:
            yield Finding(package, importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(package, "missing", "the package is not installed")


def _backends(wanted: Iterable[str]) -> Iterable[Finding]:
    try:
        import onnxruntime as ort
    except ImportError as error:
        yield Finding("onnxruntime", "broken", f"it cannot be imported: {error}")
        return
    available: list[str] = ort.get_available_providers()
    yield Finding("providers", ", ".join(available))
    for backend in dict.fromkeys(wanted):
        provider = BACKENDS[backend]
        fault = _try_session(provider) if provider in available else f"ONNX Runtime has no {provider} here"
        yield Finding(backend, "does not run" if fault else "runs", fault)


def _try_session(provider: str) -> str:
    """What goes wrong when a model of one node runs on `provider`; empty when nothing does."""
    import numpy as np
    import onnx
    import onnxruntime as ort

    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (float[2] x) => (float[2] y) { y = Neg(x) }'
    )
    try:
        session = ort.InferenceSession(model.SerializeToString(), providers=[provider])
        (negated,) = session.run(None, {"x": np.array([1, -2], dtype=np.float32)})
    except Exception as error:  # noqa: BLE001  whatever the runtime raises is what the user wants to read
        return f"{type(error).__name__}: {error}"
    # ONNX Runtime falls back to the processor without a word.
    if session.get_providers()[0] != provider:
        return f"the session runs on {session.get_providers()[0]} instead"
    return "" if np.asarray(negated).tolist() == [-1, 2] else f"Neg of [1, -2] gives {negated}"


def _passes() -> Iterable[Finding]:
    from graphprune.registry import broken, offered

    faults = broken()
    for name in offered():
        yield Finding(f"pass {name}", "broken" if name in faults else "offered", faults.get(name, ""))


def _tables(findings: list[Finding]) -> Iterable[RenderableType]:
    from graphprune.cli.tables import table

    yield table(("subject", "found", "fault"), [(f.subject, f.found, f.fault) for f in findings])
