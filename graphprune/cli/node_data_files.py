"""The files that `graphprune inspect --node-data` writes, and how they are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from graphprune.cli.tables import Renderable, text
from graphprune.errors import Environment, Usage
from graphprune.state import State, made

if TYPE_CHECKING:
    from graphprune.profiling.layers import Row


def planned(state: State, plan: Path | None) -> State:
    """`state` with the plan in a file, which must fit its groups."""
    if plan is None:
        return state
    from graphprune.plan_file import read_plan

    found = read_plan(plan)
    found.check(made(state.solution, "solution"))
    return replace(state, plan=found)


def write(state: State, folder: Path, profile: Path | None, force: bool) -> tuple[Path, ...]:
    """Write the files of node data into `folder`, which is made, and return their paths."""
    from graphprune.graph_view.groups import view
    from graphprune.graph_view.model_explorer import node_data
    from graphprune.text_file import write_text

    seen = view(made(state.solution, "solution"), state.plan)
    texts = node_data(seen, state.original.source, _rows(state, profile) if profile else ())
    paths = tuple(folder / name for name in texts)
    there = [path for path in paths if path.exists()]
    if there and not force:
        raise Usage(f"{there[0]} exists", "give --force to overwrite it, or another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Environment(f"there can be no folder {folder}: {error.strerror}", "name another") from error
    for path, content in zip(paths, texts.values(), strict=True):
        write_text(content, path)
    return paths


def told(model: Path, files: Sequence[Path]) -> Iterator[Renderable]:
    """What was written, and the command that shows it."""
    folder = files[0].parent
    yield text("")
    yield text(f"Node data in {folder}: {', '.join(path.stem for path in files)}. To look at it:")
    yield text("  pip install ai-edge-model-explorer model-explorer-onnx")
    yield text(f"  model-explorer {quote(str(model))} --extensions=model_explorer_onnx \\")
    yield text(f"    --node_data_paths=$(echo {quote(str(folder))}/*.json | tr ' ' ,)")


def _rows(state: State, path: Path) -> tuple[Row, ...]:
    """The steps of the first batch of a profile: of the model alone, or beside those of a second one."""
    from graphprune.profiling.files import read_profile
    from graphprune.profiling.layers import align, listed

    profile = read_profile(path)
    timed = profile.batches[0].models
    if not timed[profile.reference].layers:
        raise Usage(f"profile {path} has no times of steps", "profile with --per-layer")
    first = timed[profile.reference]
    others = [each for at, each in enumerate(timed) if at != profile.reference and each.layers]
    graph = state.original.graph
    # A pruned model keeps the names of its tensors, so that the original's graph serves for both.
    return align(first, others[0], (graph, graph)) if others else listed(first, graph)
