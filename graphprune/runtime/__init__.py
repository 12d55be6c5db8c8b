"""ONNX Runtime, as everything but the timing needs it: `with session(model) as opened: run(opened, feeds)`.

Nothing heavy is imported before a name is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphprune.runtime.sessions import Opened, run, session

__all__ = ["Opened", "run", "session"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from graphprune.runtime import sessions

    return getattr(sessions, name)
