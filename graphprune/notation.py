"""The one-line notation in which a rule says what an operator does to axes.

Einops' idea (Rogozhnikov 2022): the same name is the same axis. A rule reads
`inputs -> outputs | sizes`, operands are separated by commas, dimensions by blanks:

    n (g i) *, (g o) i *, (g o) -> n (g o) * | g=32

    c        an axis              (h d)    a product, outermost factor first
    c!       mixed: removing a unit changes the values of the others
    c^       mixed, and the order of the units counts: each sees its neighbours
    c~       summed over inside the operator although it also appears in an output
    s_       pinned, and named so that an output has its size
    (a + b)  a sum                1        a dimension of size 1
    c[i]     in an output: units of c picked one by one, at the positions `i=..` behind the bar
    _        one pinned axis      *        any number of pinned axes (`*!`: mixed, not pinned)
    ...      any number of axes, broadcast from the right as numpy does
    -        an operand that is not looked at (only its shape or type matters)

An axis whose name appears in inputs alone is contracted. An operand without dimensions is a scalar.

Example:
    >>> print(parse("m k, k n -> m n"))
    m k, k n -> m n
    >>> parse("(3 h d) c -> h").inputs[0][0]
    Factors(dims=(Size(size=3), Name(name='h', mark=''), Name(name='d', mark='')))
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache


class NotationError(ValueError):
    """A rule's text that does not parse."""


@dataclass(frozen=True)
class Name:
    """A named axis; `mark` is '', '!' (mixed), '^' (in order), '~' (contracted inside) or '_' (pinned)."""

    name: str
    mark: str = ""

    def __str__(self) -> str:
        return self.name + self.mark


@dataclass(frozen=True)
class Picked:
    """Units of the axis `name`, at the positions that the rule calls `by`."""

    name: str
    by: str

    def __str__(self) -> str:
        return f"{self.name}[{self.by}]"


@dataclass(frozen=True)
class Size:
    """A factor, part or dimension of fixed size that is not an axis to prune."""

    size: int

    def __str__(self) -> str:
        return str(self.size)


@dataclass(frozen=True)
class Factors:
    """A product of dimensions, outermost first."""

    dims: tuple[Dim, ...]

    def __str__(self) -> str:
        return f"({' '.join(map(str, self.dims))})"


@dataclass(frozen=True)
class Parts:
    """A sum of consecutive stretches."""

    dims: tuple[Dim, ...]

    def __str__(self) -> str:
        return f"({' + '.join(map(str, self.dims))})"


@dataclass(frozen=True)
class Pinned:
    """One pinned axis, `_`."""

    def __str__(self) -> str:
        return "_"


@dataclass(frozen=True)
class Rest:
    """Any number of axes: `*` pinned, `*!` mixed, `...` broadcast."""

    text: str

    def __str__(self) -> str:
        return self.text


Dim = Name | Picked | Size | Factors | Parts | Pinned | Rest
Operand = tuple[Dim, ...] | None
"""The dimensions of one operand, or None for `-`."""


@dataclass(frozen=True)
class Rule:
    """A parsed rule: what an operator does to the axes of its operands."""

    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    sizes: dict[str, int] = field(default_factory=dict[str, int])
    picks: dict[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])

    def __str__(self) -> str:
        def side(operands: tuple[Operand, ...]) -> str:
            return ", ".join("-" if dims is None else " ".join(map(str, dims)) for dims in operands)

        known = [f"{name}={size}" for name, size in self.sizes.items()]
        known += [f"{name}={','.join(map(str, at))}," for name, at in self.picks.items()]
        return " ".join([f"{side(self.inputs)} -> {side(self.outputs)}", *(["|", *known] if known else [])])

    @property
    def output_names(self) -> frozenset[str]:
        """The names of the axes that reach an output."""
        return frozenset(name.name for operand in self.outputs for name in names(operand))


def names(operand: Operand) -> list[Name]:
    """Return the named axes of an operand, in order, also those inside products and sums."""
    found: list[Name] = []
    todo = list(operand or ())
    while todo:
        dim = todo.pop(0)
        if isinstance(dim, Name):
            found.append(dim)
        elif isinstance(dim, Picked):
            found.append(Name(dim.name))
        elif isinstance(dim, Factors | Parts):
            todo = [*dim.dims, *todo]
    return found


_TOKEN = re.compile(r"\s*(\.\.\.|\*!?|[A-Za-z][A-Za-z0-9]*(?:\[[A-Za-z0-9]+\]|[!^~_])?|\d+|[()_+\-])")


@lru_cache(maxsize=4096)
def parse(text: str) -> Rule:
    """Parse a rule's text.

    Raises:
        NotationError: where the text is not of the notation.
    """
    body, _, tail = text.partition("|")
    left, arrow, right = body.partition("->")
    if not arrow:
        raise NotationError(f"no '->' in {text!r}")
    try:
        known = [(name, value) for name, _, value in (item.partition("=") for item in tail.split())]
        sizes = {name: int(value) for name, value in known if "," not in value}
        picks = {name: _positions(value) for name, value in known if "," in value}
    except ValueError as error:
        raise NotationError(f"sizes read name=number, not {tail.strip()!r}") from error
    return Rule(_operands(left), _operands(right), sizes, picks)


def _positions(text: str) -> tuple[int, ...]:
    """Return the positions of `1,2,3,`; the comma behind the last tells one position from a size."""
    return tuple(int(item) for item in text.rstrip(",").split(","))


def _operands(text: str) -> tuple[Operand, ...]:
    return tuple(_operand(part) for part in text.split(","))


def _operand(text: str) -> Operand:
    tokens: list[str] = []
    end = 0
    while end < len(text.rstrip()):
        found = _TOKEN.match(text, end)
        if not found:
            raise NotationError(f"cannot read {text[end:]!r} in {text!r}")
        tokens.append(found.group(1))
        end = found.end()
    if tokens == ["-"]:
        return None
    dims: list[Dim] = []
    while tokens:
        dims.append(_dim(tokens))
    return tuple(dims)


def _dim(tokens: list[str]) -> Dim:
    if not tokens:
        raise NotationError("a bracket is not closed")
    token = tokens.pop(0)
    if token == "(":
        dims = [_dim(tokens)]
        plus = bool(tokens) and tokens[0] == "+"
        while tokens and tokens[0] != ")":
            if plus and tokens.pop(0) != "+":
                raise NotationError("a sum puts + between all its parts")
            dims.append(_dim(tokens))
        if not tokens:
            raise NotationError("a bracket is not closed")
        tokens.pop(0)
        return Parts(tuple(dims)) if plus else Factors(tuple(dims))
    if token == "_":
        return Pinned()
    if token in ("...", "*", "*!"):
        return Rest(token)
    if token.isdigit():
        return Size(int(token))
    if token.endswith("]"):
        name, _, by = token.rstrip("]").partition("[")
        return Picked(name, by)
    if token[0].isalpha():
        return Name(token.rstrip("!^~_"), token[-1] if token[-1] in "!^~_" else "")
    raise NotationError(f"{token!r} does not start a dimension")
