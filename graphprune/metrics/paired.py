"""What a metric found of each sample under both models: enough to judge it later, without the models."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ClassScore:
    """One class.

    Attributes:
        label: its index.
        count: the positions that are of this class.
        reference: how many of them the original gets right.
        candidate: how many of them the other model gets right.
        both: how many of them both get right.
    """

    label: int
    count: int
    reference: int
    candidate: int
    both: int

    @property
    def change(self) -> float:
        """What the share of right answers has changed by; sort by it to see the worst first."""
        return (self.candidate - self.reference) / self.count


@dataclass(frozen=True)
class Spread:
    """How much samples of many positions differ: sums over samples of products.

    The positions of one sample (pixels of a picture, tokens of a text) are alike, so that the samples count
    and not the positions. Of a sample, m is the number of its positions, a and b are how many of them the
    original and the candidate get right. These sums are all that the variance of a ratio of totals needs.

    Attributes:
        samples: how many samples hold a position.
        mm: the sum of m m.
        ma: of m a.
        mb: of m b.
        aa: of a a.
        ab: of a b.
        bb: of b b.
    """

    samples: int
    mm: int
    ma: int
    mb: int
    aa: int
    ab: int
    bb: int


@dataclass(frozen=True)
class Paired:
    """What a metric found of each sample under the original and the candidate.

    Attributes:
        metric: its name.
        higher_is_better: whether larger values are better.
        form: `share` of right positions, `mean` of values of samples, or `rank` correlation with labels.
        perfect: the value of the original, where it follows from the metric: against itself it agrees in
            all (1) and differs by nothing (0). None where the original is scored on its own, or not at all.
        classes: of a `share`, the positions by class; of a metric without classes, one class -1.
        spread: of a `share` where a sample has several positions, of all of them; None where it has one.
        class_spread: likewise for each of `classes`; empty where a sample is one position.
        original: of a `rank`, what the original says of each sample.
        candidate: of a `rank`, what the candidate says; of a `mean`, the value of each sample.
        labels: of a `rank`, the label of each sample.
    """

    metric: str
    higher_is_better: bool
    form: str
    perfect: float | None = None
    classes: tuple[ClassScore, ...] = ()
    spread: Spread | None = None
    class_spread: tuple[Spread, ...] = ()
    original: tuple[float, ...] = ()
    candidate: tuple[float, ...] = ()
    labels: tuple[float, ...] = ()
