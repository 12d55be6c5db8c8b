"""Recurrent operators: a hidden unit enters the sums of all hidden units at every step."""

from __future__ import annotations

from graphprune.rules.site import Row, Site, Table, attribute_from


def _recurrent(gates: int, states: int, peepholes: bool = False) -> Row:
    """Return the row of an operator with `gates` gates whose weights are stacked and `states` states."""

    def rule(site: Site) -> str:
        batch_first = bool(site.attribute("layout", 0))
        rows = f"({gates} h)" if gates > 1 else "h"
        state = "b _ h" if batch_first else "_ b h"
        operands = [
            "b _ i" if batch_first else "_ b i",
            f"_ {rows} i",
            f"_ {rows} h~",
            f"_ ({2 * gates} h)",
            "b",
            *[state] * states,
            *(["_ (3 h)"] if peepholes else []),
        ]
        return f"{', '.join(operands)} -> {'b _ _ h' if batch_first else '_ _ b h'}, {state}, {state}"

    return Row(rule, attribute_from(hidden_size="h"), why="it is a direction or a time step")


TABLE: Table = {
    "RNN": _recurrent(1, 1),
    "GRU": _recurrent(3, 1),
    "LSTM": _recurrent(4, 2, peepholes=True),
}
