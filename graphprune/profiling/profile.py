"""Models timed against each other on a device, with everything that a reader of the figures must know."""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol, runtime_checkable

from graphprune.backends import Backend, Device, Running, Setup, backend
from graphprune.errors import Environment, Refused, Usage
from graphprune.feeds import Feeds
from graphprune.model import Model
from graphprune.profiling import agreement
from graphprune.profiling.cases import Case, Wanted, cases, feeds_for
from graphprune.profiling.conditions import Watch
from graphprune.profiling.paired import Blocks, Rounds, measure
from graphprune.profiling.result import Batch, Profile, Timed
from graphprune.profiling.stepwise import Steps, step_times
from graphprune.profiling.subjects import Subject, subjects
from graphprune.progress import counted

_FOREVER = 1e6
"""Seconds: a number of inferences that was asked for has no other bound."""
PACKAGES = ("graphprune", "numpy", "onnx", "onnxruntime")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """What is to be timed, and how.

    Attributes:
        models: files, or models in memory; the same file twice is opened twice.
        backend: where they run, one of `graphprune.backends.BACKENDS`.
        setup: how they run.
        rounds: how long is measured.
        iterations: inferences of each model, at least.
        wanted: the shapes and values of their inputs.
        reference: the number of the model that the others are compared with.
        per_layer: whether the steps are timed as well.
        check: whether outputs are compared with ONNX Runtime on the CPU, optimisations off.
        settled: gives, for a batch, the question whether enough was measured; None for the usual one, whether
            every verdict is reached.
    """

    models: tuple[Path | str | Model, ...]
    backend: str = "ort:cpu"
    setup: Setup = field(default_factory=Setup)
    rounds: Rounds = field(default_factory=Rounds)
    iterations: int = 0
    wanted: Wanted = field(default_factory=Wanted)
    reference: int = 0
    per_layer: bool = False
    check: bool = True
    settled: Callable[[int | None], Callable[[Blocks], bool]] | None = None


@runtime_checkable
class Built(Protocol):
    """A running model that was built before, and says what that took: seconds, bytes, from the cache."""

    build: Mapping[str, str]


@dataclass(frozen=True)
class Prepared:
    """A request that was found to make sense: the device is there, the models are read, the shapes fit."""

    request: Request
    runtime: Backend
    device: Device
    subjects: tuple[Subject, ...]
    cases: tuple[Case, ...]


def prepare(request: Request) -> Prepared:
    """Look at everything that can be wrong before anything is timed.

    Raises:
        Usage: a file is missing, the models do not have the same inputs, a size is open or does not fit.
        Refused: a model is invalid.
        Environment: the runtime or the device is missing.
    """
    if not request.models:
        raise Usage("there is no model to time", "name one or more")
    if not 0 <= request.reference < len(request.models):
        raise Usage(f"there is no model {request.reference}", f"there are {len(request.models)}")
    runtime = backend(request.backend)
    found = subjects(request.models)
    shapes = cases(found, request.wanted)
    return Prepared(request, runtime, runtime.device(request.setup), found, shapes)


def profile(request: Request) -> Profile:
    """Time models against each other, batch by batch.

    Raises:
        Usage, Refused, Environment: as for `prepare`; and where a model does not run.
    """
    return run(prepare(request))


def run(prepared: Prepared) -> Profile:
    """Time what was prepared."""
    request = prepared.request
    watch = Watch(None if request.backend == "ort:cpu" else request.setup.gpu)
    before = watch.conditions()
    found = tuple(_batch(prepared, case) for case in prepared.cases)
    return Profile(
        prepared.device,
        request.setup,
        request.reference,
        request.rounds.margin,
        found,
        before,
        watch.conditions(),
        request.wanted.seed,
        versions(),
    )


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Return the versions of Python and of those of the packages that are here."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _batch(prepared: Prepared, case: Case) -> Batch:
    request, models = prepared.request, prepared.subjects
    feeds = feeds_for(case, models, request.wanted)
    label = f"batch {case.batch}" if len(prepared.cases) > 1 else "time"
    expected = _expected(models, feeds) if request.check else {}
    with ExitStack() as stack:
        running: list[Running] = []
        deviations: list[float | None] = []
        for subject in models:
            with _named(subject, len(models)):
                opened = stack.enter_context(prepared.runtime.open(subject.model, feeds, request.setup))
                outputs = expected.get(id(subject.model))
                deviations.append(agreement.deviation(outputs, opened.outputs()) if outputs else None)
            running.append(opened)
        log.info("timing %s", ", ".join(subject.name for subject in models))
        with counted(label) as tell:
            rounds, settled = request.rounds, request.settled(case.batch) if request.settled else None
            if request.iterations:
                rounds, settled = replace(rounds, longest=_FOREVER), _enough(request)
            blocks = measure(running, rounds, reference=request.reference, tell=tell, settled=settled)
        steps = step_times(running, blocks, label) if request.per_layer else [Steps() for _ in running]
        built = [dict(one.build) if isinstance(one, Built) else {} for one in running]
    timed = [
        Timed(
            subject.name,
            subject.hash,
            subject.bytes,
            _milliseconds(blocks, number),
            built[number],
            steps[number].times,
            deviations[number],
            None if deviations[number] is None else agreement.limit(subject.model, request.backend),
            steps[number].rounds,
        )
        for number, subject in enumerate(models)
    ]
    return Batch(case.batch, case.shapes, tuple(timed))


def _milliseconds(blocks: Blocks, number: int) -> tuple[tuple[float, ...], ...]:
    """Milliseconds with six places: clocks count nanoseconds."""
    return tuple(
        tuple(round(1000 * seconds, 6) for seconds in block.tolist()) for block in blocks.seconds[number]
    )


def _expected(models: Sequence[Subject], feeds: Feeds) -> dict[int, agreement.Outputs]:
    """What the models give by themselves, by the identity of the model; without those that cannot be run."""
    found: dict[int, agreement.Outputs] = {}
    for subject in models:
        if id(subject.model) in found:
            continue
        try:
            found[id(subject.model)] = agreement.reference(subject.model, feeds)
        except (Refused, Environment) as error:
            found[id(subject.model)] = {}
            log.warning("the outputs of %s are not checked: %s", subject.name, error.what)
    return found


def _enough(request: Request) -> Callable[[Blocks], bool]:
    """Whether a measurement may stop that must make so many inferences and should reach a verdict."""
    rounds, reference = request.rounds, request.reference
    others = [number for number in range(len(request.models)) if number != reference]

    def settled(blocks: Blocks) -> bool:
        fewest = min(sum(map(len, of_model)) for of_model in blocks.seconds)
        if fewest < request.iterations:
            return False
        taken = min(float(blocks.all(number).sum()) for number in range(len(request.models)))
        return taken >= rounds.longest or all(
            blocks.interval(number, reference).verdict(rounds.margin) != "inconclusive" for number in others
        )

    return settled


@contextmanager
def _named(subject: Subject, count: int) -> Generator[None]:
    """Say in a refusal which of several models it is about."""
    try:
        yield
    except (Refused, Environment) as error:
        if count == 1:
            raise
        raise type(error)(f"{subject.name}: {error.what}", error.hint) from error
