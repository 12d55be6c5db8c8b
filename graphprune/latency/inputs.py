"""The inputs that a model is timed on."""

from __future__ import annotations

from graphprune.feeds import Feeds
from graphprune.fitting.calibration import Calibration
from graphprune.model import Model
from graphprune.profiling.cases import Wanted, cases, feeds_for
from graphprune.profiling.subjects import subjects
from graphprune.shape_text import Shapes


def timed_on(model: Model, shapes: Shapes, samples: Calibration | None, seed: int = 0) -> Feeds:
    """Return inputs of one inference: the first sample of calibration data, else random ones.

    Raises:
        Usage: a size of an input is not known, or does not fit.
    """
    if samples is not None and not shapes:
        return next(samples.data.batches(samples.data.layout.fixed or 1)).feeds
    timed = subjects([model])
    wanted = Wanted(shapes=shapes, seed=seed)
    return feeds_for(cases(timed, wanted)[0], timed, wanted)
