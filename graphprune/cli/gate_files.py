"""The files that a gate writes: the outcome in several formats, and what was measured."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from graphprune.cli.common import WIDTH
from graphprune.errors import Usage
from graphprune.nearest import did_you_mean

if TYPE_CHECKING:
    from graphprune.gate.evidence import Evidence
    from graphprune.gate.outcome import Outcome

FORMATS = ("table", "text", "json", "junit", "github", "gitlab", "codequality", "markdown")
"""What `--output-format` and `--export` take; `text` is the table."""


@dataclass(frozen=True)
class Targets:
    """The files that are written: the outcome by format, and the evidence."""

    outcomes: tuple[tuple[str, Path], ...]
    evidence: Path | None

    def write(self, outcome: Outcome, evidence: Evidence) -> None:
        """Write them, each whole or not at all."""
        from graphprune.gate.evidence import write_evidence
        from graphprune.text_file import write_text

        for name, path in self.outcomes:
            write_text(formatted(outcome, name), path)
        if self.evidence is not None:
            write_evidence(evidence, self.evidence)


def targets_of(
    file: Path | None, output_format: str, exports: Sequence[str], evidence: Path | None, force: bool
) -> Targets:
    """Return where results go, and refuse before anything is measured what could not be written after it.

    Raises:
        Usage: a format is unknown, or a file is an input, or there already.
    """
    from graphprune.cli.named_files import check_target

    outcomes = [] if file is None else [(output_format, file)]
    for word in exports:
        name, equals, path = word.partition("=")
        if not (equals and path):
            raise Usage(f"--export is {word!r}", "write FORMAT=FILE, as junit=gate.xml")
        if name not in FORMATS:
            raise Usage(f"there is no format {name!r}", did_you_mean(name, FORMATS))
        outcomes.append((name, Path(path)))
    for target in (*(each for _, each in outcomes), *([evidence] if evidence else [])):
        check_target(target, force)
    return Targets(tuple(outcomes), evidence)


def formatted(outcome: Outcome, name: str) -> str:
    """Return an outcome in one of `FORMATS`."""
    if name not in ("table", "text"):
        from graphprune.gate.outputs import FORMATS as WRITTEN

        return WRITTEN[name](outcome)
    from rich.console import Console

    from graphprune.cli.gate_tables import tables

    text = io.StringIO()
    console = Console(file=text, width=WIDTH, highlight=False, emoji=False, markup=False, color_system=None)
    for part in tables(outcome):
        console.print(part)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"
