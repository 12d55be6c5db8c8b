"""Sparse initializers are cut as what they are: only what is stored is kept, and it stays sparse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, helper, numpy_helper

import graphprune
from benchmarks.reference import gap, run
from graphprune.intake import weigh_sparse
from graphprune.model import to_proto
from graphprune.weights import SparseWeight
from tests.networks import network


def _weight(dense: NDArray[Any], rows: bool) -> SparseWeight:
    flat = np.flatnonzero(dense)
    places = np.stack(np.unravel_index(flat, dense.shape), axis=1) if rows else flat
    values = numpy_helper.from_array(dense.reshape(-1)[flat], "w")
    return weigh_sparse(
        helper.make_sparse_tensor(values, numpy_helper.from_array(places, "places"), dense.shape), None
    )


@pytest.mark.parametrize("rows", [False, True], ids=["flat indices", "rows of indices"])
@pytest.mark.parametrize("seed", range(40))
def test_a_cut_sparse_weight_holds_what_the_cut_dense_one_does(seed: int, rows: bool) -> None:
    draw = np.random.default_rng(seed)
    shape = tuple(int(size) for size in draw.integers(1, 6, 3))
    dense = (draw.standard_normal(shape) * (draw.random(shape) < 0.5)).astype(np.float32)
    cuts = {dim: draw.integers(0, shape[dim], draw.integers(0, 7)) for dim in range(draw.integers(0, 4))}
    expected = dense
    for dim, index in cuts.items():
        expected = np.take(expected, index, dim)
    found = _weight(dense, rows).take(cuts)
    assert np.array_equal(found.load(), expected)
    assert found.parts[1].load().ndim == 1 + rows
    flat = np.flatnonzero(expected)
    assert found.parts[0].shape == (len(flat),), "nothing but what is stored"


def test_where_heads_keep_other_rows_a_sparse_weight_stays_sparse() -> None:
    dense = np.arange(12, dtype=np.float32).reshape(2, 6) % 5
    index = {1: np.array([[0, 3], [2, 5]])}
    assert np.array_equal(_weight(dense, False).take(index).load(), np.take_along_axis(dense, index[1], 1))


def test_a_network_with_sparse_weights_is_pruned_and_they_stay_sparse() -> None:
    model = ModelProto.FromString(network("mlp").SerializeToString())
    dense = ModelProto.FromString(model.SerializeToString())
    for held in dense.graph.initializer:
        if len(held.dims) == 2:
            values = np.where(numpy_helper.to_array(held) > 0, numpy_helper.to_array(held), 0)
            held.CopyFrom(numpy_helper.from_array(values, held.name))
    del model.graph.initializer[:]
    for held in dense.graph.initializer:
        values = numpy_helper.to_array(held)
        if values.ndim != 2:
            model.graph.initializer.append(held)
            continue
        flat = np.flatnonzero(values)
        stored = numpy_helper.from_array(values.reshape(-1)[flat], held.name)
        model.graph.sparse_initializer.append(
            helper.make_sparse_tensor(stored, numpy_helper.from_array(flat, f"{held.name}_at"), values.shape)
        )
    small, same = (to_proto(graphprune.prune(each).result) for each in (model, dense))
    assert len(small.graph.sparse_initializer) == len(model.graph.sparse_initializer)
    assert [list(s.dims) for s in small.graph.sparse_initializer] != [
        list(s.dims) for s in model.graph.sparse_initializer
    ]
    feeds = {"x": np.random.default_rng(1).standard_normal((2, 6)).astype(np.float32)}
    for a, b in zip(run(same, feeds), run(small, feeds), strict=True):
        assert gap(a, b) < 1e-6
