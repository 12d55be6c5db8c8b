"""Libraries of custom operators: native code that runs only where the user has named it.

What is named holds for every ONNX Runtime session until the block ends:

    with custom_ops(["libacme.so"]):
        state = graphprune.prune("model.onnx")
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from graphprune.errors import Environment, Usage

if TYPE_CHECKING:
    import onnxruntime as ort

_NAMED: ContextVar[tuple[str, ...]] = ContextVar("libraries of custom operators", default=())


@contextmanager
def custom_ops(paths: Iterable[Path | str]) -> Generator[None]:
    """Register the operators of these libraries in every session that is opened inside.

    Raises:
        Usage: a path names no file.
    """
    files: list[str] = []
    for path in paths:
        if not Path(path).is_file():
            raise Usage(f"--custom-ops: no such file: '{path}'", "name a library of ONNX Runtime operators")
        files.append(str(Path(path).resolve()))
    token = _NAMED.set(tuple(dict.fromkeys((*_NAMED.get(), *files))))
    try:
        yield
    finally:
        _NAMED.reset(token)


def libraries() -> tuple[str, ...]:
    """Return the libraries that are named here, as absolute paths."""
    return _NAMED.get()


def register(options: ort.SessionOptions, paths: Iterable[str] | None = None) -> None:
    """Register the operators of `paths`, by default of `libraries()`, in the options of a session.

    Raises:
        Environment: a library cannot be loaded, or is none of ONNX Runtime operators.
    """
    for path in libraries() if paths is None else paths:
        try:
            options.register_custom_ops_library(path)
        except Exception as error:
            what = str(error).strip().partition("\n")[0][:300]
            raise Environment(
                f"'{path}' is no library of operators that ONNX Runtime can load: {what}",
                "build it for this version of ONNX Runtime and this machine",
            ) from error
