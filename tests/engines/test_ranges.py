"""The shapes that an engine takes, as trtexec reads them."""

from __future__ import annotations

import pytest

from graphprune.engines.options import BuildOptions, Sizes
from graphprune.engines.phases import Phases
from graphprune.engines.ranges import fitted, named, ranges
from graphprune.errors import Refused, Usage
from graphprune.model import from_proto
from tests.engines.networks import network

LOW, BEST, HIGH = (1, 3, 8, 8), (4, 3, 8, 8), (9, 3, 8, 8)
DYNAMIC = from_proto(network("dynamic"))


def given(**shapes: Sizes) -> BuildOptions:
    return BuildOptions(**{f"{name}_shapes": {"x": shape} for name, shape in shapes.items()})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (given(opt=BEST), (BEST, BEST, BEST)),
        (given(min=LOW, max=HIGH), (LOW, HIGH, HIGH)),
        (given(min=LOW, opt=BEST, max=HIGH), (LOW, BEST, HIGH)),
        (given(min=LOW), (LOW, LOW, LOW)),
        (BuildOptions(opt_shapes={"": BEST}), (BEST, BEST, BEST)),
    ],
    ids=["optimum", "range", "all", "smallest", "without a name"],
)
def test_what_is_not_given_follows_from_what_is(options: BuildOptions, expected: tuple[Sizes, ...]) -> None:
    assert ranges(DYNAMIC, options) == {"x": expected}


def test_fixed_inputs_have_no_range() -> None:
    assert ranges(from_proto(network("residual")), BuildOptions(opt_shapes={"x": (1, 3, 32, 32)})) == {}


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (given(), Refused),
        (given(min=HIGH, opt=BEST), Usage),
        (given(opt=HIGH, max=BEST), Usage),
        (given(opt=(1, 3, 8)), Usage),
        (given(opt=(1, 4, 8, 8)), Usage),
        (BuildOptions(min_shapes={"y": LOW}), Usage),
    ],
    ids=["none", "min over opt", "opt over max", "rank", "fixed dimension", "unknown"],
)
def test_ranges_that_do_not_fit_are_refused(options: BuildOptions, error: type[Exception]) -> None:
    with pytest.raises(error):
        ranges(DYNAMIC, options)


def test_a_model_that_is_run_at_a_shape_is_tuned_for_it_unless_told_otherwise() -> None:
    assert fitted(BuildOptions(), {"x": BEST}) == {"x": BEST}
    assert fitted(given(min=LOW, max=HIGH), {"x": BEST}) == {"x": BEST}
    assert fitted(given(min=LOW, opt=HIGH, max=HIGH), {"x": BEST}) == {"x": HIGH}
    assert fitted(named(DYNAMIC, BuildOptions(max_shapes={"": HIGH})), {"x": BEST}) == {"x": BEST}


@pytest.mark.parametrize("options", [given(max=LOW), given(min=HIGH)], ids=["above", "below"])
def test_a_shape_outside_its_range_is_refused(options: BuildOptions) -> None:
    with pytest.raises(Usage, match="4x3x8x8 of input x"):
        fitted(options, {"x": BEST})


def test_progress_of_phases_inside_phases_never_goes_back() -> None:
    phases, shares = Phases(), [0.0]

    def note() -> None:
        shares.append(phases.share())

    phases.start("whole", None, 4)
    for part in range(4):
        phases.start(f"part {part}", "whole", 2)
        for step in range(2):
            phases.start("step", f"part {part}", 3)
            phases.step("step", 1)
            note()
            phases.finish("step")
            phases.step(f"part {part}", step)
            note()
        phases.finish(f"part {part}")
        note()
        phases.step("whole", part)
        note()
    phases.step("unknown", 3)
    assert shares == sorted(shares)
    assert shares[1] == pytest.approx(1 / 12)
    assert shares[-1] == 1
