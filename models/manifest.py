"""The manifest of pretrained models: what they are, where they come from, what they must hash to."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from graphprune.errors import Usage

MANIFEST = Path(__file__).with_name("manifest.toml")


@dataclass(frozen=True)
class Entry:
    """One pretrained model. `inputs` gives the shape of every input at which the model is timed."""

    package: str
    version: str
    path: str
    sha256: str
    licence: str
    task: str
    source: str
    preprocessing: str
    inputs: dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Manifest:
    """All entries by name, and the name of the one that the demo takes."""

    default: str
    models: dict[str, Entry]

    def entry(self, name: str) -> Entry:
        """The entry called `name`. Raises Usage with the known names where there is none."""
        if name not in self.models:
            raise Usage(f"no model called {name!r} in {MANIFEST.name}", f"known: {', '.join(self.models)}")
        return self.models[name]


def read(path: Path = MANIFEST) -> Manifest:
    """Read and check the manifest."""
    return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Manifest)
