"""Several profiles in one file, and the profiles that files hold."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from graphprune.errors import Refused, Usage
from graphprune.profiling.files import from_json, to_json
from graphprune.profiling.result import Profile
from graphprune.text_file import read_text

VERSION = 1
"""The version of a file of several profiles."""
_HINT = "give files that `graphprune profile --export-json` or `graphprune compare --merge` has written"


@dataclass(frozen=True)
class Source:
    """A profile, and the file that it comes from."""

    file: str
    profile: Profile


def read_results(paths: Iterable[Path]) -> tuple[list[Source], list[str]]:
    """Return the profiles of all files, each once, and the files of those that came before.

    Raises:
        Usage: a file is missing, or none is named.
        Refused: a file holds something else, or another version of it.
        Environment: a file cannot be read.
    """
    found: dict[str, Source] = {}
    again: list[str] = []
    for path in paths:
        for profile in _profiles(path):
            text = to_json(profile)
            if text in found:
                again.append(str(path))
            else:
                found[text] = Source(str(path), profile)
    if not found:
        raise Usage("there is nothing to compare: no result is named", _HINT)
    return list(found.values()), again


def merged(profiles: Sequence[Profile]) -> str:
    """Return profiles as one JSON text, that `read_results` reads."""
    parts = ",\n".join(to_json(profile).rstrip("\n") for profile in profiles)
    return f'{{"version": {VERSION}, "profiles": [\n{parts}\n]}}\n'


def _profiles(path: Path) -> list[Profile]:
    text = read_text(path, _HINT)
    try:
        value = json.loads(text)
        if not isinstance(value, dict) or "profiles" not in value:
            return [from_json(text)]
        return _several(cast("dict[str, object]", value))
    except (ValueError, RecursionError) as error:
        raise Refused(f"'{path}': it is no JSON: {str(error)[:200]}", _HINT) from error
    except Refused as error:
        raise Refused(f"'{path}': {error.what}", _HINT) from error


def _several(value: dict[str, object]) -> list[Profile]:
    version, items = value.get("version"), value["profiles"]
    if version != VERSION or isinstance(version, bool):
        raise Refused(f"it is version {version!r} of merged profiles, this graphprune reads {VERSION}")
    if not isinstance(items, list) or not items or value.keys() != {"version", "profiles"}:
        raise Refused("it is no list of profiles")
    profiles: list[Profile] = []
    for number, item in enumerate(cast("list[object]", items)):
        try:
            profiles.append(from_json(json.dumps(item)))
        except Refused as error:
            raise Refused(f"profiles[{number}]: {error.what}") from error
    return profiles
