"""Packages of others as if they were installed, models for them, and the command beside them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper, parser


def installed(site: Path, package: str, modules: Mapping[str, str], entry_points: str) -> None:
    """Lay a package out in the folder `site`: its modules by path, its metadata, and what it offers."""
    info = site / f"{package.replace('-', '_')}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
    about = {info / "METADATA": metadata, info / "entry_points.txt": entry_points}
    for path, text in {**about, **{site / name: text for name, text in modules.items()}}.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def write_model(path: Path, text: str, shapes: Mapping[str, tuple[int, ...]]) -> Path:
    """Write the model of `text` with weights of these shapes, the same in every run."""
    draw = np.random.default_rng(0)
    proto = parser.parse_model(text)
    proto.graph.initializer.extend(
        numpy_helper.from_array(draw.normal(size=shape).astype(np.float32), name)
        for name, shape in shapes.items()
    )
    onnx.save(proto, path)
    return path


def graphprune(site: Path | None, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command; packages in the folder `site`, if there is one, are installed for it."""
    path = {} if site is None else {"PYTHONPATH": str(site)}
    return subprocess.run(
        [sys.executable, "-m", "graphprune", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent,
        env={**os.environ, **path},
    )
