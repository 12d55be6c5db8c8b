"""A config file says what is limited; what is wrong in it is refused with its line and a hint."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphprune.config.document import read
from graphprune.errors import Usage
from graphprune.gate.assertions import read_assert
from graphprune.gate.config import gate_config, joined, selected
from graphprune.gate.outcome import Assertion

GOOD = """version = 1

[gate]
original = "model.onnx"
candidate = "out/small.onnx"
data = "val.npz"
label-key = "y"
batch = [1, 8]
duration = "500ms"
inconclusive = "exit"
shape = "x:1x3x8x8"

[[gate.assert]]
metric = "latency.p50"
max-ratio = 0.7
max = "5ms"
device = "*L4*"
batch = 8

[[gate.assert]]
metric = "accuracy.class.min"
max-drop = "5%"
level = "warn"

[[gate.assert]]
metric = "exact"
level = "off"
"""


def config(folder: Path, text: str, name: str = "graphprune.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_config_is_read_with_its_lines(tmp_path: Path) -> None:
    path = config(tmp_path, GOOD)
    found = gate_config(read(path))
    kept = [(each.metric, each.bound, each.limit, each.level, each.where.line) for each in found.assertions]
    assert kept == [
        ("latency.p50", "max", 0.005, "error", 16),
        ("latency.p50", "max-ratio", 0.7, "error", 15),
        ("accuracy.class.min", "max-drop", 0.05, "warn", 22),
        ("exact", "max", 1.0, "off", 25),
    ]
    first = found.assertions[0]
    assert (first.device, first.batch, first.written, str(first.where)) == ("*L4*", 8, "5ms", f"{path}:16")
    assert first.where.text == 'max = "5ms"'
    settings = found.settings
    assert settings.candidate == tmp_path / "out/small.onnx"
    assert settings.data == str(tmp_path / "val.npz")
    assert (settings.batch, settings.duration, settings.label_key) == ((1, 8), 0.5, "y")
    assert (settings.inconclusive, settings.shape) == ("exit", {"x": (1, 3, 8, 8)})


def assertion(lines: str) -> str:
    """A config whose only assertion stands from line 2 on."""
    return f"version = 1\n[[gate.assert]]\n{lines}\n"


BAD = {
    "unknown metric": (assertion('metric = "latency.p5O"\nmax = "1ms"'), 3, "no metric", "latency.p50"),
    "unknown last part": (assertion('metric = "accuracy.top"\nmin = 0.5'), 3, "no metric", "accuracy.top"),
    "no metric": (assertion('max = "1ms"'), 2, "has no metric", "metric ="),
    "metric is no text": (assertion("metric = 5\nmax = 1"), 3, "no text", "metric ="),
    "unknown key": (assertion('metric = "size"\nmax = 5\nmax-ration = 0.5'), 5, "max-ration", "max-ratio"),
    "unknown level": (assertion('metric = "size"\nmax = 5\nlevel = "eror"'), 5, "no level", "error"),
    "level is no text": (assertion('metric = "size"\nmax = 5\nlevel = 1'), 5, "no level", "error, warn, off"),
    "wrong unit": (assertion('metric = "latency.p50"\nmax = "5MB"'), 4, "unit 'MB'", "ms"),
    "no unit": (assertion('metric = "latency.p50"\nmax = 5'), 4, "has no unit", "5ms"),
    "wrong type": (assertion('metric = "size"\nmax = [1]'), 4, "a list", "20MB"),
    "no bound": (assertion('metric = "size"'), 2, "has no bound", "max-ratio"),
    "a bound that is none": (
        assertion('metric = "size"\nmax-drop = 5'),
        4,
        "size has no max-drop",
        "max-ratio",
    ),
    "negative": (assertion('metric = "size"\nmax = -5'), 4, "negative", "below 0"),
    "nan": (assertion('metric = "params"\nmax-ratio = nan'), 4, "no number", "0.7x"),
    "wrong batch": (
        assertion('metric = "latency.p50"\nmax = "1ms"\nbatch = "8"'),
        5,
        "batch",
        "whole number",
    ),
    "batch of none": (
        assertion('metric = "latency.p50"\nmax = "1ms"\nbatch = 0'),
        5,
        "batch",
        "whole number",
    ),
    "wrong device": (assertion('metric = "latency.p50"\nmax = "1ms"\ndevice = 4'), 5, "device", "*T4*"),
    "useless selector": (
        assertion('metric = "size"\nmax = 5\nbatch = 8'),
        4,
        "not depend on a batch",
        "leave",
    ),
    "a percentile of 100": (assertion('metric = "latency.p100"\nmax = "1ms"'), 3, "percentile", "p95"),
    "min above max": (
        assertion('metric = "size"\nmax = 5\nmin = 9'),
        5,
        "at least 9 and at most 5",
        "change min or max",
    ),
    "twice": (
        assertion('metric = "size"\nmax = 5\n[[gate.assert]]\nmetric = "size"\nmax = 6'),
        7,
        "max = 6, and 5",
        "keep one",
    ),
    "one bracket": ('version = 1\n[gate.assert]\nmetric = "size"\nmax = 5\n', 2, "no list", "two brackets"),
    "unknown setting": ('version = 1\n[gate]\nlable-key = "y"\n', 3, "lable-key", "label-key"),
    "wrong setting": ("version = 1\n[gate]\nthreads = -1\n", 3, "threads", "from 0 on"),
    "wrong choice": ('version = 1\n[gate]\ninconclusive = "fial"\n', 3, "fial", "fail"),
    "wrong duration": ('version = 1\n[gate]\nduration = "3 lightyears"\n', 3, "duration", "200ms"),
    "gate is no table": ("version = 1\ngate = 5\n", 2, "no table", "[gate]"),
}


@pytest.mark.parametrize(("text", "line", "what", "hint"), BAD.values(), ids=BAD)
def test_a_bad_config_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, what: str, hint: str
) -> None:
    path = config(tmp_path, text)
    with pytest.raises(Usage) as refused:
        gate_config(read(path))
    assert refused.value.what.startswith(f"{path}:{line}: ")
    assert what in refused.value.what
    assert hint in refused.value.hint


def test_two_levels_of_one_budget_do_not_contradict_each_other(tmp_path: Path) -> None:
    text = assertion('metric = "size"\nmax = 9\n[[gate.assert]]\nmetric = "size"\nmax = 6\nlevel = "warn"')
    assert len(gate_config(read(config(tmp_path, text))).assertions) == 2


def test_yaml_and_json_say_the_same(tmp_path: Path) -> None:
    yaml = "version: 1\ngate:\n  assert:\n    - metric: size\n      max: 5MB\n"
    json = '{"version": 1,\n "gate": {"assert": [\n  {"metric": "size",\n   "max": "5MB"}]}}\n'
    found = [
        gate_config(read(config(tmp_path, text, name))).assertions[0]
        for name, text in (("a.yaml", yaml), ("a.json", json))
    ]
    assert [(each.metric, each.limit, each.where.line) for each in found] == [
        ("size", 5e6, 5),
        ("size", 5e6, 4),
    ]


WORDS: dict[str, tuple[str, str, float, str, int | None]] = {
    "latency.p50.ratio<=0.7": ("latency.p50", "max-ratio", 0.7, "*", None),
    "p99 <= 12ms": ("latency.p99", "max", 0.012, "*", None),
    "latency.p50.increase<=1ms": ("latency.p50", "max-increase", 0.001, "*", None),
    "top1>=92%": ("accuracy.top1", "min", 0.92, "*", None),
    "accuracy.top1.drop<=1pp": ("accuracy.top1", "max-drop", 0.01, "*", None),
    "accuracy.class.min.drop<=5%": ("accuracy.class.min", "max-drop", 0.05, "*", None),
    "accuracy.class.min.max-drop<=5%": ("accuracy.class.min", "max-drop", 0.05, "*", None),
    "accuracy.class.min>=0.5": ("accuracy.class.min", "min", 0.5, "*", None),
    "accuracy.class.7>=0.5": ("accuracy.class.7", "min", 0.5, "*", None),
    "size<=20MB": ("size", "max", 20e6, "*", None),
    "throughput.ratio>=1.2": ("throughput", "min-ratio", 1.2, "*", None),
    "latency.p50<=5ms@*T4*@batch=8": ("latency.p50", "max", 0.005, "*T4*", 8),
    "latency.p50<=5ms@device=trt": ("latency.p50", "max", 0.005, "trt", None),
    "accuracy.metric.py:f1>=0.5": ("accuracy.metric.py:f1", "min", 0.5, "*", None),
    'accuracy."metric.py:f1">=0.5': ("accuracy.metric.py:f1", "min", 0.5, "*", None),
    "exact<=2": ("exact", "max", 2.0, "*", None),
}


@pytest.mark.parametrize(("word", "expected"), WORDS.items(), ids=WORDS)
def test_a_word_of_the_command_line_is_a_limit(
    word: str, expected: tuple[str, str, float, str, int | None]
) -> None:
    found = read_assert(word)
    metric, bound, limit, device, batch = expected
    assert (found.metric, str(found.bound), found.device, found.batch) == (metric, bound, device, batch)
    assert found.limit == pytest.approx(limit)
    assert str(found.where) == f"--assert '{word}'"


BAD_WORDS = {
    "size==5": "no bound",
    "size=5": "no bound",
    "size": "no assertion",
    "size<=": "no number",
    "<=5": "no assertion",
    "sise<=5": "no metric",
    "latency.p50.ratio<=5ms": "unit 'ms'",
    "latency.p50.drop<=5ms": "no max-drop",
    "accuracy.top1.drop>=5%": "lower bound",
    "accuracy.top1.max-drop>=5%": "other sign",
    "latency.p50<=5ms@batch=x": "batch",
    "latency.p50<=5ms@devise=x": "selector",
    "latency.p50<=5ms@": "empty",
    "size<=5@*T4*": "does not depend on a device",
    "fidelity.kl>=1": "no min",
}


@pytest.mark.parametrize(("word", "what"), BAD_WORDS.items(), ids=BAD_WORDS)
def test_a_word_that_is_no_limit_is_refused(word: str, what: str) -> None:
    with pytest.raises(Usage) as refused:
        read_assert(word)
    assert refused.value.what.startswith(f"--assert '{word}': ")
    assert what in refused.value.what
    assert refused.value.hint


def test_a_strict_bound_leaves_the_limit_out() -> None:
    assert read_assert("params<100").limit < 100 < read_assert("params>100").limit
    assert read_assert("params<=100").limit == 100


def limits(*words: str) -> list[Assertion]:
    return [read_assert(word) for word in words]


def test_the_command_line_takes_the_place_of_the_same_limit_in_the_file() -> None:
    made = joined(limits("size<=5MB", "params<=9"), limits("size<=6MB"))
    assert [(each.metric, each.limit) for each in made] == [("params", 9), ("size", 6e6)]


def test_limits_of_both_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(Usage, match="at least 7MB and at most 5MB"):
        joined(limits("size<=5MB"), limits("size>=7MB"))


def test_no_limits_at_all_are_refused() -> None:
    with pytest.raises(Usage, match="nothing to judge by"):
        joined((), ())


def test_only_selects_metrics_by_pattern() -> None:
    given = limits("size<=5MB", "latency.p50<=5ms", "latency.p99<=9ms", "top1>=0.5")
    assert [each.metric for each in selected(given, ["latency"])] == ["latency.p50", "latency.p99"]
    assert [each.metric for each in selected(given, ["*.p50", "size"])] == ["size", "latency.p50"]
    assert [each.metric for each in selected(given, ["p99,top1"])] == ["latency.p99", "accuracy.top1"]
    with pytest.raises(Usage, match="selects no assertion"):
        selected(given, ["macs"])


ALIKE = {
    "a ratio": ("params.ratio", {"max": "0.6"}, "params.ratio<=0.6"),
    "percent": ("size.ratio", {"max": "'60 %'"}, "size.ratio<=60%"),
    "an x": ("macs.ratio", {"max": "'0.6x'"}, "macs.ratio<=0.6x"),
    "a drop": ("accuracy.top1.drop", {"max": "'1%'"}, "top1.drop<=1%"),
    "an increase": ("size.increase", {"max": "0"}, "size.increase<=0"),
    "a least ratio": ("throughput.ratio", {"min": "1.5"}, "throughput.ratio>=1.5"),
    "the short name": ("p50.ratio", {"max": "0.7", "batch": "8"}, "latency.p50.ratio<=0.7@batch=8"),
}


@pytest.mark.parametrize(("metric", "keys", "word"), ALIKE.values(), ids=ALIKE)
def test_a_budget_is_written_in_a_file_as_on_the_command_line(
    metric: str, keys: dict[str, str], word: str, tmp_path: Path
) -> None:
    lines = "".join(f"{key} = {value}\n" for key, value in keys.items())
    texts = (f"[[gate.assert]]\nmetric = '{metric}'\n{lines}", f"[gate]\nassert = ['{word}']\n")
    expected = read_assert(word)
    for text in texts:
        (made,) = gate_config(read(config(tmp_path, text))).assertions
        assert [made.metric, made.bound, made.limit, made.batch] == [
            expected.metric,
            expected.bound,
            expected.limit,
            expected.batch,
        ]
        assert made.where.line > 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[gate.assert]]\nmetric = 'size.ratio'\nmax = 1\nmax-ratio = 1\n", "size.ratio has max-ratio"),
        ("[[gate.assert]]\nmetric = 'size.increase'\nmin = 1\n", "a lower bound of .increase is none"),
        ("[[gate.assert]]\nmetric = 'sise.ratio'\nmax = 1\n", "no metric 'sise'"),
        ("[gate]\nassert = ['size.ratio<=1', 'size.ratio=<1']\n", r"graphprune\.toml:2: "),
    ],
)
def test_a_budget_that_says_two_things_is_refused(text: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(Usage, match=why):
        gate_config(read(config(tmp_path, text)))


def test_a_class_may_be_called_as_a_bound_is(tmp_path: Path) -> None:
    text = "[[gate.assert]]\nmetric = 'accuracy.class.drop'\nmin = 0.5\n"
    (made,) = gate_config(read(config(tmp_path, text))).assertions
    assert (made.metric, made.bound) == ("accuracy.class.drop", "min")
