"""A gate from beginning to end, on small models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from graphprune.cli import main
from graphprune.errors import Usage
from graphprune.gate.assertions import read_assert
from graphprune.gate.gather import gather
from graphprune.gate.outcome import Finding
from graphprune.gate.running import gate
from graphprune.gate.settings import read_settings
from tests.gate.classifier import change_weight, rename_weights, write_classifier, write_samples


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, a pruned one, its plan and the record of the run, and data."""
    folder = tmp_path_factory.mktemp("models")
    write_classifier(folder / "model.onnx")
    write_classifier(folder / "dead.onnx", dead=7)
    write_samples(folder / "val.npz")
    np.savez(folder / "bare.npz", x=np.ones((4, 10), np.float32))
    prune = f"prune {folder}/model.onnx -o {folder}/small.onnx --save-plan {folder}/plan.json --no-config -q"
    assert main([*prune.split(), "--save-run", f"{folder}/run.json"]) == 0
    return folder


def by_metric(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    return {finding.assertion.metric: finding for finding in findings}


def test_a_pruned_model_within_its_budgets_passes(models: Path) -> None:
    outcome = gate(
        models / "model.onnx",
        models / "small.onnx",
        ["params.ratio<=0.6", "size.ratio<=1", "macs.ratio<=0.6", "top1.drop<=2%", "agreement>=95%"],
        data=str(models / "val.npz"),
        plan=str(models / "plan.json"),
        run=str(models / "run.json"),
    )
    assert (outcome.status, outcome.exit_code) == ("pass", 0)
    found = by_metric(outcome.findings)
    assert found["params"].value == pytest.approx(0.5, abs=0.05)
    assert found["exact"].status == "pass"
    assert len(outcome.classes) == 10


def test_a_budget_of_the_size_that_is_broken_fails(models: Path) -> None:
    outcome = gate(models / "model.onnx", models / "small.onnx", ["size<=100B"])
    assert (outcome.status, outcome.exit_code) == ("fail", 1)
    assert outcome.findings[0].candidate == (models / "small.onnx").stat().st_size


def test_a_dead_class_is_named_where_the_accuracy_is_within_its_budget(models: Path) -> None:
    outcome = gate(
        models / "model.onnx",
        models / "dead.onnx",
        ["top1.drop<=2%", "accuracy.class.min.drop<=20%"],
        data=str(models / "val.npz"),
    )
    found = by_metric(outcome.findings)
    assert found["accuracy.top1"].status == "pass"
    assert found["accuracy.class.min"].status == "fail"
    assert found["accuracy.class.min"].reason.startswith("class 7: 0 of ")
    assert (outcome.status, outcome.exit_code, outcome.classes[0].label) == ("fail", 1, 7)


@pytest.mark.parametrize("by", [2.0, 1.000001], ids=["a flipped weight", "a last digit"])
def test_a_corrupted_candidate_is_caught_by_the_plan_and_its_weight_is_named(
    models: Path, tmp_path: Path, by: float
) -> None:
    name = change_weight(models / "small.onnx", tmp_path / "bad.onnx", by=by)
    outcome = gate(
        models / "model.onnx", tmp_path / "bad.onnx", ["size.ratio<=1"], plan=str(models / "plan.json")
    )
    exact = by_metric(outcome.findings)["exact"]
    assert (outcome.exit_code, exact.status) == (1, "fail")
    assert exact.reason.startswith(f"weight {name}[")
    assert str(exact.assertion.where) == f"--plan {models / 'plan.json'}"


def test_a_renamed_candidate_passes_by_the_plan_and_a_corrupted_one_does_not(
    models: Path, tmp_path: Path
) -> None:
    rename_weights(models / "small.onnx", tmp_path / "renamed.onnx")
    name = change_weight(tmp_path / "renamed.onnx", tmp_path / "bad.onnx", by=1.000001)
    assert name.startswith("renamed_")
    for file, code in (("renamed.onnx", 0), ("bad.onnx", 1)):
        outcome = gate(
            models / "model.onnx", tmp_path / file, ["size.ratio<=1"], plan=str(models / "plan.json")
        )
        assert outcome.exit_code == code
    assert by_metric(outcome.findings)["exact"].reason.startswith(f"weight {name}[")


def test_a_corrupted_candidate_is_caught_by_the_record_of_the_run(models: Path, tmp_path: Path) -> None:
    change_weight(models / "small.onnx", tmp_path / "bad.onnx", by=1.000001)
    outcome = gate(
        models / "model.onnx", tmp_path / "bad.onnx", ["size.ratio<=1"], run=str(models / "run.json")
    )
    exact = by_metric(outcome.findings)["exact"]
    assert (outcome.exit_code, exact.status) == (1, "fail")
    assert "not the model that the run has written" in exact.reason


def test_weights_that_were_made_up_are_proved_by_the_record_alone(models: Path, tmp_path: Path) -> None:
    line = f"prune {models}/model.onnx -o {tmp_path}/made.onnx --data {models}/val.npz --compensate lstsq"
    line += f" --save-plan {tmp_path}/plan.json --save-run {tmp_path}/run.json --no-config -q"
    assert main(line.split()) == 0
    plan, run = str(tmp_path / "plan.json"), str(tmp_path / "run.json")
    good = gate(models / "model.onnx", tmp_path / "made.onnx", ["size.ratio<=1"], plan=plan, run=run)
    assert (good.exit_code, by_metric(good.findings)["exact"].status) == (0, "pass")
    change_weight(tmp_path / "made.onnx", tmp_path / "bad.onnx", by=1.000001)
    bad = gate(models / "model.onnx", tmp_path / "bad.onnx", ["size.ratio<=1"], plan=plan, run=run)
    assert (bad.exit_code, by_metric(bad.findings)["exact"].status) == (1, "fail")


def test_the_record_of_another_model_proves_nothing(models: Path, tmp_path: Path) -> None:
    write_classifier(tmp_path / "other.onnx", dead=1)
    outcome = gate(
        tmp_path / "other.onnx", models / "small.onnx", ["size.ratio<=1"], run=str(models / "run.json")
    )
    assert by_metric(outcome.findings)["exact"].reason == "the run has pruned another model than the original"


def test_the_verification_can_be_switched_off(models: Path, tmp_path: Path) -> None:
    change_weight(models / "small.onnx", tmp_path / "bad.onnx")
    config = tmp_path / "graphprune.toml"
    config.write_text(
        f'version = 1\n[gate]\nplan = "{models}/plan.json"\n'
        '[[gate.assert]]\nmetric = "exact"\nlevel = "off"\n'
    )
    words = ["size.ratio<=1"]
    outcome = gate(models / "model.onnx", tmp_path / "bad.onnx", words, config=config)
    assert (outcome.exit_code, by_metric(outcome.findings)["exact"].status) == (0, "off")


def test_another_interface_fails_and_nothing_else_is_measured(models: Path, tmp_path: Path) -> None:
    other = onnx.load(models / "small.onnx")
    other.graph.output[0].name = other.graph.node[-1].output[0] = "z"
    onnx.save(other, tmp_path / "other.onnx")
    words = ["top1.drop<=1%", "latency.p50.ratio<=1", "size.ratio<=1"]
    outcome = gate(models / "model.onnx", tmp_path / "other.onnx", words, data=str(models / "val.npz"))
    assert {each.assertion.metric: each.status for each in outcome.findings} == {
        "accuracy.top1": "skipped",
        "latency.p50": "skipped",
        "size": "pass",
        "exact": "fail",
    }
    assert outcome.exit_code == 1


def test_a_candidate_that_answers_with_no_numbers_fails(models: Path, tmp_path: Path) -> None:
    broken = onnx.load(models / "small.onnx")
    tensor = broken.graph.initializer[0]
    values = np.full(tensor.dims, np.inf, np.float32)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    onnx.save(broken, tmp_path / "broken.onnx")
    outcome = gate(models / "model.onnx", tmp_path / "broken.onnx", ["size.ratio<=2"])
    assert outcome.exit_code == 1
    assert "not finite" in by_metric(outcome.findings)["exact"].reason


def test_only_what_limits_need_is_measured(models: Path) -> None:
    values = {"original": str(models / "model.onnx"), "candidate": str(models / "small.onnx")}
    settings = read_settings({**values, "data": "no-such-file.npz"}, None, str)
    found = gather(settings, [read_assert("size.ratio<=1")])
    assert (found.timings, dict(found.scores), found.proof) == ((), {}, None)
    assert found.candidate is not None
    assert found.candidate.params is None


def test_latency_is_measured_at_the_batches_that_limits_ask_for(models: Path) -> None:
    words = ["latency.p50.ratio<=5", "latency.p50<=1s@batch=4", "throughput>=1", "p50<=1s@*no such device*"]
    outcome = gate(models / "model.onnx", models / "small.onnx", words, duration="0.05s", rounds=6)
    found = [(each.assertion.metric, each.batch, each.status) for each in outcome.findings]
    assert found == [
        ("latency.p50", 1, "pass"),
        ("latency.p50", 4, "pass"),
        ("latency.p50", 4, "pass"),
        ("throughput", 1, "pass"),
        ("throughput", 4, "pass"),
        ("latency.p50", None, "skipped"),
    ]


def test_a_limit_for_other_devices_times_nothing(models: Path) -> None:
    outcome = gate(models / "model.onnx", models / "small.onnx", ["p50<=1s@*no such device*"])
    assert (outcome.findings[0].status, outcome.exit_code) == ("skipped", 5)
    assert "nothing was timed" in outcome.findings[0].reason


REFUSED: dict[str, tuple[list[str], dict[str, str], str]] = {
    "no data": (["top1>=0.5"], {}, "accuracy.top1 needs labelled data"),
    "no data, no labels needed": (["cosine>=0.5"], {}, "fidelity.cosine needs data"),
    "no labels": (["top1>=0.5"], {"data": "{}/bare.npz"}, "bare.npz has none under the key 'labels'"),
    "no such metric code": (["accuracy.none.py:f>=0.5"], {"data": "{}/val.npz"}, "none.py"),
    "no such class": (["accuracy.class.owl>=0.5"], {"data": "{}/val.npz"}, "no class 'owl'"),
    "a batch that is not measured": (["p50<=1s@batch=4"], {"batch": "1,8"}, "batch of 4"),
    "nothing to judge by": ([], {}, "no assertions are given"),
    "only what is not there": (["size<=1"], {"only": "macs"}, "--only macs selects no"),
    "an unknown option": (["size<=1"], {"bath": "1"}, "bath"),
    "no plan": (["size<=1"], {"plan": "none.json"}, "none.json"),
    "no record": (["size<=1"], {"run": "none.json"}, "none.json"),
    "no names": (["size<=1"], {"class_names": "none.txt"}, "none.txt"),
}


@pytest.mark.parametrize(("words", "options", "what"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_judged_is_refused(
    models: Path, words: list[str], options: dict[str, str], what: str
) -> None:
    given = {key: value.format(models) for key, value in options.items()}
    with pytest.raises(Usage) as refused:
        gate(models / "model.onnx", models / "small.onnx", words, config=None, **given)
    assert what in refused.value.what
    assert refused.value.hint


def test_a_metric_of_the_users_is_found_beside_the_config(models: Path, tmp_path: Path) -> None:
    (tmp_path / "metric.py").write_text("def same(a, b, targets):\n    return (a[0] == b[0]).mean()\n")
    config = tmp_path / "graphprune.toml"
    config.write_text(
        f'version = 1\n[gate]\ndata = "{models}/val.npz"\n'
        '[[gate.assert]]\nmetric = "accuracy.metric.py:same"\nmin = 1\n'
    )
    outcome = gate(models / "model.onnx", models / "model.onnx", config=config)
    assert outcome.findings[0].value == 1
    assert str(outcome.findings[0].assertion.where) == f"{config}:6"


def test_classes_have_names_from_a_file(models: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("\n".join(f"kind {letter}" for letter in "abcdefghij") + "\n")
    data = str(models / "val.npz")
    outcome = gate(
        models / "model.onnx",
        models / "dead.onnx",
        ["accuracy.class.kind h>=0.5", "accuracy.class.min>=0.5"],
        data=data,
        class_names=str(names),
    )
    assert [each.status for each in outcome.findings] == ["fail", "fail"]
    assert outcome.findings[1].reason.startswith("class 7 (kind h): 0 of ")
    assert outcome.classes[0].name == "kind h"
