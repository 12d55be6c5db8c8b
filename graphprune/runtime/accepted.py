"""A model that was read, opened in ONNX Runtime: what it refuses, no step of ours needs to understand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphprune.errors import Refused

if TYPE_CHECKING:
    from graphprune.model import Model


def check_accepted(model: Model) -> None:
    """Open `model` in ONNX Runtime, with every optimisation off; weights are mapped from their files.

    It infers types and shapes, and makes each kernel, so that most of what is wrong with a model shows. A
    model with operators that it does not have, or that it lacks a kernel for, is not judged.

    Raises:
        Refused: it does not accept the model, or crashes on it, or comes to no end.
        Environment: memory ran out.
    """
    from graphprune.kernels import lacking
    from graphprune.runtime.process import Endless
    from graphprune.runtime.sessions import NoKernel, session

    try:
        with session(model):
            return
    except NoKernel:
        return
    except (Refused, Endless):
        if not lacking(model.graph):
            raise
