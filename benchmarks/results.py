"""Where benchmark results go: a Markdown table on standard output, JSON in `benchmarks/results/`."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graphprune.profiling.profile import versions

RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = ("graphprune", "onnx", "onnxruntime", "onnx-graphsurgeon", "numpy")


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; the first column is flush left, the others flush right; None is a dash."""
    cells = [["–" if cell is None else str(cell).replace("|", "\\|") for cell in row] for row in rows]
    widths = [max(3, *(len(row[i]) for row in [list(header), *cells])) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        aligned = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        return f"| {' | '.join(aligned)} |"

    rule = "|".join(["-" * (widths[0] + 2), *("-" * (w + 1) + ":" for w in widths[1:])])
    return "\n".join([line(list(header)), f"|{rule}|", *map(line, cells)])


def write(name: str, content: dict[str, Any]) -> Path:
    """Write `content` with the versions and the machine's architecture as `benchmarks/results/NAME.json`."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    whole = {"benchmark": name, "machine": platform.machine(), "versions": versions(PACKAGES), **content}
    path.write_text(json.dumps(whole, indent=1, sort_keys=False) + "\n", encoding="utf-8")
    return path
