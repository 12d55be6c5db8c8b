"""A model that is not valid ends in a refusal of two lines, soon, whatever it is."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import onnx
import onnx_graphsurgeon as gs
import pytest
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, helper, parser

from graphprune.errors import GraphpruneError, Refused, Usage
from graphprune.model import from_proto, load, read, save, to_proto
from graphprune.pruning import prune
from graphprune.weights import stored
from tests.networks import network
from tests.networks.fill import fill
from tests.work import at_most_calls

GOOD = """<ir_version: 8, opset_import: ["" : 17]>
g (float[n, 4] x) => (float[n, 2] y)
<float[4, 3] w = {1,2,3,4,5,6,7,8,9,10,11,12}, float[3] b = {1,2,3}, float[3, 2] v = {1,2,3,4,5,6}>
{ a = MatMul(x, w) c = Add(a, b) d = Relu(c) y = MatMul(d, v) }"""


def _good() -> ModelProto:
    return parser.parse_model(GOOD)


def test_the_good_model_loads() -> None:
    assert [node.op for node in from_proto(_good()).graph.nodes] == ["MatMul", "Add", "Relu", "MatMul"]


FILES: list[tuple[str, Callable[[Path], object], type[GraphpruneError], str]] = [
    ("missing", lambda path: None, Usage, "no such file"),
    ("folder", lambda path: path.mkdir(), Refused, "a folder"),
    ("empty", lambda path: path.touch(), Refused, "is empty"),
    ("pipe", os.mkfifo, Refused, "not a plain file"),
    ("junk", lambda path: path.write_bytes(random.Random(1).randbytes(5000)), Refused, "not an ONNX model"),
    ("text", lambda path: path.write_text("hello, world\n" * 9), Refused, "not an ONNX model"),
    ("zeros", lambda path: path.write_bytes(bytes(1 << 20)), Refused, "not an ONNX model"),
    (
        "truncated",
        lambda path: path.write_bytes(_good().SerializeToString()[:-20]),
        Refused,
        "not an ONNX model",
    ),
    ("3 GB of nothing", lambda path: _sparse_file(path, 3 << 30), Refused, "larger than 2 GB"),
    ("a dangling link", lambda path: path.symlink_to("nowhere"), Usage, "no such file"),
    ("another message", lambda path: path.write_bytes(_tensor().SerializeToString()), Refused, "not an ONNX"),
]


def _sparse_file(path: Path, size: int) -> None:
    with path.open("wb") as stream:
        stream.truncate(size)


def _tensor() -> TensorProto:
    return TensorProto(name="w", dims=[2], data_type=1, raw_data=bytes(8))


@pytest.mark.parametrize(
    ("make", "kind", "message"), [row[1:] for row in FILES], ids=[row[0] for row in FILES]
)
def test_a_file_that_is_no_model_is_refused(
    tmp_path: Path, make: Callable[[Path], object], kind: type[GraphpruneError], message: str
) -> None:
    path = tmp_path / "m.onnx"
    make(path)
    with pytest.raises(kind, match=message) as caught:
        load(path)
    assert caught.value.hint


def _set(**fields: object) -> Callable[[ModelProto], None]:
    def change(model: ModelProto) -> None:
        for name, value in fields.items():
            setattr(model, name, value)

    return change


def _merge(model: ModelProto, data: bytes) -> None:
    model.MergeFromString(data)


def _opset(version: int) -> Callable[[ModelProto], None]:
    def change(model: ModelProto) -> None:
        model.opset_import[0].version = version

    return change


def _node(index: int, **fields: object) -> Callable[[ModelProto], None]:
    def change(model: ModelProto) -> None:
        for name, value in fields.items():
            if isinstance(value, list):
                model.graph.node[index].ClearField(name)
                getattr(model.graph.node[index], name).extend(value)
            else:
                setattr(model.graph.node[index], name, value)

    return change


def _weight(**fields: object) -> Callable[[ModelProto], None]:
    def change(model: ModelProto) -> None:
        tensor = model.graph.initializer[0]
        for name, value in fields.items():
            tensor.ClearField(name)
            if isinstance(value, list):
                getattr(tensor, name).extend(value)
            elif value is not None:
                setattr(tensor, name, value)

    return change


def _ref(model: ModelProto) -> None:
    model.graph.node[2].op_type = "LeakyRelu"
    model.graph.node[2].attribute.add(name="alpha", ref_attr_name="outer", type=AttributeProto.FLOAT)


def _branches(one: int, other: int, takes: int = 0) -> Callable[[ModelProto], None]:
    """Put an If in front of the last node, with branches that give so many values."""

    def change(model: ModelProto) -> None:
        bodies: list[GraphProto] = []
        for name, count in (("p", one), ("q", other)):
            nodes = [helper.make_node("Relu", ["c"], [f"{name}{i}"]) for i in range(max(count, 1))]
            ends = [helper.make_tensor_value_info(f"{name}{i}", 1, None) for i in range(count)]
            given = [helper.make_tensor_value_info(f"{name}_given{i}", 1, None) for i in range(takes)]
            bodies.append(helper.make_graph(nodes, name, given, ends))
        model.graph.input.append(helper.make_tensor_value_info("which", TensorProto.BOOL, []))
        model.graph.node[2].CopyFrom(
            helper.make_node("If", ["which"], ["d"], then_branch=bodies[0], else_branch=bodies[1])
        )

    return change


def _kernel_of_nothing(model: ModelProto) -> None:
    model.graph.initializer.append(TensorProto(name="k", dims=[2, 4, 0, 1], data_type=1))
    model.graph.node[3].CopyFrom(helper.make_node("Conv", ["d", "k"], ["y"]))


def _input_size(size: int) -> Callable[[ModelProto], None]:
    def change(model: ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = size

    return change


MODELS: list[tuple[str, Callable[[ModelProto], object], str]] = [
    ("a branch without outputs", _branches(1, 0), "its body 'q' takes 0 values and gives 0"),
    ("branches with an output more", _branches(2, 2), r"its body '.' takes 0 values and gives 2"),
    ("branches that take a value", _branches(1, 1, 1), r"its body '.' takes 1 values"),
    ("a kernel of no extent", _kernel_of_nothing, r"its kernel is \[2, 4, 0, 1\]"),
    ("a batch of 2^62", _input_size(1 << 62), "'x' is declared with impossible sizes"),
    ("no graph", lambda m: m.ClearField("graph"), "no graph"),
    ("empty graph", lambda m: m.graph.Clear(), "no outputs"),
    ("no IR version", lambda m: m.ClearField("ir_version"), "IR version 0"),
    ("IR version of tomorrow", _set(ir_version=onnx.IR_VERSION + 1), "IR version"),
    ("IR version 2", _set(ir_version=2), "IR version 2"),
    ("no opset", lambda m: m.ClearField("opset_import"), "no operator set"),
    ("opset 0", _opset(0), "opset 0"),
    ("negative opset", _opset(-5), "opset -5"),
    ("opset of tomorrow", _opset(onnx.defs.onnx_opset_version() + 1), "opset"),
    ("absurd opset", _opset(1 << 62), "opset"),
    ("a doc string that is no UTF-8", lambda m: _merge(m, b"\x32\x01\xff"), "no UTF-8"),
    ("two opsets", lambda m: m.opset_import.add(domain="ai.onnx", version=16), "two versions"),
    ("undeclared domain", _node(2, domain="com.example"), "declare the operator set 'com.example'"),
    ("operator of a later opset", _node(2, op_type="Gelu"), "Gelu"),
    ("no operator", _node(2, op_type=""), "op_type"),
    ("too many inputs", _node(2, input=["c", "c"]), "Relu"),
    ("unknown attribute", lambda m: m.graph.node[2].attribute.add(name="q", i=1, type=2), "q"),
    ("attribute without a type", lambda m: m.graph.node[2].attribute.add(name="q"), "'type' of 'attr'"),
    ("attribute of a function", _ref, "attribute 'alpha' has no value"),
    ("duplicate output", _node(1, output=["a"]), "defines 'a', which is defined already"),
    ("output that is an input", _node(1, output=["x"]), "defines 'x'"),
    ("output that is a weight", _node(1, output=["w"]), "defines 'w'"),
    ("duplicate input", lambda m: m.graph.input.append(m.graph.input[0]), "input 'x' occurs twice"),
    (
        "duplicate initializer",
        lambda m: m.graph.initializer.append(m.graph.initializer[0]),
        "initializer 'w' occurs twice",
    ),
    ("nameless initializer", _weight(name=None), "no name"),
    ("dangling input", _node(1, input=["a", "gone"]), "reads 'gone'"),
    ("dangling output", lambda m: setattr(m.graph.output[0], "name", "gone"), "output 'gone'"),
    ("cycle", _node(1, input=["a", "d"]), "part of a cycle"),
    ("cycle of one", _node(1, input=["c", "b"]), "Add 'c' is part of a cycle"),
    ("unknown element type", _weight(data_type=99), "unknown element type 99"),
    ("no element type", _weight(data_type=0), "unknown element type 0"),
    ("negative dim", _weight(dims=[4, -3]), "impossible sizes"),
    ("two negative dims", _weight(dims=[-4, -3]), "impossible sizes"),
    ("absurd dims", _weight(dims=[1 << 40, 1 << 40]), "impossible sizes"),
    ("dims that wrap around to 0", _weight(dims=[1 << 62, 4]), "impossible sizes"),
    ("dims that nearly do", _weight(dims=[0, 1 << 62]), "impossible sizes"),
    ("more dims than data", _weight(dims=[4, 300]), "takes 1200 entries, found 12"),
    ("more data than dims", _weight(dims=[4, 2]), "takes 8 entries, found 12"),
    ("data of another type", _weight(data_type=TensorProto.INT64), "INT64 in float_data"),
    ("no data", _weight(float_data=None), "no data"),
    ("two kinds of data", _weight(raw_data=bytes(48)), "data in raw_data and float_data"),
    ("short raw data", _weight(float_data=None, raw_data=bytes(47)), "takes 48 bytes, found 47"),
    ("a segment", lambda m: m.graph.initializer[0].segment.SetInParent(), "segments"),
]


@pytest.mark.parametrize(("change", "message"), [row[1:] for row in MODELS], ids=[row[0] for row in MODELS])
def test_a_model_that_is_not_valid_is_refused(
    tmp_path: Path, change: Callable[[ModelProto], object], message: str
) -> None:
    model = _good()
    change(model)
    before = model.SerializeToString(deterministic=True)
    with pytest.raises(Refused, match=message) as caught:
        from_proto(model)
    assert caught.value.hint
    assert "\n" not in caught.value.what
    assert model.SerializeToString(deterministic=True) == before, "the caller's model is as it was"
    (tmp_path / "m.onnx").write_bytes(before)
    with pytest.raises(Refused):
        load(tmp_path / "m.onnx")


def test_an_operator_that_no_version_of_onnx_has_loads_and_the_rest_is_checked() -> None:
    model = _good()
    _node(2, op_type="EfficientNMS_TRT")(model)
    assert from_proto(model).graph.nodes[2].op == "EfficientNMS_TRT"
    model.graph.node[0].attribute.add(name="q", i=1, type=AttributeProto.INT)
    with pytest.raises(Refused, match="Unrecognized attribute: q"):
        from_proto(model)


def test_an_unknown_operator_of_a_declared_domain_loads() -> None:
    model = _good()
    model.opset_import.add(domain="com.example", version=3)
    _node(2, domain="com.example", op_type="Foo")(model)
    assert from_proto(model).graph.nodes[2].domain == "com.example"


@pytest.mark.parametrize("calls", ["itself", "in a circle", "a million million times"])
def test_functions_that_never_end_are_refused(calls: str) -> None:
    depth = {"itself": 1, "in a circle": 2, "a million million times": 40}[calls]
    functions = []
    for i in range(depth):
        last = calls.startswith("a million") and i == depth - 1
        callee = "Relu" if last else f"local.F{(i + 1) % depth}"
        functions.append(
            f'<domain: "local", opset_import: ["" : 17, "local" : 1]> F{i} (x) => (y) '
            f"{{ a = {callee}(x) y = {callee}(a) }}"
        )
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17, "local" : 1]> g (float[4] x) => (float[4] y)'
        "{ y = local.F0(x) }" + "\n".join(functions)
    )
    with at_most_calls(200_000), pytest.raises(Refused, match=r"calls itself|1000000"):
        from_proto(model)


def _damaged(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(changed))
        kind = rng.randrange(4)
        if kind == 0:
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[at] = rng.choice((0, 1, 127, 128, 255))
        elif kind == 2:
            del changed[at : at + rng.randrange(1, 9)]
        else:
            changed[at:at] = changed[at // 2 : at // 2 + rng.randrange(1, 9)]
        if not changed:
            break
    return bytes(changed[: rng.randrange(len(changed) + 1)] if rng.random() < 0.1 else changed)


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_file_is_refused_or_read_but_nothing_else(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    model = _good()
    big = model.graph.initializer[0]
    if seed % 2:  # large enough for its data to be left in the file
        big.CopyFrom(TensorProto(name="w", dims=[4, 300], data_type=1, raw_data=bytes(4800)))
    for tensor in model.graph.initializer:
        tensor.doc_string = "a weight"
    data = model.SerializeToString()
    path, out = tmp_path / "m.onnx", tmp_path / "o.onnx"
    harmless = 0
    for _ in range(700):
        path.write_bytes(_damaged(data, rng))
        with at_most_calls(200_000), suppress(Usage, Refused):
            found = read(path)
            for node in found.graph.nodes:
                for tensor in node.inputs:
                    if isinstance(tensor, gs.Constant):
                        stored(tensor).load()
            to_proto(found)
            harmless += 1
            if harmless % 20 == 0:
                save(found, out, force=True)
    assert harmless > 5, "some of the damage is harmless"


@pytest.mark.parametrize("index", [8, -9, 1 << 40], ids=["one too far", "one too far back", "far away"])
def test_an_index_that_is_not_there_is_no_fault_of_ours(index: int) -> None:
    """ONNX Runtime sees it when it runs; no plan may make another index of it."""
    model = fill(f"""
g (float[2, 4] x) => (float[2, 3] y)
<float[4, 8] w, int64[3] at = {{0, {index}, 2}}, float[3, 3] v>
{{
  a = MatMul (x, w)
  b = Gather <axis = 1> (a, at)
  y = MatMul (b, v)
}}""")
    with pytest.raises(Refused):
        prune(model)


def test_an_index_that_is_not_there_beside_axes_that_are_cut_is_no_fault_of_ours() -> None:
    model = ModelProto.FromString(network("attention-packed").SerializeToString())
    third = next(tensor for tensor in model.graph.initializer if tensor.name == "two")
    third.CopyFrom(helper.make_tensor("two", TensorProto.INT64, [], [16]))
    with pytest.raises(Refused, match="cannot be run"):
        prune(model)
