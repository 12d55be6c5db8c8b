"""Every pass with its options, as its class describes them."""

from __future__ import annotations

from collections.abc import Iterator

from graphprune.cli.tables import Renderable, table, text
from graphprune.errors import GraphpruneError
from graphprune.options import describe, options
from graphprune.registry import find, names


def tables() -> Iterator[Renderable]:
    """One paragraph a pass; a pass that cannot be imported is named with its fault."""
    for name in names():
        try:
            kind = find(name)
        except GraphpruneError as error:
            yield text(f"{name}: {error.what}\n")
            continue
        first = (kind.__doc__ or "").partition("\n")[0]
        yield text(f"{name}: {first}")
        rows = [(f"  {option.name}", option.help, describe(option.type)) for option in options(kind)]
        if rows:
            yield table(("  option", "what", "value"), rows)
        yield text("")
