"""What inputs are for."""

from __future__ import annotations

import pytest

from graphprune.feeds.flow import reaches
from graphprune.feeds.roles import Role, roles
from tests.feeds.known import graph_of, known


def _roles(inputs: str, body: str, shapes: dict[str, str], **more: object) -> dict[str, Role]:
    text = f"""
        <ir_version: 8, opset_import: ["": 17]>
        net ({inputs}) => (float[n, 8] y)
        <float[50, 8] table, float[7, 8] short, int64 two, int64 five, float[1] half> {{ {body} }}
    """
    graph = graph_of(text)
    found = {"table": "50,8", "short": "7,8", **shapes}
    return roles(graph, known(graph, found, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        ("y = Gather (table, x)", 50),
        ("i = Cast <to=7> (x) y = Gather (table, i)", 50),
        ("i = Identity (x) a = Gather (table, i) b = Gather (short, x) y = Add (a, b)", 7),
    ],
)
def test_ids_stay_below_the_rows_of_every_table_that_they_index(body: str, limit: int) -> None:
    role = _roles("int64[n] x", body, {"x": "n", "y": "n,8"})["x"]
    assert role.kind == "ids"
    assert role.limit is not None
    assert role.limit.as_int() == limit


def test_what_is_added_to_ids_is_taken_from_the_rows() -> None:
    graph = graph_of("""
        <ir_version: 8, opset_import: ["": 17]>
        net (int64[n] x) => (float[n, 8] y)
        <float[50, 8] table, int64 two = {2}> { i = Add (x, two) y = Gather (table, i) }
    """)
    limit = roles(graph, known(graph, {"x": "n", "table": "50,8"}))["x"].limit
    assert limit is not None
    assert limit.as_int() == 48


def test_a_mask_is_what_is_summed_or_compared_first() -> None:
    body = "c = CumSum (x, two) i = Sub (c, five) y = Gather (table, i)"
    assert _roles("int64[b, n] x", body, {"x": "b,n"})["x"].kind == "mask"


def test_a_float_mask_that_is_added_hides_with_a_large_negative_number() -> None:
    body = "a = Add (h, attn_mask) y = Softmax (a)"
    found = _roles("float[n, 8] h, float[n, 8] attn_mask", body, {"h": "n,8", "attn_mask": "n,8"})
    assert found["attn_mask"].kind == "bias"
    assert found["h"].kind == "float"


def test_a_cache_is_an_input_that_an_output_holds_with_steps_more() -> None:
    graph = graph_of("""
        <ir_version: 8, opset_import: ["": 17]>
        net (float[b, 2, p, 4] past, float[b, 2, s, 4] new) => (float[b, 2, t, 4] present)
        { present = Concat <axis=2> (past, new) }
    """)
    found = roles(graph, known(graph, {"past": "b,2,p,4", "new": "b,2,s,4", "present": "b,2,p+s,4"}))
    assert found["past"].past == 2


_IF = """
<ir_version: 8, opset_import: ["": 17]>
net (float[n] x, int64 rate) => (float[n] y)
<int64 high = {16000}>
{
  c = Equal (rate, high)
  y = If (c) <
    then_branch = one () => (float[n] a) { a = Abs (x) },
    else_branch = two () => (float[n] b) { b = Neg (x) }>
}
"""


def test_a_branch_has_the_constants_that_its_input_is_compared_with_as_candidates() -> None:
    graph = graph_of(_IF)
    role = roles(graph, known(graph, {"x": "n", "rate": "", "y": "n"}))["rate"]
    assert role.kind == "branch"
    assert set(role.candidates) >= {16000, 16001}


def test_values_reach_outputs_through_the_bodies_that_read_them() -> None:
    assert reaches(graph_of(_IF))["x"].changed == {"y"}


def test_an_input_of_which_only_the_size_is_read_changes_nothing() -> None:
    graph = graph_of("""
        <ir_version: 8, opset_import: ["": 17]>
        net (float[n] x, float[m] size) => (float[k] y)
        { s = Shape (size) y = Expand (x, s) }
    """)
    found = reaches(graph)
    assert not found["size"].changed
    assert not found["size"].copied
    assert found["x"].copied == {"y"}
