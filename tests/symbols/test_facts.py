"""Sizes in terms of symbols: what a graph says of its inputs, and what the numbers then are."""

from __future__ import annotations

import pytest

from graphprune.model import from_proto
from graphprune.symbols import walk
from graphprune.symbols.facts import Facts, facts
from graphprune.symbols.given import Given
from tests.networks.fill import fill


def told(text: str, given: Given | None = None, **names: str) -> Facts:
    """The facts of a graph; `names` rename dimensions to what the text of a graph cannot spell."""
    proto = fill(text)
    for value in (*proto.graph.input, *proto.graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in names:
                dim.dim_param = names[dim.dim_param]
    return facts(from_proto(proto).graph, given)


def shown(found: Facts, name: str) -> str:
    return " x ".join(map(str, found.shapes[name]))


CACHE = """
g (float[b, 2, s, 8] q, float[b, 2, p, 8] past, float[b, 1, s, t] mask) => (float[b, 2, s, t] y)
{
    all = Concat <axis = 2> (past, q)
    turned = Transpose <perm = [0, 1, 3, 2]> (all)
    scores = MatMul (q, turned)
    y = Add (scores, mask)
}
"""


def test_a_mask_is_as_long_as_what_it_is_added_to() -> None:
    found = told(CACHE)
    assert found.free == ("b", "s", "p")
    assert {name: str(size) for name, size in found.solved.items()} == {"t": "p + s"}
    assert found.sizes({"b": 1, "s": 1, "p": 7})["mask"] == (1, 1, 1, 8)
    assert not found.pending
    assert not found.conflicts


def test_a_sum_in_the_name_of_a_dimension_is_a_sum() -> None:
    found = told("g (float[b, t] x, float[b, p] c) => (float[b, t] y) { y = Relu (x) }", t="p + s")
    assert found.free == ("b", "p", "s")
    assert shown(found, "y") == "b x p + s"


POSITIONS = """
g (int64[b, s] ids) => (float[b, s, 16] y)
<float[100, 16] word, float[512, 16] table, int64[1, 512] places = {PLACES},
 int64[1] zero = {0}, int64[1] one = {1}>
{
    shape = Shape (ids)
    length = Gather <axis = 0> (shape, one)
    here = Slice (places, zero, length, one)
    position = Gather (table, here)
    words = Gather (word, ids)
    y = Add (words, position)
}
""".replace("PLACES", ", ".join(map(str, range(512))))


def test_a_table_read_as_far_as_the_sequence_goes_is_a_boundary() -> None:
    found = told(POSITIONS)
    assert [(str(bound.low), str(bound.high), bound.tensor) for bound in found.atmost] == [
        ("s", "512", "places")
    ]
    assert shown(found, "position") == "1 x s x 16"
    assert "here" not in found.values


RANGE = """
g (int64[b, s] ids, float[b, p, 16] past) => (float[s, 16] y)
<float[64, 16] table, int64 zero = {0}, int64 one = {1}, int64[1] first = {1}>
{
    shape = Shape (ids)
    new = Gather <axis = 0> (shape, one)
    other = Shape (past)
    old = Gather <axis = 0> (other, one)
    total = Add (old, new)
    places = Range (old, total, one)
    y = Gather (table, places)
}
"""


def test_positions_made_by_a_range_bound_the_table_that_they_index() -> None:
    found = told(RANGE)
    assert [(str(bound.low), str(bound.high)) for bound in found.atmost] == [("p + s", "64")]
    assert shown(found, "y") == "s x 16"
    assert str(found.tops["places"]) == "p + s - 1"


@pytest.mark.parametrize(
    ("given", "fixed"),
    [
        (Given(symbols={"p": 7}), {"p": "7", "t": "s + 7"}),
        (Given(symbols={"p": 0}), {"p": "0", "t": "s"}),
        (Given(shapes={"pas*": (2, 2, 0, 8)}), {"b": "2", "p": "0", "t": "s"}),
    ],
    ids=["a symbol", "an empty cache", "shapes by a pattern"],
)
def test_what_a_user_gives_is_a_fact(given: Given, fixed: dict[str, str]) -> None:
    assert {name: str(size) for name, size in told(CACHE, given).solved.items()} == fixed


def test_a_contradiction_names_both_sides() -> None:
    found = told(CACHE, Given(symbols={"p": 7, "s": 1, "t": 9}))
    (conflict,) = found.conflicts
    assert {str(conflict.left), str(conflict.right)} == {"8", "9"}
    assert "Add" in conflict.here
    assert "--shape t=9" in conflict.there


def test_batch_with_a_hyphen_is_one_name() -> None:
    alone = told("g (float[b, s] x) => (float[b, s] y) { y = Relu (x) }", b="batch-size")
    assert alone.free == ("batch-size", "s")
    both = told("g (float[n, s] x, float[t, p] z) => (float[n, s] y) { y = Relu (x) }", n="t-p")
    assert str(both.inputs["x"][0]) == "-p + t"


def test_data_dependent_sizes_say_nothing_of_inputs() -> None:
    found = told(
        "g (float[n, 4] x) => (float[m, 4] y) { at = NonZero (x) w = Transpose (at) y = Cast <to = 1> (w) }"
    )
    assert found.free == ("n",)
    assert len(found.data) == 1
    assert found.shapes["at"][1].symbols <= found.data


def test_bodies_ask_their_surroundings_once_what_neighbours_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(walk, "untold", lambda graph, known: asked.append(graph) or {})
    branch = "then_branch = t{0} () => (float[k] a{0}) {{ a{0} = acme.Odd (x) }}"
    other = "else_branch = e{0} () => (float[k] b{0}) {{ b{0} = acme.Odd (x) }}"
    nodes = [f"y{i} = If (c) <{branch.format(i)}, {other.format(i)}>" for i in range(4)]
    told(
        '<ir_version: 10, opset_import: ["" : 18, "acme" : 1]>\n'
        f"g (float[n] x, bool c) => (float[m] y3) {{ {' '.join(nodes)} }}"
    )
    assert len(asked) == 1
