"""compare sets saved profiles side by side, merges them, and refuses in two lines."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graphprune.profiling.files import write_profile
from graphprune.profiling.result import Batch
from tests.profiling.profiles import GPU, QUIET, batch, profile, timed

TWO = {"model.onnx": 10.0, "small.onnx": 6.0}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder with profiles of a CPU in two shards, of a GPU that was throttled, and other files."""
    write_profile(profile(batch(TWO, seed=1)), tmp_path / "cpu1.json")
    write_profile(profile(batch(TWO, seed=2)), tmp_path / "cpu2.json")
    hot = replace(QUIET, throttled=("power cap",))
    write_profile(
        profile({"model.onnx": 1.0, "small.onnx": 0.99}, device=GPU, after=hot), tmp_path / "gpu.json"
    )
    (tmp_path / "foreign.json").write_text('{"scores": {}}')
    (tmp_path / "there.json").write_text("kept")
    (tmp_path / "folder").mkdir()
    return tmp_path


def test_a_table_has_models_down_and_devices_across(results: Path, call: Any) -> None:
    code, out, err = call("compare cpu1.json gpu.json")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert ["1:", "ort:cpu", "2:", "trt", "¹"] in lines
    assert ["model.onnx", "10.04", "ms", "1.005", "ms"] in lines
    assert ["0.600", "(0.600–0.600)", "0.990", "(0.990–0.990)"] in lines
    assert ["faster", "same"] in lines
    assert "¹ the device was held down: power cap" in out
    assert "Columns are not compared with each other." in " ".join(out.split())


def test_many_devices_go_into_tables_below_each_other(results: Path, call: Any) -> None:
    write_profile(
        profile(*(batch({"other.onnx": 1.0}, number) for number in range(1, 7))), results / "six.json"
    )
    code, out, _ = call("compare six.json cpu1.json")
    assert code == 0
    assert out.count("other.onnx  ") == 2
    assert max(map(len, out.splitlines())) <= 100


def test_json_has_the_matrix_with_its_intervals(results: Path, call: Any) -> None:
    code, out, err = call("compare cpu1.json cpu2.json gpu.json --output-format json")
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert [column["files"] for column in result["columns"]] == [["cpu1.json", "cpu2.json"], ["gpu.json"]]
    small = result["rows"][1]["cells"]
    assert [cell["rounds"] for cell in small] == [40, 20]
    assert small[0]["ratio"].keys() == {"ratio", "low", "high"}
    assert [cell["verdict"] for cell in small] == ["faster", "same"]
    assert result["baseline"] is None


def test_markdown_is_one_table_in_which_names_steer_nothing(results: Path, call: Any) -> None:
    rude = replace(timed("a|b`@all\n<b>.onnx", 5.0), hash="ee")
    write_profile(profile(Batch(1, {}, (timed("model.onnx", 10.0), rude))), results / "rude.json")
    code, out, err = call("compare rude.json gpu.json --output-format markdown")
    assert (code, err) == (0, "")
    rows = [line for line in out.splitlines() if line.startswith("|")]
    assert {line.replace(r"\|", "").count("|") for line in rows} == {4}
    assert rows[1] == "| --- | ---: | ---: |"
    assert r"``a\|b`@all\n<b>.onnx``" in out
    assert "<br>faster" in out


@pytest.mark.parametrize("output_format", ["table", "markdown"])
def test_a_baseline_is_compared_with_and_said_not_to_be_paired(
    results: Path, call: Any, output_format: str
) -> None:
    write_profile(profile({**TWO, "small.onnx": 9.0}, versions={"graphprune": "0.0.9"}), results / "old.json")
    line = f"compare cpu1.json --baseline old.json --output-format {output_format}"
    code, out, err = call(line)
    assert (code, err) == (0, "")
    words = " ".join(out.split())
    assert "Not paired: an unchanged model differs by up to 14 % between two runs." in words
    assert "graphprune 0.1.0 now, graphprune 0.0.9 then" in words.replace("\\", "")
    assert "faster ¹" in words
    assert "same ¹" in words
    assert "inconclusive" in " ".join(call(f"{line} --baseline-threshold 33.3%")[1].split())


def test_a_baseline_in_json_says_that_it_is_not_paired(results: Path, call: Any) -> None:
    found = json.loads(call("compare cpu1.json --baseline cpu2.json --output-format json")[1])["baseline"]
    assert (found["file"], found["paired"], found["margin"]) == ("cpu2.json", False, 0.15)
    assert [model["verdict"] for model in found["models"]] == ["same", "same"]


def test_a_baseline_that_does_not_fit_is_compared_with_by_force_only(results: Path, call: Any) -> None:
    line = "compare cpu1.json --baseline gpu.json"
    code, out, err = call(line)
    assert (code, out) == (2, "")
    assert err.splitlines()[0] == "error: the run is of ort:cpu on EPYC, the baseline of trt on L4"
    code, out, err = call(f"{line} --force-compare")
    assert (code, err) == (0, "")
    assert "backend: ort:cpu now, backend: trt then" in out


def test_merged_shards_compare_as_the_shards_do(results: Path, call: Any) -> None:
    code, out, err = call("compare --merge -o all.json cpu1.json cpu2.json gpu.json cpu1.json")
    assert (code, err) == (0, "")
    assert out == "3 profiles in all.json; 1 that came twice left out.\n"
    whole = json.loads(call("compare all.json --output-format json")[1])
    parts = json.loads(call("compare cpu1.json cpu2.json gpu.json --output-format json")[1])
    assert [row["cells"] for row in whole["rows"]] == [row["cells"] for row in parts["rows"]]
    again = json.loads(call("compare --merge -o two.json all.json cpu1.json --output-format json")[1])
    assert again == {"version": 1, "output": "two.json", "profiles": 3, "duplicates": ["cpu1.json"]}
    assert (results / "two.json").read_bytes() == (results / "all.json").read_bytes()


def test_merge_overwrites_nothing_unless_told_to(results: Path, call: Any) -> None:
    assert call("compare --merge -o there.json cpu1.json")[0] == 2
    assert (results / "there.json").read_text() == "kept"
    code, out, err = call("compare --merge -o there.json --force -q cpu1.json")
    assert (code, out, err) == (0, "", "")
    assert call("compare there.json -q") == (0, "", "")


@pytest.mark.parametrize(
    ("line", "code", "what", "hint"),
    [
        ("compare", 2, "missing argument", "compare --help"),
        ("compare none.json", 2, "no such file: 'none.json'", "check the path"),
        ("compare cpu1.json results/*.json", 2, "no such file: 'results/*.json'", "no file matches"),
        ("compare folder", 2, "is a folder", "folder/*.json"),
        ("compare cpu1.json foreign.json", 3, "'foreign.json': it is no profile", "--export-json"),
        ("compare there.json", 3, "'there.json': it is no JSON", "--export-json"),
        ("compare cpu1.json --threshold fast", 2, "--threshold is 'fast'", "as 2%"),
        ("compare cpu1.json --threshold 100%", 2, "--threshold is '100%'", "as 2%"),
        ("compare cpu1.json --baseline none.json", 2, "no such file: 'none.json'", "check the path"),
        ("compare cpu1.json --baseline foreign.json", 3, "'foreign.json'", "--export-json"),
        ("compare cpu1.json --merge", 2, "--merge lacks the file", "-o all.json"),
        ("compare cpu1.json -o all.json", 2, "-o goes with --merge", "--merge -o all.json"),
        ("compare cpu1.json --merge -o all.json --threshold 5%", 2, "compares nothing", "leave"),
        ("compare cpu1.json --merge -o no/all.json", 2, "no folder no", "make it"),
        ("compare cpu1.json foreign.json --merge -o all.json", 3, "'foreign.json'", "--export-json"),
        ("compare cpu1.json --output-format html", 2, "invalid value for '--output-format'", "--help"),
    ],
)
def test_refusals(results: Path, call: Any, line: str, code: int, what: str, hint: str) -> None:
    found, out, err = call(line)
    assert (found, out) == (code, "")
    error, advice = err.strip().splitlines()
    assert what in error
    assert hint in advice
    assert not (results / "all.json").exists()
