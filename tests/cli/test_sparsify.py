"""`graphprune sparsify` writes a sparse model, and says what is and is not known of its speed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from graphprune import backends
from graphprune.model import load
from graphprune.sparsity.patterns import Pattern, holds
from tests.calibrated import normal, weights


def test_a_model_is_made_sparse_and_the_table_says_what_is_not_known(model: Path, call: Any) -> None:
    code, out, err = call("sparsify model.onnx -o out.onnx")
    assert (code, err) == (0, "")
    assert "Weights made sparse (2:4, magnitude): 2 of 2" in out
    assert "likely picked (C and K of 256 and more): 0" in out
    assert "only a measurement" in " ".join(out.split())
    written = weights(load(model.parent / "out.onnx"))
    assert holds(written["w"], 0, Pattern(2, 4))
    onnx.checker.check_model(str(model.parent / "out.onnx"), full_check=True)


def test_json_has_the_table(model: Path, call: Any) -> None:
    np.savez(model.parent / "data.npz", x=normal(64, 8))
    code, out, _ = call("sparsify model.onnx --dry-run --data data.npz --output-format json --seed 1")
    facts = json.loads(out)["facts"]["sparsify"]
    assert code == 0
    assert facts["method"] == "sparsegpt"
    assert [(row["weight"], row["channels"], row["eligible"]) for row in facts["layers"]] == [
        ("w", 8, True),
        ("v", 16, True),
    ]
    assert facts["output_error"] > 0
    assert not (model.parent / "out.onnx").exists()


def test_prune_ends_with_the_pattern(model: Path, call: Any) -> None:
    code, out, _ = call("prune model.onnx -o out.onnx --ratio 0.25 --sparsify 2:4")
    assert code == 0
    assert ": exact; relative L2 distance" in " ".join(out.split())
    written = weights(load(model.parent / "out.onnx"))
    assert written["v"].shape == (12, 3)
    assert holds(written["v"], 0, Pattern(2, 4))


def test_prune_cuts_orders_and_sets_the_pattern_in_one_command(model: Path, call: Any) -> None:
    code, out, err = call("prune model.onnx -o out.onnx --ratio 0.25 --sparsify 2:4 --permute --seed 1")
    assert (code, err) == (0, "")
    words = " ".join(out.split())
    assert "Channels put in another order in 1 group: of the magnitude that may have it, 2:4 keeps" in words
    assert " permute " not in words
    code, out, _ = call(
        "prune model.onnx --dry-run --ratio 0.25 --sparsify 2:4 --permute --output-format json"
    )
    record = json.loads(out)
    assert [stage["name"] for stage in record["stages"]] == ["original", "cut", "sparsify"]
    assert record["facts"]["permute"]["kept_after"] > record["facts"]["permute"]["kept_before"]
    written = weights(load(model.parent / "out.onnx"))
    assert holds(written["v"], 0, Pattern(2, 4))


def test_channels_are_put_in_an_order_first(model: Path, call: Any) -> None:
    code, out, err = call("sparsify model.onnx -o out.onnx --permute --output-format json --seed 3")
    assert (code, err) == (0, "")
    record = json.loads(out)
    assert record["pipeline"] == "fold,group,permute{seed=3},sparsify"
    assert record["facts"]["permute"]["kept_after"] >= record["facts"]["permute"]["kept_before"]
    kept = record["facts"]["permute"]["kept_after"] / record["facts"]["permute"]["magnitude"]
    assert record["facts"]["sparsify"]["kept_magnitude"] == pytest.approx(kept, abs=0.02)


@pytest.mark.parametrize(
    "device",
    [pytest.param("real", marks=pytest.mark.slow), "tests.sparsity.device"],
    ids=["onnxruntime", "drawn"],
)
def test_where_nothing_is_faster_the_dense_model_is_written_and_the_table_says_so(
    model: Path, call: Any, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if device != "real":
        monkeypatch.setitem(backends._MODULES, "ort:cpu", device)  # pyright: ignore[reportPrivateUsage]
    code, out, err = call("sparsify model.onnx -o out.onnx --keep-if-faster --backend ort:cpu")
    assert (code, err) == (0, "")
    words = " ".join(out.split())
    assert "Weights made sparse (2:4, magnitude): none of 2 that may be." in words
    assert "with ort:cpu it is no faster" in words
    assert "The result is the dense model." in words
    before, written = weights(load(model)), weights(load(model.parent / "out.onnx"))
    assert all(np.array_equal(before[name], written[name]) for name in before)


REFUSED = {
    "no-output": ("sparsify model.onnx", 2, "it is not said where the sparse model goes"),
    "no-data": ("sparsify model.onnx --dry-run --samples 4", 2, "--samples has no effect here"),
    "no-such-backend": ("sparsify model.onnx --dry-run --keep-if-faster --backend cpu", 2, "no backend cpu"),
    "no-pattern": ("sparsify model.onnx --dry-run --pattern 5", 2, "the pattern is '5'"),
    "no-order": ("sparsify model.onnx --dry-run --permute --sparsity 0.5", 2, "--permute has no effect here"),
    "an-order-for-nothing": ("prune model.onnx --dry-run --permute", 2, "--permute has no effect here"),
    "not-a-number": ("sparsify model.onnx --dry-run --sparsity half", 2, "--sparsity is 'half'"),
    "no-length": ("sparsify model.onnx --dry-run --pattern 3:5", 3, "no weight can be made sparse"),
    "a-plan": ("prune model.onnx --plan-only plan.json --sparsify 2:4", 2, "--sparsify has no effect here"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_is_refused_in_two_lines(call: Any, model: Path, name: str) -> None:
    line, code, what = REFUSED[name]
    found, out, err = call(line)
    assert (found, out) == (code, "")
    assert what in err
    assert err.startswith("error: ") and "\nhint: " in err
