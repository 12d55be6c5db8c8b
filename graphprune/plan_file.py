"""Plans as files."""

from __future__ import annotations

from pathlib import Path

from graphprune.errors import Usage
from graphprune.plan import Plan
from graphprune.text_file import LARGEST, bounded, write_text


def read_plan(path: str | Path) -> Plan:
    """The plan in a file; raises `Usage` where there is none."""
    try:
        data = bounded(path, LARGEST)
    except OSError as error:
        raise Usage(f"plan {path} cannot be read: {error.strerror}", "see that the path is right") from error
    if len(data) > LARGEST:
        raise Usage(f"plan {path} is larger than 256 MB", "give a file that --plan-only has written")
    try:
        return Plan.from_json(data.decode())
    except (UnicodeDecodeError, RecursionError) as error:
        raise Usage(f"plan {path} is not a JSON text", "give a file that --plan-only has written") from error


def write_plan(plan: Plan, path: str | Path) -> None:
    """Write `plan` to `path`, whole or not at all."""
    write_text(plan.to_json(), Path(path))
