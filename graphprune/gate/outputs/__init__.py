"""What a gate found, in the forms that people and other tools read."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphprune.gate.outcome import Outcome
from graphprune.gate.outputs.codequality import as_code_quality
from graphprune.gate.outputs.github import as_github
from graphprune.gate.outputs.gitlab import as_metrics
from graphprune.gate.outputs.json import as_json
from graphprune.gate.outputs.markdown import as_markdown

__all__ = ["FORMATS"]


def _junit(outcome: Outcome) -> str:
    from graphprune.gate.outputs.junit import as_junit  # the parser takes a moment to import

    return as_junit(outcome)


FORMATS: Mapping[str, Callable[[Outcome], str]] = {
    "json": as_json,
    "github": as_github,
    "gitlab": as_metrics,
    "codequality": as_code_quality,
    "junit": _junit,
    "markdown": as_markdown,
}
"""By their names on the command line: each makes a text that ends in a line feed."""
