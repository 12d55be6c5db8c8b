"""The passes that work on data put what they find into the state, and leave the rest of it alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from graphprune.errors import Usage
from graphprune.pruning import run
from graphprune.state import State
from tests.calibrated import normal
from tests.networks.fill import fill

TEXT = """g (float[n, 8] x) => (float[n, 4] y)
    <float[8, 16] w0, float[16, 8] v0, float[8, 12] w1, float[12, 8] v1, float[8, 4] last,
     float small = {0.01}>
    { [first] a = MatMul (x, w0) b = Relu (a) [back] c = MatMul (b, v0) [full] d = Add (x, c)
      [second] e = MatMul (d, w1) f = Relu (e) [again] g = MatMul (f, v1) h = Mul (g, small)
      [faint] i = Add (d, h) [head] y = MatMul (i, last) }"""
GROUPS = {"first": 16, "second": 12}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    onnx.save(fill(TEXT), tmp_path / "model.onnx")
    np.savez(tmp_path / "data.npz", x=normal(160, 8), labels=np.arange(160) % 4)
    return tmp_path


def after(folder: Path, passes: str, more: str = "") -> State:
    data = f"calibrate{{data={folder / 'data.npz'}{more}}}"
    return run(folder / "model.onnx", f"fold,group,{data}{passes}")


def test_calibrate_gathers_data_and_statistics(folder: Path) -> None:
    state = after(folder, "", " samples=40")
    assert state.calibration is not None and state.statistics is not None
    assert state.calibration.data.count == 40
    assert state.facts["calibrate"] == {
        "data": str(folder / "data.npz"),
        "samples": 40,
        "operators": len(state.statistics.numbers),
    }
    assert len(state.statistics.numbers) == 5


def test_calibrate_keeps_statistics_only_where_it_may(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    after(folder, "", " cache=false")
    assert not (folder / "cache").exists()
    after(folder, "")
    assert len(list((folder / "cache" / "graphprune" / "statistics").iterdir())) == 1


@pytest.mark.parametrize("by", ["auto", "activation", "wanda", "fluctuation", "obs", "removal", "taylor"])
def test_score_judges_on_data(by: str, folder: Path) -> None:
    scores = after(folder, f",score{{by={by}}}").scores
    assert scores is not None
    assert scores.by == ("obs" if by == "auto" else by)
    assert {name: values.size for name, values in scores.values.items()} == GROUPS
    assert len({values.tobytes() for values in scores.values.values()}) == 2


def test_score_judges_by_weights_without_data_or_where_it_is_told(folder: Path) -> None:
    plain = run(folder / "model.onnx", "fold,group,score").scores
    told = after(folder, ",score{by=l2}").scores
    assert plain is not None and told is not None
    assert plain.by == told.by == "l2"
    assert all(np.array_equal(values, told.values[name]) for name, values in plain.values.items())


@pytest.mark.parametrize("by", ["obs", "taylor"])
def test_score_on_data_without_data_is_refused(by: str, folder: Path) -> None:
    with pytest.raises(Usage, match=f"importance {by} judges units on data"):
        run(folder / "model.onnx", f"fold,group,score{{by={by}}}")


def test_influence_judges_layers_beside_the_groups(folder: Path) -> None:
    scores = after(folder, ",score,influence").scores
    assert scores is not None
    assert set(scores.values) == {*GROUPS, "full", "faint"}
    assert 0 <= scores.values["faint"][0] < 0.1 * scores.values["full"][0]
    assert scores.by == "obs"


def test_probe_measures_what_may_go(folder: Path) -> None:
    state = after(folder, ",score,probe")
    assert state.sensitivities is not None
    assert set(state.sensitivities) == set(GROUPS)
    found = after(folder, ",score,probe{only=neurons,layers ignore=first}").sensitivities
    assert found is not None
    assert set(found) == {"second", "full", "faint"}
    assert found["faint"].errors[1.0] < found["full"].errors[1.0]
    assert found["second"].errors.keys() == {0.25, 0.5, 0.75}


@pytest.mark.parametrize("by", ["lstsq", "obs", "bn", "bias", "none"])
def test_compensate_gives_the_model_and_tells_what_came_of_it(by: str, folder: Path) -> None:
    state = after(folder, f",score,select{{ratio=0.25}},cut,compensate{{by={by}}}")
    assert state.cut is not None and state.compensated is not None
    facts = state.facts["compensate"]
    assert isinstance(facts, dict)
    assert facts["by"] == by
    assert facts["kept"] == (state.compensated is not state.cut.model)
    assert state.result is state.compensated
    assert facts["output_error_after"] <= facts["output_error_before"] or not facts["kept"]


@pytest.mark.parametrize("name", ["probe", "influence", "compensate"])
def test_a_pass_on_data_without_data_is_refused_before_anything_runs(name: str, folder: Path) -> None:
    with pytest.raises(Usage, match="needs the calibration") as caught:
        run(folder / "model.onnx", f"fold,group,score,select,cut,{name}")
    assert "calibrate" in caught.value.hint
