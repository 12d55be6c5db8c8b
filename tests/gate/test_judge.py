"""Evidence is judged by limits: what passes, fails, is open or skipped, and with what exit code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from graphprune.errors import Usage
from graphprune.gate.assertions import read_assert
from graphprune.gate.evidence import Evidence, Proof, Scored
from graphprune.gate.judge import judge
from graphprune.gate.outcome import Finding, Level, Outcome
from tests.gate.evidence import evidence, timing

FINE = dict.fromkeys(range(4), (1000, 900, 899, 895))
DEAD = {**FINE, 2: (50, 45, 0, 0)}


def judged(found: Evidence, *words: str, level: Level = "error", **options: Any) -> Outcome:
    return judge(found, [read_assert(word, level) for word in words], **options)


def only(outcome: Outcome) -> Finding:
    (finding,) = outcome.findings
    return finding


COUNTED = {
    "size<=600": ("pass", 600),
    "size<=599": ("fail", 600),
    "size<600": ("fail", 600),
    "size>=600": ("pass", 600),
    "size>=601": ("fail", 600),
    "size.ratio<=0.6": ("pass", 0.6),
    "size.ratio<=59%": ("fail", 0.6),
    "size.ratio>=0.5": ("pass", 0.6),
    "size.increase<=0": ("pass", -400),
    "params.ratio<=0.5": ("pass", 0.4),
    "macs<=19": ("fail", 20),
}


@pytest.mark.parametrize(("word", "expected"), COUNTED.items(), ids=COUNTED)
def test_what_is_counted_passes_or_fails(word: str, expected: tuple[str, float]) -> None:
    finding = only(judged(evidence(), word))
    assert finding.status == expected[0]
    assert finding.value == pytest.approx(expected[1])
    assert finding.low == finding.high == finding.value
    assert finding.count is None


TIMED = {
    "latency.p50.ratio<=0.8": "pass",
    "latency.p50.ratio<=0.6": "fail",
    "latency.p50.ratio<=0.7": "inconclusive",
    "latency.p50<=8ms": "pass",
    "latency.p50<=6ms": "fail",
    "latency.p90<=8ms": "pass",
    "latency.mean<=8ms": "pass",
    "latency.mean.ratio<=0.6": "fail",
    "latency.p50.increase<=0ms": "pass",
    "throughput>=120": "pass",
    "throughput>=200": "fail",
    "throughput.ratio>=1.2": "pass",
    "throughput.ratio>=1.7": "fail",
}


@pytest.mark.parametrize(("word", "status"), TIMED.items(), ids=TIMED)
def test_times_pass_fail_or_are_open(word: str, status: str) -> None:
    finding = only(judged(evidence(timing(jitter=0.05)), word))
    assert finding.status == status
    assert finding.low is not None
    assert finding.high is not None
    assert finding.value is not None
    assert finding.low <= finding.value <= finding.high
    assert finding.device == "A processor (ort:cpu)"
    assert finding.batch == 1


def test_a_latency_is_shown_in_seconds_and_a_throughput_in_samples_a_second() -> None:
    found = evidence(timing(batches=(8,)))
    time, rate = judged(found, "latency.p50<=1s", "throughput>=1").findings
    assert [time.original, time.candidate] == pytest.approx([0.01, 0.007])
    assert [rate.original, rate.candidate] == pytest.approx([800, 8 / 0.007])
    assert (time.unit, rate.unit) == ("s", "1/s")


def test_there_is_one_finding_for_each_device_and_batch() -> None:
    found = evidence(timing(batches=(1, 8)), timing(backend="trt", name="NVIDIA L4", batches=(1, 8)))
    places = [(each.device, each.batch) for each in judged(found, "latency.p50.ratio<=0.8").findings]
    assert places == [
        ("A processor (ort:cpu)", 1),
        ("A processor (ort:cpu)", 8),
        ("NVIDIA L4 (trt)", 1),
        ("NVIDIA L4 (trt)", 8),
    ]


SELECTED = {
    "@*l4*": [("NVIDIA L4 (trt)", 1), ("NVIDIA L4 (trt)", 8)],
    "@trt": [("NVIDIA L4 (trt)", 1), ("NVIDIA L4 (trt)", 8)],
    "@ort:*@batch=8": [("A processor (ort:cpu)", 8)],
    "@batch=1": [("A processor (ort:cpu)", 1), ("NVIDIA L4 (trt)", 1)],
}


@pytest.mark.parametrize(("selector", "places"), SELECTED.items(), ids=SELECTED)
def test_selectors_choose_devices_and_batches(selector: str, places: list[tuple[str, int]]) -> None:
    found = evidence(timing(batches=(1, 8)), timing(backend="trt", name="NVIDIA L4", batches=(1, 8)))
    findings = judged(found, f"latency.p50.ratio<=0.8{selector}").findings
    assert [(each.device, each.batch) for each in findings] == places


SKIPPED = {
    "latency.p50<=5ms@*T4*": "no device fits '*T4*'; measured on A processor (ort:cpu)",
    "latency.p50<=5ms@batch=4": "no batch of 4 was measured, but 1",
    "top1>=0.5": "top1 was not scored",
    "exact<=1": "neither a plan nor the record of a run was given",
}


@pytest.mark.parametrize(("word", "reason"), SKIPPED.items(), ids=SKIPPED)
def test_what_was_not_measured_is_skipped_and_never_passed(word: str, reason: str) -> None:
    outcome = judged(evidence(timing()), word)
    assert (only(outcome).status, only(outcome).reason) == ("skipped", reason)
    assert (outcome.status, outcome.exit_code) == ("inconclusive", 5)
    assert "nothing could be judged" in outcome.notes[0]
    beside = judged(evidence(timing()), word, "size<=1kB")
    assert (beside.status, beside.exit_code) == ("pass", 0)


def test_times_that_were_taken_alike_are_put_together() -> None:
    finding = only(judged(evidence(timing(), timing(candidate=7.1)), "latency.p50.ratio<=0.8"))
    assert finding.count == 80


def test_too_few_pairs_of_blocks_decide_nothing() -> None:
    finding = only(judged(evidence(timing(blocks=5)), "latency.p50.ratio<=0.8"))
    assert finding.status == "inconclusive"
    assert "too few" in finding.reason


def test_a_percentile_of_too_few_runs_decides_nothing() -> None:
    finding = only(judged(evidence(timing(runs=2)), "latency.p99<=1s"))
    assert (finding.status, finding.value) == ("inconclusive", None)
    assert finding.reason


def test_the_latency_of_an_engine_that_computes_something_else_fails() -> None:
    finding = only(judged(evidence(timing(deviation=0.5)), "latency.p50.ratio<=0.8"))
    assert finding.status == "fail"
    assert "off by 0.5" in finding.reason


def test_accuracy_is_judged_by_its_interval_and_says_how_many_samples_are_missing() -> None:
    outcome = judged(evidence(classes=FINE), "top1>=0.5", "top1>=0.95", "top1.drop<=1%", "top1.drop<=0.1%")
    statuses = [each.status for each in outcome.findings]
    assert statuses == ["pass", "fail", "pass", "inconclusive"]
    last = outcome.findings[-1]
    assert last.count == 4000
    assert last.missing is None or last.missing > 0
    assert last.original == pytest.approx(0.9)
    assert last.unit == "share"


def test_a_dead_class_fails_the_budget_of_the_worst_and_is_named() -> None:
    names = ("cat", "dog", "owl", "fox")
    words = ("top1.drop<=5%", "accuracy.class.min.drop<=10%")
    total, worst = judged(evidence(classes=DEAD, names=names), *words).findings
    assert total.status == "pass"
    assert worst.status == "fail"
    assert worst.reason.startswith("class 2 (owl): 0 of 50 right, of the original 45")
    assert [worst.value, worst.original, worst.candidate] == pytest.approx([0.9, 0.9, 0])


def test_the_outcome_lists_the_classes_the_worst_first() -> None:
    outcome = judged(evidence(classes=DEAD, names=("cat", "dog", "owl", "fox")), "top1.drop<=2%")
    assert outcome.classes[0].label == 2
    assert outcome.classes[0].name == "owl"


def test_the_class_that_a_limit_names_is_the_first_of_the_table() -> None:
    classes = {**FINE, 2: (50, 45, 20, 20), 3: (2, 2, 0, 0)}  # of two samples both may be lost by chance
    outcome = judged(evidence(classes=classes), "accuracy.class.min.drop<=10%")
    assert only(outcome).status == "fail"
    assert only(outcome).label == 2
    assert [change.label for change in outcome.classes[:2]] == [2, 3]
    open_one = judged(evidence(classes={**FINE, 3: (2, 2, 0, 0)}), "accuracy.class.0.drop<=1%")
    assert open_one.classes[0].label == (0 if only(open_one).status != "pass" else 3)


def test_one_class_has_a_budget_of_its_own() -> None:
    found = evidence(classes=DEAD, names=("cat", "dog", "owl", "fox"))
    words = ("accuracy.class.owl.drop<=10%", "accuracy.class.0.drop<=10%", "accuracy.class.1>=0.5")
    assert [each.status for each in judged(found, *words).findings] == ["fail", "pass", "pass"]
    absent = only(judged(found, "accuracy.class.9>=0.5"))
    assert (absent.status, absent.reason) == ("skipped", "the data has no sample of class 9")
    with pytest.raises(Usage, match="no class 'owls'"):
        judged(found, "accuracy.class.owls>=0.5")


def test_a_metric_without_a_value_of_the_original_has_no_drop() -> None:
    found = replace(evidence(), scores={"metric.py:f": Scored(0.7, None, 20)})
    assert only(judged(found, "accuracy.metric.py:f>=0.6")).status == "pass"
    assert only(judged(found, "accuracy.metric.py:f>=0.8")).status == "fail"
    with pytest.raises(Usage, match="no value of the original"):
        judged(found, "accuracy.metric.py:f.drop<=0.1")


PROVED = Proof("plan", "plan.json", passed=True, distance=0.3, reason="equal")


def test_a_verification_is_judged_without_being_asked_for() -> None:
    outcome = judged(replace(evidence(), proof=PROVED), "size<=1kB")
    assert [(each.assertion.metric, each.status) for each in outcome.findings] == [
        ("size", "pass"),
        ("exact", "pass"),
    ]
    assert str(outcome.findings[1].assertion.where) == "--plan plan.json"


@pytest.mark.parametrize(
    ("proof", "words", "status", "code"),
    [
        (replace(PROVED, distance=2.0), ("size<=1kB",), "fail", 1),
        (replace(PROVED, passed=False), ("size<=1kB",), "fail", 1),
        (replace(PROVED, passed=False, distance=None), ("size<=1kB",), "fail", 1),
        (replace(PROVED, distance=2.0), ("size<=1kB", "exact<=3"), "pass", 0),
        (replace(PROVED, passed=False), ("size<=1kB", "exact<=3"), "fail", 1),
    ],
    ids=["too far", "not proved", "another model", "a wider limit", "no width excuses it"],
)
def test_a_broken_verification_fails_whatever_the_budgets(
    proof: Proof, words: tuple[str, ...], status: str, code: int
) -> None:
    outcome = judged(replace(evidence(), proof=proof), *words)
    assert (outcome.status, outcome.exit_code) == (status, code)


def test_a_verification_alone_is_not_what_was_asked_for() -> None:
    found = replace(evidence(timing()), proof=PROVED)
    assert judged(found, "latency.p50<=5ms@*T4*").exit_code == 5


def test_levels_decide_what_a_broken_limit_does() -> None:
    words = [read_assert("size<=1", level) for level in ("warn", "off")]
    outcome = judge(evidence(), [*words, read_assert("size<=1kB")])
    assert [each.status for each in outcome.findings] == ["fail", "off", "pass"]
    assert (outcome.status, outcome.exit_code) == ("pass", 0)


@pytest.mark.parametrize(("choice", "code"), [("warn", 0), ("fail", 1), ("exit", 5)])
def test_what_is_open_does_what_was_chosen(choice: Any, code: int) -> None:
    found = evidence(timing(jitter=0.05))
    outcome = judged(found, "latency.p50.ratio<=0.7", inconclusive=choice)
    assert (outcome.status, outcome.exit_code) == ("inconclusive", code)
    warned = judged(found, "latency.p50.ratio<=0.7", level="warn", inconclusive=choice)
    assert warned.exit_code == 0


def test_warn_only_shows_what_is_broken_and_lets_it_pass() -> None:
    outcome = judged(evidence(), "size<=1", warn_only=True)
    assert outcome.exit_code == 0
    assert (only(outcome).status, only(outcome).assertion.level) == ("fail", "warn")


def test_a_broken_error_weighs_more_than_an_open_one() -> None:
    outcome = judged(evidence(timing(jitter=0.05)), "latency.p50.ratio<=0.7", "size<=1", inconclusive="exit")
    assert (outcome.status, outcome.exit_code) == ("fail", 1)
