"""A file is compared with the original and the plan by place: what things are called plays no part."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper, parser

from graphprune.cut import Cut
from graphprune.model import Model, from_proto, to_proto
from graphprune.proof.structure import left_out, wrong
from graphprune.proof.weights import differences, of_cut, of_original
from graphprune.pruning import prune
from graphprune.state import made

NET = """
<ir_version: 8, opset_import: ["" : 17]>
net (float[n, 3, 8, 8] x) => (float[n, 5] y)
{
    a = Conv<pads=[1, 1, 1, 1]>(x, w1, b1)
    s = BatchNormalization<epsilon=0.001>(a, scale, shift, mean, var)
    r = Relu(s)
    d = Conv<group=8, pads=[1, 1, 1, 1]>(r, w2, b2)
    t = Tanh(d)
    u = Sub(t, r)
    g = Conv<pads=[1, 1, 1, 1]>(u, w3, b3)
    m = MaxPool<kernel_shape=[2, 2], strides=[2, 2]>(g)
    k = Mul(m, half)
    f = Reshape(k, flat)
    p = Gather<axis=1>(f, some)
    h = Gemm<transB=1>(p, w4, b4)
    q = Sigmoid(h)
    y = Gemm<transB=1>(q, w5, b5)
}
"""


def _net() -> ModelProto:
    model = parser.parse_model(NET)
    rng = np.random.default_rng(0)
    sizes = {"w1": (8, 3, 3, 3), "w2": (8, 1, 3, 3), "w3": (4, 8, 3, 3), "w4": (6, 32), "w5": (5, 6)}
    sizes |= {
        "b1": (8,),
        "b2": (8,),
        "b3": (4,),
        "b4": (6,),
        "b5": (5,),
        "scale": (8,),
        "shift": (8,),
        "mean": (8,),
    }
    tensors: dict[str, Any] = {
        name: rng.standard_normal(size).astype(np.float32) for name, size in sizes.items()
    }
    tensors |= {"var": rng.random(8).astype(np.float32) + 1, "half": np.float32(0.5)}
    tensors |= {"flat": np.array([-1, 64]), "some": np.arange(32, 64)}
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(a), name) for name, a in tensors.items()
    )
    return model


@lru_cache
def _pruned() -> tuple[Model, Cut, bytes]:
    state = prune(from_proto(_net()), verify=False, ratio=0.5)
    cut = made(state.cut, "cut")
    return made(state.model, "model"), cut, to_proto(cut.model).SerializeToString()


def _written() -> ModelProto:
    model: ModelProto = ModelProto.FromString(_pruned()[2])
    return model


def _node(model: ModelProto, output: str) -> NodeProto:
    node: NodeProto = next(node for node in model.graph.node if output in node.output)
    return node


def _tensor(model: ModelProto, name: str) -> TensorProto:
    tensor: TensorProto = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    return tensor


def _change(model: ModelProto, name: str, to: Callable[[NDArray[Any]], object]) -> None:
    values = numpy_helper.to_array(_tensor(model, name)).copy()
    to(values)
    _tensor(model, name).CopyFrom(numpy_helper.from_array(values, name))


def _set(index: Any, value: Callable[[NDArray[Any]], object]) -> Callable[[NDArray[Any]], None]:
    def change(values: NDArray[Any]) -> None:
        values[index] = value(values)

    return change


def _attribute(output: str, name: str, **to: object) -> Callable[[ModelProto], None]:
    def change(model: ModelProto) -> None:
        found = next(a for a in _node(model, output).attribute if a.name == name)
        found.CopyFrom(helper.make_attribute(name, to["to"]))

    return change


def _wire(output: str, slot: int, to: str) -> Callable[[ModelProto], None]:
    return lambda model: _node(model, output).input.__setitem__(slot, to)


def _swapped_tensors(model: ModelProto) -> None:
    one, other = _tensor(model, "b1"), _tensor(model, "mean")
    one.raw_data, other.raw_data = other.raw_data, one.raw_data


def _without_bias(model: ModelProto) -> None:
    del _node(model, "g").input[2]


def _swapped_inputs(model: ModelProto) -> None:
    node = _node(model, "u")
    node.input[:] = reversed(node.input)


WRONG: dict[str, tuple[Callable[[ModelProto], object], str]] = {
    "sign": (
        lambda m: _change(m, "w1", _set((1, 2, 0, 1), lambda v: -v[1, 2, 0, 1])),
        "weight w1[1, 2, 0, 1] is",
    ),
    "channels": (lambda m: _change(m, "w3", _set([0, 1], lambda v: v[[1, 0]])), "weight w3[0, 0, 0, 0] is"),
    "zero": (lambda m: _change(m, "w2", _set(0, lambda v: 0)), "weight w2[0, 0, 0, 0] is"),
    "a last digit": (
        lambda m: _change(m, "w4", _set((0, 3), lambda v: v[0, 3] * 1.000001)),
        "weight w4[0, 3] is",
    ),
    "vector": (lambda m: _change(m, "shift", _set(2, lambda v: v[2] + 0.5)), "weight shift[2] is"),
    "scalar": (lambda m: _change(m, "half", _set((), lambda v: v * 1.01)), "weight half[] is 0.505"),
    "nan": (lambda m: _change(m, "b5", _set(4, lambda v: np.nan)), "weight b5[4] is nan, it should be"),
    "tensors": (_swapped_tensors, "weight b1[0] is"),
    "bias": (_without_bias, "operand 2 of Conv 'g' is absent"),
    "inputs": (_swapped_inputs, "operand 0 of Sub 'u' is the result of Relu 'r'"),
    "wire": (
        _wire("g", 0, "t"),
        "operand 0 of Conv 'g' is the result of Tanh 't', it should be",
    ),
    "input": (
        _wire("y", 0, "h"),
        "operand 0 of Gemm 'y' is the result of Gemm 'h'",
    ),
    "attribute": (_attribute("m", "strides", to=[1, 1]), "attribute 'strides' of MaxPool 'm' is [1, 1]"),
    "epsilon": (
        _attribute("s", "epsilon", to=0.0011),
        "attribute 'epsilon' of BatchNormalization 's' is 0.0011",
    ),
    "group": (_attribute("d", "group", to=2), "attribute 'group' of Conv 'd' is 2, it should be 4"),
    "target": (
        lambda m: _change(m, "flat_cut", _set(1, lambda v: 16)),
        "operand 1 of Reshape 'f' is [-1, 16]",
    ),
    "index": (lambda m: _change(m, "some_cut", _set(1, lambda v: 0)), "operand 1 of Gather 'p' is [16, 0"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_with_a_file_is_found_and_named(kind: str) -> None:
    original, cut, _ = _pruned()
    change, said = WRONG[kind]
    written = _written()
    change(written)
    found = from_proto(written)
    assert said in wrong(of_original(original, cut, found)), "by the original and the traces"
    assert wrong(of_cut(cut, found)), "by the cut"
    assert said in wrong(differences(original, cut, found))


def _same(model: ModelProto) -> None:
    """Leave it."""


def _renamed(model: ModelProto) -> None:
    ends = {value.name for value in (*model.graph.input, *model.graph.output)}
    names = {name: name if name in ends else f"t{i}" for i, name in enumerate(_names(model))}
    for number, node in enumerate(model.graph.node):
        node.name = f"n{number}"
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    for tensor in model.graph.initializer:
        tensor.name = names[tensor.name]


def _names(model: ModelProto) -> list[str]:
    nodes = [name for node in model.graph.node for name in (*node.input, *node.output)]
    return list(dict.fromkeys([*nodes, *(tensor.name for tensor in model.graph.initializer)]))


def _reordered(model: ModelProto) -> None:
    tensors = [TensorProto.FromString(t.SerializeToString()) for t in reversed(model.graph.initializer)]
    del model.graph.initializer[:]
    model.graph.initializer.extend(tensors)


def _shared(model: ModelProto) -> None:
    """One tensor in place of two that are equal, which the net has after this."""
    _node(model, "g").input[2] = "b3"
    copy = model.graph.initializer.add()
    copy.CopyFrom(_tensor(model, "b3"))
    copy.name = "copy"
    _node(model, "g").input[2] = "copy"


def _constants(model: ModelProto) -> None:
    nodes = [helper.make_node("Constant", [], [t.name], value=t) for t in model.graph.initializer]
    nodes += [NodeProto.FromString(node.SerializeToString()) for node in model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.node.extend(nodes)


def _identities(model: ModelProto) -> None:
    nodes = [helper.make_node("Identity", ["w3"], ["alias"]), helper.make_node("Identity", ["r"], ["same"])]
    _node(model, "g").input[1] = "alias"
    _node(model, "u").input[1] = "same"
    for node in nodes:
        model.graph.node.append(node)


def _dead(model: ModelProto) -> None:
    model.graph.node.append(helper.make_node("Relu", ["u"], ["nobody"]))


HARMLESS = [_same, _renamed, _reordered, _shared, _constants, _identities, _dead]


@pytest.mark.parametrize("change", HARMLESS, ids=lambda each: each.__name__.strip("_"))
def test_names_order_sharing_and_aliases_do_not_count(change: Callable[[ModelProto], None]) -> None:
    original, cut, _ = _pruned()
    written = _written()
    change(written)
    assert differences(original, cut, from_proto(written)) == ()


def test_a_wrong_number_of_a_renamed_weight_is_found() -> None:
    original, cut, _ = _pruned()
    written = _written()
    _change(written, "w3", _set((1, 1, 1, 1), lambda v: 7))
    _renamed(written)
    assert "[1, 1, 1, 1] is 7.0, it should be" in wrong(differences(original, cut, from_proto(written)))


def _with_an_extra_node(model: ModelProto) -> None:
    """What computes the same by another operator: k = m * half as m / 2."""
    two = numpy_helper.from_array(np.array(2, np.float32), "two")
    model.graph.initializer.append(two)
    node = _node(model, "k")
    node.op_type = "Div"
    node.input[1] = "two"


def test_a_node_of_another_operator_is_left_to_the_numbers_and_said() -> None:
    original, cut, _ = _pruned()
    written = _written()
    _with_an_extra_node(written)
    found = differences(original, cut, from_proto(written))
    assert wrong(found) == ""
    assert left_out(found).startswith("not compared as weights: Mul 'k'")
    assert "has no counterpart" in left_out(found)


@pytest.mark.parametrize("name", ["w1", "w5"], ids=["before it", "behind it"])
def test_a_wrong_number_beside_a_node_without_counterpart_is_found(name: str) -> None:
    original, cut, _ = _pruned()
    written = _written()
    _with_an_extra_node(written)
    _change(written, name, _set(0, lambda v: 7))
    assert f"weight {name}[0" in wrong(differences(original, cut, from_proto(written)))


LOOP = """
<ir_version: 8, opset_import: ["" : 17]>
net (float[2, 4] x, bool c) => (float[2, 4] y)
{
    h = MatMul(x, w)
    r = Relu(h)
    v = MatMul(r, u)
    y = If(c) <
        then_branch = then () => (float[2, 4] a) { k = Add(v, one) a = Mul(k, inside) },
        else_branch = other () => (float[2, 4] b) { b = Sub(v, one) }
    >
}
"""


def _with_bodies() -> tuple[Model, Cut, ModelProto]:
    model = parser.parse_model(LOOP)
    rng = np.random.default_rng(0)
    for name, shape in {"w": (4, 8), "u": (8, 4), "one": (4,), "inside": (4,)}.items():
        values = rng.standard_normal(shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    state = prune(from_proto(model), verify=False, ratio=0.5)
    cut = made(state.cut, "cut")
    return made(state.model, "model"), cut, to_proto(cut.model)


def _body(model: ModelProto, name: str) -> onnx.GraphProto:
    body: onnx.GraphProto = next(a.g for a in _node(model, "y").attribute if a.name == name)
    return body


BODIES: dict[str, tuple[Callable[[ModelProto], object], str]] = {
    "weight": (lambda m: _change(m, "inside", _set(1, lambda v: 7)), "weight inside[1] is 7.0"),
    "operator": (lambda m: setattr(_body(m, "else_branch").node[0], "op_type", "Add"), ""),
    "wire": (lambda m: _body(m, "then_branch").node[1].input.__setitem__(0, "v"), "operand 0 of Mul 'a' is"),
}


@pytest.mark.parametrize("kind", ["weight", "wire", "operator"])
def test_bodies_are_compared_like_the_graph_around_them(kind: str) -> None:
    original, cut, written = _with_bodies()
    assert differences(original, cut, from_proto(written)) == ()
    change, said = BODIES[kind]
    change(written)
    found = differences(original, cut, from_proto(written))
    assert said in wrong(found)
    assert found


def test_a_mistake_of_the_surgery_shows_in_what_is_compared_with_the_original() -> None:
    original, cut, _ = _pruned()
    faulty = _written()
    _change(faulty, "w3", _set([0, 1], lambda v: v[[1, 0]]))
    model = from_proto(faulty)
    same = Cut(model, cut.traces, cut.nodes)
    assert of_cut(same, model) == ()
    assert "weight w3[" in wrong(of_original(original, same, model))
