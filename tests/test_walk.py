"""A model run bit by bit computes what it computes at once, and holds no more than is still asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
import pytest
from numpy.typing import NDArray

from graphprune.duplicate import duplicate
from graphprune.errors import Refused
from graphprune.feeds import Feeds
from graphprune.fitting.linear import linears, matrix
from graphprune.fitting.linear_write import put
from graphprune.fitting.walk import Walk
from graphprune.fold import fold
from graphprune.model import Model, from_proto
from graphprune.runtime import run, session
from tests.networks.fill import fill

BRANCHES = """
g (float[N, 3, 8, 8] x, bool[1] choice) => (float[N, M, 8, 8] y, float[N, 4, 8, 8] z)
<float[4, 3, 3, 3] w0, float[4, 4, 3, 3] w1, float[4] b1, float[4, 4, 1, 1] inner, float[4, 1, 1] shift,
 int64[3] parts = {1, 2, 1}>
{
  a = Conv <pads = [1, 1, 1, 1]> (x, w0)
  r = Relu (a)
  c = Conv <pads = [1, 1, 1, 1]> (r, w1, b1)
  s = Add (c, r)
  p0, p1, p2 = Split <axis = 1> (s, parts)
  n = Neg (p1)
  k = Concat <axis = 1> (p2, n, a)
  z = If (choice) <
    then_branch = yes () => (float[N, 4, 8, 8] yes_z) {
      yes_m = Conv (r, inner)
      yes_z = Add (yes_m, shift)
    },
    else_branch = no () => (float[N, 4, 8, 8] no_z) { no_z = Sub (s, shift) }
  >
  q = Exp (p0)
  y = Concat <axis = 1> (k, q)
}"""
NAMES = ["a", "r", "c", "s", "p0", "p1", "p2", "n", "k", "z", "q", "y"]
ORDERS = {
    "one-by-one": [[name] for name in NAMES],
    "all-at-once": [NAMES],
    "the-end-alone": [["y", "z"]],
    "backwards": [["z"], ["y"]],
    "a-branch-first": [["k"], ["z"], ["y", "q"]],
}


def model_of(text: str) -> Model:
    return fold(from_proto(fill(text)))


def batches(*sizes: int) -> list[Feeds]:
    rng = np.random.default_rng(0)
    return [
        {"x": rng.standard_normal((size, 3, 8, 8)).astype(np.float32), "choice": np.array([i % 2 == 0])}
        for i, size in enumerate(sizes)
    ]


def at_once(model: Model, names: list[str], feeds: Feeds) -> dict[str, NDArray[Any]]:
    graph = duplicate(model.graph)
    graph.outputs = [gs.Variable(name) for name in names]
    with session(Model(graph, model.source)) as opened:
        return dict(zip(names, run(opened, feeds), strict=True))


def same(found: NDArray[Any], expected: NDArray[Any]) -> None:
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found.astype(float), expected.astype(float), rtol=1e-5, atol=1e-6)


def files(walk: Walk) -> int:
    return len(list(Path(walk._spool._folder.name).iterdir()))


@pytest.mark.parametrize("memory", [0, 5000, 1 << 30], ids=["on-disk", "some-on-disk", "in-memory"])
@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_bit_by_bit_is_as_at_once(order: list[list[str]], memory: int) -> None:
    model = model_of(BRANCHES)
    data = batches(2, 1, 3)
    expected = [at_once(model, NAMES, feeds) for feeds in data]
    with Walk(model, iter(data), memory) as walk:
        assert walk.count == 3
        for names in order:
            walk.reach(names)
            for name in names:
                for batch in range(3):
                    same(walk.value(name, batch), expected[batch][name])
        for name in (name for names in order for name in names):
            same(walk.value(name, 2), expected[2][name])


def test_what_nobody_will_read_is_dropped() -> None:
    data = batches(1, 2)
    with Walk(model_of(BRANCHES), data, memory=0) as walk:
        assert files(walk) == 4, "two inputs, two batches"
        walk.reach(["a"])
        assert sorted(walk._held) == ["a", "choice"], "nothing but a reads x"
        walk.drop(["a"])
        assert sorted(walk._held) == ["a", "choice"], "Relu and Concat will read a"
        walk.reach(["s"])
        assert sorted(walk._held) == ["a", "choice", "r", "s"], "the If reads r and s"
        walk.drop(["s"])
        assert files(walk) == 8
        walk.reach(["z"])
        assert sorted(walk._held) == ["a", "s", "z"]
        walk.drop(["z"])
        assert files(walk) == 4
        walk.reach(["y"])
        walk.drop(["y"])
        assert (walk._held, files(walk)) == ({}, 0)
        folder = Path(walk._spool._folder.name)
    assert not folder.exists()


def test_memory_that_is_free_again_is_used() -> None:
    data = batches(1)
    with Walk(model_of(BRANCHES), data, memory=1 + 3 * 4 * 64 * 4) as walk:
        walk.reach(["a"])
        walk.reach(["r"])
        walk.reach(["c"])
        assert files(walk) == 0, "c lies where x was"


def test_what_is_wanted_stays() -> None:
    with Walk(model_of(BRANCHES), batches(1)) as walk:
        walk.want(["n", "y"])
        walk.reach(["y"])
        assert sorted(walk._held) == ["choice", "n", "r", "s", "y"]
        same(walk.value("n", 0), -at_once(walk.model, ["p1"], batches(1)[0])["p1"])


def test_a_tensor_that_is_needed_twice_is_computed_once() -> None:
    ran: list[tuple[int, int]] = []
    with Walk(model_of(BRANCHES), batches(1), tell=lambda *at: ran.append(at)) as walk:
        for name in ("r", "c", "r", "k", "z", "y"):
            walk.reach([name])
    assert ran == [(2, 10), (3, 10), (3, 10), (7, 10), (8, 10), (10, 10)]


def test_an_input_may_be_asked_for() -> None:
    data = batches(1, 2)
    with Walk(model_of(BRANCHES), data, memory=0) as walk:
        walk.reach(["x", "r"])
        assert np.array_equal(walk.value("x", 1), data[1]["x"])
        walk.drop(["x"])
        with pytest.raises(KeyError, match="'x'"):
            walk.reach(["x"])


@pytest.mark.parametrize("name", ["p1", "w0", "nothing", "yes_m"])
def test_what_is_not_there_is_an_error(name: str) -> None:
    with Walk(model_of(BRANCHES), batches(1)) as walk:
        walk.reach(["y"])
        for _ in range(2):
            with pytest.raises(KeyError, match=f"'{name}'"):
                walk.reach([name])


def test_weights_that_change_before_their_node_runs_count() -> None:
    model = model_of(BRANCHES)
    data = batches(2, 1)
    with Walk(model, data) as walk:
        old = at_once(model, ["a", "y"], data[0])
        walk.reach(["a"])
        for number, it in list(linears(model.graph)):
            w, b = matrix(it)
            put(model.graph, it, 2 * w, b + 1)
            assert number in (0, 2)
        new = at_once(model, ["a", "y"], data[0])
        walk.reach(["y"])
        same(walk.value("a", 0), old["a"])
        assert not np.allclose(walk.value("y", 0), old["y"])
        assert not np.allclose(walk.value("y", 0), new["y"]), "a came from the old weights"
        changed = old["a"]
        expected = at_once(cut_off(model), ["y"], {**data[0], "a": changed})
        same(walk.value("y", 0), expected["y"])


def cut_off(model: Model) -> Model:
    """The model from `a` on."""
    graph = duplicate(model.graph)
    del graph.nodes[0]
    graph.inputs = [gs.Variable("a", np.dtype(np.float32)), graph.inputs[1], graph.inputs[0]]
    return Model(graph, model.source)


def test_nodes_that_are_put_in_run() -> None:
    text = """g (float[2, 4] x) => (float[2, 4] y) <float[4, 4] w, float[4, 4] v>
    { m = MatMul (x, w) r = Relu (m) n = MatMul (r, v) y = Neg (n) }"""
    model = model_of(text)
    feeds = {"x": np.random.default_rng(1).standard_normal((2, 4)).astype(np.float32)}
    with Walk(model, [feeds]) as walk:
        for _, it in list(linears(model.graph)):
            walk.reach([it.source])
            w, b = matrix(it)
            new = put(model.graph, it, w, b + 1)
            walk.reach([new.target])
            walk.drop([it.source])
            same(walk.value(new.target, 0), at_once(model, [new.target], feeds)[new.target])
        walk.reach(["y"])
        same(walk.value("y", 0), at_once(model, ["y"], feeds)["y"])
        assert sorted(walk._held) == ["m", "n", "y"]


def test_inputs_with_defaults_need_no_values() -> None:
    text = """<ir_version: 10, opset_import: ["": 18]>
    g (float[2, 4] x, float[4] b = {1, 2, 3, 4}) => (float[2, 4] y) { a = Neg (x) y = Add (a, b) }"""
    model = model_of(text)
    x = np.ones((2, 4), np.float32)
    with Walk(model, [{"x": x}]) as walk:
        walk.reach(["a"])
        walk.reach(["y"])
        assert walk.value("y", 0).tolist() == [[0, 1, 2, 3]] * 2
    with pytest.raises(Refused, match="'b' has a default"):
        Walk(model, [{"x": x, "b": np.zeros(4, np.float32)}])


def test_models_of_the_first_versions_run() -> None:
    text = """<ir_version: 3, opset_import: ["": 8]>
    g (float[2, 4] x, float[4] b = {1, 2, 3, 4}) => (float[2, 4] y) { a = Neg (x) y = Add (a, b) }"""
    with Walk(model_of(text), [{"x": np.ones((2, 4), np.float32)}]) as walk:
        walk.reach(["a"])
        walk.reach(["y"])
        assert walk.value("y", 0).tolist() == [[0, 1, 2, 3]] * 2


def test_names_may_be_anything() -> None:
    model = model_of("g (float[2, 4] x) => (float[2, 4] y) { a = Neg (x) b = Abs (a) y = Exp (b) }")
    names = ["/a:0", "ü/../b ", "y"]
    for node, name in zip(model.graph.nodes, names, strict=True):
        node.outputs[0].name = name
    with Walk(model, [{"x": np.ones((2, 4), np.float32)}], memory=0) as walk:
        for name in names:
            walk.reach([name])
        assert [walk.value(name, 0).flat[0] for name in names] == [-1, 1, np.float32(np.e)]


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "double", "int64", "bool", "string"])
def test_tensors_of_every_type_are_kept(kind: str) -> None:
    zeros = '"a"' if kind == "string" else "0"
    text = f"""<ir_version: 10, opset_import: ["": 21]> g ({kind}[2, 1] x) => ({kind}[4, 1] y)
    <{kind}[1, 1] c = {{{zeros}}}> {{ a = Concat <axis = 0> (x, c) y = Concat <axis = 0> (a, c) }}"""
    model = model_of(text)
    dtype = model.graph.inputs[0].dtype
    x = np.array([["u"], ["v"]], object) if kind == "string" else np.array([[0], [1]]).astype(dtype)
    with Walk(model, [{"x": x}], memory=0) as walk:
        walk.reach(["a"])
        walk.reach(["y"])
        for name, size in (("a", 3), ("y", 4)):
            assert walk.value(name, 0).dtype == x.dtype
            assert walk.value(name, 0).shape == (size, 1)
            assert walk.value(name, 0)[:2].tolist() == x.tolist()


SEQUENCE = """g (float[N, 2] x, int64 one) => (float[1, 2] y, float[N, 2] z, float[N, 2] e)
{
  n = Neg (x)
  parts = SplitToSequence <axis = 0> (n)
  same = Identity (parts)
  e = Abs (n)
  y = SequenceAt (same, one)
  z = ConcatFromSequence <axis = 0> (parts)
}"""


def test_sequences_are_made_again_where_they_are_read() -> None:
    x = np.arange(8, dtype=np.float32).reshape(4, 2)
    done: list[int] = []
    feeds = {"x": x, "one": np.array(1)}
    with Walk(model_of(SEQUENCE), [feeds], tell=lambda ran, _: done.append(ran)) as walk:
        for name in ("n", "y", "e", "z"):
            walk.reach([name])
        assert np.array_equal(walk.value("y", 0), -x[1:2])
        assert np.array_equal(walk.value("z", 0), -x)
        assert done[0] == 1
    with Walk(model_of(SEQUENCE), [feeds]) as walk:
        walk.reach(["y"])
        walk.reach(["z"])
        assert np.array_equal(walk.value("z", 0), -x), "n was kept for the second time"
        with pytest.raises(Refused, match="'parts' is no tensor"):
            walk.reach(["parts"])
        walk.reach(["e"])
        assert np.array_equal(walk.value("e", 0), x)


def test_inputs_that_do_not_fit_are_refused() -> None:
    wrong = {"x": np.zeros((1, 2, 8, 8), np.float32), "choice": np.array([True])}
    with Walk(model_of(BRANCHES), [wrong]) as walk, pytest.raises(Refused, match="cannot be run"):
        walk.reach(["a"])
