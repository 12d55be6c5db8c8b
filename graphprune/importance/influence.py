"""Block influence: how much a layer changes what passes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from graphprune.feeds import Feeds
from graphprune.fitting.walk import Walk
from graphprune.layers import Layer
from graphprune.model import Model
from graphprune.progress import Tell

Numbers = NDArray[np.float64]


def influences(
    model: Model, layers: Sequence[Layer], batches: Iterable[Feeds], tell: Tell | None = None
) -> dict[str, Numbers]:
    """Return 1 - cos(x, x + branch) of each layer by its name, [1]: 0 where it changes nothing.

    Men et al. 2024, *ShortGPT*, eq. 1; here the cosine is that of a sample's whole tensor, whatever its
    layout, averaged over the samples.
    """
    found: dict[str, Numbers] = {}
    with Walk(model, batches) as walk:
        for layer in layers:
            # A norm that is fused with the addition says nothing of how much the sum is the branch.
            total = next(tensor.name for tensor in reversed(layer.join.outputs) if tensor.name)
            names = [layer.skipped, total]
            walk.reach(names)
            cosines = [_cosines(*(walk.value(name, at) for name in names)) for at in range(walk.count)]
            walk.drop(names)
            found[layer.name] = np.array([1 - float(np.mean(np.concatenate(cosines)))])
            if tell is not None:
                tell(len(found), len(layers))
    return found


def _cosines(a: NDArray[np.generic], b: NDArray[np.generic]) -> Numbers:
    left, right = (np.asarray(x, np.float64).reshape(len(x), -1) for x in (a, np.broadcast_to(b, a.shape)))
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    dots = np.einsum("ij,ij->i", left, right)
    cosines: Numbers = np.divide(dots, norms, out=np.ones_like(dots), where=norms > 0)
    return cosines
