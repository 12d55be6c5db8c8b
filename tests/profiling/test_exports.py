"""The figures as CSV and Markdown, steps as a trace, and what is said beside them."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from graphprune.backends import LayerTime
from graphprune.errors import Refused
from graphprune.profiling.exports import figures, to_csv, to_markdown
from graphprune.profiling.report import outputs_agree, report
from graphprune.profiling.result import Batch, Conditions, Profile, Timed
from graphprune.profiling.trace import to_trace
from tests.profiling.profiles import batch, profile, timed

STEPS = (LayerTime("a_nchwc", "Conv", ("a", "b"), 2e-3), LayerTime("reorder", "Reorder", (), 5e-4))


def kept(**more: Any) -> Profile:
    return profile(
        {"model.onnx": 2.0, "small.onnx": 1.0}, batch({"model.onnx": 16.0, "small.onnx": 4.0}, 8), **more
    )


def one(timed: Timed, **more: Any) -> Profile:
    return profile(Batch(1, {"x": (1, 3)}, (timed,)), **more)


def test_csv_has_a_row_for_each_model_and_batch() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(kept(), (50.0, 99.0)))))
    assert [(row["batch"], row["model"], row["verdict"]) for row in rows] == [
        ("1", "model.onnx", ""),
        ("1", "small.onnx", "faster"),
        ("8", "model.onnx", ""),
        ("8", "small.onnx", "faster"),
    ]
    assert float(rows[1]["ratio"]) == pytest.approx(0.5)
    assert float(rows[3]["low"]) <= 0.25 <= float(rows[3]["high"])
    assert rows[0]["p99_ms"] == ""
    assert 2.0 <= float(rows[0]["p50_ms"]) <= 2.02


def test_names_of_all_kinds_survive_csv_and_stay_in_their_cell_of_markdown() -> None:
    name = 'a|b, "c" <i>`d`* .onnx'
    found = one(timed(name, 1.0))
    assert next(csv.DictReader(io.StringIO(to_csv(found))))["model"] == name
    row = to_markdown(found).splitlines()[2]
    assert row.replace("\\|", "").count("|") == to_markdown(found).splitlines()[1].count("|")
    assert "<i>" not in row


def test_markdown_is_a_table_with_ratio_and_verdict() -> None:
    lines = to_markdown(kept()).splitlines()
    assert lines[0].startswith("| model | batch | p50 [ms] |")
    assert len({line.count("|") for line in lines[:6]}) == 1
    assert lines[3].endswith("| 0.500 | 0.500 to 0.500 | faster |")
    assert lines[-1] == "Measured on EPYC (ort:cpu), 2026-01-02T03:04:05Z."


def test_figures_have_none_where_there_is_nothing() -> None:
    (row,) = figures(profile(batch({"m": 1.0}, None)))
    assert (row["batch"], row["ratio"], row["verdict"], row["deviation"]) == (None, None, None, None)


def test_a_trace_lays_the_steps_end_to_end() -> None:
    found = one(timed("m", 3.0, layers=STEPS))
    events = json.loads(to_trace(found))["traceEvents"]
    steps = [event for event in events if event["ph"] == "X"]
    assert [(step["name"], step["ts"], step["dur"]) for step in steps] == [
        ("b", 0.0, 2000.0),
        ("reorder", 2000.0, 500.0),
    ]
    assert steps[0]["args"]["outputs"] == ["a", "b"]
    assert {"name": "m, batch 1"} in [event["args"] for event in events if event["ph"] == "M"]


def test_models_and_batches_are_processes_of_the_trace() -> None:
    two = [timed(name, 1.0, layers=STEPS) for name in ("a", "b")]
    found = profile(*(Batch(number, {}, tuple(two)) for number in (1, 2)))
    assert {event["pid"] for event in json.loads(to_trace(found))["traceEvents"]} == {1, 2, 3, 4}


def test_a_profile_without_steps_has_no_trace() -> None:
    with pytest.raises(Refused, match="no layers"):
        to_trace(kept())


HOT = Conditions("", throttled=("too hot",))
BUSY = Conditions("", others=("cc (7)",))
WARNINGS = {
    "wrong outputs": ({"deviation": 0.5, "limit": 1e-4}, {}, "something else than the model", False),
    "no shape": ({"deviation": float("inf"), "limit": 1e-4}, {}, "off by inf", False),
    "NaN": ({"deviation": float("nan"), "limit": 1e-4}, {}, "gives NaN", False),
    "hot": ({}, {"after": HOT}, "held down: too hot", None),
    "busy": ({}, {"before": BUSY}, "other processes were busy: cc (7)", None),
    "loaded": ({}, {"before": Conditions("", load=2.0)}, "load 2.00", None),
    "good outputs": ({"deviation": 1e-5, "limit": 1e-4}, {}, "", True),
}


@pytest.mark.parametrize("case", WARNINGS)
def test_what_is_wrong_is_warned_of(case: str) -> None:
    of_model, of_profile, said, agree = WARNINGS[case]
    whole = timed("m", 1.0, **of_model)
    found = report(one(whole, **of_profile))
    assert outputs_agree(whole) is agree
    assert said in " ".join(found.warnings)
    assert len(found.warnings) == bool(said)


def test_runs_that_vary_are_warned_of() -> None:
    steady, wild = timed("steady", 1.0), Timed("wild", "", 0, ((1.0, 2.0, 1.0),) * 20)
    (warning,) = report(profile(Batch(1, {}, (steady, wild)))).warnings
    assert "vary by more than 2.5 %" in warning
    assert "wild" in warning
    assert "steady" not in warning


def test_what_is_missing_is_noted_with_what_would_bring_it() -> None:
    found = report(profile({"a": 1.0, "b": 1.02}))
    assert any("p99 is left out: it needs 662 runs, and there were 100" in note for note in found.notes)
    assert any("--iterations 662" in note for note in found.notes)
    assert not any("p90" in note for note in found.notes)
    wide = [timed("a", 1.0), Timed("b", "", 0, tuple((0.9 + 0.01 * number,) for number in range(20)))]
    assert any("inconclusive" in note for note in report(profile(Batch(1, {}, tuple(wide)))).notes)


def test_a_report_is_json_without_the_times() -> None:
    found = report(kept()).to_dict()
    text = json.dumps(found)
    assert len(text) < 20_000
    assert found["reference"] == "model.onnx"
    assert json.loads(text)["models"][1]["ratio"]["verdict"] == "faster"
    assert json.loads(text)["models"][0]["ratio"] is None


def test_steps_of_each_model_stand_beside_those_of_the_reference() -> None:
    rounds = ((2e-3, 2e-3), (5e-4, 5e-4))
    models = [timed(name, 1.0, layers=STEPS, layer_rounds=rounds) for name in ("a", "b", "c")]
    found = report(profile(Batch(1, {}, tuple(models)), reference=1))
    assert [len(line.layers) for line in found.lines] == [2, 0, 2]
    alone = report(one(models[0]))
    assert [row.after for row in alone.lines[0].layers] == [None, None]
