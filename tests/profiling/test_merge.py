"""Several profiles in one file."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from graphprune.errors import GraphpruneError
from graphprune.profiling.files import to_json, write_profile
from graphprune.profiling.matrix import matrix
from graphprune.profiling.merge import merged, read_results
from graphprune.profiling.result import Profile
from tests.profiling.profiles import CPU, GPU, batch, profile

TWO = {"model.onnx": 10.0, "small.onnx": 6.0}
SHARDS = (profile(batch(TWO, seed=1)), profile(batch(TWO, seed=2)), profile(TWO, device=GPU))


def written(folder: Path, *profiles: Profile) -> list[Path]:
    paths = [folder / f"{number}.json" for number in range(len(profiles))]
    for path, each in zip(paths, profiles, strict=True):
        write_profile(each, path)
    return paths


def test_merged_profiles_read_back_equal_and_compare_alike(tmp_path: Path) -> None:
    paths = written(tmp_path, *SHARDS)
    together = tmp_path / "all.json"
    sources, again = read_results(paths)
    together.write_text(merged([source.profile for source in sources]))
    back, _ = read_results([together])
    assert again == []
    assert tuple(source.profile for source in back) == SHARDS
    assert matrix(back).cells == matrix(sources).cells
    assert merged([source.profile for source in back]) == together.read_text()


def test_a_profile_that_comes_twice_counts_once(tmp_path: Path) -> None:
    paths = written(tmp_path, SHARDS[0], SHARDS[1], SHARDS[0])
    together = tmp_path / "all.json"
    together.write_text(merged(SHARDS))
    sources, again = read_results([*paths, together])
    assert [source.file for source in sources] == [str(paths[0]), str(paths[1]), str(together)]
    assert again == [str(paths[2]), str(together), str(together)]


def test_a_profile_that_differs_in_the_least_is_another_one(tmp_path: Path) -> None:
    other = replace(SHARDS[0], device=replace(CPU, versions={"onnxruntime": "1.32.1"}))
    assert read_results(written(tmp_path, SHARDS[0], other))[1] == []


def entry(**changes: object) -> str:
    return json.dumps({**json.loads(merged(SHARDS)), **changes})


BROKEN = {
    "no JSON": ("{", 3, "no JSON"),
    "empty": ("", 3, "no JSON"),
    "cut short": (merged(SHARDS)[:-200], 3, "no JSON"),
    "deep": ("[" * 100_000, 3, "no JSON"),
    "bytes": (b"\xff\xfe\x00", 3, "no text"),
    "a list": ("[]", 3, "no profile"),
    "foreign": ('{"scores": {}}', 3, "no profile"),
    "another version": (entry(version=2), 3, "version 2"),
    "version true": (entry(version=True), 3, "version True"),
    "no profiles": (entry(profiles=[]), 3, "no list of profiles"),
    "a profile in place of profiles": (entry(profiles={}), 3, "no list of profiles"),
    "unknown entry": (entry(more=1), 3, "no list of profiles"),
    "a broken one among them": (entry(profiles=[json.loads(to_json(SHARDS[0])), {}]), 3, r"profiles\[1\]"),
    "merged within merged": (entry(profiles=[json.loads(merged(SHARDS))]), 3, r"profiles\[0\]"),
}


@pytest.mark.parametrize(("text", "code", "what"), BROKEN.values(), ids=BROKEN)
def test_a_broken_or_foreign_file_is_refused_by_name(
    tmp_path: Path, text: str | bytes, code: int, what: str
) -> None:
    good = written(tmp_path, *SHARDS)
    bad = tmp_path / "bad.json"
    bad.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(GraphpruneError, match=what) as refused:
        read_results([*good, bad])
    assert refused.value.code == code
    assert str(bad) in refused.value.what
    assert refused.value.hint


@pytest.mark.parametrize(
    ("name", "what", "hint"),
    [
        ("none.json", "no such file", "path"),
        ("results/*.json", "no such file", "no file matches"),
        (".", "is a folder", r"\*\.json"),
    ],
)
def test_a_missing_file_is_wrong_usage(
    tmp_path: Path, name: str, what: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GraphpruneError, match=what) as refused:
        read_results([Path(name)])
    assert refused.value.code == 2
    assert re.search(hint, refused.value.hint)
