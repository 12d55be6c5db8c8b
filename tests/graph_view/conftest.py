"""Model Explorer, where `make model-explorer` has fetched it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.graph_view import prepare

Explored = Callable[..., Any]


@pytest.fixture
def explored() -> Explored:
    """What Model Explorer makes of models and files of node data."""
    if not prepare.is_ready():
        pytest.skip("Model Explorer is not there: `make model-explorer` fetches it")

    def explored(models: Sequence[Path], files: Sequence[Path] = ()) -> Any:
        script = Path(__file__).with_name("explored.py")
        words = [*map(str, models), "--data", *map(str, files)]
        environment = {**os.environ, "PYTHONPATH": str(prepare.FOLDER)}
        done = subprocess.run(
            [sys.executable, str(script), *words],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    return explored
