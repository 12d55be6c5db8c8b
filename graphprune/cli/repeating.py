"""A recorded run that is repeated: are its inputs the same, and its outputs?"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from graphprune.cli.settings import NOT_REPEATED, Settings
from graphprune.errors import Refused
from graphprune.runs.run import Run

if TYPE_CHECKING:
    from graphprune.cli.named_files import Named
    from graphprune.runs.run import File

SHOWN = ("output-format", *NOT_REPEATED)
"""Options that play no part in what is written."""
PLANS = ("--save-plan", "--plan-only")
"""Outputs beside models of which the same inputs give the same bytes."""
log = logging.getLogger(__name__)


def tell_versions(run: Run) -> None:
    """Warn where the record was made with other versions of packages."""
    from graphprune.runs.surroundings import versions

    here = versions()
    names = dict.fromkeys((*run.versions, *here))
    other = [
        f"{name} {run.versions.get(name, 'missing')} (here {here.get(name, 'missing')})"
        for name in names
        if run.versions.get(name) != here.get(name)
    ]
    if other:
        log.warning("the record was made with other versions: %s", ", ".join(other))


def check_inputs(found: Settings, context: click.Context, named: Iterable[Named]) -> None:
    """Refuse to repeat a run on other files; those that the user names here are not checked.

    Raises:
        Refused: a file has changed, or is gone.
    """
    from graphprune.runs.hashes import file_of

    assert found.run is not None
    repeated = {
        each.label
        for each in named
        if context.get_parameter_source(str(each.option.name)) is ParameterSource.DEFAULT_MAP
    }
    if found.document is not None:
        repeated.add("--config")
    changed: list[str] = []
    for file in found.run.files:
        if file.written or file.option not in repeated:
            continue
        try:
            same = file_of(file.option, file.path, written=False).hash == file.hash
        except OSError:
            changed.append(f"{file.path} ({file.option}) is gone")
            continue
        if not same:
            changed.append(f"{file.path} ({file.option}) has changed")
    if changed:
        raise Refused(
            f"{', '.join(changed)} since {found.record} was written",
            "bring it back, or give the file yourself on the command line",
        )


def tell_outputs(found: Settings, options: Mapping[str, object], written: Iterable[File]) -> None:
    """Say whether the models and plans that were written are those of the record, where they should be."""
    from graphprune.runs.hashes import is_model

    assert found.run is not None
    recorded = {file.option: file for file in found.run.files if file.written}
    targets = {name.removeprefix("--") for name in recorded}
    ignored = {*SHOWN, *targets}
    if any(found.run.options.get(name) != value for name, value in options.items() if name not in ignored):
        return
    for file in written:
        before = recorded.get(file.option)
        if before is None or not (is_model(file) or file.option in PLANS):
            continue
        if before.hash == file.hash:
            log.info("%s is what %s recorded", file.path, found.record)
        else:
            log.warning("%s is not what %s recorded", file.path, found.record)
