"""A profile times real models in ONNX Runtime and keeps what a reader of the figures must know."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from graphprune.backends import Setup
from graphprune.errors import Environment, Refused, Usage
from graphprune.model import load
from graphprune.profiling.cases import Wanted
from graphprune.profiling.null_test import judged, null_test
from graphprune.profiling.paired import Rounds
from graphprune.profiling.profile import Request, prepare, profile
from graphprune.profiling.result import Timed
from graphprune.profiling.summary import summarise
from tests.profiling.texts import CNN, CNN_WEIGHTS, MLP, MLP_WEIGHTS, proto, write

QUICK = Rounds(warmup=0.0, duration=0.05, rounds=6, longest=0.1)


@pytest.fixture
def mlp(tmp_path: Path) -> Path:
    return write(tmp_path / "mlp.onnx", MLP, MLP_WEIGHTS)


@pytest.fixture
def cnn(tmp_path: Path) -> Path:
    return write(tmp_path / "cnn.onnx", CNN, CNN_WEIGHTS)


def runs(timed: Timed) -> int:
    return sum(len(block) for block in timed.blocks)


def test_models_are_timed_in_rounds_with_their_outputs_checked(cnn: Path) -> None:
    found = profile(Request((cnn, cnn), rounds=QUICK))
    (batch,) = found.batches
    assert (batch.batch, batch.shapes) == (1, {"x": (1, 3, 16, 16)})
    one, other = batch.models
    assert (one.name, other.name) == ("cnn.onnx", "cnn.onnx (2)")
    assert len(one.blocks) == len(other.blocks) >= 6
    assert all(time > 0 for timed in batch.models for block in timed.blocks for time in block)
    assert one.deviation is not None
    assert one.limit is not None
    assert 0 <= one.deviation <= one.limit == 1e-4
    assert one.hash == other.hash != ""
    assert (one.layers, one.layer_rounds) == ((), ())


def test_device_setup_and_versions_are_kept(mlp: Path) -> None:
    found = profile(Request((mlp,), setup=Setup(threads=2, spin=False), rounds=QUICK, wanted=Wanted(seed=3)))
    assert found.device.backend == "ort:cpu"
    assert found.device.details["threads"] == "2"
    assert found.setup == Setup(threads=2, spin=False)
    assert (found.seed, found.margin, found.reference) == (3, 0.02, 0)
    assert {"graphprune", "onnxruntime", "numpy", "python"} <= found.versions.keys()
    assert found.before.at <= found.after.at


def test_each_batch_of_a_sweep_is_timed(mlp: Path) -> None:
    found = profile(Request((mlp,), rounds=QUICK, wanted=Wanted((1, 4))))
    assert [(batch.batch, batch.shapes["x"]) for batch in found.batches] == [(1, (1, 8)), (4, (4, 8))]


def test_steps_are_timed_in_rounds_where_this_is_asked_for(cnn: Path) -> None:
    (batch,) = profile(Request((cnn, cnn), rounds=QUICK, per_layer=True)).batches
    for timed in batch.models:
        made = {name for step in timed.layers for name in step.outputs}
        assert "y" in made
        assert len(timed.layers) == len(timed.layer_rounds)
        for step, rounds in zip(timed.layers, timed.layer_rounds, strict=True):
            assert len(rounds) == 5
            assert step.seconds == pytest.approx(float(np.median(rounds)))


def test_as_many_inferences_are_made_as_are_asked_for(mlp: Path) -> None:
    found = profile(Request((mlp,), rounds=Rounds(0.0, 0.001, 6, 0.001), iterations=20_000))
    (timed,) = found.batches[0].models
    assert runs(timed) >= 20_000
    assert summarise(timed, 1).percentiles[99.0] is not None


def test_a_model_in_memory_is_timed_like_a_file(mlp: Path) -> None:
    model = load(mlp)
    found = profile(Request((mlp, model), rounds=QUICK))
    one, other = found.batches[0].models
    assert one.hash == other.hash


def test_without_a_check_nothing_is_said_of_outputs(mlp: Path) -> None:
    (timed,) = profile(Request((mlp,), rounds=QUICK, check=False)).batches[0].models
    assert (timed.deviation, timed.limit) == (None, None)


def test_outputs_that_are_not_numbers_are_marked(tmp_path: Path) -> None:
    path = write(
        tmp_path / "nan.onnx", "m (float[n, 8] x) => (float[n, 8] y) { a = Abs (x) b = Neg (a) y = Log (b) }"
    )
    (timed,) = profile(Request((path,), rounds=QUICK)).batches[0].models
    assert timed.deviation is not None
    assert np.isnan(timed.deviation)


def test_a_model_against_itself_is_a_null_test(mlp: Path) -> None:
    found = null_test(Request((mlp,), rounds=QUICK, wanted=Wanted((1, 2))))
    assert len(found.intervals) == len(found.findings) == 2
    assert found.finding in ("same", "inconclusive", "different")
    assert found.floor == max(max(abs(i.low - 1), abs(i.high - 1)) for i in found.intervals)
    assert judged(found.profile) == found


def test_a_null_test_takes_one_model(mlp: Path) -> None:
    with pytest.raises(Usage, match="one model"):
        null_test(Request((mlp, mlp)))


def test_a_request_that_makes_no_sense_is_refused_before_anything_is_timed(mlp: Path, tmp_path: Path) -> None:
    with pytest.raises(Usage, match="no model to time"):
        prepare(Request(()))
    with pytest.raises(Usage, match="no model 1"):
        prepare(Request((mlp,), reference=1))
    with pytest.raises(Usage, match="no backend ort:gpu"):
        prepare(Request((mlp,), backend="ort:gpu"))
    with pytest.raises(Usage, match="no such file"):
        prepare(Request((mlp, tmp_path / "missing.onnx")))
    (tmp_path / "junk.onnx").write_bytes(b"junk" * 100)
    with pytest.raises(Refused, match="not an ONNX model"):
        prepare(Request((tmp_path / "junk.onnx",)))


def test_a_backend_that_is_not_there_is_said_before_anything_is_timed(mlp: Path) -> None:
    import onnxruntime as ort

    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    with pytest.raises(Environment) as refused:
        prepare(Request((mlp,), backend="ort:cuda"))
    assert "onnxruntime-gpu" in refused.value.hint


def test_a_refusal_names_the_model_that_it_is_about(
    mlp: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # the shapes contradict each other only once there are numbers
    text = "m (float[batch, 8] x) => (float[batch, 3] y) { a = MatMul (x, w) y = Add (a, b) }"
    made = proto(text, {"w": (8, 3)})
    made.graph.initializer.append(numpy_helper.from_array(np.zeros((5, 3), np.float32), "b"))
    onnx.save(made, tmp_path / "bad.onnx")
    with pytest.raises(Refused, match=r"^bad\.onnx: "):
        profile(Request((mlp, tmp_path / "bad.onnx"), rounds=QUICK, wanted=Wanted((2,))))
    assert "the outputs of bad.onnx are not checked" in caplog.text
