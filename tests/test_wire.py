"""Skimming a serialized model leaves out large weights and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper

from graphprune.wire import Malformed, Parcel, fields, pour, skim


def _model() -> ModelProto:
    rng = np.random.default_rng(0)
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [], [])
    for i, size in enumerate((2000, 3, 5000, 1000)):
        tensor = numpy_helper.from_array(rng.standard_normal(size).astype(np.float32), f"w{i}")
        tensor.doc_string = f"weight {i}"
        graph.initializer.append(tensor)
    return helper.make_model(graph)


def test_large_weights_are_left_out_and_found_again() -> None:
    model = _model()
    data = model.SerializeToString()
    text, places = skim(data)
    light = ModelProto.FromString(text)
    assert sorted(places) == [0, 2]
    for i, (offset, length) in places.items():
        assert not light.graph.initializer[i].HasField("raw_data")
        light.graph.initializer[i].raw_data = data[offset : offset + length]
    assert light == model


def test_a_model_without_large_weights_is_as_it_was() -> None:
    data = helper.make_model(GraphProto(name="g")).SerializeToString()
    assert skim(data) == (data, {})


def test_weights_whose_meaning_another_field_changes_stay() -> None:
    model = _model()
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    assert sorted(skim(model.SerializeToString())[1]) == [2]


def test_a_weight_that_is_given_twice_stays() -> None:
    model = _model()
    twice = model.graph.initializer[2].SerializeToString() * 2
    graph = b"\x2a" + bytes([len(twice) & 127 | 128, len(twice) >> 7 & 127 | 128, len(twice) >> 14]) + twice
    data = b"\x3a" + bytes([len(graph) & 127 | 128, len(graph) >> 7 & 127 | 128, len(graph) >> 14]) + graph
    text, places = skim(data)
    assert (text, places) == (data, {})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        _model().SerializeToString() * 2,
        _model().SerializeToString()[:-1],
        b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x3b\x3c",
        b"\x00\x00",
        b"\x38\x01",
    ],
    ids=["nothing", "two graphs", "truncated", "endless length", "groups", "field 0", "a number for a graph"],
)
def test_what_is_not_one_model_is_left_to_the_parser(data: bytes) -> None:
    with pytest.raises(Malformed):
        skim(data)


def test_fields_are_those_of_the_message() -> None:
    tensor = TensorProto(name="w", data_type=1, dims=[1, 300], double_data=[1.5])
    data = tensor.SerializeToString()
    assert [field.number for field in fields(data, 0, len(data))] == [1, 1, 2, 8, 10]


@pytest.mark.parametrize("count", [0, 1, 4])
def test_a_poured_model_is_the_serialized_one(count: int) -> None:
    model = _model()
    del model.graph.initializer[count:]
    model.metadata_props.add(key="b", value="2")
    parcels = []
    for tensor in model.graph.initializer:
        head = TensorProto()
        head.CopyFrom(tensor)
        head.ClearField("raw_data")
        parcels.append(
            Parcel(head, len(tensor.raw_data), lambda raw=tensor.raw_data: iter((raw[:7], raw[7:])))
        )
    bare = ModelProto()
    bare.CopyFrom(model)
    del bare.graph.initializer[:]
    size, blocks = pour(bare, parcels)
    poured = b"".join(blocks)
    assert size == len(poured)
    assert poured == model.SerializeToString(deterministic=True)
