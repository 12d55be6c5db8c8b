"""Plots of benchmark results (needs matplotlib: `pip install -e .[bench]`)."""
# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportMissingModuleSource=false, reportUnknownArgumentType=false

from __future__ import annotations

from pathlib import Path
from typing import Any

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


def stairs(curves: list[dict[str, Any]], path: Path) -> None:
    """Draw the time of one convolution over its channels, a panel for each size of kernel."""
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "graphprune"
    kernels = list(dict.fromkeys(each["kernel"] for each in curves))
    figure, panels = plt.subplots(1, len(kernels), figsize=(5 * len(kernels), 3.6), squeeze=False)
    for axes, kernel in zip(panels[0], kernels, strict=True):
        for each in curves:
            if each["kernel"] == kernel:
                (line,) = axes.plot(each["widths"], each["milliseconds"], ".-", label=each["varied"])
                axes.fill_between(
                    each["widths"], each["milliseconds"], each["quartile"], color=line.get_color(), alpha=0.2
                )
        axes.set_title(f"convolution {kernel}x{kernel}, 56 x 56, 64 of the other channels", fontsize=9)
        axes.set_xlabel("channels")
        axes.set_ylabel("milliseconds")
        axes.set_xticks(range(32, 161, 16))
        axes.set_ylim(bottom=0)
        axes.grid(visible=True, alpha=0.3)
        axes.legend(title="channels that vary")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def operating(rows: list[dict[str, float]], trials: int, path: Path) -> None:
    """Draw the shares of verdicts of a gate over how far the truth is beyond its limit."""
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "graphprune"
    figure, axes = plt.subplots(figsize=(6, 3.6))
    points = [100 * row["offset"] for row in rows]
    for status, style in (("pass", "s--"), ("inconclusive", ":"), ("fail", "o-")):
        axes.plot(points, [100 * row[status] / trials for row in rows], style, markersize=3, label=status)
    for point in (-1, 1):
        axes.axvline(point, color="0.7", linewidth=0.8)
    axes.set_xlabel("true ratio of latencies minus the limit, points")
    axes.set_ylabel("% of measurements")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
