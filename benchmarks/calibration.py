"""What calibration costs: a ResNet-50 with 512 images of 224 x 224 on two cores, time and peak memory.

    python -m benchmarks.calibration [--samples 512]

The graph is one of GRAPHPRUNE_ZOO with random weights, the images those of GRAPHPRUNE_ASSETS. Each row is a
process of its own; the statistics are made anew in each. Writes `results/calibration.json`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import child, graphs, results
from benchmarks.assets import prepared
from benchmarks.memory import measure

GRAPH = "tv__resnet50__ts"
IMAGES = "mobilenet_v2"
ROWS = {
    "ratio 0.5, obs, lstsq": ("--ratio", "0.5"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table and write the results."""
    parser = argparse.ArgumentParser(description="Time and memory of calibration.")
    parser.add_argument("--samples", type=int, default=512)
    chosen = parser.parse_args(arguments)
    child.keep_to_cores()
    os.environ["OMP_NUM_THREADS"] = str(child.CORES)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        model = Path(name) / "resnet50.onnx"
        loaded = graphs.load(GRAPH)
        for tensor in loaded.graph.input:
            tensor.type.tensor_type.shape.dim[0].dim_param = "n"
        model.write_bytes(loaded.SerializeToString())
        for at, (title, options) in enumerate(ROWS.items()):
            os.environ["XDG_CACHE_HOME"] = str(Path(name) / f"cache{at}")
            words = ("prune", model, "-o", Path(name) / f"{at}.onnx", "--data", prepared(IMAGES)[0])
            command = child.graphprune(*words, "--samples", str(chosen.samples), *options)
            found = measure([str(word) for word in command])
            if found.status:
                raise SystemExit(f"{title}: {found.complaint}")
            rows.append(
                {"run": title, "seconds": round(found.seconds, 1), "peak_megabytes": round(found.megabytes)}
            )
            print(rows[-1], flush=True)
    shown = [(row["run"], f"{row['seconds']:.0f}", row["peak_megabytes"]) for row in rows]
    print(results.table(("prune with calibration", "seconds", "peak MB"), shown))
    results.write("calibration", {"graph": GRAPH, "samples": chosen.samples, "rows": rows})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
