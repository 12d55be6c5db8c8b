"""Saved results are judged without models and without a device, and say the same as before."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from graphprune.errors import GraphpruneError, Refused, Usage
from graphprune.gate.evidence import Evidence, Figures, from_values, to_values, write_evidence
from graphprune.gate.outcome import Outcome
from graphprune.gate.running import gate
from graphprune.profiling.files import write_profile
from graphprune.profiling.merge import merged
from graphprune.profiling.result import Profile
from tests.gate.evidence import evidence, timing

CLASSES = dict.fromkeys(range(3), (500, 400, 399, 390))


def saved(folder: Path, profile: Profile, name: str = "profile.json") -> Path:
    write_profile(profile, folder / name)
    return folder / name


def three(name: str = "other.onnx") -> Profile:
    """A profile of a reference and two others."""
    profile = timing().profile
    batch = profile.batches[0]
    other = replace(batch.models[1], name=name, hash="cccccccccccc", bytes=700)
    return replace(profile, batches=(replace(batch, models=(*batch.models, other)),))


def statuses(outcome: Outcome) -> list[str]:
    return [finding.status for finding in outcome.findings]


def test_evidence_is_the_same_after_a_file(tmp_path: Path) -> None:
    found = evidence(timing(jitter=0.02), classes=CLASSES, names=("a", "b", "c"))
    assert from_values(json.loads(json.dumps(to_values(found))), "a file") == found
    write_evidence(found, tmp_path / "evidence.json")
    words = ["latency.p50.ratio<=0.8", "top1.drop<=5%", "accuracy.class.b>=0.5", "size<=1kB", "params<=50"]
    outcome = gate(assertions=words, results=[tmp_path / "evidence.json"])
    assert statuses(outcome) == ["pass"] * 5
    assert (outcome.original, outcome.candidate) == ("model.onnx", "small.onnx")
    assert {each.name for each in outcome.classes} == {"a", "b", "c"}


def test_a_profile_is_judged_and_what_it_does_not_say_is_skipped(tmp_path: Path) -> None:
    path = saved(tmp_path, timing(jitter=0.02).profile)
    words = ["latency.p50.ratio<=0.8", "size.ratio<=0.6", "params<=5", "top1>=0.5", "exact<=1"]
    outcome = gate(assertions=words, results=[path])
    assert statuses(outcome) == ["pass", "pass", "skipped", "skipped", "skipped"]
    assert all(finding.reason for finding in outcome.findings[2:])
    assert outcome.exit_code == 0


def test_results_of_several_devices_are_judged_one_by_one(tmp_path: Path) -> None:
    paths = [
        saved(tmp_path, timing().profile, "cpu.json"),
        saved(tmp_path, timing(candidate=9.9, backend="trt", name="NVIDIA L4").profile, "gpu.json"),
    ]
    outcome = gate(assertions=["latency.p50.ratio<=0.8", "p50<=8ms@*L4*"], results=paths)
    assert [(each.device, each.status) for each in outcome.findings] == [
        ("A processor (ort:cpu)", "pass"),
        ("NVIDIA L4 (trt)", "fail"),
        ("NVIDIA L4 (trt)", "fail"),
    ]
    (tmp_path / "all.json").write_text(merged([timing().profile, timing(backend="trt").profile]))
    together = gate(assertions=["latency.p50.ratio<=0.8"], results=[tmp_path / "all.json"])
    assert len(together.findings) == 2


def test_a_result_that_comes_twice_counts_once(tmp_path: Path) -> None:
    path = saved(tmp_path, timing(blocks=40).profile)
    again = saved(tmp_path, timing(blocks=40).profile, "again.json")
    assert gate(assertions=["p50.ratio<=0.8"], results=[path, again]).findings[0].count == 40


@pytest.mark.parametrize("candidate", ["other.onnx", "some/folder/other.onnx", "cccccccccc"])
def test_of_several_models_the_candidate_is_named(tmp_path: Path, candidate: str) -> None:
    path = saved(tmp_path, three())
    outcome = gate(candidate=candidate, assertions=["size<=1kB"], results=[path])
    assert outcome.findings[0].candidate == 700


def test_results_of_different_models_are_not_put_together(tmp_path: Path) -> None:
    first = saved(tmp_path, timing().profile)
    write_evidence(Evidence(candidate=Figures("small.onnx", "dddddddddddd")), tmp_path / "other.json")
    with pytest.raises(Usage, match="of different models"):
        gate(assertions=["size<=1kB"], results=[first, tmp_path / "other.json"])


def alone() -> Profile:
    profile = timing().profile
    batch = profile.batches[0]
    return replace(profile, batches=(replace(batch, models=batch.models[:1]),))


REFUSED: dict[str, tuple[str | Profile, str | None, type[GraphpruneError], str]] = {
    "several candidates": (three(), None, Usage, "2 models beside the original"),
    "no such candidate": (three(), "none.onnx", Usage, "no model called 'none.onnx'"),
    "another candidate": (timing().profile, "none.onnx", Usage, "no model called 'none.onnx'"),
    "one model": (alone(), None, Usage, "one model alone"),
    "no JSON": ("{", None, Refused, "no JSON"),
    "a list": ("[]", None, Refused, "no result"),
    "nothing of ours": ("{}", None, Refused, "no result"),
    "an outcome": ('{"findings": []}', None, Refused, "not what it measured"),
    "another version": ('{"evidence": {"version": 99}}', None, Refused, "version 99"),
    "broken evidence": ('{"evidence": {"version": 1, "seed": "x"}}', None, Refused, "no evidence"),
    "a broken record": ('{"verb": "gate"}', None, Refused, "no record"),
}


@pytest.mark.parametrize(("held", "candidate", "error", "what"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_cannot_be_judged_is_refused(
    tmp_path: Path, held: str | Profile, candidate: str | None, error: type[GraphpruneError], what: str
) -> None:
    path = tmp_path / "result.json"
    if isinstance(held, str):
        path.write_text(held)
    else:
        saved(tmp_path, held, "result.json")
    with pytest.raises(error, match=what) as refused:
        gate(candidate=candidate, assertions=["size<=1kB"], results=[path])
    assert refused.value.hint


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Usage, match="no such file"):
        gate(assertions=["size<=1kB"], results=[tmp_path / "none.json"])


def test_nothing_is_judged_of_empty_evidence(tmp_path: Path) -> None:
    write_evidence(Evidence(), tmp_path / "evidence.json")
    outcome = gate(assertions=["size<=1kB"], results=[tmp_path / "evidence.json"])
    assert (statuses(outcome), outcome.exit_code) == (["skipped"], 5)
