"""What every test shares: where the repository stands, and random tests that are the same everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("graphprune", deadline=None, derandomize=True)
settings.load_profile("graphprune")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the working tree."""
    return Path(__file__).resolve().parent.parent
