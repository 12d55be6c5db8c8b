"""`graphprune sparsify`: N:M and unstructured sparsity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from graphprune.cli.common import Verb, in_place_option, running_models, shared, target_of
from graphprune.cli.pass_options import given, options_of
from graphprune.errors import Usage
from graphprune.options import Item, build
from graphprune.registry import find
from graphprune.state import Pass

TARGETS = {
    "pattern": ("sparsify", "pattern"),
    "sparsity": ("sparsify", "sparsity"),
    "method": ("sparsify", "method"),
    "scope": ("sparsify", "scope"),
    "bias": ("sparsify", "bias"),
    "ignore": ("sparsify", "ignore"),
    "keep-if-faster": ("sparsify", "keep-if-faster"),
    "backend": ("sparsify", "backend"),
    "data": ("calibrate", "data"),
    "samples": ("calibrate", "samples"),
    "label-key": ("calibrate", "label-key"),
    "shape": ("calibrate", "shape"),
    "seed": ("calibrate", "seed"),
}
"""The options, and the options of passes that they set. The data is optional here."""
ALSO = {
    "pattern": (("sparsify", "pattern"), ("permute", "pattern")),
    "ignore": (("sparsify", "ignore"), ("permute", "ignore")),
    "shape": (("calibrate", "shape"), ("permute", "shape")),
    "seed": (("calibrate", "seed"), ("permute", "seed")),
}
"""Options that set those of several passes."""


@click.command(cls=Verb)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where the sparse model goes.")
@options_of(TARGETS)
@click.option("--permute", is_flag=True, help="First put channels in an order of which a pattern keeps more.")
@click.option("--dry-run", is_flag=True, help="Do the work, and write nothing.")
@click.option("--force", is_flag=True, help="Overwrite what is there, unless it is an input.")
@in_place_option
@shared
@running_models
def command(
    model: Path,
    output: Path | None,
    permute: bool,
    dry_run: bool,
    force: bool,
    in_place: bool,
    output_format: str,
    quiet: bool,
    verbose: bool,
    debug: bool,
    **texts: Any,
) -> None:
    """Set weights to zero, two of each four along what is summed over, or N:M, or wherever they are least.

    Shapes and types stay. A runtime is faster for 2:4 only where it has sparse kernels and picks them: the
    table says which weights may have the pattern, and which of these are likely to be picked.
    """
    output = target_of(model, output, in_place)
    if output is None and not dry_run:
        raise Usage("it is not said where the sparse model goes", "give -o OUT or --dry-run")
    chain = _passes(given(texts, TARGETS), permute)

    from graphprune.cli.running import Job, execute

    target = None if dry_run else output
    execute(Job(model, chain, target, None, force, quiet, output_format, in_place=in_place))


def _passes(values: dict[str, tuple[Item, ...]], permute: bool) -> tuple[Pass, ...]:
    """The pipeline of the verb."""
    with_data = ["calibrate"] if "data" in values else []
    chain = ["fold", "group", *with_data, *(["permute"] if permute else []), "sparsify"]
    if permute and "sparsity" in values:
        raise Usage("--permute has no effect here", "without a pattern the order of channels does not matter")
    if "backend" in values and "keep-if-faster" not in values:
        raise Usage("--backend has no effect here", "it is what --keep-if-faster measures with")
    for name in values:
        if not any(of in chain for of, _ in ALSO.get(name, (TARGETS[name],))):
            raise Usage(f"--{name} has no effect here", "it is about calibration data: give --data")
    passes: list[Pass] = []
    for one in chain:
        own = {
            target: values[name]
            for name in values
            for of, target in ALSO.get(name, (TARGETS[name],))
            if of == one
        }
        labels = {target: f"--{target}" for target in own}
        passes.append(build(find(one), own, labels))
    return tuple(passes)
