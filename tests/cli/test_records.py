"""`--save-run` and `--from-run`: the record of a run, and a run that is repeated from it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from graphprune.profiling.files import from_json
from graphprune.runs.files import read_run
from graphprune.runs.run import Run
from tests.cli.perceptron import write_model


def saved(call: Any, line: str, expected: int = 0) -> Run:
    code, _, err = call(f"{line} --save-run run.json")
    assert code == expected, err
    return read_run("run.json")


def changed(path: Path) -> None:
    """Change one weight of a model."""
    model = onnx.load(path)
    weight = onnx.numpy_helper.to_array(model.graph.initializer[0]).copy()
    weight.flat[0] += 1
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weight, model.graph.initializer[0].name))
    onnx.save(model, path)


def test_a_record_says_what_was_done_and_what_came_of_it(
    model: Path, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("graphprune.toml").write_text('[prune]\nimportance = "l1"\n')
    monkeypatch.setenv("GRAPHPRUNE_PRUNE_SEED", "5")
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    run = saved(call, "prune model.onnx -o small.onnx --ratio 0.25 --save-plan plan.json")
    assert (run.verb, run.exit_code, run.error, run.config) == ("prune", 0, "", "graphprune.toml")
    assert run.command[:4] == ("prune", "model.onnx", "-o", "small.onnx")
    assert {name: run.sources[name] for name in ("model", "ratio", "importance", "seed", "scope")} == {
        "model": "command line",
        "ratio": "command line",
        "importance": "config",
        "seed": "environment",
        "scope": "default",
    }
    assert (run.options["ratio"], run.options["importance"], run.options["seed"]) == ("0.25", "l1", "5")
    assert {(file.option, file.path, file.written) for file in run.files} == {
        ("--config", "graphprune.toml", False),
        ("model", "model.onnx", False),
        ("--output", "small.onnx", True),
        ("--save-plan", "plan.json", True),
    }
    assert all(file.bytes == Path(file.path).stat().st_size for file in run.files)
    assert run.result is not None
    assert run.result["output"] == "small.onnx"
    assert run.seconds > 0
    assert run.peak_memory is None or run.peak_memory > 1e6
    assert {"graphprune", "python", "onnx", "onnxruntime"} <= run.versions.keys()
    assert set(run.machine) == {"processor", "cores", "memory", "system"}
    assert "hunter2" not in Path("run.json").read_text()


@pytest.mark.parametrize("flags", ["-q", "", "--output-format json", "-q --output-format json"])
def test_the_result_is_kept_however_it_is_shown(model: Path, call: Any, flags: str) -> None:
    code, out, _ = call(f"prune model.onnx --dry-run --save-run run.json {flags}")
    assert code == 0
    assert (out == "") == (flags == "-q")
    result = read_run("run.json").result
    assert result is not None
    assert result["before"]["params"] == 192  # type: ignore[index]


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("inspect model.onnx", "groups"),
        ("verify model.onnx model.onnx", "verification"),
        ("run model.onnx --dry-run -p fold", "before"),
        ("doctor", "findings"),
        ("profile model.onnx --dry-run", "version"),
        ("sparsify model.onnx --dry-run", "version"),
        ("compare profile.json", "columns"),
        ("compare profile.json --output-format markdown", "columns"),
        ("compare profile.json --merge -o all.json", "profiles"),
    ],
)
def test_every_verb_keeps_its_result_when_it_is_quiet(model: Path, call: Any, line: str, key: str) -> None:
    if "profile.json" in line:
        timed = "--duration 20ms --warmup 1ms --rounds 6"
        assert call(f"profile model.onnx {timed} --export-json profile.json -q")[0] == 0
    result = saved(call, f"{line} -q").result
    assert result is not None
    assert key in result


def test_a_profile_is_kept_with_every_time(model: Path, call: Any) -> None:
    run = saved(call, "profile model.onnx model.onnx --duration 20ms --warmup 1ms --rounds 6 --margin 90%")
    profile = from_json(json.dumps(run.raw["profile"]))
    assert len(profile.batches[0].models) == 2
    assert len(profile.batches[0].models[0].blocks) >= 6
    assert run.result is not None


def test_a_failure_is_recorded_with_its_code_and_its_figures(model: Path, call: Any, tmp_path: Path) -> None:
    write_model(tmp_path / "other.onnx")
    changed(tmp_path / "other.onnx")
    run = saved(call, "verify model.onnx other.onnx", expected=1)
    assert (run.exit_code, "differ" in run.error) == (1, True)
    assert run.result is not None
    assert run.result["checks"]
    assert saved(call, "prune missing.onnx -o x.onnx", expected=2).error.startswith("no such file")
    assert saved(call, "prune model.onnx", expected=2).exit_code == 2
    Path("noise.onnx").write_bytes(b"nothing")
    run = saved(call, "prune noise.onnx -o x.onnx", expected=3)
    assert [(file.path, file.hash[:7]) for file in run.files] == [("noise.onnx", "sha256:")]


def test_a_bug_and_an_interrupt_are_recorded(model: Path, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for error, code in ((KeyboardInterrupt(), 130), (ZeroDivisionError("x"), 70), (SystemExit(143), 143)):

        def fail(*_: object, error: BaseException = error) -> None:
            raise error

        monkeypatch.setattr("graphprune.inspection.solved", fail)
        assert saved(call, "inspect model.onnx", expected=code).exit_code == code


def test_a_record_is_not_written_over_other_files(model: Path, call: Any, tmp_path: Path) -> None:
    Path("notes.txt").write_text("mine")
    for line, said in (
        ("--save-run notes.txt", "exists, and is no record of a run"),
        ("--save-run model.onnx", "is an input: MODEL"),
        ("--save-run nowhere/run.json", "there is no folder nowhere"),
        (f"--save-run {tmp_path}", "exists, and is no record"),
    ):
        code, _, err = call(f"prune model.onnx -o small.onnx {line}")
        assert (code, said in err) == (2, True), err
        assert not Path("small.onnx").exists()
    saved(call, "inspect model.onnx")
    saved(call, "inspect model.onnx")
    assert call("prune model.onnx -o small.onnx --save-run notes.txt --force")[0] == 0
    assert read_run("notes.txt").verb == "prune"


def test_a_repeated_run_gives_the_same_bytes_without_its_arguments(model: Path, call: Any) -> None:
    np.savez("calib.npz", x=np.random.default_rng(0).standard_normal((16, 8), np.float32))
    first = saved(call, "prune model.onnx -o small.onnx --ratio 0.25 --importance wanda --data calib.npz -v")
    code, _, err = call("prune --from-run run.json -o again.onnx -v --save-run second.json")
    assert code == 0, err
    assert "again.onnx is what run.json recorded" in err
    assert Path("again.onnx").read_bytes() == Path("small.onnx").read_bytes()
    second = read_run("second.json")
    assert (second.sources["ratio"], second.sources["output"]) == ("run", "command line")
    assert {file.hash for file in second.files} == {file.hash for file in first.files}


def test_what_is_given_goes_over_the_record_and_the_config_is_left_out(
    model: Path, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(call, "prune model.onnx --dry-run --ratio 0.25 --importance l1 --seed 1")
    Path("graphprune.toml").write_text('[prune]\nimportance = "random"\nmin-units = 2\n')
    monkeypatch.setenv("GRAPHPRUNE_PRUNE_SEED", "9")
    assert call("prune --from-run run.json --ratio 0.5 --save-run new.json")[0] == 0
    new = read_run("new.json")
    assert {name: new.options[name] for name in ("ratio", "importance", "seed", "min-units")} == {
        "ratio": "0.5",
        "importance": "l1",
        "seed": "9",
        "min-units": None,
    }
    assert (new.config, new.sources["importance"], new.sources["seed"]) == ("", "run", "environment")


@pytest.mark.parametrize("what", ["model", "data", "folder"])
def test_an_input_that_has_changed_is_refused_unless_it_is_named(model: Path, call: Any, what: str) -> None:
    Path("calib").mkdir()
    values = np.random.default_rng(0).standard_normal((16, 8), np.float32)
    np.savez("calib.npz", x=values)
    np.save("calib/x.npy", values)
    data = "calib" if what == "folder" else "calib.npz"
    saved(call, f"prune model.onnx -o small.onnx --data {data}")
    path = {"model": "model.onnx", "data": "calib.npz", "folder": "calib"}[what]
    if what == "model":
        changed(model)
    else:
        np.savez("calib.npz", x=values + 1)
        np.save("calib/x.npy", values + 1)
    code, _, err = call("prune --from-run run.json -o again.onnx --force")
    assert code == 3
    assert f"{path} ({'model' if what == 'model' else '--data'}) has changed since run.json" in err
    assert "give the file yourself on the command line" in err
    assert not Path("again.onnx").exists()
    named = "model.onnx" if what == "model" else f"--data {path}"
    code, _, err = call(f"prune --from-run run.json -o again.onnx {named}")
    assert code == 0, err
    assert "again.onnx is not what run.json recorded" in err


def test_the_same_model_in_another_form_is_the_same_input(model: Path, call: Any) -> None:
    saved(call, "prune model.onnx -o small.onnx")
    onnx.save(onnx.load(model), model, save_as_external_data=True, location="weights", size_threshold=0)
    os.utime(model)
    assert call("prune --from-run run.json -o again.onnx")[0] == 0


def test_a_missing_input_is_refused_by_name(model: Path, call: Any) -> None:
    saved(call, "inspect model.onnx")
    model.rename("moved.onnx")
    code, _, err = call("inspect --from-run run.json")
    assert (code, "model.onnx (model) is gone since run.json was written" in err) == (3, True)
    assert call("inspect --from-run run.json moved.onnx")[0] == 0


def test_a_repeated_run_does_not_overwrite_unless_it_is_told_to_again(model: Path, call: Any) -> None:
    Path("small.onnx").write_bytes(b"old")
    saved(call, "prune model.onnx -o small.onnx --force")
    code, _, err = call("prune --from-run run.json")
    assert (code, "small.onnx exists" in err) == (2, True)
    assert call("prune --from-run run.json --force")[0] == 0


def test_other_versions_are_named(model: Path, call: Any) -> None:
    saved(call, "inspect model.onnx")
    run = json.loads(Path("run.json").read_text())
    run["versions"] |= {"onnx": "1.0.0", "tensorflow": "3"}
    Path("run.json").write_text(json.dumps(run))
    code, _, err = call("inspect --from-run run.json")
    assert code == 0
    assert "warning: the record was made with other versions: onnx 1.0.0 (here 1." in err
    assert "tensorflow 3 (here missing)" in err


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (lambda run: run.update(verb="inspect"), 2, "run.json is the record of inspect, not of prune"),
        (lambda run: run.update(version=2), 3, "it is version 2 of a record"),
        (lambda run: run["options"].update(speed=3), 2, "prune has no option speed"),
        (lambda run: run.pop("sources"), 3, "it is no record of a run: it lacks sources"),
        (lambda run: run.update(files=[{"option": 1}]), 3, "it is no record of a run: files[0]"),
        (lambda run: run.update(options=[]), 3, "it is no record of a run: options is no table"),
        (lambda run: run["options"].update(seed="x"), 2, "seed"),
        (dict.clear, 3, "it is no record of a run"),
    ],
)
def test_a_record_that_does_not_fit_is_refused(
    model: Path, call: Any, change: Any, code: int, said: str
) -> None:
    saved(call, "prune model.onnx --dry-run")
    run = json.loads(Path("run.json").read_text())
    change(run)
    Path("run.json").write_text(json.dumps(run))
    found, _, err = call("prune --from-run run.json")
    assert (found, said in err) == (code, True), err


def test_a_record_and_a_config_do_not_go_together(model: Path, call: Any) -> None:
    saved(call, "inspect model.onnx")
    Path("c.toml").write_text("")
    assert "takes the place of --config" in call("inspect --from-run run.json -c c.toml")[2]
    assert "no such file" in call("inspect --from-run nothing.json")[2]


def test_a_name_that_is_no_text_can_be_recorded(call: Any, tmp_path: Path) -> None:
    name = b"m\xff.onnx"
    write_model(tmp_path / "m.onnx").rename(tmp_path / os.fsdecode(name))
    code, _, err = call(f"inspect {os.fsdecode(name)} --save-run run.json")
    assert code == 0, err
    assert read_run("run.json").files[0].path
