"""The tables of `benchmarks/speedup.py`, and what of its targets is missed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks import results
from benchmarks.speedup_staircase import MULTIPLES

LEAST = 0.8
FIGURES = ("params", "MACs", "ms", "latency", "95 %", "MACs ratio", "speed-up", "of it")


def missed(found: dict[str, Any]) -> list[str]:
    """Return what of the targets is missed, in words."""
    said: list[str] = []
    for part in found.get("tools", ()):
        default = next((row for row in part["rows"] if row["model"] == "graphprune, auto"), None)
        if default is not None and default["of_macs_ratio"] < LEAST:
            said.append(f"{part['network']}: {default['of_macs_ratio']:.0%} of the MACs ratio")
        said += [f"{part['network']}, {row['model']}: {row['failed']}" for row in part["failed"]]
    for part in found.get("ratios", ()):
        said += [
            f"{part['network']} at ratio {row['ratio']:g}, rounded to {part['rounding']}: slower"
            for row in part["rows"]
            if row["latency"]["low"] > 1
        ]
    return said


def show(found: dict[str, Any]) -> None:
    """Print the tables."""
    for part in found.get("tools", ()):
        _print((part["network"], *FIGURES), [_cells(row["model"], row) for row in part["rows"]])
    for part in found.get("kinds", ()):
        cells = [[row["kind"], *(f"{ms:.3f}" for ms in row["milliseconds"])] for row in part["rows"]]
        _print((part["network"], *(f"{name}, ms" for name in part["models"])), cells)
    for part in found.get("ratios", ()):
        title = f"{part['network']}, rounded to {part['rounding']}"
        _print((title, *FIGURES), [_cells(row["ratio"], row) for row in part["rows"]])
    if "staircase" in found:
        header = ("excess of widths that are multiples of", *map(str, MULTIPLES))
        _print(header, [_excess(each) for each in found["staircase"]])


def _print(header: Sequence[str], cells: Sequence[Sequence[object]]) -> None:
    print(results.table(header, cells), end="\n\n")


def _excess(curve: dict[str, Any]) -> list[object]:
    title = f"{curve['kernel']}x{curve['kernel']}, {curve['varied']} channels"
    known = curve["excess"]
    return [title, *(f"{known[str(key)]:.1%}" if str(key) in known else None for key in MULTIPLES)]


def _cells(title: object, row: dict[str, Any]) -> list[object]:
    counts = [f"{row['parameters'] / 1e6:.2f} M", f"{row['macs'] / 1e6:.0f} M", f"{row['milliseconds']:.2f}"]
    if "latency" not in row:
        return [title, *counts, None, None, None, None, None]
    span = row["latency"]
    gains = [f"{row['macs_ratio']:.2f}", f"{row['speedup']:.2f}", f"{row['of_macs_ratio']:.0%}"]
    return [title, *counts, f"{span['ratio']:.3f}", f"{span['low']:.3f} to {span['high']:.3f}", *gains]
