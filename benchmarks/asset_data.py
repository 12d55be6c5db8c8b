"""The arrays of each asset: what calibrates a model, and what judges it, preprocessed as the model wants it.

Each function gives the arrays of `calib.npz` and of `eval.npz` by key; see `benchmarks/assets.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import child
from benchmarks.accuracy_measures import Arrays

CALIBRATION = 1024
KEYWORDS_CALIBRATION = 300
PHOTOS_CALIBRATION = 40
SEED = 0
Floats = NDArray[np.float32]
Split = tuple[Arrays, Arrays]
"""The arrays of `calib.npz` and of `eval.npz`, by key."""


def folder() -> Path:
    """The folder of assets."""
    return Path(os.environ.get("GRAPHPRUNE_ASSETS", child.ROOT.parent / "shared" / "assets"))


def photo(path: Path, side: int, *, resize: bool) -> NDArray[np.uint8]:
    """An RGB image of (side, side, 3): resized (bilinear), or its centre."""
    from PIL import Image

    with Image.open(path) as file:
        image = file.convert("RGB")
        if resize:
            return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))
        left, top = (image.width - side) // 2, (image.height - side) // 2
        return np.asarray(image.crop((left, top, left + side, top + side)))


def stack(
    images: Iterable[NDArray[np.uint8]], count: int, mean: Sequence[float], std: Sequence[float]
) -> Floats:
    """Images as NCHW, (x - mean) / std by channel, filled one by one so that they lie in memory once."""
    whole: Floats | None = None
    centre, scale = (np.array(v, np.float32).reshape(-1, 1, 1) for v in (mean, std))
    for i, image in enumerate(images):
        planes = (image.transpose(2, 0, 1).astype(np.float32) - centre) / scale
        whole = np.empty((count, *planes.shape), np.float32) if whole is None else whole
        whole[i] = planes
    assert whole is not None
    return whole


def imagenet(first_class: int) -> Split:
    """ImageNet's photos in [-1, 1]; classes count from `first_class` (1 where class 0 is the background)."""
    base = folder() / "imagenet"
    lines = (base / "val.csv").read_text(encoding="utf-8").split()[1:]
    names, classes = zip(*(line.split(",") for line in lines))
    sources = [sorted((base / "calib").glob("*.jpg")), [base / "val" / name for name in names]]
    calib, judged = (
        stack((photo(p, 224, resize=False) for p in paths), len(paths), [127.5] * 3, [127.5] * 3)
        for paths in sources
    )
    labels = np.array(classes, np.int64) + first_class
    return {"input": calib}, {"input": judged, "labels": labels}


def cifar10(mean: Sequence[float], std: Sequence[float]) -> Split:
    """CIFAR-10: training images without labels, test images with them."""
    with (
        np.load(folder() / "cifar10" / "calib.npz") as calib,
        np.load(folder() / "cifar10" / "test.npz") as test,
    ):
        chosen, images, labels = calib["x"][:CALIBRATION], test["x"], test["y"].astype(np.int64)
    return (
        {"input": stack(chosen, len(chosen), mean, std)},
        {"input": stack(images, len(images), mean, std), "labels": labels},
    )


def keywords() -> Split:
    """A seeded split of the keyword features: calibration without labels, the others with them."""
    with np.load(folder() / "kws" / "test.npz") as test:
        features, labels = test["input"], test["labels"]
    order = np.random.default_rng(SEED).permutation(len(labels))
    calib, judged = np.sort(order[:KEYWORDS_CALIBRATION]), np.sort(order[KEYWORDS_CALIBRATION:])
    return {"input": features[calib]}, {"input": features[judged], "labels": labels[judged]}


def sentences() -> Split:
    """STS-B, tokenised. To evaluate: all first sentences, then all second; labels are the pairs' scores."""
    with np.load(folder() / "stsb" / "calib.npz") as data:
        calib: Arrays = {key: data[key][:CALIBRATION] for key in ("input_ids", "attention_mask")}
    with np.load(folder() / "stsb" / "test.npz") as test:
        ids, mask = (np.concatenate([test[f"{s}_{key}"] for s in "ab"]) for key in ("ids", "mask"))
        scores = np.concatenate([test["score"]] * 2)
    return calib, {
        "input_ids": ids.astype(np.int64),
        "attention_mask": mask.astype(np.int64),
        "labels": scores,
    }


def coco(key: str, side: int, mean: Sequence[float], std: Sequence[float], *, bgr: bool = False) -> Split:
    """COCO photos, resized: some to calibrate, the others to compare a model with its original on."""
    paths = sorted((folder() / "coco").glob("*.jpg"))
    parts = paths[:PHOTOS_CALIBRATION], paths[PHOTOS_CALIBRATION:]
    step = -1 if bgr else 1
    calib, judged = (
        stack((photo(p, side, resize=True)[..., ::step] for p in part), len(part), mean, std)
        for part in parts
    )
    return {key: calib}, {key: judged}
