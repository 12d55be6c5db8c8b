"""A run against a saved one: what is compared, what is refused, and how strong a verdict can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphprune.backends import Setup
from graphprune.errors import Usage
from graphprune.profiling.baseline import MARGIN, Changes, against, unpaired
from graphprune.profiling.merge import Source
from graphprune.profiling.result import Batch, Profile
from tests.profiling.profiles import CPU, GPU, QUIET, batch, profile, timed

TWO = {"model.onnx": 10.0, "small.onnx": 6.0}


def changes(run: Profile, baseline: Profile, **more: Any) -> Changes:
    return against([Source("run.json", run)], [Source("baseline.json", baseline)], **more)


@pytest.mark.parametrize(
    ("median", "margin", "verdict"),
    [
        (6.8, MARGIN, "same"),
        (5.2, MARGIN, "same"),
        (7.5, MARGIN, "slower"),
        (4.5, MARGIN, "faster"),
        (6.8, 0.05, "slower"),
        (6.9, MARGIN, "inconclusive"),
    ],
)
def test_a_verdict_needs_more_than_the_margin(median: float, margin: float, verdict: str) -> None:
    found = changes(profile({**TWO, "small.onnx": median}), profile(TWO), margin=margin)
    assert [model.name for model in found.models] == ["model.onnx", "small.onnx"]
    assert found.models[0].ratio.ratio == 1
    assert found.models[0].verdict == "same"
    assert found.models[1].ratio.ratio == pytest.approx(median / 6)
    assert found.models[1].verdict == verdict
    assert found.models[1].notes == ()


def test_the_unpaired_interval_is_that_of_two_independent_medians() -> None:
    draw = np.random.default_rng(0)
    now, then = draw.normal(10, 1, 400), draw.normal(10, 1, 400)
    found = unpaired(now, then)
    # the standard error of a median of n normal values is 1.2533 sigma / sqrt(n); of the ratio, root 2 of it
    wide = 1.96 * 1.2533 * np.sqrt(2) / np.sqrt(400) / 10
    assert found.low < found.ratio < found.high
    assert found.high - found.low == pytest.approx(2 * wide, rel=0.25)


def test_models_are_found_by_name_and_else_by_hash() -> None:
    now = Batch(
        1,
        {},
        (timed("model.onnx", 10), timed("small.onnx", 5, hash="new"), timed("renamed.onnx", 3, hash="cc")),
    )
    then = Batch(
        1, {}, (timed("model.onnx", 10), timed("small.onnx", 6, hash="old"), timed("tiny.onnx", 4, hash="cc"))
    )
    found = changes(profile(now), profile(then))
    assert [(model.hash, model.hash_then) for model in found.models[1:]] == [("new", "old"), ("cc", "cc")]
    assert [model.notes for model in found.models] == [
        (),
        ("another model of this name then",),
        ("tiny.onnx then",),
    ]


def test_what_the_baseline_has_not_is_named() -> None:
    found = changes(profile({**TWO, "tiny.onnx": 2.0}, batch(TWO, 8)), profile(TWO))
    assert found.missing == ("tiny.onnx at batch 1", "model.onnx at batch 8", "small.onnx at batch 8")
    with pytest.raises(Usage, match="no model of the run is in the baseline"):
        changes(profile({"other.onnx": 1.0}), profile(TWO))


REFUSED: Mapping[str, tuple[Profile, str]] = {
    "device": (profile(TWO, device=GPU), "the baseline of trt on L4"),
    "cores": (
        profile(TWO, device=replace(CPU, details={"cores": "8", "threads": "1"})),
        "cores: 4 now, cores: 8",
    ),
    "threads": (profile(TWO, setup=Setup(threads=2)), "threads: 1 now, threads: 2 then"),
    "transfers": (profile(TWO, setup=Setup(transfers=True)), "transfers: not timed now"),
    "shapes": (profile(replace(batch(TWO), shapes={"x": (1, 3, 9, 9)})), "shapes: x:1x3x8x8 now"),
    "throttled": (
        profile(TWO, after=replace(QUIET, throttled=("hot",))),
        r"undisturbed now, disturbed \(throttled\) then",
    ),
}


@pytest.mark.parametrize(("other", "what"), REFUSED.values(), ids=REFUSED)
def test_what_makes_the_ratio_meaningless_is_refused_unless_forced(other: Profile, what: str) -> None:
    with pytest.raises(Usage, match=what):
        changes(profile(TWO), other)
    found = changes(profile(TWO), other, force=True)
    assert found.models[0].notes


def test_a_gpu_that_others_use_is_refused() -> None:
    shared = profile(TWO, device=GPU, before=replace(QUIET, others=("train (7)",)))
    with pytest.raises(Usage, match=r"disturbed \(other processes\) now, undisturbed then"):
        changes(shared, profile(TWO, device=GPU))


def test_a_disturbance_is_refused_though_both_had_it() -> None:
    hot = profile(TWO, after=replace(QUIET, throttled=("hot",)))
    with pytest.raises(Usage, match=r"disturbed \(throttled\) now, disturbed \(throttled\) then"):
        changes(hot, replace(hot, seed=1))


@pytest.mark.parametrize(
    ("other", "note"),
    [
        (profile(TWO, versions={"graphprune": "0.0.9"}), "graphprune 0.1.0 now, graphprune 0.0.9 then"),
        (
            profile(TWO, device=replace(CPU, versions={"onnxruntime": "1.30.0"})),
            "onnxruntime 1.32.0 now, onnxruntime 1.30.0 then",
        ),
        (profile(TWO, seed=4), "seed: 0 now, seed: 4 then"),
        (profile(TWO, before=replace(QUIET, load=2.0)), "undisturbed now, disturbed (busy) then"),
        (
            profile(TWO, before=replace(QUIET, others=("train (7)",))),
            "undisturbed now, disturbed (other processes) then",
        ),
        (profile(batch(TWO, rounds=5)), "fewer than 6 rounds allow no verdict"),
    ],
    ids=["graphprune", "runtime", "seed", "busy", "others", "few rounds"],
)
def test_what_leaves_the_ratio_a_meaning_is_noted(other: Profile, note: str) -> None:
    found = changes(profile({**TWO, "model.onnx": 30.0}), other)
    assert all(note in model.notes for model in found.models)
    assert found.models[0].verdict == ("inconclusive" if "rounds" in note else "slower")


def test_of_several_baselines_of_the_device_the_most_alike_is_taken() -> None:
    older = profile({**TWO, "small.onnx": 9.0}, device=replace(CPU, versions={"onnxruntime": "1.30.0"}))
    sources = [
        Source("all.json", older),
        Source("all.json", profile(TWO)),
        Source("all.json", profile(TWO, device=GPU)),
    ]
    found = against([Source("run.json", profile(TWO))], sources)
    assert found.models[1].ratio.ratio == 1
    assert found.models[1].notes == ()
