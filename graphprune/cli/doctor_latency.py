"""What a machine can measure: the backends that run on it, its clocks and load, and its noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from graphprune.cli.doctor import Finding
from graphprune.errors import Environment, GraphpruneError, Negative

if TYPE_CHECKING:
    from graphprune.backends import Device
    from graphprune.cli.tables import Renderable
    from graphprune.profiling.null_test import NullTest

_NEGATION = '<ir_version: 8, opset_import: ["": 17]> g (float[2] x) => (float[2] y) { y = Neg(x) }'


def backends(required: Sequence[str]) -> Iterator[Finding]:
    """Look at every backend, and run a model of one node on those of ONNX Runtime and on those required.

    What does not run here is a fault where it is required.
    """
    from graphprune.backends import BACKENDS

    for name in BACKENDS:
        try:
            found = _runs(name) if name in required or name.startswith("ort:") else _is_there(name)
        except GraphpruneError as error:
            yield _missing(name, error.what, error.hint, name in required)
        except Exception as error:  # noqa: BLE001  whatever a library raises is what the user wants to read
            yield _missing(name, f"{type(error).__name__}: {error}", "", name in required)
        else:
            yield Finding(name, found)


def _missing(name: str, why: str, hint: str, required: bool) -> Finding:
    if required:
        return Finding(name, "does not run", why, hint or "install it again")
    return Finding(name, f"not here: {why}")


def _is_there(name: str) -> str:
    from graphprune.backends import Setup, backend

    return f"finds {_words(backend(name).device(Setup()))}"


def _runs(name: str) -> str:
    """Run a model of one node; raises whatever goes wrong."""
    import numpy as np
    import onnx

    from graphprune.backends import Setup, backend
    from graphprune.model import from_proto

    device = backend(name).device(Setup())
    model = from_proto(onnx.parser.parse_model(_NEGATION))
    with backend(name).open(model, {"x": np.array([1, -2], np.float32)}, Setup()) as running:
        (negated,) = running.outputs().values()
    if np.asarray(negated).tolist() != [-1, 2]:
        raise Environment(f"Neg of [1, -2] gives {np.asarray(negated)}", "install it again")
    return f"runs on {_words(device)}"


def _words(device: Device) -> str:
    names = (f"{name} {version}" for name, version in device.versions.items() if name != "system")
    return ", ".join((device.name, *names))


def conditions() -> Iterator[Finding]:
    """Look at the clocks and the load of the processors, and of the first GPU, for a third of a second."""
    from graphprune.backends.gpu import state
    from graphprune.profiling.conditions import Watch, disturbances

    found = Watch().conditions()
    if found.load is not None:
        yield Finding("load", f"{found.load:.2f} per core")
    if found.clocks:
        yield Finding("clocks", _range(found.clocks) + (f", {found.governor}" if found.governor else ""))
    try:
        gpu = state(0)
    except Environment:
        gpu = None
    if gpu is not None and gpu.clocks:
        yield Finding(
            "clocks of the GPU", ", ".join(f"{name} {rate:.0f} MHz" for name, rate in gpu.clocks.items())
        )
    notes = [*disturbances(found, found)]
    if gpu is not None:
        notes += [f"the GPU is held down: {reason}" for reason in gpu.throttled]
        notes += [f"the GPU is used by {process}" for process in gpu.others]
    for note in notes:
        yield Finding("disturbance", note)


def _range(clocks: Mapping[str, float]) -> str:
    """Clock rates in words.

    >>> _range({"core 0": 2400.0, "core 1": 3100.4}), _range({"core 0": 1710.0})
    ('2400 to 3100 MHz', '1710 MHz')
    """
    low, high = min(clocks.values()), max(clocks.values())
    return f"{low:.0f} MHz" if round(low) == round(high) else f"{low:.0f} to {high:.0f} MHz"


def run_null_test(
    model: Path, backend: str, shape: Sequence[str], seconds: float | None, quiet: bool
) -> NullTest:
    """Time a model against itself, for so many seconds, or until it is decided."""
    from graphprune.cli.progress_bar import progress_bar
    from graphprune.profiling.cases import Wanted
    from graphprune.profiling.matrix import LEAST
    from graphprune.profiling.null_test import null_test
    from graphprune.profiling.paired import Rounds
    from graphprune.profiling.profile import Request
    from graphprune.shape_text import parse_shapes

    rounds = Rounds() if seconds is None else Rounds(duration=seconds, rounds=LEAST, longest=seconds)
    wanted = Wanted(shapes=parse_shapes(shape))
    with progress_bar(quiet):
        return null_test(Request((model,), backend, rounds=rounds, wanted=wanted, check=False))


def findings_of(tested: NullTest) -> dict[str, object]:
    """What a null test found, for JSON."""
    (batch,) = tested.profile.batches
    (interval,) = tested.intervals
    return {
        "model": batch.models[0].name,
        "backend": tested.profile.device.backend,
        "finding": tested.finding,
        "noise_floor": tested.floor,
        "margin": tested.profile.margin,
        "rounds": len(batch.models[0].blocks),
        **asdict(interval),
    }


def null_test_table(tested: NullTest) -> Renderable:
    """What a null test found, as a table."""
    from graphprune.cli.compare_text import ratio
    from graphprune.cli.tables import table

    (batch,) = tested.profile.batches
    (interval,) = tested.intervals
    floor = f"{100 * tested.floor:.2f} %"
    row = (batch.models[0].name, len(batch.models[0].blocks), ratio(interval), floor, tested.finding)
    return table(("null test", "rounds#", "ratio to itself=", "noise floor#", "="), [row])


def demand_same(tested: NullTest) -> None:
    """Raise `Negative` where a model was told from itself."""
    if tested.finding == "different":
        raise Negative(
            f"the machine tells {tested.profile.batches[0].models[0].name} from itself: "
            f"differences below {100 * tested.floor:.1f} % mean nothing here",
            "let nothing else run, fix the clocks of the device, or measure for longer",
        )
