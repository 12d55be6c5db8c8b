"""A sparse model has the pattern in its file, and is otherwise the model that it was."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from graphprune.errors import Environment, Refused, Usage
from graphprune.model import load, save
from graphprune.passes.sparsify import Sparsify
from graphprune.pruning import prune, run
from graphprune.sparsity.patterns import Pattern, holds
from graphprune.state import State
from tests.calibrated import checked, normal, relative, weights
from tests.networks.fill import fill

TEXT = """g (float[n, 4, 6, 6] x) => (float[n, 6] y)
    <float[16, 4, 3, 3] w0, float[16] b0, float[16, 16, 3, 3] w1, float[16] b1, float[16, 1, 3, 3] dw,
     float[8, 16, 2, 2] wt, float[16, 12] w2, float[12] b2, float[12, 6] w3, int64[2] flat = {0, -1}>
    { [first] a = Conv <pads = [1, 1, 1, 1]> (x, w0, b0) b = Relu (a)
      [second] c = Conv <pads = [1, 1, 1, 1]> (b, w1, b1) d = Relu (c)
      [deep] e = Conv <pads = [1, 1, 1, 1], group = 16> (d, dw)
      p = GlobalAveragePool (e) q = Flatten (p)
      [dense] h = Gemm (q, w2, b2) r = Relu (h) [last] y = MatMul (r, w3) }"""
TWO = Pattern(2, 4)
AXES = {"w0": 1, "w1": 1, "w2": 0, "w3": 0}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    proto = fill(TEXT.replace("     float[8, 16, 2, 2] wt,", "    "))
    onnx.save(proto, tmp_path / "model.onnx")
    mixed = normal(4, 4) @ normal(320, 4, 36, seed=1)
    np.savez(tmp_path / "data.npz", x=(mixed + 1).reshape(320, 4, 6, 6))
    return tmp_path


def after(folder: Path, options: str = "", data: bool = False) -> State:
    first = f"fold,group,calibrate{{data={folder / 'data.npz'} cache=false}}" if data else "fold,group"
    return run(folder / "model.onnx", f"{first},sparsify{{{options}}}")


def facts(state: State) -> Any:
    return state.facts["sparsify"]


def in_file(state: State, path: Path) -> dict[str, NDArray[Any]]:
    save(state.result, path)
    return weights(load(path))


@pytest.mark.parametrize("method", ["magnitude", "wanda", "sparsegpt"])
def test_the_pattern_holds_in_the_file_and_the_rest_is_as_it_was(folder: Path, method: str) -> None:
    state = after(folder, f"method={method}", data=method != "magnitude")
    before, written = weights(load(folder / "model.onnx")), in_file(state, folder / "out.onnx")
    assert before.keys() == written.keys()
    for name, values in written.items():
        assert (values.dtype, values.shape) == (before[name].dtype, before[name].shape)
        if name in AXES:
            assert holds(values, AXES[name], TWO), name
            assert not holds(before[name], AXES[name], TWO), name
        else:
            assert np.array_equal(values, before[name]), name
    made = [row["weight"] for row in facts(state)["layers"] if "kept" in row]
    assert sorted(made) == sorted(AXES)
    assert {row["method"] for row in facts(state)["layers"] if "method" in row} == {method}
    checked(state.result)


def test_sparsegpt_is_nearer_to_the_model_than_magnitude(folder: Path) -> None:
    by_data, by_size = after(folder, data=True), after(folder, "method=magnitude", data=True)
    assert facts(by_data)["method"] == "sparsegpt"
    assert facts(by_data)["output_error"] < 0.5 * facts(by_size)["output_error"]
    x = np.load(folder / "data.npz")["x"][:64]
    errors = [relative(load(folder / "model.onnx"), each.result, x=x) for each in (by_data, by_size)]
    assert errors[0] < 0.5 * errors[1]
    assert facts(by_data)["kept_magnitude"] < facts(by_size)["kept_magnitude"]


def test_a_pass_changes_neither_the_state_nor_the_model_before(folder: Path) -> None:
    state = run(folder / "model.onnx", "fold,group")
    done = Sparsify().run(state)
    assert state.refined is None
    assert done.refined is done.result is not None
    assert done.stages == (("sparsify", done.result),)
    before = weights(load(folder / "model.onnx"))
    assert all(np.array_equal(before[name], values) for name, values in weights(state.result).items())


def test_the_same_input_gives_the_same_weights(folder: Path) -> None:
    first, second = (weights(after(folder, data=True).result) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("pattern", ["1:4", "4:8", "1:2"])
def test_other_patterns_hold_too(folder: Path, pattern: str) -> None:
    keep, of = (int(part) for part in pattern.split(":"))
    state = after(folder, f"pattern={pattern}", data=True)
    written = weights(state.result)
    for row in facts(state)["layers"]:
        if row["eligible"]:
            assert holds(written[row["weight"]], row["axis"], Pattern(keep, of))
            assert row["zeros"] == pytest.approx(1 - keep / of)


@pytest.mark.parametrize("data", [False, True], ids=["magnitude", "sparsegpt"])
def test_without_a_pattern_each_weight_loses_the_share(folder: Path, data: bool) -> None:
    state = after(folder, "sparsity=0.6", data=data)
    assert len([row for row in facts(state)["layers"] if row["eligible"]]) == 5  # the depthwise one, too
    for row in facts(state)["layers"]:
        assert row["zeros"] == pytest.approx(0.6, abs=0.05)  # of nine taps five go


def test_a_global_scope_compares_all_weights(folder: Path) -> None:
    state = after(folder, "sparsity=0.5 scope=global")
    rows = facts(state)["layers"]
    sizes = [int(np.prod(row["shape"])) for row in rows]
    zeros = sum(row["zeros"] * size for row, size in zip(rows, sizes, strict=True))
    assert zeros == pytest.approx(0.5 * sum(sizes), abs=1)
    assert len({round(row["zeros"], 2) for row in rows}) > 1


def test_biases_move_only_where_this_is_asked_for(folder: Path) -> None:
    before = weights(load(folder / "model.onnx"))
    without = after(folder, "method=magnitude", data=True)
    with_biases = after(folder, "method=magnitude bias=true", data=True)
    assert np.array_equal(weights(without.result)["b1"], before["b1"])
    assert not np.array_equal(weights(with_biases.result)["b1"], before["b1"])
    assert facts(with_biases)["output_error"] < facts(without)["output_error"]


def test_a_weight_that_is_ignored_stays(folder: Path) -> None:
    state = after(folder, "ignore=w1,last")
    before, written = weights(load(folder / "model.onnx")), weights(state.result)
    changed = {name for name in before if not np.array_equal(before[name], written[name])}
    assert changed == {"w0", "w2"}
    assert [row["reason"] for row in facts(state)["layers"] if row["weight"] == "w1"] == ["it is ignored"]


def test_weights_behind_other_operators_go_by_magnitude(tmp_path: Path) -> None:
    text = """g (float[n, 8] x) => (float[n, 4] y) <float16[8, 8] u, float[8, 4] v>
        { t = Cast <to = 1> (u) a = MatMul (x, t) r = Relu (a) [last] y = MatMul (r, v) }"""
    onnx.save(fill(text), tmp_path / "model.onnx")
    np.savez(tmp_path / "data.npz", x=normal(64, 8))
    state = after(tmp_path, data=True)
    methods = {row["weight"]: row["method"] for row in facts(state)["layers"]}
    assert methods == {"u": "magnitude", "v": "sparsegpt"}
    written = weights(state.result)
    assert written["u"].dtype == np.float16
    assert holds(written["u"], 0, TWO)


@pytest.mark.parametrize("element", ["float16", "bfloat16"])
def test_weights_keep_their_type(tmp_path: Path, element: str) -> None:
    text = f"g ({element}[n, 8] x) => ({element}[n, 4] y) <{element}[8, 4] w> {{ [last] y = MatMul (x, w) }}"
    onnx.save(fill(text), tmp_path / "model.onnx")
    before, written = weights(load(tmp_path / "model.onnx")), weights(after(tmp_path).result)
    assert before["w"].dtype == written["w"].dtype
    assert holds(written["w"], 0, TWO)


def test_what_was_pruned_first_is_a_multiple_of_m_and_then_sparse(folder: Path) -> None:
    state = prune(load(folder / "model.onnx"), ratio=0.4, data=str(folder / "data.npz"), sparsify="2:4")
    assert state.verification is not None and state.verification.passed
    assert state.stages is not None and [name for name, _ in state.stages] == ["sparsify"]
    written = weights(state.result)
    for row in facts(state)["layers"]:
        if row["axis"] is not None and row["channels"] > 1:
            assert row["eligible"] and row["channels"] % 4 == 0, row
            assert holds(written[row["weight"]], row["axis"], TWO)
    assert written["w1"].shape[0] < 16


WRONG = {
    "no-pattern": ("pattern=4:2", Usage, "the pattern is '4:2'"),
    "both": ("pattern=2:4 sparsity=0.5", Usage, "a pattern says what share"),
    "all-of-it": ("sparsity=1.0", Usage, "the sparsity is 1"),
    "global-pattern": ("scope=global", Usage, "the scope global"),
    "global-wanda": ("scope=global sparsity=0.5 method=wanda", Usage, "the scope global"),
    "no-data": ("method=wanda", Usage, "wanda judges weights by their inputs"),
    "nothing-ignored": ("ignore=nobody", Usage, "matches no weight"),
    "all-ignored": ("ignore=*", Refused, "no weight can be made sparse: it is ignored"),
    "no-such-runtime": ("keep-if-faster=true backend=cpu", Usage, "there is no backend cpu"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_done_is_refused(folder: Path, name: str) -> None:
    options, kind, what = WRONG[name]
    with pytest.raises(kind, match=what):
        after(folder, options)


def test_without_tensorrt_nobody_says_what_is_faster(folder: Path) -> None:
    if find_spec("tensorrt") is not None:
        pytest.skip("TensorRT is installed")
    with pytest.raises(Environment, match="TensorRT is not installed"):
        after(folder, "keep-if-faster=true backend=trt")


def test_a_weight_that_is_not_a_number_is_refused(folder: Path) -> None:
    proto = onnx.load(folder / "model.onnx")
    tensor = next(tensor for tensor in proto.graph.initializer if tensor.name == "w1")
    values = onnx.numpy_helper.to_array(tensor).copy()
    values[0] = np.nan
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    onnx.save(proto, folder / "model.onnx")
    with pytest.raises(Refused, match="not a number"):
        after(folder)
