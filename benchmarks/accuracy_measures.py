"""How well a model does on the data of an asset, in ONNX Runtime: accuracy, correlation, agreement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
Data = Mapping[str, NDArray[Any]]
Measure = Callable[[Path | bytes, Data, Path | None], float]
"""The model, the arrays of `eval.npz`, and the original where there are no labels."""

BATCH = 50
THREADS = 2
SCORE = 0.3
"""The least class score that counts as a detection."""


def outputs(
    model: Path | bytes,
    feeds: Data,
    names: Sequence[str] | None = None,
    batch: int = BATCH,
) -> list[NDArray[Any]]:
    """All outputs of `model`, or those with these names, over all samples of `feeds`.

    A model with a fixed batch is run in that; the last batch is then filled up with its last sample.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.log_severity_level = 3
    source = str(model) if isinstance(model, Path) else model
    session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    given = next(i for i in session.get_inputs() if i.name in feeds)
    fixed = given.shape[0] if isinstance(given.shape[0], int) else None
    size = fixed or batch
    found: list[list[NDArray[Any]]] = []
    for at in range(0, len(feeds[given.name]), size):
        part = {name: values[at : at + size] for name, values in feeds.items()}
        count = len(part[given.name])
        if fixed and count < fixed:
            part = {k: np.concatenate([v, np.repeat(v[-1:], fixed - count, 0)]) for k, v in part.items()}
        values = session.run(list(names) if names else None, part)
        found.append([np.asarray(value)[:count] for value in values])
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def _mean(values: Any) -> float:
    return float(np.asarray(values, np.float64).mean())


def _inputs(data: Data) -> Arrays:
    return {name: values for name, values in data.items() if name != "labels"}


def top1(model: Path | bytes, data: Data, original: Path | None) -> float:
    """The fraction of samples whose label has the greatest of the scores in the first output."""
    (scores, *_) = outputs(model, _inputs(data))
    return _mean(scores.argmax(-1) == data["labels"])


def ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """The rank of each value, from 0; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    means: NDArray[np.float64] = ends - (counts + 1) / 2
    return means[inverse]


def sentence_similarity(model: Path | bytes, data: Data, original: Path | None) -> float:
    """Spearman's correlation of the cosine of two sentences' embeddings with the score that people gave.

    The first half of `data` are the first sentences of the pairs; the embedding is the output `461`, of
    (N, 384).
    """
    (vectors,) = outputs(model, _inputs(data), [EMBEDDING])
    vectors = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    half = len(vectors) // 2
    cosine = np.sum(vectors[:half] * vectors[half:], axis=-1)
    return float(np.corrcoef(ranks(cosine), ranks(data["labels"][:half]))[0, 1])


EMBEDDING = "461"


def classes_of_pixels(model: Path | bytes, data: Data) -> NDArray[np.uint8]:
    """The class of each pixel, sample by sample: all scores at once would take gigabytes."""
    feeds = _inputs(data)
    count = len(next(iter(feeds.values())))
    parts = [
        outputs(model, {k: v[at : at + 10] for k, v in feeds.items()}, batch=1)[0].argmax(1).astype(np.uint8)
        for at in range(0, count, 10)
    ]
    return np.concatenate(parts)


def pixel_agreement(model: Path | bytes, data: Data, original: Path | None) -> float:
    """The mean, over the classes that the original finds, of the overlap (IoU) of the two models' pixels."""
    assert original is not None
    wanted, found = _reference(original, classes_of_pixels, data), classes_of_pixels(model, data)
    shared = [
        np.sum((wanted == c) & (found == c)) / np.sum((wanted == c) | (found == c)) for c in np.unique(wanted)
    ]
    return float(np.mean(shared))


def detections(model: Path | bytes, data: Data) -> NDArray[np.int64]:
    """The best class at each place of the three score maps, (N, places); -1 where it scores too little."""
    scores = np.concatenate([o for o in outputs(model, _inputs(data), batch=1) if o.shape[-1] == 80], axis=1)
    return np.where(scores.max(-1) >= SCORE, scores.argmax(-1), -1)


def detection_agreement(model: Path | bytes, data: Data, original: Path | None) -> float:
    """Of the places where either model detects something, the share where both detect the same class."""
    assert original is not None
    wanted, found = _reference(original, detections, data), detections(model, data)
    either = (wanted >= 0) | (found >= 0)
    return _mean(wanted[either] == found[either]) if either.any() else 1.0


_KEPT: dict[tuple[Path, str], NDArray[Any]] = {}


def _reference(
    original: Path,
    judge: Callable[[Path | bytes, Data], NDArray[Any]],
    data: Data,
) -> NDArray[Any]:
    """What the original finds, computed once a process."""
    key = (original, judge.__name__)
    if key not in _KEPT:
        _KEPT[key] = judge(original, data)
    return _KEPT[key]
