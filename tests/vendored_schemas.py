"""Schemas that the package check-jsonschema carries: GitHub's actions and workflows, GitLab's pipelines."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

_found = find_spec("check_jsonschema")  # found and not imported: it asks for a newer click than we do
assert _found is not None
assert _found.origin is not None
SCHEMAS = Path(_found.origin).parent / "builtin_schemas" / "vendor"
