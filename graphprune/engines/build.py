"""An engine of a model: from the cache, or built."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from graphprune.engines import process, store
from graphprune.engines.configure import FLAGS
from graphprune.engines.job import Failed, Job
from graphprune.engines.libraries import Library, check_capability, library, load
from graphprune.engines.options import BuildOptions, Range
from graphprune.engines.ranges import ranges
from graphprune.engines.refusals import ended, refusal
from graphprune.engines.store import Entry
from graphprune.errors import Environment, Usage
from graphprune.model import Model, save
from graphprune.model_hash import model_hash
from graphprune.progress import counted
from graphprune.user_cache import private_folder

VERSION = 1
"""The form of the cache's keys; another form finds nothing of the old."""
_NOT_THERE = {
    "trt": {"capability": "--compute-capability: TensorRT builds for the GPU at hand"},
    "trt-rtx": {
        "hardware_compatible": "--hardware-compatible: its engines run on all GPUs from Ampere on anyway",
        "version_compatible": "--version-compatible: no runtime can be put into its engines",
        "timing_cache": "--timing-cache: it chooses tactics on the GPU, when the engine is loaded",
    },
}


@dataclass(frozen=True)
class Engine:
    """An engine.

    Attributes:
        entry: what it is.
        plan: its bytes.
        cached: whether it was there already.
    """

    entry: Entry
    plan: bytes
    cached: bool


def build(
    model: Model, backend: str, options: BuildOptions, *, gpu: int = 0, rebuild: bool = False
) -> Engine:
    """Return the engine of `model` for `backend`, from the user's cache where it is there.

    The precision is the model's own: the network is strongly typed.

    Args:
        model: the model.
        backend: `trt` or `trt-rtx`.
        options: how it is built.
        gpu: the number of the GPU that is built on.
        rebuild: whether to build even where the cache has it.

    Raises:
        Usage: an option that the library lacks, or shapes that do not fit.
        Environment: the library, the GPU or the memory is missing.
        Refused: the library does not take the model, or a dynamic model came without shapes.
    """
    made = _request(model, backend, options, gpu)
    found = None if rebuild else store.find(made.key)
    if found is not None:
        return Engine(*found, cached=True)
    with store.room() as room, counted(f"build for {made.target}") as tell:
        save(model, room / "model.onnx")
        job = _job(made, room, engine=True)
        done = process.run(job, room, gpu, tell)
        if isinstance(done, int):
            raise ended(done, made.library.title)
        if isinstance(done, Failed):
            raise refusal(done, made.library.title, model)
        built = room / store.PLAN
        plan = built.read_bytes()
        entry = Entry(
            sha256=hashlib.sha256(plan).hexdigest(),
            bytes=len(plan),
            model=made.model,
            library=made.library.title,
            version=made.version,
            target=made.target,
            options=_words(options, made.ranges),
            seconds=round(done.seconds, 3),
            sparsity=done.sparsity,
        )
        store.keep(made.key, entry, built)
        tell(100, 100)
    return Engine(entry, plan, cached=False)


def check(model: Model, backend: str, options: BuildOptions, *, gpu: int = 0) -> bool:
    """Parse and configure `model` as `build` would, and return whether the cache has the engine already.

    Raises:
        As `build`, but for what only the build itself meets.
    """
    made = _request(model, backend, options, gpu)
    with store.room() as room, counted(f"check for {made.target}") as tell:
        save(model, room / "model.onnx")
        done = process.run(_job(made, room, engine=False), room, gpu, tell)
        tell(100, 100)
    if isinstance(done, int):
        raise ended(done, made.library.title)
    if isinstance(done, Failed):
        raise refusal(done, made.library.title, model)
    return store.find(made.key) is not None


def target(model: Model, backend: str, options: BuildOptions, gpu: int = 0) -> str:
    """Return what the engine is built for, as `SM86` or the name of a GPU; the options are checked.

    Raises:
        Usage: an option that the library lacks, or shapes that do not fit.
        Environment: the library is missing, or the GPU that it would build on.
        Refused: a dynamic model came without shapes.
    """
    of = _checked(backend, options)
    ranges(model, options)
    load(of)
    return _target(of, options, gpu)


@dataclass(frozen=True)
class _Request:
    library: Library
    version: str
    target: str
    model: str
    ranges: dict[str, Range]
    options: BuildOptions
    key: str


def _request(model: Model, backend: str, options: BuildOptions, gpu: int) -> _Request:
    of = _checked(backend, options)
    shapes = ranges(model, options)
    module = load(of)
    version = module.__version__
    if options.capability is not None:
        check_capability(of, module, options.capability)
    built_for = _target(of, options, gpu)
    hashed = model_hash(model)
    asked = _words(options, shapes)
    key = msgspec.json.encode([VERSION, of.title, version, built_for, hashed, asked], order="sorted")
    digest = hashlib.blake2b(key, digest_size=16).hexdigest()
    return _Request(of, version, built_for, hashed, shapes, options, digest)


def _checked(backend: str, options: BuildOptions) -> Library:
    of = library(backend)
    for name, why in _NOT_THERE[backend].items():
        if getattr(options, name):
            raise Usage(f"{of.title} has no {why}", "leave it out")
    return of


def _words(options: BuildOptions, shapes: dict[str, Range]) -> dict[str, object]:
    """The options that make an engine what it is, by name, those that are left alone left out."""
    words = {
        name: getattr(options, name)
        for name in (*FLAGS, "hardware_compatible", "number")
        if getattr(options, name)
    }
    words |= {
        name: getattr(options, name) for name in ("level", "workspace") if getattr(options, name) is not None
    }
    return (
        {
            **words,
            "shapes": {name: ["x".join(map(str, shape)) for shape in each] for name, each in shapes.items()},
        }
        if shapes
        else words
    )


def _target(of: Library, options: BuildOptions, gpu: int) -> str:
    """What an engine is built for."""
    if options.capability is not None:
        return f"SM{options.capability}"
    if of.backend == "trt-rtx":
        return "Ampere and later"
    from graphprune.backends.cuda import identity

    return identity(gpu)


def _job(made: _Request, room: Path, *, engine: bool) -> Job:
    options = made.options
    return Job(
        backend=made.library.backend,
        model=str(room / "model.onnx"),
        engine=str(room / store.PLAN) if engine else None,
        ranges=made.ranges,
        flags=[name for name in FLAGS if getattr(options, name)],
        level=options.level,
        workspace=options.workspace,
        hardware_compatible=options.hardware_compatible,
        capability=options.capability,
        timing_cache=_timing_cache(made) if engine else None,
    )


def _timing_cache(made: _Request) -> str | None:
    """The file of timings: the user's, or ours for this version and GPU.

    Further builds of the same engine go without: they are made to see other tactics.
    """
    if made.library.backend == "trt-rtx" or made.options.number:
        return None
    if made.options.timing_cache is not None:
        return str(made.options.timing_cache.resolve())
    name = "".join(char if char.isalnum() else "-" for char in f"{made.version}-{made.target}")
    try:
        return str(private_folder("timings") / f"{name}.cache")
    except (OSError, Environment):
        return None
