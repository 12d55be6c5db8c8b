"""The report of a model of 200 layers: its size, and how long a browser takes to open it.

    python -m benchmarks.report [--layers N] [--keep FOLDER]

A residual network of N convolutions is pruned, timed step by step beside the original, judged by a gate and
measured for sensitivity; all of that goes into one page. A headless Chromium (on PATH, or named by
GRAPHPRUNE_CHROMIUM) opens it seven times, each time in a fresh context: until the verdict stands there (the
browser's `domContentLoaded`, and its first contentful paint), until it is loaded, until the first chart is
drawn after it was scrolled to. Requests are counted.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks import child, results

VISITS = 7
WIDTH = 16
LARGEST, SLOWEST = 6_000_000, 2.0
"""Bytes and seconds: what the report may be at most."""
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


def network(layers: int) -> onnx.ModelProto:
    """A residual network of so many convolutions for pictures of 32 by 32."""
    rng = np.random.default_rng(0)
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []

    def convolution(name: str, source: str, inputs: int, gain: float = 1.0) -> str:
        scale = gain * (2 / (9 * inputs)) ** 0.5
        weight = (rng.standard_normal((WIDTH, inputs, 3, 3)) * scale).astype(np.float32)
        weights.append(numpy_helper.from_array(weight, f"{name}.weight"))
        taken = [source, f"{name}.weight"]
        nodes.append(helper.make_node("Conv", taken, [name], name, kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
        return name

    def relu(source: str) -> str:
        nodes.append(helper.make_node("Relu", [source], [f"{source}.relu"], f"{source}.relu"))
        return f"{source}.relu"

    at = relu(convolution("stem", "x", 3))
    for number in range((layers - 1) // 2):
        inner = relu(convolution(f"blocks.{number}.conv1", at, WIDTH))
        branch = convolution(f"blocks.{number}.conv2", inner, WIDTH, 0.2)  # sums of many do not grow
        nodes.append(helper.make_node("Add", [at, branch], [f"blocks.{number}.sum"], f"blocks.{number}.add"))
        at = relu(f"blocks.{number}.sum")
    nodes.append(helper.make_node("GlobalAveragePool", [at], ["pooled"], "pool"))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["flat"], "flatten"))
    head = (rng.standard_normal((WIDTH, 10)) * 0.1).astype(np.float32)
    weights.append(numpy_helper.from_array(head, "head.weight"))
    nodes.append(helper.make_node("Gemm", ["flat", "head.weight"], ["y"], "head"))
    ports = (
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 32, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 10])],
    )
    graph = helper.make_graph(nodes, "deep", *ports, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def records(folder: Path, layers: int) -> list[Path]:
    """Run the verbs on such a network; return their records."""
    model, small, data = folder / "model.onnx", folder / "small.onnx", folder / "data.npz"
    model.write_bytes(network(layers).SerializeToString())
    rng = np.random.default_rng(1)
    np.savez(data, x=rng.standard_normal((64, 3, 32, 32), np.float32), labels=rng.integers(0, 10, 64))
    limits = ("latency.p50.ratio<=0.9", "params.ratio<=0.8", "top1.drop<=5%")
    asked = [word for limit in limits for word in ("--assert", limit)]
    verbs: dict[str, tuple[str | Path, ...]] = {
        "prune": (model, "-o", small, "--ratio", "0.4", "--eval-data", data, "--metric", "top1"),
        "profile": (model, small, "--per-layer", "--duration", "1s"),
        "gate": (model, small, "--data", data, "--run", folder / "prune.json", "--duration", "1s", *asked),
        "sensitivity": (model, "--data", data, "--samples", "16", "--ratios", "0.3,0.6,0.9"),
    }
    paths: list[Path] = []
    for verb, words in verbs.items():
        paths.append(folder / f"{verb}.json")
        done = child.run(child.graphprune(verb, *words, "-q", "--save-run", paths[-1]))
        if done.status not in (0, 1):
            raise SystemExit(f"{verb}: exit {done.status}: {done.complaint}")
    return paths


def visits(page: Path) -> dict[str, Any]:
    """Open the page; return the medians of what it took, in seconds, and the requests beside its own."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("GRAPHPRUNE_CHROMIUM") or shutil.which("chromium")
    if not path:
        raise SystemExit("there is no Chromium: put one on PATH, or name it by GRAPHPRUNE_CHROMIUM")
    taken: dict[str, list[float]] = {"content": [], "painted": [], "loaded": [], "chart": []}
    requests: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        for _ in range(VISITS):
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            opened = context.new_page()
            opened.on("request", lambda request: requests.append(request.url))
            begin = time.perf_counter()
            opened.goto(page.as_uri())
            taken["loaded"].append(time.perf_counter() - begin)
            told = opened.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
            taken["content"].append(float(told) / 1000)
            first = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
            painted = opened.evaluate(first)
            if painted is not None:
                taken["painted"].append(float(painted) / 1000)
            begin = time.perf_counter()
            opened.locator(".plot").first.scroll_into_view_if_needed()
            opened.locator(".plot .main-svg").first.wait_for()
            taken["chart"].append(time.perf_counter() - begin)
            context.close()
        version = browser.version
        browser.close()
    medians = {name: round(statistics.median(each), 3) for name, each in taken.items() if each}
    return {
        "browser": f"Chromium {version}",
        "visits": VISITS,
        "seconds": medians,
        "slowest_load": round(max(taken["loaded"]), 3),
        "requests": sum(not url.startswith("file:") for url in requests),
    }


def measure(folder: Path, layers: int) -> dict[str, Any]:
    """Make the page, and open it."""
    paths, page = records(folder, layers), folder / "report.html"
    done = child.run(child.graphprune("report", *paths, "-o", page, "--output-format", "json"))
    if done.status:
        raise SystemExit(f"report: exit {done.status}: {done.complaint}")
    made = done.json()
    return {
        "layers": layers,
        "bytes": page.stat().st_size,
        "sections": made["sections"],
        "seconds_to_make": round(done.seconds, 2),
        **visits(page),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write, print; 1 where the page is too large, too slow, or asks for something."""
    parser = argparse.ArgumentParser(description="The report of a model of 200 layers.")
    parser.add_argument("--layers", type=int, default=200)
    parser.add_argument("--keep", type=Path, help="keep the models, the records and the page in this folder")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as room:
        folder = given.keep or Path(room)
        folder.mkdir(parents=True, exist_ok=True)
        found = measure(folder, given.layers)
    met = found["bytes"] < LARGEST and found["seconds"]["loaded"] < SLOWEST and not found["requests"]
    print(results.write("report", {**found, "met": met}))
    rows = [(name, f"{value} s") for name, value in found["seconds"].items()]
    print(results.table(("report", ""), [("bytes", found["bytes"]), ("requests", found["requests"]), *rows]))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
