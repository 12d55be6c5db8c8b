"""Config files are read with the line of every key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graphprune.config.document import Document, read
from graphprune.errors import Environment, Usage

TOML = """\
# a comment
version = 1
[prune]
ratio = 0.5 # half
"label-key" = "labels"
ignore = [
  "a", # first

  "b]", 'c#',
]
text = \"\"\"
version = 2
\\\"\"\" [no] = "header" \"\"\"\"
raw = '''
[neither]
'''
day = 1979-05-27 07:32:00
ratio-for."conv.1" = 0.2
[[gate.assert]]
metric = "size"
max = "1MB"
[other]
table = { key = 1, list = [
  { deep = true },
] }
[[gate.assert]]
metric = "exact"
[gate.assert.inner]
x = 1
[gate]
level = "warn"
"""
YAML = """\
# a comment
version: 1
prune:
  ratio: 0.5
  ignore:
    - a
    - b
  text: |
    version: 2
gate:
  assert:
    - metric: size
      max: 1MB
    - {metric: exact,
       level: off}
"""
JSON = """\
{
\t"version": 1,
\t"prune": {"ratio": 0.5,
\t\t"ignore": ["a",
\t\t\t"b"]},
\t"gate": {"assert": [
\t\t{"metric": "size", "max": "1MB"},
\t\t{"metric": "exact",
\t\t "level": "off"}
\t]}
}
"""


def document(folder: Path, text: str, name: str = "graphprune.toml") -> Document:
    (folder / name).write_text(text, encoding="utf-8", newline="")
    return read(folder / name)


def every_key(value: Any, keys: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [key for name, item in items for key in ((*keys, name), *every_key(item, (*keys, name)))]


@pytest.mark.parametrize(
    ("name", "text"), [("c.toml", TOML), ("c.yaml", YAML), ("c.yml", YAML), ("c.json", JSON)]
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_key_has_a_line_and_stands_on_it(tmp_path: Path, name: str, text: str, end: str) -> None:
    found = document(tmp_path, text.replace("\n", end), name)
    assert set(every_key(found.values)) == set(found.lines) - {()}
    for keys, line in found.lines.items():
        names = [key for key in keys if isinstance(key, str)]
        if names and isinstance(keys[-1], str) and keys != ("gate",):
            assert names[-1] in found.text[line - 1], keys


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("version",), 2),
        (("prune",), 3),
        (("prune", "ignore", 1), 9),
        (("prune", "ignore", 2), 9),
        (("prune", "ratio-for", "conv.1"), 18),
        (("gate", "assert", 0, "max"), 21),
        (("gate", "assert", 0), 19),
        (("gate", "assert", 1), 26),
        (("gate", "assert", 1, "metric"), 27),
        (("gate", "assert", 1, "inner", "x"), 29),
        (("gate", "level"), 31),
        (("gate",), 30),
        (("other", "table", "list", 0, "deep"), 24),
        (("gate", "assert", 1, "missing", 3), 26),
        (("missing",), 1),
        ((), 1),
    ],
)
def test_a_key_of_toml_is_found_on_its_line(tmp_path: Path, keys: tuple[str | int, ...], line: int) -> None:
    assert document(tmp_path, TOML).line(*keys) == line


@pytest.mark.parametrize(
    ("name", "text", "lines"), [("c.yaml", YAML, (4, 7, 13, 15)), ("c.json", JSON, (3, 5, 7, 9))]
)
def test_yaml_and_json_have_the_same_values_and_lines_of_their_own(
    tmp_path: Path, name: str, text: str, lines: tuple[int, ...]
) -> None:
    found = document(tmp_path, text, name)
    keys: tuple[tuple[str | int, ...], ...] = (
        ("prune", "ratio"),
        ("prune", "ignore", 1),
        ("gate", "assert", 0, "max"),
        ("gate", "assert", 1, "level"),
    )
    assert tuple(found.line(*key) for key in keys) == lines
    assert found.values["gate"] == {
        "assert": [{"metric": "size", "max": "1MB"}, {"metric": "exact", "level": "off"}]
    }


def test_a_location_shows_the_line_itself(tmp_path: Path) -> None:
    found = document(tmp_path, TOML).location("gate", "assert", 0, "max")
    assert (found.file, found.line, found.text) == (str(tmp_path / "graphprune.toml"), 21, 'max = "1MB"')


def test_a_pyproject_is_its_own_table(tmp_path: Path) -> None:
    others = '[project]\nname = "x"\n[tool.ruff]\na = 1\n'
    text = others + "[tool.graphprune]\nversion = 1\n[tool.graphprune.prune]\nratio = 0.5\n"
    found = document(tmp_path, text, "pyproject.toml")
    assert found.values == {"version": 1, "prune": {"ratio": 0.5}}
    assert (found.line("prune", "ratio"), found.line("version"), found.line()) == (8, 6, 5)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"),
        ("no", "no"),
        ("1:30", "1:30"),
        ("010", 10),
        ("0x10", 16),
        ("0o10", 8),
        ("1e-3", 0.001),
        ("2024-01-01", "2024-01-01"),
        ("true", True),
        ("~", None),
        ("", None),
        ("-.inf", float("-inf")),
        ("'1'", "1"),
        ("x:1x3x8x8", "x:1x3x8x8"),
        ("<<", "<<"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(tmp_path: Path, text: str, value: object) -> None:
    assert document(tmp_path, f"key: {text}", "c.yaml").values == {"key": value}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("c.toml", "version = 1\nratio = \n", r"c\.toml:2: it is no TOML: "),
        ("c.toml", "version = 1\na = 1\na = 2\n", r"c\.toml:3: it is no TOML: "),
        ("c.toml", 'a = "never\n', r"c\.toml:1: it is no TOML: "),
        ("c.toml", "a = 1\nb = [1,\n\n", r"c\.toml:2: it is no TOML: "),
        ("c.yaml", "a: 1\nb: [1\n", r"c\.yaml:3: it is no YAML: "),
        ("c.yaml", "a: 1\nb: 2\na: 3\n", r"c\.yaml:3: a stands here twice"),
        ("c.yaml", "a: &x 1\nb: *x\n", r"c\.yaml:2: \*x refers to another value"),
        ("c.yaml", "a: &x [*x]\n", r"c\.yaml:1: \*x refers to another value"),
        ("c.yaml", "a:\n  !!python/name:os.system\n", r"c\.yaml:2: a value has a tag"),
        ("c.yaml", "[1]: 2\n", r"c\.yaml:1: a key is no text"),
        ("c.yaml", "a: 1\n---\nb: 2\n", r"c\.yaml:2: it is no YAML: "),
        ("c.yaml", "a: 1\nb: \x07\n", r"c\.yaml:2: it is no YAML: it holds the character"),
        ("c.json", '{"a": 1,\n}', r"c\.json:\d: it is no JSON: "),
        ("c.json", '{"a": 1,\n "a": 2}', r"c\.json:2: a stands here twice"),
        ("c.json", '{"a": NaN}', r"c\.json:1: it is no JSON: NaN"),
        ("c.json", "a: 1", r"c\.json:1: it is no JSON: "),
        ("c.json", "[1]", r"c\.json:1: it is no table"),
        ("c.yaml", "text", r"c\.yaml:1: it is no table"),
        ("c.json", "[" * 100_000, r"c\.json:1: it is nested too deeply"),
        ("c.toml", "a = " + "[" * 100_000, r"c\.toml:1: it is nested too deeply"),
        ("c.yaml", "[" * 1000, r"c\.yaml:1: it is nested too deeply"),
        ("pyproject.toml", "[tool.ruff]\n", r"pyproject\.toml has no \[tool\.graphprune\]"),
    ],
)
def test_what_is_broken_is_refused_with_its_line(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(Usage, match=said) as refusal:
        document(tmp_path, text, name)
    assert refusal.value.hint


def test_a_folder_a_missing_file_and_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "bytes.toml").write_bytes(b"a = 1\nb = '\xff'\n")
    for name, said in (
        ("folder.toml", "is a folder"),
        ("missing.toml", "no such file"),
        ("bytes.toml", r"bytes\.toml:2: it is not UTF-8"),
        ("bytes.toml/more", "no such file"),
        ("a\0b", "cannot read"),
    ):
        with pytest.raises((Usage, Environment), match=said):
            read(tmp_path / name)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_bytes(b"\xef\xbb\xbf" + json.dumps({"version": 1}).encode())
    assert read(tmp_path / "c.json").values == {"version": 1}


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ('[prune]\n\noutput = "o\\u0000.onnx"\n', "prune.output"),
        ('[prune]\n\nignore = ["a", "b\\u0000"]\n', "prune.ignore.1"),
    ],
    ids=["a text", "a text in a list"],
)
def test_a_value_with_a_nul_character_is_refused_with_its_line(tmp_path: Path, text: str, keys: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Usage, match=rf"c\.toml:3: the value of {keys} holds a NUL character"):
        read(path)
