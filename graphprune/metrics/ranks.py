"""Spearman's rank correlation over a stream of batches."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphprune.errors import Usage
from graphprune.metrics.paired import Paired
from graphprune.metrics.scores import Floats, cosines, flat, rank_correlation
from graphprune.metrics.tally import Outputs, Score, demanded, pair


class Ranks:
    """The rank correlation of what each model says with the labels.

    An output of one number a sample is taken as it is. Of an embedding [n, d], samples 2i and 2i + 1 are a
    pair with one label (given for both), and the cosine of the two is taken, as for sentence similarity.
    """

    def __init__(self, output: int) -> None:
        self._output = output
        self._said: list[Floats] = []  # [n, 3]: reference, candidate, label
        self._waiting: Floats | None = None  # [0 or 1, 2 d + 1]: the first sample of a pair

    def update(self, reference: Outputs, candidate: Outputs, targets: NDArray[Any] | None) -> None:
        a, b = pair(reference, candidate, self._output)
        labels = flat(demanded(targets))
        if a.ndim > 2 or labels.shape != (len(a), 1):
            raise Usage(
                f"an output {list(a.shape)} with labels {list(labels.shape)} cannot be ranked",
                "it takes one number or one vector a sample, and one label",
            )
        said = np.concatenate([flat(a), flat(b), labels], axis=1)
        if said.shape[1] > 3:
            said = said if self._waiting is None else np.concatenate([self._waiting, said])
            even = len(said) // 2 * 2
            said, self._waiting = _paired(said[:even]), said[even:]
        self._said.append(said)

    def value(self) -> Score:
        if self._waiting is not None and len(self._waiting):
            raise Usage("the number of samples is odd", "samples 2i and 2i + 1 are a pair")
        count = sum(len(said) for said in self._said)
        if count < 2:
            raise Usage("a rank correlation needs two samples or pairs", "give more data")
        reference, candidate, labels = np.concatenate(self._said).T
        said: list[list[float]] = [reference.tolist(), candidate.tolist(), labels.tolist()]
        paired = Paired(
            "spearman",
            True,
            "rank",
            original=tuple(said[0]),
            candidate=tuple(said[1]),
            labels=tuple(said[2]),
        )
        found = rank_correlation(candidate, labels), rank_correlation(reference, labels)
        return Score(*found, count, paired=paired)


def _paired(said: Floats) -> Floats:
    """The cosines of rows 2i and 2i + 1, [n, 2 d + 1] -> [n / 2, 3]."""
    one, other = said[0::2], said[1::2]
    if (one[:, -1] != other[:, -1]).any():
        raise Usage("the two samples of a pair have different labels", "samples 2i and 2i + 1 are a pair")
    d = said.shape[1] // 2
    cosine = [cosines(one[:, part], other[:, part]) for part in (slice(0, d), slice(d, 2 * d))]
    return np.stack([*cosine, one[:, -1]], axis=1)
