"""Several engines of one model: for several GPUs, or built several times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from graphprune.engines.build import build, check, target
from graphprune.engines.foreign import write_engine
from graphprune.engines.options import BuildOptions
from graphprune.engines.store import Entry
from graphprune.errors import Environment, GraphpruneError, Refused
from graphprune.model import Model


@dataclass(frozen=True)
class Outcome:
    """What came of one engine.

    Attributes:
        target: what it is for: a GPU, or as `SM86` a compute capability.
        build: which of several builds it is, from 0 on.
        entry: what it is; None where there is none.
        cached: whether the cache had it.
        saved: the file that it was written to, if any.
        refusal: why there is none.
    """

    target: str
    build: int
    entry: Entry | None = None
    cached: bool = False
    saved: Path | None = None
    refusal: GraphpruneError | None = None

    def to_dict(self) -> dict[str, object]:
        """Return it as JSON has it."""
        refusal, entry = self.refusal, self.entry
        return {
            "target": self.target,
            "build": self.build + 1,
            "entry": None if entry is None else msgspec.to_builtins(entry),
            "cached": self.cached,
            "saved": None if self.saved is None else str(self.saved),
            "refusal": refusal and {"what": refusal.what, "hint": refusal.hint, "code": refusal.code},
        }


def places(path: Path | None, wanted: Sequence[BuildOptions]) -> tuple[Path | None, ...]:
    """Return where each engine is written: at `path`, or where there are several beside it.

    >>> both = BuildOptions(capability=80), BuildOptions(capability=86)
    >>> [str(place) for place in places(Path("m.engine"), both)]
    ['m.sm80.engine', 'm.sm86.engine']
    """
    if path is None or len(wanted) == 1:
        return (path,) * len(wanted)
    found: list[Path] = []
    for options in wanted:
        words = [f".sm{options.capability}"] if options.capability is not None else []
        words += [f".{options.number + 1}"] if any(each.number for each in wanted) else []
        found.append(path.with_name(f"{path.stem}{''.join(words)}{path.suffix}"))
    return tuple(found)


def build_all(
    model: Model,
    backend: str,
    wanted: Sequence[BuildOptions],
    saved: Sequence[Path | None],
    *,
    gpu: int = 0,
    rebuild: bool = False,
    dry: bool = False,
) -> tuple[Outcome, ...]:
    """Build an engine for each of `wanted`, and write it to `saved` where that is not None.

    What refuses one of them is part of the result, and does not keep the others from being built.

    Args:
        model: the model.
        backend: `trt` or `trt-rtx`.
        wanted: how each is built.
        saved: where each is written.
        gpu: the number of the GPU that is built on.
        rebuild: whether to build what the cache has.
        dry: whether to parse and configure only.

    Raises:
        Usage: an option that the library lacks, or shapes that do not fit.
        Environment: the library is missing.
        Refused: a dynamic model came without shapes.
    """
    names = [target(model, backend, options, gpu) for options in wanted]
    done: list[Outcome] = []
    for name, options, place in zip(names, wanted, saved, strict=True):
        try:
            if dry:
                done.append(Outcome(name, options.number, cached=check(model, backend, options, gpu=gpu)))
                continue
            engine = build(model, backend, options, gpu=gpu, rebuild=rebuild)
        except (Refused, Environment) as refusal:
            done.append(Outcome(name, options.number, refusal=refusal))
            continue
        if place is not None:
            write_engine(place, engine.entry, engine.plan)
        done.append(Outcome(name, options.number, engine.entry, engine.cached, place))
    return tuple(done)
