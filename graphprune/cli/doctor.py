"""`graphprune doctor`: the environment, and whether it can do what graphprune needs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

import graphprune
from graphprune.cli.common import Verb, emit, running_models, shared
from graphprune.errors import Environment, Usage
from graphprune.processors import usable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from graphprune.profiling.null_test import NullTest

PACKAGES = ("numpy", "onnx", "onnx-graphsurgeon", "onnxruntime", "click", "rich", "msgspec")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `fault` is empty where all is well, and `hint` says what to do."""

    subject: str
    found: str
    fault: str = ""
    hint: str = ""


@click.command(cls=Verb)
@click.option(
    "--require",
    multiple=True,
    metavar="BACKEND",
    help="Exit with 4 where this backend does not run: ort:cpu, ort:cuda, trt, trt-rtx; may be repeated.",
)
@click.option(
    "--null-test",
    metavar="MODEL",
    type=click.Path(path_type=Path),
    help="Time this model against itself, and exit with 1 where the machine calls that a difference.",
)
@click.option("--backend", default="ort:cpu", show_default=True, help="Where --null-test runs it.")
@click.option("--shape", multiple=True, metavar="TEXT,...", help="Shapes of its inputs, as x:1x3x224x224.")
@click.option("--duration", metavar="TIME", help="How long to time it, as 3s (default: until it is decided).")
@shared
@running_models
def command(
    require: tuple[str, ...],
    null_test: Path | None,
    backend: str,
    shape: tuple[str, ...],
    duration: str | None,
    output_format: str,
    quiet: bool,
    verbose: bool,
    debug: bool,
) -> None:
    """Show versions, cores, backends, clocks and load, and try out ONNX Runtime.

    With --null-test also the noise floor: how large a difference must be to mean something on this machine.
    Exits with 4 where something that graphprune needs is missing or does not work.
    """
    if null_test is None and (backend != "ort:cpu" or shape or duration):
        raise Usage("--backend, --shape and --duration are of --null-test", "name its model")

    from graphprune.backends import BACKENDS
    from graphprune.nearest import did_you_mean

    for name in (*require, backend):
        if name not in BACKENDS:
            raise Usage(f"there is no backend {name}", did_you_mean(name, BACKENDS))

    from graphprune.cli.doctor_latency import demand_same, findings_of, run_null_test
    from graphprune.profiling.words import read_duration

    seconds = None if duration is None else read_duration(duration, "--duration")

    findings = [*_machine(), *_packages(), *_latency(require), *_passes(), *_rules()]
    faults = [
        finding
        for finding in findings
        if finding.fault and not finding.subject.startswith(("pass ", "rules "))
    ]
    tested = None
    if null_test is not None and not faults:
        tested = run_null_test(null_test, backend, shape, seconds, quiet)
    result = {"version": 1, "findings": [vars(finding) for finding in findings]}
    more = {} if tested is None else {"null_test": findings_of(tested)}
    emit({**result, **more}, output_format, lambda: _tables(findings, tested))
    if faults:
        raise Environment(f"{faults[0].subject}: {faults[0].fault}", faults[0].hint or "install it again")
    if tested is not None:
        demand_same(tested)


def _machine() -> Iterable[Finding]:
    yield Finding("graphprune", graphprune.__version__)
    yield Finding("python", f"{platform.python_implementation()} {platform.python_version()}")
    yield Finding("system", f"{platform.system()} {platform.machine()}")
    yield Finding("cores", f"{len(usable())} usable of {os.cpu_count()}")


def _packages() -> Iterable[Finding]:
    for package in PACKAGES:
        try:
            yield Finding(package, importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(package, "missing", "the package is not installed")


def _latency(require: Sequence[str]) -> Iterable[Finding]:
    """The backends, and what would disturb a measurement."""
    try:
        import onnxruntime as ort
    except ImportError as error:
        yield Finding("onnxruntime", "broken", f"it cannot be imported: {error}")
        return
    from graphprune.cli.doctor_latency import backends, conditions

    yield _telemetry()
    yield Finding("providers", ", ".join(ort.get_available_providers()))
    yield from backends(("ort:cpu", *require))
    yield from conditions()


def _telemetry() -> Finding:
    """Whether ONNX Runtime was told to send nothing; it reads that when it is imported."""
    if graphprune.telemetry_off:
        return Finding("telemetry", "off")
    return Finding(
        "telemetry",
        "on",
        "onnxruntime was imported before graphprune",
        "import graphprune first, or set ORT_DISABLE_TELEMETRY=1",
    )


def _rules() -> Iterable[Finding]:
    from graphprune.rules.offered import offered

    for name, fault in offered().items():
        yield Finding(f"rules {name}", "broken" if fault else "offered", fault)


def _passes() -> Iterable[Finding]:
    from graphprune.registry import broken, offered

    faults = broken()
    for name in offered():
        yield Finding(f"pass {name}", "broken" if name in faults else "offered", faults.get(name, ""))


def _tables(findings: list[Finding], tested: NullTest | None) -> Iterable[RenderableType]:
    from graphprune.cli.tables import table, text

    yield table(("subject", "found", "fault"), [(f.subject, f.found, f.fault) for f in findings])
    if tested is not None:
        from graphprune.cli.doctor_latency import null_test_table

        yield text("")
        yield null_test_table(tested)
