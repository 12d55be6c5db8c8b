"""Whether a sparse model is faster for being sparse: the same weights, with and without sparse kernels.

An engine in which sparse kernels may be used is timed beside one in which they may not, both of the sparse
model, so that nothing but the kernels differs.
"""

from __future__ import annotations

from dataclasses import replace

from graphprune.backends import Setup, backend
from graphprune.engines.options import BuildOptions
from graphprune.errors import Usage
from graphprune.feeds import Feeds
from graphprune.model import Model
from graphprune.profiling.paired import Interval, measure

BACKENDS = ("trt", "trt-rtx")
"""Backends whose builders know 2:4 weights."""


def check_backend(name: str) -> None:
    """Refuse a backend that does not use 2:4.

    Raises:
        Usage: it does not, or there is no such backend.
    """
    backend(name)
    if name not in BACKENDS:
        what = f"{name} does not use 2:4 weights, so that no model is faster for having them"
        raise Usage(what, f"give --backend {' or '.join(BACKENDS)}, or leave --keep-if-faster out")


def timed_with_and_without(name: str, model: Model, feeds: Feeds, gpu: int = 0) -> Interval:
    """Return how long `model` takes with sparse kernels, in terms of what it takes without.

    Raises:
        Usage: the backend does not use 2:4.
        Environment: it does not run here.
        Refused: it does not accept the model.
    """
    check_backend(name)
    runner = backend(name)
    without = Setup(gpu=gpu, build=BuildOptions(sparse=False))
    runner.device(without)
    sparse = replace(without, build=BuildOptions(sparse=True))
    with runner.open(model, feeds, without) as first, runner.open(model, feeds, sparse) as second:
        return measure([first, second]).interval(1)
