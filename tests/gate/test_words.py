"""A gate in words: what is said, and that rounding never makes a broken limit look met."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphprune.gate.outcome import Finding, Location, Outcome
from graphprune.gate.outputs import FORMATS
from graphprune.gate.outputs.figures import against, kind_of, scale_of
from graphprune.gate.outputs.words import cells_of, headline, mark, sentence, to_blame
from tests.gate.outcomes import FALL, HOSTILE, OPEN, RATIO, SKIPPED, every_kind, hostile, limit, outcome

AT = "; limit at graphprune.toml:14"


def counted(value: float, unit: str, number: float, bound: Any = "max", metric: str = "size") -> Finding:
    """A figure that has no interval."""
    assertion = limit(metric, bound, number)
    status = "fail" if (value > number) == assertion.upper and value != number else "pass"
    return Finding(assertion, status, value, value, value, None, None, unit)


SENTENCES = {
    "a fall": (
        FALL,
        (
            "accuracy.top1 fell by 3.1 points (95 % interval 2.2 to 4.0), "
            "allowed: at most 1 point; original 91.0 %, candidate 87.9 %"
        ),
    ),
    "a rise where a fall is limited": (
        replace(FALL, status="pass", value=-0.003, low=-0.01, high=0.004, candidate=0.913),
        (
            "accuracy.top1 rose by 0.3 points (95 % interval -0.4 to 1.0), "
            "allowed: a fall of at most 1 point; original 91.0 %, candidate 91.3 %"
        ),
    ),
    "no change": (
        replace(FALL, status="pass", value=0.0, low=0.0, high=0.0, candidate=0.91),
        "accuracy.top1 did not change, allowed: a fall of at most 1 point; original 91.0 %, candidate 91.0 %",
    ),
    "a ratio on a device": (
        RATIO,
        (
            "latency.p50 on ort:cpu Xeon, batch 8 is 0.652 times the original's "
            "(95 % interval 0.641 to 0.660), allowed: at most 0.7; original 10.10 ms, candidate 6.600 ms"
        ),
    ),
    "open": (
        OPEN,
        (
            "accuracy.top1 fell by 1.2 points (95 % interval 0.2 to 2.2), "
            "allowed: at most 1 point; original 91.0 %, candidate 87.9 %; "
            "needs about 1,200 more samples (now 300)"
        ),
    ),
    "open, of blocks": (
        replace(RATIO, status="inconclusive", value=0.69, high=0.72, missing=1),
        (
            "latency.p50 on ort:cpu Xeon, batch 8 is 0.690 times the original's "
            "(95 % interval 0.641 to 0.720), allowed: at most 0.7; original 10.10 ms, candidate 6.600 ms; "
            "needs about 1 more pair of blocks (now 60)"
        ),
    ),
    "open without a figure": (
        replace(SKIPPED, status="inconclusive", reason="5 pairs are too few"),
        "latency.p99 has no figure to judge, allowed: a fall of at most 0.01; 5 pairs are too few",
    ),
    "skipped": (
        SKIPPED,
        "latency.p99 was not measured, allowed: a fall of at most 0.01; no device fits '*T4*'",
    ),
    "a size": (
        replace(counted(21e6, "B", 20e6), original=44e6, candidate=21e6),
        "size is 21.00 MB, allowed: at most 20 MB; original 44.00 MB",
    ),
    "bytes": (counted(1.0, "B", 0.0, "max-increase"), "size rose by 1 B, allowed: at most 0 B"),
    "a count": (
        counted(25_557_032, "count", 30e6, metric="params"),
        "params is 25.56 M, allowed: at most 30 M",
    ),
    "a small count": (
        counted(1234, "count", 1235, metric="params"),
        "params is 1,234, allowed: at most 1,235",
    ),
    "a time": (
        counted(0.0071234, "s", 0.007, metric="latency.p50"),
        "latency.p50 is 7.123 ms, allowed: at most 7 ms",
    ),
    "a share": (counted(0.9, "share", 0.9, "min", "top1"), "top1 is 90.0 %, allowed: at least 90 %"),
    "a rate": (
        counted(1234.5, "1/s", 1000, "min", "throughput"),
        "throughput is 1,234/s, allowed: at least 1,000/s",
    ),
    "a tiny number": (
        counted(1.23456e-9, "", 1e-8, metric="fidelity.mse"),
        "fidelity.mse is 1.235e-9, allowed: at most 1e-8",
    ),
    "infinite": (
        counted(float("inf"), "", 0.7, "max-ratio"),
        "size is inf times the original's, allowed: at most 0.7",
    ),
    "exact": (
        Finding(limit("exact", "max", 1.0), "fail", 3.0, 3.0, 3.0, reason="y differs by 0.3"),
        "exact does not hold; y differs by 0.3",
    ),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_a_finding_is_a_sentence(name: str) -> None:
    finding, said = SENTENCES[name]
    assert sentence(finding) == said + AT


def test_a_limit_of_the_command_line_is_named_as_it_was_written() -> None:
    where = Location("", 0, "top1.drop<=1%")
    assert sentence(replace(FALL, assertion=limit(where=where))).endswith(
        "; limit of --assert 'top1.drop<=1%'"
    )


HARD = {
    "a ten-thousandth above": (0.7004, 0.7, "", "max-ratio"),
    "far below the digits shown": (0.7 + 1e-12, 0.7, "", "max-ratio"),
    "one unit in the last place": (0.7000000000000001, 0.7, "", "max-ratio"),
    "points": (0.01000001, 0.01, "share", "max-drop"),
    "a limit that its unit left dust on": (0.029, 2.9 * 0.01, "share", "max-drop"),
    "a byte too many": (20_000_001.0, 20e6, "B", "max"),
    "percent": (0.89999, 0.9, "share", "min"),
    "a nanosecond": (0.005000001, 0.005, "s", "max"),
    "parameters": (30_000_001.0, 30e6, "count", "max"),
}


def read(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


@pytest.mark.parametrize("name", HARD)
def test_a_broken_limit_never_looks_met(name: str) -> None:
    value, number, unit, bound = HARD[name]
    assert value != number
    scale = scale_of(unit, kind_of(bound), (value, number))  # type: ignore[arg-type]
    (shown,), told = against([value], number, scale)
    assert (read(shown) > read(told)) == (value > number)
    assert read(shown) != read(told)
    assert shown in cells_of(counted(value, unit, number, bound)).measured


@given(
    st.floats(1e-9, 1e9),
    st.floats(-1e-3, 1e-3),
    st.sampled_from(["", "s", "B", "count", "share", "1/s"]),
    st.sampled_from(["max", "max-ratio", "max-drop"]),
)
def test_what_is_shown_is_on_the_side_that_it_is_on(number: float, off: float, unit: str, bound: Any) -> None:
    values = [number * (1 + off), number, number * (1 + off**3)]
    scale = scale_of(unit, kind_of(bound), (*values, number))
    shown, told = against(values, number, scale)
    for text, value in zip(shown, values):
        assert (read(text) > read(told), read(text) < read(told)) == (value > number, value < number)


def test_the_headline_counts_every_limit_but_those_that_are_off() -> None:
    made = outcome(FALL, RATIO, SKIPPED, OPEN, replace(FALL, assertion=limit(level="warn")))
    off = replace(FALL, status="off", assertion=limit(level="off"))
    said = (
        "gate failed: 1 of 5 limits holds, 1 broken, 1 warning, 1 inconclusive, 1 skipped; "
        "small.onnx beside model.onnx"
    )
    assert headline(made) == headline(replace(made, findings=(*made.findings, off))) == said


def test_saved_results_have_no_models_to_name() -> None:
    assert headline(Outcome("", "", "pass", 0, (RATIO,))) == "gate passed: 1 of 1 limit holds"


BLAME = {
    "what is broken, beside what is open": (outcome(FALL, OPEN, SKIPPED), [True, False, False]),
    "what is open, where that fails the gate": (
        outcome(OPEN, SKIPPED, RATIO, status="inconclusive", exit_code=5),
        [True, False, False],
    ),
    "what has no figure, where nothing has": (outcome(SKIPPED, status="inconclusive", exit_code=5), [True]),
    "nothing, where the gate passes": (outcome(OPEN, SKIPPED, exit_code=0), [False, False]),
    "nothing that only warns": (outcome(replace(FALL, assertion=limit(level="warn")), FALL), [False, True]),
}


@pytest.mark.parametrize("name", BLAME)
def test_blamed_is(name: str) -> None:
    made, blamed = BLAME[name]
    assert [to_blame(made, finding) for finding in made.findings] == blamed


def test_every_kind_of_finding_has_a_mark_and_a_sentence() -> None:
    made = every_kind()
    assert {mark(finding) for finding in made.findings} == {
        "fail",
        "warn",
        "inconclusive",
        "skipped",
        "pass",
        "off",
    }
    assert all(sentence(finding).count("; limit ") == 1 for finding in made.findings)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", HOSTILE)
def test_every_format_is_a_text_that_can_be_written(form: str, name: str) -> None:
    text = FORMATS[form](hostile(HOSTILE[name]))
    assert text.endswith("\n")
    assert text.encode("utf-8")
