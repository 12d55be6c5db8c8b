"""The shapes of inputs, in every spelling that people's hands know.

`x:1x3x224x224`, `x:1,3,224,224` and `x:[1,3,224,224]` are the same; the name may be left out where the
model has one input; several are separated by comma or space. A name may hold colons (`input:0:1x3`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from graphprune.errors import Usage
from graphprune.nearest import did_you_mean

Shapes = dict[str, tuple[int, ...]]
SPELLING = "write NAME:1x3x224x224, or 1x3x224x224 where the model has one input"
LIST = re.compile(r"\[([\d,\s]*)\]")
SIZES = re.compile(r"\d+(x\d+)*|")


def parse_shapes(texts: Iterable[str]) -> Shapes:
    """Input name -> shape; the name is empty where none was given. Raises `Usage` for anything else.

    >>> parse_shapes(["x:1x3x8x8", "y:0:[2, 5] z:4,6"])
    {'x': (1, 3, 8, 8), 'y:0': (2, 5), 'z': (4, 6)}
    >>> parse_shapes(["1,3,8,8"])
    {'': (1, 3, 8, 8)}
    """
    text = LIST.sub(lambda found: "x".join(re.findall(r"\d+", found[1])) + ";", ",".join(texts))
    shapes: Shapes = {}
    open_name: str | None = None
    for token in re.findall(r"[^\s,;]+;?|;", text):
        name, colon, sizes = token.rstrip(";").rpartition(":")
        if not SIZES.fullmatch(sizes) or not (colon or sizes):
            raise Usage(f"shape {token.rstrip(';')!r} is not one", SPELLING)
        shape = tuple(int(size) for size in sizes.split("x") if size)
        if not colon and sizes.isdigit() and open_name is not None:
            shapes[open_name] += shape
            continue
        if name in shapes:
            raise Usage(f"two shapes are given for {name or 'an input without a name'}", SPELLING)
        shapes[name] = shape
        # `x:1` may go on as `x:1,3,224`; `x:1x3` and `x:[1]` are complete.
        open_name = name if sizes.isdigit() and not token.endswith(";") else None
    return shapes


def fit_shapes(shapes: Shapes, inputs: Mapping[str, Sequence[int | str | None] | None]) -> Shapes:
    """`shapes` with the missing name filled in, checked against `inputs` (name -> declared dims).

    Raises `Usage` for an unknown input, another rank, a fixed dimension that differs, and a size below 1.
    """
    fitted: Shapes = {}
    for name, shape in shapes.items():
        if not name and len(inputs) != 1:
            raise Usage(
                f"the model has {len(inputs)} inputs: {', '.join(inputs)}", f"name the one meant: {SPELLING}"
            )
        name = name or next(iter(inputs))
        if name not in inputs:
            raise Usage(f"the model has no input {name}", did_you_mean(name, inputs))
        if 0 in shape:
            raise Usage(f"shape {_show(shape)} of input {name} has an empty dimension", SPELLING)
        declared = inputs[name]
        if declared is not None and not _agrees(shape, declared):
            raise Usage(
                f"shape {_show(shape)} does not fit input {name}, which is {_show(declared)}",
                "only dimensions without a fixed size may be chosen",
            )
        fitted[name] = shape
    return fitted


def _agrees(shape: tuple[int, ...], declared: Sequence[int | str | None]) -> bool:
    return len(shape) == len(declared) and all(
        size == fixed
        for size, fixed in zip(shape, declared, strict=True)
        if isinstance(fixed, int) and fixed > 0
    )


def _show(shape: Sequence[int | str | None]) -> str:
    return "x".join("?" if size is None else str(size) for size in shape) or "a scalar"
