"""The hash of a model: its graph, the versions of its operators, and every weight."""

from __future__ import annotations

import hashlib

import numpy as np
from onnx import TensorProto

from graphprune.ir import body_constants, constants
from graphprune.model import Model, outline
from graphprune.weights import Weight, stored


def model_hash(model: Model) -> str:
    """Return a hash that two models share only where they compute the same, node by node and name by name.

    Where the model came from, and the form in which its weights are stored, play no part.
    """
    digest = hashlib.blake2b(digest_size=16)
    proto = outline(model)
    for opset in sorted(proto.opset_import, key=lambda opset: opset.domain):
        digest.update(f"{opset.domain}\0{opset.version}\0".encode())
    digest.update(proto.graph.SerializeToString(deterministic=True))
    for tensor in (*constants(model.graph), *body_constants(model.graph)):
        held = stored(tensor)
        if isinstance(held, Weight) and held.element == TensorProto.STRING:
            digest.update(held.tensor.SerializeToString(deterministic=True))
        elif isinstance(held, Weight):
            for block in held.blocks():
                digest.update(block)
        else:
            values = held if isinstance(held, np.ndarray) else held.load()
            digest.update(f"{values.dtype}{values.shape}".encode() + values.tobytes())
    return digest.hexdigest()
