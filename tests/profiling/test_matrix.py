"""Profiles side by side: what is put together, what stands apart, and what is said of it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphprune.backends import Setup
from graphprune.engines.options import BuildOptions
from graphprune.profiling.labels import facts
from graphprune.profiling.matrix import LEAST, Cell, Matrix, matrix
from graphprune.profiling.merge import Source
from graphprune.profiling.paired import Blocks
from graphprune.profiling.result import Batch, Profile, Timed
from tests.profiling.profiles import CPU, GPU, QUIET, batch, profile, timed

TWO = {"model.onnx": 10.0, "small.onnx": 6.0}


def compared(*profiles: Profile, **more: Any) -> Matrix:
    return matrix([Source(f"{number}.json", each) for number, each in enumerate(profiles)], **more)


def cell(made: Matrix, row: int, column: int = 0) -> Cell:
    found = made.cells[row][column]
    assert found is not None
    return found


def test_a_cell_has_the_median_and_the_paired_ratio_of_its_profile() -> None:
    one = profile(batch(TWO, seed=5), seed=3)
    small = cell(compared(one), 1)
    blocks = Blocks(tuple(tuple(map(np.array, model.blocks)) for model in one.batches[0].models))
    assert small.ratio == blocks.interval(1, 0, seed=3)
    assert small.milliseconds == np.median(blocks.all(1))
    assert (small.rounds, small.runs) == (20, 100)
    assert small.ratio is not None and small.ratio.ratio == pytest.approx(0.6)


def test_the_reference_has_no_ratio_and_stands_first() -> None:
    made = compared(profile({"small.onnx": 6.0, "model.onnx": 10.0}, reference=1))
    assert [(row.name, row.reference) for row in made.rows] == [
        ("model.onnx", None),
        ("small.onnx", "model.onnx"),
    ]
    assert cell(made, 0).ratio is None
    assert cell(made, 0).verdict is None
    assert cell(made, 1).verdict == "faster"


@pytest.mark.parametrize(
    ("median", "margin", "threshold", "verdict"),
    [
        (9.6, 0.02, None, "faster"),
        (9.6, 0.02, 0.05, "same"),
        (9.6, 0.05, None, "same"),
        (9.6, 0.05, 0.02, "faster"),
        (10.4, 0.02, None, "slower"),
        (10.4, 0.02, 0.05, "same"),
    ],
)
def test_the_threshold_takes_the_place_of_the_margin(
    median: float, margin: float, threshold: float | None, verdict: str
) -> None:
    one = profile({"model.onnx": 10.0, "small.onnx": median}, margin=margin)
    assert cell(compared(one, threshold=threshold), 1).verdict == verdict


def test_rounds_of_equal_profiles_are_put_together() -> None:
    one, other = profile(batch(TWO, rounds=20, seed=1)), profile(batch(TWO, rounds=10, seed=2))
    made = compared(one, other)
    assert len(made.columns) == 1
    assert made.columns[0].files == ("0.json", "1.json")
    assert cell(made, 1).rounds == 30
    assert cell(made, 1).notes == ()


def test_models_of_equal_profiles_stand_in_one_column_each_with_its_own_ratio() -> None:
    made = compared(profile(TWO), profile({"model.onnx": 12.0, "tiny.onnx": 3.0}))
    assert [row.name for row in made.rows] == ["model.onnx", "small.onnx", "tiny.onnx"]
    assert len(made.columns) == 1
    ratios = [cell(made, row).ratio for row in (1, 2)]
    assert [ratio and round(ratio.ratio, 6) for ratio in ratios] == [0.6, 0.25]
    assert cell(made, 0).rounds == 40


def test_profiles_that_disagree_are_given_the_interval_of_both() -> None:
    one, other = profile(batch(TWO, seed=1)), profile(batch({**TWO, "small.onnx": 7.0}, seed=2))
    found = cell(compared(one, other), 1)
    assert found.ratio is not None
    assert found.ratio.low == pytest.approx(0.6)
    assert found.ratio.high == pytest.approx(0.7)
    assert any("disagree" in note for note in found.notes)
    assert [cell(compared(*each, threshold=0.35), 1).verdict for each in ((one,), (one, other))] == [
        "faster",
        "inconclusive",
    ]


DIFFERENT: Mapping[str, tuple[Profile, tuple[str, ...]]] = {
    "runtime": (
        profile(TWO, device=replace(CPU, versions={"onnxruntime": "1.31.1"})),
        ("onnxruntime 1.31.1",),
    ),
    "graphprune": (profile(TWO, versions={"graphprune": "0.2.0"}), ("graphprune 0.2.0",)),
    "no versions": (profile(TWO, versions={}), ("graphprune unknown",)),
    "cores": (profile(TWO, device=replace(CPU, details={"cores": "8"})), ("cores: 8",)),
    "threads": (profile(TWO, setup=Setup(threads=4)), ("threads: 4",)),
    "spinning": (profile(TWO, setup=Setup(spin=False)), ("waiting threads: block",)),
    "graphs": (profile(TWO, setup=Setup(cuda_graph=False)), ("CUDA graph: no",)),
    "transfers": (profile(TWO, setup=Setup(transfers=True)), ("transfers: timed",)),
    "engine": (profile(TWO, setup=Setup(build=BuildOptions(level=5))), ("engine: level 5",)),
    "seed": (profile(TWO, seed=1), ("seed: 1",)),
    "shapes": (profile(replace(batch(TWO), shapes={"x": (1, 3, 9, 9)})), ("shapes: x:1x3x9x9",)),
    "throttled": (profile(TWO, after=replace(QUIET, throttled=("power cap",))), ("disturbed (throttled)",)),
    "others": (profile(TWO, before=replace(QUIET, others=("train (7)",))), ("disturbed (other processes)",)),
    "busy": (profile(TWO, before=replace(QUIET, load=0.9)), ("disturbed (busy)",)),
}


@pytest.mark.parametrize(("other", "said"), DIFFERENT.values(), ids=DIFFERENT)
def test_profiles_that_differ_stand_apart_and_say_in_what(other: Profile, said: tuple[str, ...]) -> None:
    made = compared(profile(TWO), other)
    assert len(made.columns) == 2
    assert made.columns[1].apart == said
    assert len(made.columns[0].apart) == len(said)
    assert cell(made, 1, 0).ratio == cell(made, 1, 1).ratio


def test_what_disturbed_a_profile_is_noted_with_its_figures() -> None:
    hot = replace(QUIET, throttled=("power cap",), others=("train (7)",), load=1.26)
    (column,) = compared(profile(TWO, before=hot)).columns
    assert column.notes == (
        "the machine was busy before: load 1.26 per core",
        "other processes were busy: train (7)",
        "the device was held down: power cap",
    )
    assert compared(profile(TWO, after=replace(QUIET, load=1.26))).columns[0].notes == ()


def test_shards_that_were_disturbed_share_a_note_of_the_worst() -> None:
    one, other = (replace(QUIET, load=load, others=(f"train ({pid})",)) for load, pid in ((0.9, 1), (1.4, 2)))
    (column,) = compared(profile(TWO, before=one), profile(batch(TWO, seed=9), before=other)).columns
    assert column.notes == (
        "the machine was busy before: load 1.40 per core",
        "other processes were busy: train (1), train (2)",
    )


def test_devices_and_batches_have_columns_of_their_own_and_no_ratio_to_each_other() -> None:
    made = compared(profile(batch(TWO, 8), batch(TWO, 1)), profile(TWO, device=GPU), profile(batch(TWO, 32)))
    assert [(column.backend, column.batch) for column in made.columns] == [
        ("ort:cpu", 1),
        ("ort:cpu", 8),
        ("ort:cpu", 32),
        ("trt", 1),
    ]
    assert all(column.apart == () for column in made.columns)
    assert {row.reference for row in made.rows} == {None, "model.onnx"}


def test_versions_that_differ_between_devices_are_noted() -> None:
    made = compared(
        profile(TWO), profile(TWO, device=GPU, versions={"graphprune": "0.2.0"}), profile(batch(TWO, 8))
    )
    assert made.notes == ("columns differ in graphprune: 0.1.0 in 1 and 2, 0.2.0 in 3",)


def test_a_name_of_two_models_is_two_rows_with_their_hashes() -> None:
    other = Batch(
        1, {"x": (1, 3, 8, 8)}, (timed("model.onnx", 10), timed("small.onnx", 5, hash="dddddddddd"))
    )
    made = compared(profile(TWO), profile(other))
    assert [row.label for row in made.rows] == [
        "model.onnx",
        "small.onnx (bbbbbbbb)",
        "small.onnx (dddddddd)",
    ]
    assert made.notes == ("small.onnx is the name of 2 models, told apart by their hashes",)
    assert [each is None for each in made.cells[1]] == [False]


def test_one_model_under_two_names_is_noted() -> None:
    same = Batch(1, {}, (timed("a.onnx", 10, hash="ee"), timed("b.onnx", 10, hash="ee")))
    assert compared(profile(same)).notes == ("a.onnx and b.onnx are the same model",)


def test_a_model_timed_against_itself_is_not_taken_for_more_rounds_of_itself() -> None:
    thrice = Batch(1, {}, tuple(timed("model.onnx", 10) for _ in range(3)))
    made = compared(profile(thrice))
    assert [row.reference for row in made.rows] == [None, "model.onnx", "model.onnx"]
    assert [cell(made, row).rounds for row in range(3)] == [20, 20, 20]


def test_a_model_that_is_the_reference_of_one_and_not_of_another_has_a_row_for_each() -> None:
    made = compared(profile(TWO), profile({"small.onnx": 6.0, "tiny.onnx": 3.0}))
    assert [(row.label, row.reference) for row in made.rows] == [
        ("model.onnx", None),
        ("small.onnx", "model.onnx"),
        ("small.onnx", None),
        ("tiny.onnx", "small.onnx"),
    ]


@pytest.mark.parametrize(("rounds", "verdict"), [(LEAST - 1, "inconclusive"), (LEAST, "faster")])
def test_few_rounds_allow_no_verdict(rounds: int, verdict: str) -> None:
    found = cell(compared(profile(batch(TWO, rounds=rounds))), 1)
    assert found.verdict == verdict
    assert any("rounds" in note for note in found.notes) == (rounds < LEAST)


@pytest.mark.parametrize(
    ("changed", "pattern"),
    [
        ({"blocks": tuple((5.0, 6.0, 7.0) for _ in range(20))}, "unsteady: times vary by more than 2.5 %"),
        ({"deviation": 0.5, "limit": 0.01}, "outputs are off by 0.5, more than 0.01"),
        ({"deviation": float("nan"), "limit": 0.01}, "outputs are off by nan"),
        ({"deviation": 0.005, "limit": 0.01}, ""),
        ({"deviation": 0.5}, ""),
    ],
    ids=["unsteady", "off", "not a number", "within the limit", "no limit"],
)
def test_what_makes_a_time_doubtful_is_noted(changed: Mapping[str, Any], pattern: str) -> None:
    small: Timed = replace(timed("small.onnx", 6), **changed)
    notes = cell(compared(profile(Batch(1, {}, (timed("model.onnx", 10), small)))), 1).notes
    assert bool(notes) == bool(pattern)
    assert not pattern or re.search(pattern, notes[0])


@pytest.mark.parametrize("field", dataclasses.fields(Setup), ids=lambda field: field.name)
def test_no_part_of_the_setup_is_left_out_of_what_figures_depend_on(field: dataclasses.Field[Any]) -> None:
    others = {"threads": 7, "gpu": 1, "build": BuildOptions(sparse=True)}
    other = others.get(field.name, not field.default)
    changed = profile(TWO, setup=replace(Setup(), **{field.name: other}))
    assert facts(changed, changed.batches[0]) != facts(profile(TWO), changed.batches[0])


@pytest.mark.parametrize("field", dataclasses.fields(BuildOptions), ids=lambda field: field.name)
def test_no_option_that_changes_an_engine_is_left_out(field: dataclasses.Field[Any]) -> None:
    value = {"x": (1, 2)} if field.name.endswith("_shapes") else "5"
    changed = profile(TWO, setup=Setup(build=replace(BuildOptions(), **{field.name: value})))
    plain = profile(TWO, setup=Setup(build=BuildOptions()))
    same = facts(changed, changed.batches[0]) == facts(plain, plain.batches[0])
    assert same == (field.name in {"timing_cache", "trusted"})
