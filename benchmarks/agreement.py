"""Models without labels, pruned without training: agreement with the original on real images, class by class.

    python -m benchmarks.agreement [--targets 0.9 0.7]

A segmentation model: of the pixels that either model gives a class, the share that both give it (IoU). A
detector: of the places where either finds a class, the share where both find it. 40 photos calibrate, 40
others are judged by. Writes `results/agreement.json`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import accuracy_measures as measures
from benchmarks import results
from benchmarks.accuracy import macs
from benchmarks.accuracy_methods import graphprune
from benchmarks.assets import model_path, prepared
from benchmarks.child import keep_to_cores

Judge = Callable[[Path | bytes, measures.Data], NDArray[Any]]
MODELS: dict[str, Judge] = {
    "deeplabv3_mobilenet_v2_dm05": measures.classes_of_pixels,
    "nanodet_m": measures.detections,
}
METHODS = {"graphprune": graphprune(data=True), "plain l2": graphprune("--importance", "l2")}


def by_class(wanted: NDArray[Any], found: NDArray[Any]) -> dict[str, dict[str, float]]:
    """Return for each class that the original finds (-1 is none) how much it finds, and the overlap."""
    table: dict[str, dict[str, float]] = {}
    for label in np.unique(wanted[wanted >= 0]):
        ours, theirs = found == label, wanted == label
        overlap = float(np.sum(ours & theirs) / np.sum(ours | theirs))
        table[str(int(label))] = {"found_by_original": int(theirs.sum()), "overlap": round(overlap, 4)}
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table and write the results."""
    parser = argparse.ArgumentParser(description="Agreement of pruned models with the original, by class.")
    parser.add_argument("--targets", type=float, nargs="+", default=[0.9, 0.7])
    chosen = parser.parse_args(arguments)
    keep_to_cores()
    rows: list[dict[str, Any]] = []
    for name, judge in MODELS.items():
        original, (calib, evaluation) = model_path(name), prepared(name)
        with np.load(evaluation) as held:
            data = {key: held[key] for key in held.files}
        wanted = judge(original, data)
        for target in chosen.targets:
            for method, produce in METHODS.items():
                with tempfile.TemporaryDirectory() as folder:
                    output = produce(original, calib, target, Path(folder))
                    found = judge(output, data)
                    share = macs(output, name) / macs(original, name)
                either = (wanted >= 0) | (found >= 0)
                same: NDArray[np.bool_] = wanted[either] == found[either]
                agree = float(same.mean()) if same.size else 1.0
                classes = by_class(wanted, found)
                mean = float(np.mean([each["overlap"] for each in classes.values()]))
                rows.append(
                    {
                        "model": name,
                        "target": target,
                        "method": method,
                        "macs_share": round(share, 4),
                        "agreement": round(agree, 4),
                        "mean_overlap": round(mean, 4),
                        "classes": classes,
                    }
                )
                print(f"{name} {method} x{target}: {agree:.3f}, mean overlap {mean:.3f}", flush=True)
    print(
        results.table(
            ("model", "MACs", "method", "agreement", "mean overlap", "classes", "worst class"),
            [
                (
                    row["model"],
                    f"{row['macs_share']:.1%}",
                    row["method"],
                    f"{row['agreement']:.1%}",
                    f"{row['mean_overlap']:.1%}",
                    len(row["classes"]),
                    f"{min(each['overlap'] for each in row['classes'].values()):.1%}",
                )
                for row in rows
            ],
        )
    )
    results.write("agreement", {"rows": rows})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
