"""What TensorRT says."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from graphprune.engines import api
from graphprune.engines.libraries import TensorRT
from graphprune.engines.sparsity import PREFIX

_LOUD = ("ERROR", "INTERNAL_ERROR")


def logger(trt: TensorRT, tell: Callable[[str, str], None], errors: list[str]) -> api.ILogger:
    """Return a logger that tells severity and text of each message, and adds errors to `errors`.

    Verbose messages are not told, but for those about sparsity.
    """

    def log(_: api.ILogger, severity: api.Named, text: str) -> None:
        if severity.name in _LOUD:
            errors.append(text)
        if severity.name != "VERBOSE" or text.startswith(PREFIX):
            tell(severity.name, text)

    return cast("api.ILogger", type("Log", (trt.ILogger,), {"log": log})())
