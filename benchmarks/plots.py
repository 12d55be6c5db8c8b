"""Plots of benchmark results (needs matplotlib: `pip install -e .[bench]`)."""
# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportMissingModuleSource=false, reportUnknownArgumentType=false

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt


def growth(rows: list[dict[str, float]], path: Path) -> None:
    """Draw the solver's time over nodes, with a line of linear growth through the smallest."""
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "graphprune"
    figure, axes = plt.subplots(figsize=(6, 3.6))
    nodes = [row["nodes"] for row in rows]
    axes.loglog(nodes, [row["solve"] for row in rows], "o-", label="solve, shape inference included")
    axes.loglog(nodes, [row["shapes"] for row in rows], "s--", label="of it shape inference")
    axes.loglog(nodes, [rows[0]["solve"] * n / nodes[0] for n in nodes], ":", label="linear growth")
    axes.set_xlabel("nodes of the decoder")
    axes.set_ylabel("seconds (median)")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
