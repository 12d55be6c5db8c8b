"""Steps of two engines stand side by side by the tensors that they make."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphprune.backends import LayerTime
from graphprune.model import from_proto, load
from graphprune.profiling.layers import Row, align, listed, slower
from graphprune.profiling.paired import Rounds
from graphprune.profiling.profile import Request, prepare, run
from graphprune.profiling.result import Timed
from graphprune.profiling.widths import Width, width_of
from tests.profiling.texts import CNN, CNN_WEIGHTS, proto

Step = tuple[str, str, float]
"""What it makes (names separated by spaces), its kind, and its microseconds."""


def engine(*steps: Step, rounds: tuple[float, ...] = (1.0, 1.01, 0.99)) -> Timed:
    """An engine whose steps take so long, times each of `rounds`."""
    layers = tuple(
        LayerTime(f"{number}", op, tuple(outputs.split()), 1e-6 * micro)
        for number, (outputs, op, micro) in enumerate(steps)
    )
    times = tuple(tuple(step.seconds * each for each in rounds) for step in layers)
    return Timed("m", "", 0, ((1.0,),), layers=layers, layer_rounds=times)


def rows(found: tuple[Row, ...]) -> dict[str, tuple[float | None, float | None]]:
    return {
        " ".join(row.outputs) or row.ops[0] or row.ops[1]: (_micro(row.before), _micro(row.after))
        for row in found
    }


def _micro(seconds: float | None) -> float | None:
    return None if seconds is None else round(1e6 * seconds, 3)


GRAPH = from_proto(proto(CNN, CNN_WEIGHTS)).graph


def test_what_makes_the_same_tensor_is_one_row_and_the_largest_difference_first() -> None:
    before = engine(("b", "Conv", 100), ("d", "Conv", 50), ("y", "Gemm", 10))
    after = engine(("b", "Conv", 90), ("d", "Conv", 90), ("y", "Gemm", 10))
    found = align(before, after)
    assert list(rows(found).items()) == [("d", (50, 90)), ("b", (100, 90)), ("y", (10, 10))]
    assert all(row.matched for row in found)


def test_a_fused_step_stands_beside_the_steps_that_it_is_made_of() -> None:
    fused = engine(("b", "FusedConv", 100), ("y", "Gemm", 10))
    parts = engine(("a", "Conv", 80), ("b", "Relu", 30), ("y", "Gemm", 10))
    for graphs in ((GRAPH, GRAPH), (GRAPH, None), (None, GRAPH)):
        known = graphs[1] is not None and graphs[0] is not None
        found = rows(align(fused, parts, graphs))
        if known:
            assert found == {"b a": (100, 110), "y": (10, 10)}
        else:
            assert found == {"b": (100, 30), "a": (None, 80), "y": (10, 10)}
    assert rows(align(parts, fused, (GRAPH, GRAPH))) == {"a b": (110, 100), "y": (10, 10)}


def test_a_step_that_makes_several_tensors_stands_beside_all_that_make_them() -> None:
    both = engine(("b d", "Both", 100), ("y", "Gemm", 10))
    parts = engine(("b", "Conv", 40), ("d", "Conv", 50), ("y", "Gemm", 10))
    assert rows(align(both, parts)) == {"b d": (100, 90), "y": (10, 10)}


def test_what_only_one_engine_does_stands_alone() -> None:
    before = engine(("b", "Conv", 100), ("y", "Gemm", 10))
    after = engine(
        ("b", "Conv", 50), ("extra", "Pad", 20), ("y", "Gemm", 10), ("", "Reorder", 3), ("", "Reorder", 4)
    )
    found = align(before, after, (GRAPH, GRAPH))
    assert rows(found) == {"b": (100, 50), "extra": (None, 20), "2 × Reorder": (None, 7), "y": (10, 10)}
    assert [row.matched for row in found] == [True, False, False, True]


def test_a_layer_that_is_gone_is_not_charged_to_what_comes_after_it() -> None:
    shorter = proto("m (float[n, 3, 16, 16] x) => (float[n, 16, 16, 16] b) { b = Relu (x) }")
    before = engine(("a", "Conv", 100), ("b", "Relu", 10))
    found = align(before, engine(("b", "Relu", 10)), (GRAPH, from_proto(shorter).graph))
    assert rows(found) == {"a": (100, None), "b": (10, 10)}


@pytest.mark.parametrize(
    ("before", "after", "noise", "expected"),
    [
        pytest.param(100, 150, (1.0, 1.01, 0.99), True, id="slower in every round"),
        pytest.param(100, 101, (1.0, 1.0, 1.0), False, id="within the margin"),
        pytest.param(100, 150, (1.0, 0.6, 1.4), False, id="not in every round"),
        pytest.param(1.0, 2.9, (1.0, 1.0, 1.0), False, id="less than the clock counts"),
        pytest.param(150, 100, (1.0, 1.01, 0.99), False, id="faster"),
    ],
)
def test_a_step_is_slower_where_it_is_so_beyond_noise(
    before: float, after: float, noise: tuple[float, ...], expected: bool
) -> None:
    found = align(
        engine(("y", "Gemm", before), rounds=(1.0, 1.0, 1.0)), engine(("y", "Gemm", after), rounds=noise)
    )
    assert [row.slower for row in found] == [expected]
    assert len(slower(found)) == expected


def test_without_rounds_nothing_is_called_slower() -> None:
    assert not slower(align(engine(("y", "Gemm", 10), rounds=()), engine(("y", "Gemm", 99), rounds=())))


def test_channels_that_devices_do_not_like_are_noted_where_they_are_new() -> None:
    text = CNN.replace("group = 16", "group = 11")
    narrow = from_proto(proto(text, {"k": (11, 3, 3, 3), "g": (11, 1, 3, 3), "h": (4, 11)})).graph
    steps = engine(("b", "Conv", 10), ("d", "Conv", 10), ("y", "Gemm", 10))
    found = {row.outputs[-1]: row for row in align(steps, steps, (GRAPH, narrow))}
    assert found["b"].widths == (Width(3, 16, 4), Width(3, 11, 4))
    assert found["b"].note == "11 out: no multiple of 8"
    assert found["d"].note == "11 in and out: no multiple of 8"
    assert str(found["d"].widths[1]) == "11 depthwise"
    assert found["y"].note == "11 in: no multiple of 8"
    assert all(row.note == "" for row in align(steps, steps, (GRAPH, GRAPH)))


def mapped(inputs: str, outputs: str, nodes: str) -> str:
    """A model from x to y."""
    return f"m (float[{inputs}] x) => (float[{outputs}] y) {{ {nodes} }}"


WEIGHTS = {
    "Conv": (mapped("n,8,4,4", "n,6,4,4", "y = Conv <group = 2> (x, w)"), (6, 4, 1, 1)),
    "ConvTranspose": (mapped("n,8,4,4", "n,6,4,4", "y = ConvTranspose <group = 2> (x, w)"), (8, 3, 1, 1)),
    "MatMul": (mapped("n,8", "n,6", "y = MatMul (x, w)"), (8, 6)),
    "stacked MatMul": (mapped("5,n,8", "5,n,6", "y = MatMul (x, w)"), (5, 8, 6)),
    "Gemm": (mapped("n,8", "n,6", "y = Gemm (x, w)"), (8, 6)),
    "Gemm, transposed": (mapped("n,8", "n,6", "y = Gemm <transB = 1> (x, w)"), (6, 8)),
    "fused": (mapped("n,8", "n,6", "a = MatMul (x, w) b = Relu (a) y = Neg (b)"), (8, 6)),
    "cast": (mapped("n,8", "n,6", "c = Cast <to = 1> (w) y = MatMul (x, c)"), (8, 6)),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_the_width_of_a_step_is_that_of_its_weight(case: str) -> None:
    text, shape = WEIGHTS[case]
    found = width_of(from_proto(proto(text, {"w": shape})).graph.tensors(), ["y"], {"y"})
    assert found is not None
    assert (found.inputs, found.outputs, found.itemsize) == (8, 6, 4)


def test_quantised_weights_are_of_one_byte_and_like_32_channels() -> None:
    text = """
    m (float[n, 8] x) => (float[n, 6] y) <float s = {0.1}, int8 z = {0}> {
      d = DequantizeLinear (w, s, z)
      y = MatMul (x, d)
    }"""
    found = width_of(from_proto(proto(text, {"w": (8, 6)}, "int8")).graph.tensors(), ["y"], {"y"})
    assert found == Width(8, 6, 1)
    assert found.misaligned() == "8 in and 6 out: no multiple of 32"


def test_a_step_without_a_weight_has_no_width() -> None:
    tensors = GRAPH.tensors()
    assert width_of(tensors, ["p"], {"d", "p"}) is None
    assert width_of(tensors, ["unknown"], {"unknown"}) is None


def test_the_steps_of_one_engine_are_listed_the_longest_first() -> None:
    found = listed(engine(("b", "Conv", 10), ("y", "Gemm", 30), ("", "Reorder", 5)), GRAPH)
    assert list(rows(found).values()) == [(30, None), (10, None), (5, None)]
    assert found[1].widths[0] == Width(3, 16, 4)


def test_the_steps_of_onnx_runtime_match_before_and_after_pruning(tmp_path: Path) -> None:
    import graphprune
    from models import small

    small.main(str(tmp_path / "model.onnx"))
    graphprune.save(graphprune.prune(tmp_path / "model.onnx", ratio=0.3).result, tmp_path / "small.onnx")
    paths = (tmp_path / "model.onnx", tmp_path / "small.onnx")
    prepared = prepare(Request(paths, rounds=Rounds(0.0, 0.05, 6, 0.05), per_layer=True))
    one, other = run(prepared).batches[0].models
    found = align(one, other, (load(paths[0]).graph, load(paths[1]).graph))
    named = [row for row in found if row.outputs]
    assert len(named) > 20
    assert all(row.matched for row in named)
    assert next(row for row in named if "wide" in row.outputs).widths[0] == Width(64, 128, 4)
