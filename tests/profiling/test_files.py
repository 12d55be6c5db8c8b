"""A profile that was written is read back as it was; whatever else lies in the file is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graphprune.backends import LayerTime, Setup
from graphprune.engines.options import BuildOptions
from graphprune.errors import Environment, Refused, Usage
from graphprune.profiling.files import from_json, read_profile, to_json, write_profile
from graphprune.profiling.result import Conditions, Profile
from tests.profiling.profiles import batch, profile, timed

HOT = Conditions(
    "2026-01-02T03:04:06Z", 0.5, {"core 0": 2400.0}, "powersave", 71.5, ("too hot",), ("cc (7)",)
)


def whole() -> Profile:
    """A profile in which everything is said."""
    one = timed(
        'a "model" [1, 2] <\u200b\N{SNOWMAN}>.onnx',
        1.0,
        build={"seconds": "3.5"},
        layers=(LayerTime("conv", "Conv", ("y",), 1e-6),),
        layer_rounds=((1e-6, 1.1e-6),),
        deviation=float("inf"),
        limit=1e-4,
    )
    options = BuildOptions(level=3, min_shapes={"x": (1, 3)}, timing_cache=Path("cache.bin"))
    two = batch({"b": 1.0}, None)
    return profile(
        type(two)(None, {"x": (1, 3), "scalar": ()}, (one, *two.models)),
        batch({"a": 2.0, "b": 1.0}, 8),
        setup=Setup(threads=0, build=options),
        after=HOT,
        seed=5,
    )


def test_a_profile_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    write_profile(whole(), tmp_path / "p.json")
    assert read_profile(tmp_path / "p.json") == whole()
    assert [path.name for path in tmp_path.iterdir()] == ["p.json"]


def test_the_same_profile_gives_the_same_bytes_and_a_line_for_each_block() -> None:
    text = to_json(whole())
    assert text == to_json(whole())
    assert text == to_json(from_json(text))
    block = json.dumps(whole().batches[1].models[0].blocks[0])[1:-1]
    assert sum(block in line for line in text.splitlines()) >= 1


def test_an_older_file_without_optional_entries_is_read() -> None:
    value = json.loads(to_json(whole()))
    for each in value["batches"]:
        for model in each["models"]:
            for name in ("layers", "layer_rounds", "limit", "deviation", "build"):
                del model[name]
    found = from_json(json.dumps(value))
    assert found.batches[0].models[0].deviation is None


def changed(*path: str | int, to: Any = None, drop: bool = False) -> str:
    """The profile with one entry changed or dropped."""
    value = json.loads(to_json(whole()))
    place = value
    for key in path[:-1]:
        place = place[key]
    if drop:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return json.dumps(value)


MODEL = ("batches", 0, "models", 0)
WRONG = {
    "no JSON": ("{", "no JSON"),
    "nothing": ("", "no JSON"),
    "deep": ("[" * 100_000, "no JSON"),
    "a list": ("[]", "no profile"),
    "another object": ('{"verification": {}}', "no profile"),
    "a later version": (changed("version", to=2), "version 2"),
    "version as text": (changed("version", to="1"), "version '1'"),
    "unknown entry": (
        changed("device", "nmae", to="x"),
        "device has an unknown entry 'nmae'; did you mean name",
    ),
    "missing entry": (changed("margin", drop=True), "it lacks margin"),
    "missing inside": (changed(*MODEL, "blocks", drop=True), "batches[0].models[0] lacks blocks"),
    "text for number": (changed("margin", to="2%"), "margin is '2%' in place of a float"),
    "number for text": (changed("device", "name", to=5), "device.name is 5 in place of a str"),
    "truth for number": (changed("seed", to=True), "seed is True"),
    "number for truth": (changed("setup", "spin", to=1), "setup.spin is 1"),
    "fraction for count": (changed("reference", to=0.5), "reference is 0.5"),
    "null": (changed("batches", to=None), "batches is None"),
    "text for list": (changed(*MODEL, "blocks", to="fast"), "blocks is 'fast'"),
    "text in block": (changed(*MODEL, "blocks", 0, 0, to="x"), "blocks[0][0] is 'x'"),
    "wrong shape": (changed("batches", 0, "shapes", "x", to=[1, None]), "shapes['x'][1]"),
    "no batches": (changed("batches", to=[]), "no batches"),
    "no such reference": (changed("reference", to=2), "no model 2"),
    "no rounds": (changed(*MODEL, "blocks", to=[]), "same rounds"),
    "an empty block": (changed(*MODEL, "blocks", 0, to=[]), "no times"),
    "time of 0": (changed(*MODEL, "blocks", 0, 0, to=0.0), "not above 0"),
    "endless time": (changed(*MODEL, "blocks", 0, 0, to="inf"), "not above 0"),
    "rounds that differ": (changed(*MODEL, "blocks", to=[[1.0]]), "same rounds"),
    "huge number": (changed("margin", to=10**400), "it is no profile"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_profile_is_refused_with_its_file_and_the_place(case: str, tmp_path: Path) -> None:
    text, said = WRONG[case]
    path = tmp_path / "p.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Refused) as refused:
        read_profile(path)
    assert str(path) in refused.value.what
    assert said in refused.value.what
    assert "\n" not in refused.value.what


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Usage, match="no such file"):
        read_profile(tmp_path / "p.json")
    with pytest.raises(Usage, match="folder"):
        read_profile(tmp_path)
    (tmp_path / "p.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(Refused, match="no text"):
        read_profile(tmp_path / "p.json")


def test_a_profile_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Environment):
        write_profile(whole(), tmp_path / "missing" / "p.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(Environment):
        write_profile(whole(), tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
