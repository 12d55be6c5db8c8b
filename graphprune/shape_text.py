"""The sizes of inputs, in every spelling that people's hands know.

`x:1x3x224x224`, `x:1,3,224,224` and `x:[1,3,224,224]` are the same; the name may be left out where the
model has one input; several are separated by comma or space. A name may hold colons (`input:0:1x3`), and
stand for several inputs (`past_key_values.*:2x8x0x64`). `past_sequence_length=7` is the size of a symbol,
wherever it occurs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from graphprune.errors import Usage
from graphprune.nearest import did_you_mean
from graphprune.symbols.expression import Expr, number, parse, symbol
from graphprune.symbols.given import Given

SPELLING = "write NAME:1x3x224x224, or 1x3x224x224 where the model has one input, or SYMBOL=8"
LIST = re.compile(r"\[([\d,\s]*)\]")
SIZES = re.compile(r"\d+(x\d+)*|")
SYMBOL = re.compile(r"([^\s:=]+)=(\d+)")
Dims = Sequence[int | str | None] | None
"""The dimensions of an input as a model declares them."""


class Shapes(dict[str, tuple[int, ...]]):
    """Input name -> shape; and `symbols`, the sizes of dimensions by their names."""

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...]] | Iterable[tuple[str, tuple[int, ...]]] = (),
        symbols: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(shapes)
        self.symbols: dict[str, int] = dict(symbols or {})

    def __bool__(self) -> bool:
        return bool(len(self) or self.symbols)


def said(shapes: Mapping[str, tuple[int, ...]] | None) -> Given:
    """Return the same for `facts`."""
    return Given(shapes.symbols if isinstance(shapes, Shapes) else {}, shapes or {})


def parse_shapes(texts: Iterable[str]) -> Shapes:
    """Input name -> shape; the name is empty where none was given. Raises `Usage` for anything else.

    >>> parse_shapes(["x:1x3x8x8", "y:0:[2, 5] z:4,6"])
    {'x': (1, 3, 8, 8), 'y:0': (2, 5), 'z': (4, 6)}
    >>> parse_shapes(["1,3,8,8"])
    {'': (1, 3, 8, 8)}
    >>> parse_shapes(["past=0, x:1x4"]).symbols
    {'past': 0}
    """
    text = LIST.sub(lambda found: "x".join(re.findall(r"\d+", found[1])) + ";", ",".join(texts))
    shapes = Shapes()
    open_name: str | None = None
    for token in re.findall(r"[^\s,;]+;?|;", text):
        found = SYMBOL.fullmatch(token.rstrip(";"))
        if found is not None:
            if shapes.symbols.setdefault(found[1], int(found[2])) != int(found[2]):
                raise Usage(f"two sizes are given for {found[1]}", SPELLING)
            open_name = None
            continue
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


def fit_shapes(shapes: Mapping[str, tuple[int, ...]], inputs: Mapping[str, Dims]) -> Shapes:
    """`shapes` with names filled in, checked against `inputs` (name -> declared dims).

    Inputs whose dimensions all follow from symbols that are given have their shape in the result as well.

    Raises `Usage` for an unknown input or symbol, another rank, and a fixed dimension that differs.
    """
    fitted = Shapes(symbols=shapes.symbols if isinstance(shapes, Shapes) else None)
    for pattern, shape in shapes.items():
        for name in _named(pattern, inputs):
            declared = inputs[name]
            if declared is not None and not _agrees(shape, declared):
                raise Usage(
                    f"shape {_show(shape)} does not fit input {name}, which is {_show(declared)}",
                    "only dimensions without a fixed size may be chosen",
                )
            fitted[name] = shape
    known = {name: number(size) for name, size in fitted.symbols.items()}
    read = {name: _read(name, declared) for name, declared in inputs.items() if declared is not None}
    there = {each for sizes in read.values() for size in sizes for each in size.symbols}
    for name in fitted.symbols:
        if name not in there:
            raise Usage(f"no input has a dimension {name}", did_you_mean(name, there))
    for name, sizes in read.items():
        told = [size.substitute(known) for size in sizes]
        follows = any(size.symbols for size in sizes) and all(size.is_number for size in told)
        if name not in fitted and follows:
            fitted[name] = tuple(size.as_int() for size in told)
    return fitted


def _named(pattern: str, inputs: Mapping[str, Dims]) -> list[str]:
    """The inputs that a name, which may be left out or hold `*` and `?`, stands for."""
    if not pattern and len(inputs) != 1:
        raise Usage(
            f"the model has {len(inputs)} inputs: {', '.join(inputs)}", f"name the one meant: {SPELLING}"
        )
    if not pattern or pattern in inputs:
        return [pattern or next(iter(inputs))]
    found = [name for name in inputs if fnmatchcase(name, pattern)]
    if not found:
        raise Usage(f"the model has no input {pattern}", did_you_mean(pattern, inputs))
    return found


def _read(name: str, declared: Sequence[int | str | None]) -> tuple[Expr, ...]:
    """The dimensions of an input as expressions, those without a name called after their place."""
    names = [size for size in declared if isinstance(size, str) and size.isidentifier()]
    return tuple(
        number(size)
        if isinstance(size, int) and size >= 0
        else parse(size, names)
        if isinstance(size, str) and size
        else symbol(f"{name}.{place}")
        for place, size in enumerate(declared)
    )


def _agrees(shape: tuple[int, ...], declared: Sequence[int | str | None]) -> bool:
    return len(shape) == len(declared) and all(
        size == fixed
        for size, fixed in zip(shape, declared, strict=True)
        if isinstance(fixed, int) and fixed > 0
    )


def _show(shape: Sequence[int | str | None]) -> str:
    return "x".join("?" if size is None else str(size) for size in shape) or "a scalar"
