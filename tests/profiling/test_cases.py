"""Models are timed at shapes that all of them take, and what is open is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from graphprune.errors import GraphpruneError, Usage
from graphprune.feeds import Feeds
from graphprune.model import from_proto
from graphprune.profiling.cases import Wanted, cases, feeds_for
from graphprune.profiling.subjects import Subject, subjects
from graphprune.shape_text import Shapes, parse_shapes
from tests.profiling.texts import MLP, MLP_WEIGHTS, proto, write

FIXED = "m (float[4, 8] x) => (float[4, 8] y) { y = Relu (x) }"
FREE = "m (float[n, 8] x) => (float[n, 8] y) { y = Relu (x) }"
IMAGE = "m (float[n, 3, h, w] x) => (float[n, 3, h, w] y) { y = Relu (x) }"
UNNAMED = "m (float[?, 8] x) => (float[?, 8] y) { y = Relu (x) }"
TWO = "m (float[n, s] x, float[n, s] mask) => (float[n, s] y) { y = Mul (x, mask) }"
STATE = "m (float[n, 8] x, float[2, n, 8] state) => (float[2, n, 8] y) { y = Add (x, state) }"
SCALAR = "m (float[n, 8] x, float scale) => (float[n, 8] y) { y = Mul (x, scale) }"
NOTHING = "m () => (float[2] y) <float[2] c = {1, 2}> { y = Identity (c) }"


def of(*texts: str) -> list[Subject]:
    return [Subject(f"{number}.onnx", from_proto(proto(text)), "", 0) for number, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("texts", "batches", "shape", "expected"),
    [
        pytest.param([FREE], (), "", [(1, {"x": (1, 8)})], id="a leading symbol is 1"),
        pytest.param([UNNAMED], (), "", [(1, {"x": (1, 8)})], id="and so is one without a name"),
        pytest.param([FREE], (2, 8), "", [(2, {"x": (2, 8)}), (8, {"x": (8, 8)})], id="a sweep"),
        pytest.param([FREE], (), "x:5x8", [(5, {"x": (5, 8)})], id="a shape says the batch"),
        pytest.param([FREE], (2,), "5x8", [(2, {"x": (2, 8)})], id="a batch overrules the leading size"),
        pytest.param([FIXED], (), "", [(4, {"x": (4, 8)})], id="a fixed batch"),
        pytest.param([FIXED], (4,), "", [(4, {"x": (4, 8)})], id="a fixed batch that is asked for"),
        pytest.param(
            [FREE, FIXED], (), "", [(4, {"x": (4, 8)})], id="one model fixes what another leaves open"
        ),
        pytest.param([FIXED, FREE], (), "", [(4, {"x": (4, 8)})], id="whichever comes first"),
        pytest.param([IMAGE], (), "1x3x9x9", [(1, {"x": (1, 3, 9, 9)})], id="an image of a given size"),
        pytest.param([IMAGE], (2,), "1x3x9x9", [(2, {"x": (2, 3, 9, 9)})], id="two of them"),
        pytest.param(
            [TWO],
            (),
            "x:3x5",
            [(3, {"x": (3, 5), "mask": (3, 5)})],
            id="a symbol that is given stands everywhere",
        ),
        pytest.param([TWO], (7,), "x:3x5", [(7, {"x": (7, 5), "mask": (7, 5)})], id="also with a batch"),
        pytest.param(
            [STATE], (), "x:3x8", [(None, {"x": (3, 8), "state": (2, 3, 8)})], id="no leading axis is shared"
        ),
        pytest.param([SCALAR], (), "x:3x8", [(None, {"x": (3, 8), "scale": ()})], id="a scalar has none"),
        pytest.param([NOTHING], (), "", [(None, {})], id="a model without inputs"),
    ],
)
def test_shapes_are_those_that_are_given_and_those_of_the_models(
    texts: list[str], batches: tuple[int, ...], shape: str, expected: list[tuple[int | None, Shapes]]
) -> None:
    found = cases(of(*texts), Wanted(batches, parse_shapes([shape] if shape else [])))
    assert [(case.batch, case.shapes) for case in found] == expected


@pytest.mark.parametrize(
    ("texts", "batches", "shape", "what", "hint"),
    [
        pytest.param([IMAGE], (), "", "input x is [n, 3, h, w]", "--shape x:1x3x224x224", id="open sizes"),
        pytest.param(
            [TWO], (2,), "", "input x is [n, s]", "x:2x128 mask:2x128", id="open sizes beside a batch"
        ),
        pytest.param([SCALAR], (), "", "input x is [n, 8]", "x:1x8", id="a leading axis that is no batch"),
        pytest.param([FIXED], (8,), "", "4 samples at a time, a batch of 8", "dynamic", id="another batch"),
        pytest.param(
            [FIXED], (4, 8), "", "4 samples at a time, a batch of 8", "dynamic", id="one of several"
        ),
        pytest.param([FIXED], (), "8x8", "does not fit input x", "fixed size", id="another shape"),
        pytest.param([FREE], (), "z:8x8", "no input z", "x", id="an input that is not there"),
        pytest.param([FREE], (0,), "", "holds nothing", "1", id="a batch of none"),
        pytest.param([STATE], (2,), "", "no batch to choose", "--shape", id="a batch without an axis"),
        pytest.param([FREE, TWO], (), "", "only 1.onnx has an input mask", "one by one", id="other inputs"),
        pytest.param([TWO, FREE], (), "", "only 0.onnx has an input mask", "one by one", id="fewer inputs"),
        pytest.param(
            [FREE, IMAGE], (), "", "[n, 3, h, w] in 1.onnx, [n, 8] in 0.onnx", "one by one", id="another rank"
        ),
        pytest.param(
            [FIXED, FREE.replace("8]", "9]")],
            (),
            "",
            "[n, 9] in 1.onnx, [4, 8] in 0.onnx",
            "one",
            id="a fixed size",
        ),
        pytest.param(
            [FREE, FREE.replace("float", "int32")],
            (),
            "",
            "input x is int32 in 1.onnx, float32",
            "one",
            id="a type",
        ),
    ],
)
def test_what_cannot_be_timed_together_is_refused(
    texts: list[str], batches: tuple[int, ...], shape: str, what: str, hint: str
) -> None:
    with pytest.raises(Usage) as refused:
        cases(of(*texts), Wanted(batches, parse_shapes([shape] if shape else [])))
    assert what in refused.value.what
    assert hint in refused.value.hint


def test_a_sequence_as_input_is_refused() -> None:
    text = "m (seq(float[2]) x) => (float[2] y) <int64 i = {0}> { y = SequenceAt (x, i) }"
    with pytest.raises(GraphpruneError, match="no tensor"):
        cases(of(text), Wanted())


def fed(wanted: Wanted) -> list[Feeds]:
    models = of(FREE)
    return [feeds_for(case, models, wanted) for case in cases(models, wanted)]


def test_random_inputs_follow_their_seed() -> None:
    (one,), (again,), (other,) = fed(Wanted()), fed(Wanted()), fed(Wanted(seed=1))
    np.testing.assert_array_equal(one["x"], again["x"])
    assert not np.array_equal(one["x"], other["x"])


def test_the_first_samples_of_the_data_are_taken(tmp_path: Path) -> None:
    samples = np.arange(80, dtype=np.float32).reshape(10, 8)
    np.savez(tmp_path / "d.npz", x=samples, labels=np.zeros(10))
    one, three = fed(Wanted((1, 3), data=str(tmp_path / "d.npz")))
    np.testing.assert_array_equal(one["x"], samples[:1])
    np.testing.assert_array_equal(three["x"], samples[:3])


def test_data_say_the_sizes_that_a_model_leaves_open(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((4, 3, 10, 12), np.float32))
    (case,) = cases(of(IMAGE), Wanted((2,), data=str(tmp_path / "d.npz")))
    assert case.shapes == {"x": (2, 3, 10, 12)}


def test_a_batch_that_the_data_do_not_fill_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((4, 8), np.float32))
    with pytest.raises(Usage, match="holds 4 samples of one shape, a batch of 5"):
        cases(of(FREE), Wanted((5,), data=str(tmp_path / "d.npz")))


def test_models_are_read_once_and_have_names_of_their_own(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "m.onnx", MLP, MLP_WEIGHTS)
    write(tmp_path / "n.onnx", FREE)
    paths = [tmp_path / "a" / "m.onnx", tmp_path / "b" / "m.onnx", tmp_path / "n.onnx", tmp_path / "n.onnx"]
    found = subjects(paths)
    assert [each.name for each in found] == [str(paths[0]), str(paths[1]), "n.onnx", "n.onnx (2)"]
    assert found[2].model is found[3].model
    assert found[0].hash == found[1].hash != found[2].hash
    assert found[0].bytes == paths[0].stat().st_size


def test_external_weights_count_among_the_bytes_of_a_model(tmp_path: Path) -> None:
    onnx.save(
        proto(MLP, MLP_WEIGHTS),
        tmp_path / "m.onnx",
        save_as_external_data=True,
        location="w",
        size_threshold=0,
    )
    (found,) = subjects([tmp_path / "m.onnx"])
    assert found.bytes == (tmp_path / "m.onnx").stat().st_size + 4 * (8 * 16 + 16 + 16 * 3)
