"""What is sized at run time is pinned, whatever number stood for its symbol; what is not stays free."""

from __future__ import annotations

import pytest

from graphprune.errors import Usage
from graphprune.model import from_proto
from graphprune.solution import Solution
from graphprune.solve import solve
from graphprune.symbols.facts import facts
from graphprune.symbols.given import Given
from tests.networks.fill import fill

HEAD = """g (float[b, s, 16] x) => (float[b, n, 8] y)
<float[40, 16] table, float[16, 24] up, float[24, 8] down, int64 i0 = {0}, int64 i1 = {1}, int64 i2 = {2},
 int64[1] v0 = {0}, int64[1] v1 = {1}, int64[1] v2 = {2}, int64[1] v40 = {40}, float one = {1},
 int64[2] far = {0, 1000}, int64[1] v10 = {10}>
{
    shape = Shape (x)
    s0 = Gather <axis = 0> (shape, i1)
    s1 = Gather <axis = 0> (shape, v1)
"""
TAIL = """
    sum = Add (x, rows)
    h = MatMul (sum, up)
    a = Relu (h)
    y = MatMul (a, down)
}"""
WINDOWS = {
    "Slice": "rows = Slice (table, v0, s1, v0)",
    "Slice from a place": "e = Add (s1, v2) rows = Slice (table, v2, e, v0)",
    "Gather of a Range": "at = Range (i0, s0, i1) rows = Gather (table, at)",
    "GatherND": "at = Range (i0, s0, i1) ix = Unsqueeze (at, v1) rows = GatherND (table, ix)",
    "Slice of positions": """all = Range (i0, forty, i1) at = Slice (all, v0, s1, v0)
        rows = Gather (table, at)""",
    "Pad": "by = Sub (s1, v40) all = Concat <axis = 0> (v0, v0, by, v0) rows = Pad (table, all)",
    "Split": """rest = Sub (v40, s1) parts = Concat <axis = 0> (s1, rest)
        rows, other = Split <axis = 0> (table, parts)""",
    "an index modulo two": "m = Mod (s0, i2) rows = Gather (table, m)",
    "at most 10": """m = Min (s1, v10) some = Slice (table, v0, m, v0)
        rows = ReduceMax <keepdims = 1> (some, v0)""",
}


def solved(window: str, given: Given | None = None) -> Solution:
    text = HEAD.replace("float one", "int64 forty = {40}, float one") + window + TAIL
    return solve(from_proto(fill(text)).graph, given=given)


def rows_of(solution: Solution) -> list[str]:
    """Why each group that the rows of the table belong to is pinned; '' where it is free."""
    return [
        group.reason
        for group in solution.groups
        if any(place.tensor.name == "table" and place.dim == 0 for place in group.places)
    ]


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
def test_a_table_cut_to_a_length_of_run_time_keeps_all_its_rows(window: str) -> None:
    reasons = rows_of(solved(window))
    assert reasons
    assert all("sized at run time (by s)" in reason for reason in reasons), reasons


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
def test_a_length_that_is_given_for_a_run_frees_no_row(window: str) -> None:
    assert all(rows_of(solved(window, Given(symbols={"s": 8}))))


def test_hidden_units_around_a_window_stay_free() -> None:
    assert any(group.prunable and group.size == 24 for group in solved(WINDOWS["Slice"]).groups)


def test_an_axis_beside_one_that_is_cut_at_run_time_is_cut_by_its_own_bounds() -> None:
    solution = solve(
        from_proto(
            fill(
                """g (float[b, s] x) => (float[b, s, 8] y)
            <float[40, 32] table, float[8, 8] w, int64[1] v1 = {1}, int64[1] v8 = {8},
             int64[2] zeros = {0, 0}, int64[2] axes = {0, 1}>
            {
                shape = Shape (x)
                s1 = Gather <axis = 0> (shape, v1)
                ends = Concat <axis = 0> (s1, v8)
                rows = Slice (table, zeros, ends, axes)
                t = Unsqueeze (x, ax)
                u = Add (t, rows)
                y = MatMul (u, w)
            }""".replace("(x, ax)", "(x, two)").replace("int64[1] v1", "int64[1] two = {2}, int64[1] v1")
            )
        ).graph
    )
    columns = [
        (group.size, group.prunable)
        for group in solution.groups
        for place in group.places
        if place.tensor.name == "table" and place.dim == 1
    ]
    assert sorted(columns) == [(8, True), (24, True)]


def test_a_size_that_cannot_be_is_refused_where_it_was_given() -> None:
    graph = from_proto(
        fill("""g (float[n, 1, t] x) => (float[n, 4, u] y) <float[16, 1, 400] k, float[4, 16, 1] w>
        { c = Conv <strides = [160]> (x, k) r = Relu (c) y = Conv (r, w) }""")
    ).graph
    assert min(solve(graph).shapes.sizes["y"]) > 0
    with pytest.raises(Usage, match="is -2 at these sizes"):
        solve(graph, given=Given(symbols={"t": 67}))
    with pytest.raises(Usage, match="is 0 at these sizes"):
        solve(graph, given=Given(symbols={"t": 300}))
    assert solve(graph, given=Given(symbols={"t": 400})).shapes.sizes["x"][1] == 1


def test_a_contradiction_is_refused_with_both_sides() -> None:
    graph = from_proto(fill("g (float[n, s] a, float[n, t] c) => (float[n, s] y) { y = Add (a, c) }")).graph
    with pytest.raises(Usage, match=r"Add 'y' and --shape s=4; --shape t=5 contradict"):
        solve(graph, given=Given(symbols={"s": 4, "t": 5}))


def test_a_model_without_any_name_or_rank_has_facts() -> None:
    found = facts(from_proto(fill("g (float[?, ?] x, float z) => (float[?, ?] y) { y = Add (x, z) }")).graph)
    assert found.free == ("x.0", "x.1")
    assert found.sizes({"x.0": 3, "x.1": 5}) == {"x": (3, 5), "z": (), "y": (3, 5)}


def test_both_branches_of_an_if_must_agree_on_a_size() -> None:
    found = facts(
        from_proto(
            fill("""g (float[n, 4] x, bool c) => (float[m, 4] y, float[k, 4] z) <int64[1] v0 = {0}> {
            y, z = If (c) <
                then_branch = g1 () => (float[p, 4] ty, float[q, 4] tz) { ty = Relu (x) tz = Relu (x) },
                else_branch = g2 () => (float[r, 4] ey, float[t, 4] ez) {
                    ey = Neg (x) ez = Concat <axis = 0> (x, x) }> }""")
        ).graph
    )
    assert [str(size) for size in found.shapes["y"]] == ["n", "4"]
    assert found.shapes["z"][0].symbols <= found.data
