"""Profiles as files: JSON with every time that was taken."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from graphprune.engines.options import BuildOptions
from graphprune.errors import Refused
from graphprune.json_values import plain
from graphprune.profiling.result import VERSION, Profile
from graphprune.profiling.strict import Mismatch, read
from graphprune.text_file import read_text, write_text

_HINT = "give a file that `graphprune profile --export-json` has written"
_NUMBERS = re.compile(r"\[\n\s+([-+.\deE,\s]+?)\s+\]")


def to_json(profile: Profile) -> str:
    """Return `profile` as JSON; each block of times stands on a line of its own."""
    text = json.dumps(plain(asdict(profile)), indent=1, ensure_ascii=False, allow_nan=False)
    return _NUMBERS.sub(lambda found: "[" + " ".join(found[1].split()) + "]", text) + "\n"


def from_json(text: str) -> Profile:
    """Return the profile that `to_json` wrote.

    Raises:
        Refused: it is none, of another version, or its times do not belong together.
    """
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(f"it is no JSON: {str(error)[:200]}", _HINT) from error
    given: dict[str, Any] = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    version = given.get("version")
    if version != VERSION:
        raise Refused(
            f"it is version {version!r} of a profile, this graphprune reads {VERSION}"
            if version is not None
            else "it is no profile",
            _HINT,
        )
    try:
        profile = read(Profile, given, {"BuildOptions": BuildOptions})
    except (Mismatch, RecursionError, OverflowError) as error:
        raise Refused(f"it is no profile: {error}", _HINT) from error
    _check(profile)
    return profile


def write_profile(profile: Profile, path: Path) -> None:
    """Write `profile` to `path`, whole or not at all; raises `Environment` where it cannot be written."""
    write_text(to_json(profile), path)


def read_profile(path: Path | str) -> Profile:
    """Return the profile in a file.

    Raises:
        Usage: there is no such file.
        Refused: it holds no profile, or one of another version.
        Environment: it cannot be read.
    """
    text = read_text(path, _HINT)
    try:
        return from_json(text)
    except Refused as error:
        raise Refused(f"'{path}': {error.what}", error.hint) from error


def _check(profile: Profile) -> None:
    """Refuse a profile whose parts do not fit each other."""
    for number, batch in enumerate(profile.batches):
        where = f"batches[{number}]"
        if not 0 <= profile.reference < len(batch.models):
            raise Refused(f"{where} has no model {profile.reference}, the reference", _HINT)
        if len({len(timed.blocks) for timed in batch.models}) != 1:
            raise Refused(f"{where}: the models were not timed in the same rounds", _HINT)
        for timed in batch.models:
            if not timed.blocks or not all(timed.blocks):
                raise Refused(f"{where}: {timed.name} has no times", _HINT)
            if not all(math.isfinite(time) and time > 0 for block in timed.blocks for time in block):
                raise Refused(f"{where}: a time of {timed.name} is not above 0", _HINT)
    if not profile.batches:
        raise Refused("it has no batches", _HINT)
