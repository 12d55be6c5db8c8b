"""Small networks with weights, one a coupling: what the core of graphprune is tested on."""

from __future__ import annotations

from functools import cache

import onnx

from tests.networks import (
    attention,
    control,
    convolutions,
    dynamic,
    fused_attention,
    joins,
    norms,
    older,
    perceptrons,
    quantised,
    recurrent,
    reordered,
    unusual,
    unusual_attention,
)
from tests.networks.fill import fill

TEXTS: dict[str, str] = {
    **convolutions.TEXTS,
    **joins.TEXTS,
    **perceptrons.TEXTS,
    **attention.TEXTS,
    **fused_attention.TEXTS,
    **norms.TEXTS,
    **recurrent.TEXTS,
    **quantised.TEXTS,
    **dynamic.TEXTS,
    **control.TEXTS,
    **older.TEXTS,
    **unusual.TEXTS,
    **reordered.TEXTS,
    **unusual_attention.TEXTS,
}
"""Every network by name, as text for `fill`."""


@cache
def network(name: str) -> onnx.ModelProto:
    """The network called `name`; one object for everybody, so leave it as it is."""
    return fill(TEXTS[name])
