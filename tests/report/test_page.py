"""The page: what it says, that names are only names, and that the same files give the same bytes."""

from __future__ import annotations

import html
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import plotly.graph_objects as go
import pytest
from click.testing import CliRunner

from graphprune.cli import verbs
from graphprune.errors import Environment, GraphpruneError, Refused, Usage
from graphprune.report.facts import facts_of
from graphprune.report.load import load
from graphprune.report.page import page, sections_of
from graphprune.report.parts import charts_of
from tests.report import samples

LIMIT = 6_000_000


def made(paths: list[Path]) -> str:
    facts = facts_of(load(paths), "")
    return page(facts, sections_of(facts))


def shown(text: str) -> str:
    """What a reader sees: the page without scripts, styles and tags."""
    bare = re.sub(r"<(script|style)\b.*?</\1>", " ", text, flags=re.DOTALL)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", bare)))


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return samples.write(tmp_path)


class Nesting(HTMLParser):
    """Elements that are closed in another order than they were opened, and the headings."""

    VOID = frozenset({"meta", "br", "hr", "input", "img", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.headings: list[int] = []
        self.names: list[str] = []
        self.described: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if values.get("id"):
            self.names.append(values["id"] or "")
        if values.get("aria-labelledby"):
            self.described.append(values["aria-labelledby"] or "")
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_the_page_begins_with_the_answer(paths: list[Path]) -> None:
    text = shown(made(paths))
    assert "small.onnx beside model.onnx" in text
    assert text.index("Fail") < text.index("Budgets") < text.index("1 candidate, judged by")
    assert "1 of 4 budgets is broken: latency.p50" in text
    assert "graphprune.toml:12" in text


def test_every_section_that_the_files_have_something_for_is_there(paths: list[Path]) -> None:
    names = [section.name for section in sections_of(facts_of(load(paths), ""))]
    assert names == [
        "candidates",
        "latency",
        "layers",
        "classes",
        "groups",
        "sensitivity",
        "devices",
        "stages",
        "environment",
        "repeat",
    ]


def test_what_is_missing_is_named_with_the_command_that_makes_it(paths: list[Path]) -> None:
    text = shown(made([path for path in paths if path.stem == "prune"]))
    assert "What this report does not have" in text
    for verb in ("gate", "profile", "sensitivity"):
        assert f"graphprune {verb} model.onnx" in text
    assert "What this report does not have" not in shown(made(paths))


def test_one_candidate_in_several_files_is_one(paths: list[Path]) -> None:
    (candidate,) = facts_of(load(paths), "").candidates
    assert candidate.name == "small.onnx"
    assert [speed.device for speed in candidate.speeds] == [
        "a device, ort:cpu, 1 thread, batch 1",
        "another device, ort:cpu, 1 thread, batch 1",
    ]
    assert candidate.macs == (50_000_000, 20_000_000)
    assert candidate.exact is not None
    assert candidate.exact.passed


def test_two_models_of_one_name_are_two(tmp_path: Path) -> None:
    paths = []
    for number in (1, 2):
        paths.append(tmp_path / f"prune{number}.json")
        paths[-1].write_text(json.dumps(samples.pruned()), encoding="utf-8")
    names = [candidate.name for candidate in facts_of(load(paths), "").candidates]
    assert names == ["small.onnx (prune1.json)", "small.onnx (prune2.json)"]


def test_the_dead_class_comes_first(paths: list[Path]) -> None:
    section = next(each for each in sections_of(facts_of(load(paths), "")) if each.name == "classes")
    assert "the worst is conv3 (3)" in section.lead


def test_what_got_slower_comes_first(paths: list[Path]) -> None:
    text = shown(made(paths))
    assert "5 steps of small.onnx got slower" in text
    table = text[text.index("All steps of small.onnx") :]
    assert table.index("small.onnx/20") < table.index("small.onnx/23")


def test_the_same_files_give_the_same_bytes(paths: list[Path]) -> None:
    assert made(paths) == made(paths)


def test_the_page_says_nothing_that_only_this_machine_knows(paths: list[Path]) -> None:
    text = made(paths)
    bare = text.replace(str(paths[0].parent), "")
    assert str(Path.home()) not in bare


@pytest.mark.parametrize("layers", [24, 200])
def test_the_page_is_small_enough(tmp_path: Path, layers: int) -> None:
    text = made(samples.write(tmp_path, layers=layers, classes=1000))
    assert len(text.encode()) < LIMIT


def test_a_hostile_name_stays_a_name(tmp_path: Path) -> None:
    text = made(samples.write(tmp_path, name=samples.BAD))
    scripts = re.findall(
        r"<script\b", re.sub(r'<script type="text/plain" id="plotly">.*?</script>', "", text, flags=re.DOTALL)
    )
    assert len(scripts) == 3  # the theme, the figures, the page's own
    assert "<img" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "\u2028" not in text
    figures = re.search(r'id="figures">(.*?)</script>', text, re.DOTALL)
    assert figures is not None
    assert "<" not in figures[1]
    assert "alert(1)" in json.dumps(json.loads(figures[1]))


def test_plotly_reads_no_html_in_names(tmp_path: Path) -> None:
    sections = sections_of(facts_of(load(samples.write(tmp_path, name="<b>x</b>")), ""))
    for chart in charts_of(sections):
        for figure in chart.views.values():
            assert "<b>" not in json.dumps(figure, default=str), chart.name


def test_the_elements_are_nested_and_the_headings_in_order(paths: list[Path]) -> None:
    text = re.sub(r"<(script|style)\b[^>]*>.*?</\1>", "", made(paths), flags=re.DOTALL)
    found = Nesting()
    found.feed(text)
    assert found.wrong == []
    assert found.open == []
    assert found.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(found.headings, found.headings[1:], strict=False))
    assert len(set(found.names)) == len(found.names)
    assert set(found.described) <= set(found.names)


def test_a_parser_of_browsers_finds_no_error(paths: list[Path]) -> None:
    from lxml import etree

    text = re.sub(r"<(script|style)\b[^>]*>.*?</\1>", "", made(paths), flags=re.DOTALL)
    parser = etree.HTMLParser(recover=True)
    etree.fromstring(text.encode(), parser)
    known = (
        "Tag header",
        "Tag nav",
        "Tag main",
        "Tag section",
        "Tag figure",
        "Tag figcaption",
        "Tag details",
    )
    known += (
        "Tag summary",
        "Tag svg",
        "Tag path",
        "Tag title",
        "Tag rect",
        "Tag line",
        "Tag circle",
        "Tag polygon",
        "Tag text",
    )
    errors = [str(entry.message) for entry in parser.error_log if not str(entry.message).startswith(known)]
    assert errors == []


def test_every_figure_is_one_that_plotly_knows(paths: list[Path]) -> None:
    charts = charts_of(sections_of(facts_of(load(paths), "")))
    assert len(charts) >= 10
    for chart in charts:
        for figure in chart.views.values():
            go.Figure(data=figure["data"], layout=figure["layout"])  # refuses what it does not know
            for name in ("xaxis", "yaxis"):
                assert "title" in figure["layout"][name], chart.name


def test_nothing_in_the_page_names_another_place(paths: list[Path]) -> None:
    text = re.sub(r'<script type="text/plain" id="plotly">.*?</script>', "", made(paths), flags=re.DOTALL)
    assert re.findall(r"(?:src|href)=\"(?!#)[^\"]*", text) == []
    assert "http" not in re.sub(r'http-equiv="|"http-equiv', "", text)
    assert "default-src &#x27;none&#x27;" in text


def test_without_plotly_the_page_says_what_to_install(
    paths: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(Environment) as caught:
        made(paths)
    assert caught.value.code == 4
    assert caught.value.hint == "pip install graphprune[report]"
    words = ["report", *map(str, paths), "--markdown", str(tmp_path / "summary.md")]
    assert CliRunner().invoke(verbs, words).exit_code == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "it is no JSON"),
        ("[]", "there is nothing in it that a report shows"),
        ('{"verb": "prune", "command": [], "options": {}, "version": 99}', "version 99"),
        ('{"models": [{"median_ms": 1}]}', "lack the times"),
        ('{"pipeline": "", "before": 3, "after": 4}', "Expected `object | null`, got `int`"),
    ],
    ids=["no JSON", "a list", "another version", "figures without times", "a broken result"],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Refused) as caught:
        load([path])
    assert says in caught.value.what
    assert "x.json" in caught.value.what


def test_a_missing_file_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(Usage):
        load([tmp_path / "none.json"])


def test_the_verb_writes_both_and_says_so(paths: list[Path], tmp_path: Path) -> None:
    words = ["report", *map(str, paths), "-o", str(tmp_path / "r.html"), "--markdown", str(tmp_path / "s.md")]
    done = CliRunner().invoke(verbs, [*words, "--title", "A <b>title</b>", "--output-format", "json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["candidates"] == ["small.onnx"]
    assert result["bytes"] == (tmp_path / "r.html").stat().st_size
    assert "A &lt;b&gt;title&lt;/b&gt;" in (tmp_path / "r.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "words", [[], ["-o", "a.html", "--markdown", "a.html"]], ids=["nowhere", "both to one"]
)
def test_the_verb_refuses_what_it_cannot_write(paths: list[Path], words: list[str]) -> None:
    done = CliRunner().invoke(verbs, ["report", str(paths[0]), *words])
    assert isinstance(done.exception, GraphpruneError)
    assert done.exception.code == 2
