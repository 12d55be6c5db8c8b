"""`prune --target latency=0.7x@ort:cpu` on pretrained models: is the target met, and what does it cost?

    python -m benchmarks.latency_target [--models NAME ...] [--target 0.7] [--table]

Each model is pruned twice with the same calibration data: its budget spread by sensitivity, and at one ratio
for all groups (`--scope local`) that reaches the same latency. Then a process of its own times both beside
the original, once more and independently, and accuracy is measured on other data. A run replaces its own
entries of `results/latency_target.json`; --table prints what is there.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import assets, child, results
from graphprune.profiling.files import read_profile
from graphprune.profiling.summary import blocks_of

MODELS = ("mobilenet_v2", "efficientnet_lite0", "cifar10_resnet56", "cifar10_resnet8", "kws_dscnn")
ARMS = {"sensitivity": (), "uniform": ("--scope", "local")}
WORK = child.ROOT / "build" / "latency_target"
LIMIT = 3600.0


def pruned(name: str, arm: str, target: float) -> tuple[Path, dict[str, Any]]:
    """The model that is made of an asset, and what the record of the run says of it."""
    out = WORK / f"{name}-{arm}-{target}.onnx"
    out.parent.mkdir(parents=True, exist_ok=True)
    words: list[str | Path] = ["prune", assets.model_path(name), "-o", out, "--force", "-q"]
    words += [
        "--output-format",
        "json",
        "--data",
        assets.prepared(name)[0],
        "--target",
        f"latency={target}x@ort:cpu",
        *ARMS[arm],
    ]
    ran = child.run([sys.executable, "-m", "graphprune", *words], limit=LIMIT)
    if ran.status:
        return out, {"failed": ran.complaint}
    record = ran.json()
    facts = record["facts"]
    return out, {
        "seconds": {each["pass"]: round(each["seconds"], 1) for each in record["seconds"]},
        "attempts": [
            {"predicted": round(each["predicted"], 4), "measured": round(each["measured"]["ratio"], 4)}
            for each in facts["select"]["attempts"]
        ],
        "tile": facts["select"]["tile"],
        "said": {key: round(value, 4) for key, value in facts["profile"]["ratio"].items()},
        "macs_share": round(record["after"]["macs"] / record["before"]["macs"], 4),
        "params_share": round(record["after"]["params"] / record["before"]["params"], 4),
    }


def timed(name: str, model: Path) -> dict[str, float]:
    """The ratio of `model` to the original, measured in a process of its own."""
    profile = model.with_suffix(".json")
    words: list[str | Path] = ["profile", assets.model_path(name), model, "-q"]
    words += ["--data", assets.prepared(name)[0], "--duration", "5s", "--export-json", profile, "--force"]
    ran = child.run([sys.executable, "-m", "graphprune", *words], limit=LIMIT)
    if ran.status:
        raise RuntimeError(ran.complaint)
    (batch,) = read_profile(profile).batches
    found = blocks_of(batch).interval(1)
    return {key: round(getattr(found, key), 4) for key in ("ratio", "low", "high")}


def measure(name: str, target: float) -> dict[str, Any]:
    """Everything about one model."""
    row: dict[str, Any] = {"model": name, "target": target, "arms": {}}
    row["accuracy"] = round(assets.evaluate(assets.model_path(name), name), 4)
    for arm in ARMS:
        path, row["arms"][arm] = pruned(name, arm, target)
        if "failed" not in row["arms"][arm]:
            row["arms"][arm]["independent"] = timed(name, path)
            row["arms"][arm]["accuracy"] = round(assets.evaluate(path, name), 4)
        print(f"{name} {arm}: {row['arms'][arm]}", file=sys.stderr, flush=True)
    return row


def stored() -> list[dict[str, Any]]:
    """The rows that are there."""
    path = results.RESULTS / "latency_target.json"
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    return rows


def show(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a table."""
    header = ["model", "target", "by", "latency ratio", "95 % interval", "MACs ratio", "top-1", "original"]
    lines: list[list[object]] = []
    for row in rows:
        for arm, found in row["arms"].items():
            start: list[object] = [row["model"], f"{row['target']:g}x", arm]
            if "failed" in found:
                lines.append([*start, found["failed"], *[None] * 4])
                continue
            ratio = found["independent"]
            lines.append(
                [
                    *start,
                    f"{ratio['ratio']:.3f}",
                    f"{ratio['low']:.3f} to {ratio['high']:.3f}",
                    f"{found['macs_share']:.3f}",
                    f"{100 * found['accuracy']:.1f}",
                    f"{100 * row['accuracy']:.1f}",
                ]
            )
    return results.table(header, lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write `results/latency_target.json` after every model, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=assets.CLASSIFIERS, default=list(MODELS))
    parser.add_argument("--target", type=float, default=0.7)
    parser.add_argument("--table", action="store_true", help="print the results that are there")
    options = parser.parse_args(arguments)
    chosen: list[str] = [] if options.table else options.models
    for name in chosen:
        row = measure(name, options.target)
        others = [each for each in stored() if (each["model"], each["target"]) != (name, options.target)]
        rows = sorted([*others, row], key=lambda each: (-each["target"], MODELS.index(each["model"])))
        results.write("latency_target", {"rows": rows})
    print(show(stored()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
