"""`graphprune build`: engines of a model, for the GPU at hand or for others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from graphprune.cli.common import Verb, emit, shared
from graphprune.errors import Environment, GraphpruneError, Negative, Refused, Usage

if TYPE_CHECKING:
    from graphprune.engines.options import BuildOptions
    from graphprune.engines.store import Entry
    from graphprune.engines.targets import Outcome

_BYTES = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


@click.command(cls=Verb)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--backend",
    type=click.Choice(["trt", "trt-rtx"]),
    default="trt",
    show_default=True,
    help="TensorRT, for the GPU at hand; or TensorRT-RTX, which needs none.",
)
@click.option(
    "--save-engine", type=click.Path(path_type=Path), help="Write the engine, and a note beside it."
)
@click.option(
    "--shape",
    "--opt-shapes",
    "opt_shapes",
    multiple=True,
    metavar="TEXT,...",
    help="Shapes of inputs that the engine is tuned for, as x:1x3x224x224.",
)
@click.option("--min-shapes", multiple=True, metavar="TEXT,...", help="The smallest shapes that it takes.")
@click.option("--max-shapes", multiple=True, metavar="TEXT,...", help="The largest shapes that it takes.")
@click.option(
    "--compute-capability",
    multiple=True,
    metavar="N,...",
    help="GPUs to build for without having them, as 80,86,89,120: an engine each (trt-rtx).",
)
@click.option("--builds", type=click.IntRange(1, 100), default=1, help="Build so many; tactics differ.")
@click.option("--level", type=click.IntRange(0, 5), help="The builder's optimisation level.")
@click.option("--workspace", metavar="SIZE", help="At most so much memory for tactics, as 2GB.")
@click.option("--sparsity", is_flag=True, help="Use 2:4 sparse weights as such.")
@click.option("--hardware-compatible", is_flag=True, help="Run on every GPU from Ampere on (trt).")
@click.option("--version-compatible", is_flag=True, help="Run with later versions of TensorRT (trt).")
@click.option("--refit", is_flag=True, help="Let weights be exchanged.")
@click.option("--strip", is_flag=True, help="Leave out the weights that a refit brings.")
@click.option(
    "--timing-cache", type=click.Path(path_type=Path), help="A timing cache in place of our own (trt)."
)
@click.option("--gpu", type=click.IntRange(0), default=0, help="The number of the GPU to build on.")
@click.option("--dry-run", is_flag=True, help="Parse and configure, build nothing.")
@click.option("--force", is_flag=True, help="Build again what the cache has, overwrite what is there.")
@shared
def command(
    model: Path,
    backend: str,
    save_engine: Path | None,
    opt_shapes: tuple[str, ...],
    min_shapes: tuple[str, ...],
    max_shapes: tuple[str, ...],
    compute_capability: tuple[str, ...],
    builds: int,
    gpu: int,
    dry_run: bool,
    force: bool,
    output_format: str,
    quiet: bool,
    verbose: bool,
    debug: bool,
    **given: Any,
) -> None:
    """Build an engine of MODEL into the cache; its precision is the model's own.

    What is refused for one target is reported, and the others are built; the exit code says that one was.
    """
    from graphprune.cli.named_files import check_target
    from graphprune.cli.progress_bar import progress_bar
    from graphprune.engines.foreign import note_of
    from graphprune.engines.options import BuildOptions
    from graphprune.engines.targets import build_all, places
    from graphprune.model import load
    from graphprune.shape_text import parse_shapes

    options = BuildOptions(
        level=given["level"],
        workspace=_size(given["workspace"]),
        sparse=given["sparsity"],
        hardware_compatible=given["hardware_compatible"],
        version_compatible=given["version_compatible"],
        refit=given["refit"],
        strip=given["strip"],
        timing_cache=given["timing_cache"],
        min_shapes=parse_shapes(min_shapes),
        opt_shapes=parse_shapes(opt_shapes),
        max_shapes=parse_shapes(max_shapes),
    )
    wanted = _variants(options, _capabilities(compute_capability), builds)
    saved = places(save_engine, wanted)
    for path in saved:
        check_target(path, force)
        check_target(None if path is None else note_of(path), force)
    with progress_bar(quiet):
        opened = load(model)
        done = build_all(opened, backend, wanted, saved, gpu=gpu, rebuild=force, dry=dry_run)
    result = {"version": 1, "model": str(model), "backend": backend, "dry_run": dry_run}
    engines = {"engines": [outcome.to_dict() for outcome in done]}
    emit({**result, **engines}, output_format, lambda: _tables(done))
    _demand(done)


def _capabilities(texts: Sequence[str]) -> tuple[int | None, ...]:
    words = [word for text in texts for word in re.split(r"[\s,]+", text) if word]
    if texts and not words:
        raise Usage("--compute-capability is empty", "write 80,86,89,120, or leave it out")
    for word in words:
        if not re.fullmatch(r"(sm_?)?\d{1,2}\.?\d", word, re.IGNORECASE):
            raise Usage(f"compute capability {word!r} is not one", "write 80,86,89,120")
    found = [int(re.sub(r"\D", "", word)) for word in words]
    return tuple(dict.fromkeys(found)) or (None,)


def _variants(
    options: BuildOptions, capabilities: Sequence[int | None], builds: int
) -> tuple[BuildOptions, ...]:
    from dataclasses import replace

    return tuple(
        replace(options, capability=capability, number=number)
        for capability in capabilities
        for number in range(builds)
    )


def _size(text: str | None) -> int | None:
    """A number of bytes.

    >>> _size("2GB"), _size("512MiB"), _size("1000")
    (2000000000, 536870912, 1000)
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kMG]i?|)B?", text.strip())
    if not found or not float(found[1]):
        raise Usage(f"--workspace {text}: that is no size", "write 2GB, 512MiB or a number of bytes")
    return int(float(found[1]) * _BYTES[found[2]])


def _tables(done: Sequence[Outcome]) -> Iterator[object]:
    from graphprune.cli.tables import size, table, text

    several = any(outcome.build for outcome in done)
    rows: list[tuple[str, ...]] = []
    for outcome in done:
        target = f"{outcome.target}, build {outcome.build + 1}" if several else outcome.target
        entry = outcome.entry
        if entry is None:
            said = (
                "parsed" if outcome.refusal is None else "refused" if _is_model(outcome.refusal) else "failed"
            )
            rows.append((target, "", "", f"{said}, in the cache" if outcome.cached else said))
            continue
        came = "from the cache" if outcome.cached else "built"
        rows.append((target, size(entry.bytes), f"{entry.seconds:.2f}", came))
    yield table(("target", "size#", "seconds#", ""), rows)
    for outcome in done:
        if outcome.entry is not None and outcome.entry.options.get("sparse"):
            yield text(f"{outcome.target}: {_sparsity(outcome.entry)}")
        if outcome.refusal is not None:
            yield text(f"{outcome.target}: {outcome.refusal.what}")
        if outcome.saved is not None:
            yield text(f"{outcome.target} is in {outcome.saved}")


def _sparsity(entry: Entry) -> str:
    """The sentence on sparse kernels."""
    found = entry.sparsity
    if found is None and entry.library == "TensorRT-RTX":
        return (
            "TensorRT-RTX chooses kernels when the engine is loaded; the build says nothing of sparse ones."
        )
    if found is None:
        return f"{entry.library} says nothing of sparse kernels."
    eligible, picked = (
        f"{count} ({', '.join(names)})" if names else str(count)
        for count, names in ((found.eligible, found.eligible_layers), (found.picked, found.picked_layers))
    )
    return f"Layers that are eligible for sparse kernels: {eligible}; that got them: {picked}."


def _is_model(error: GraphpruneError) -> bool:
    return isinstance(error, Refused | Negative)


def _demand(done: Sequence[Outcome]) -> None:
    """Raise what says that a target has no engine: what the machine lacks first, then what the model is."""
    refused = [outcome for outcome in done if outcome.refusal is not None]
    if not refused:
        return
    first = next((each for each in refused if isinstance(each.refusal, Environment)), refused[0])
    assert first.refusal is not None
    if len(done) == 1:
        raise first.refusal
    targets = ", ".join(dict.fromkeys(outcome.target for outcome in refused))
    raise type(first.refusal)(f"no engine for {targets}: {first.refusal.what}", first.refusal.hint)
