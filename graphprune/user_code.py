"""Functions in files that the user names: `data.py:load_data`, `metric.py:func`.

They are code, and run only where the user names them.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphprune.errors import Usage
from graphprune.nearest import did_you_mean

_SPELLING = re.compile(r"(?P<path>.*\.py)(:(?P<name>\w*))?", re.DOTALL)


@dataclass(frozen=True)
class Code:
    """A function of a user's file: `name` in `path`."""

    path: Path
    name: str
    function: Any

    @property
    def where(self) -> str:
        """How messages name it."""
        return f"{self.path.name}:{self.name}"


def is_code(text: str) -> bool:
    """Whether `text` names a function in a file.

    >>> is_code("data.py"), is_code("data.py:load"), is_code("data.npz")
    (True, True, False)
    """
    return _SPELLING.fullmatch(text) is not None


def load_code(text: str, default: str) -> Code:
    """Run the file that `text` names (`file.py:function`) and return its function, by default `default`.

    While it runs, modules beside it can be imported; no bytecode is written.

    Raises:
        Usage: there is no such file or function, or the file raises.
    """
    spelled = _SPELLING.fullmatch(text)
    assert spelled is not None
    path, name = Path(spelled["path"]), spelled["name"] or default
    if not path.is_file():
        raise Usage(f"no such file: '{path}'", "check the path")
    path = path.resolve()
    spec = importlib.util.spec_from_file_location(f"_graphprune_user_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = sys.dont_write_bytecode
    sys.modules[spec.name] = module  # dataclasses and pickles look their module up
    sys.path.insert(0, str(path.parent))
    sys.dont_write_bytecode = True
    try:
        with blamed(path):
            spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
        if str(path.parent) in sys.path:
            sys.path.remove(str(path.parent))
    function = getattr(module, name, None)
    if not callable(function):
        own = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise Usage(f"{path.name} has no function {name}", did_you_mean(name, own))
    return Code(path, name, function)


@contextmanager
def blamed(path: Path) -> Generator[None]:
    """Turn whatever the code in `path` raises into a refusal with the type, the message and the line."""
    try:
        yield
    except (GeneratorExit, KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:
        # also SystemExit: a script must not choose our exit code
        line = _line(error, path)
        place = f"{path.name}, line {line}" if line else path.name
        message = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())[:300]
        raise Usage(
            f"{place}: {type(error).__name__}{': ' if message else ''}{message}", "correct this file"
        ) from error


def _line(error: BaseException, path: Path) -> int | None:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in reversed(frames) if frame.filename == str(path)), None)
