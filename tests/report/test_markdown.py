"""The summary: read by a parser that is not ours, with names that are only names."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from graphprune.report.facts import facts_of
from graphprune.report.load import load
from graphprune.report.markdown import markdown
from tests.report import samples

COMMENT = 65_536
"""Characters of a comment on GitHub."""


def made(paths: list[Path]) -> str:
    return markdown(facts_of(load(paths), ""))


def tokens(text: str) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(text)


def test_the_summary_begins_with_the_verdict_and_has_the_figures(tmp_path: Path) -> None:
    text = made(samples.write(tmp_path))
    lines = [line for line in text.splitlines() if line]
    assert lines[0] == "## small.onnx beside model.onnx"
    assert lines[1].startswith("### gate failed")
    assert "| latency | 2 ms | **1.4 ms** | 30 % less time |" in text
    assert "5 steps of `small.onnx` got slower" in text


def test_every_table_is_a_table_of_even_rows(tmp_path: Path) -> None:
    found = tokens(made(samples.write(tmp_path)))
    assert sum(token.type == "table_open" for token in found) >= 4
    width, widths = 0, []
    for token in found:
        if token.type in ("th_open", "td_open"):
            width += 1
        elif token.type == "tr_close":
            widths.append(width)
            width = 0
        elif token.type == "table_close":
            assert len(set(widths)) == 1
            widths = []


@pytest.mark.parametrize("name", [samples.BAD, "@all", "a|b`c", "[x](http://x)", "<!--"])
def test_a_hostile_name_stays_a_name(tmp_path: Path, name: str) -> None:
    found = tokens(made(samples.write(tmp_path, name=name)))
    html = [
        each.content for token in found for each in (token, *(token.children or ())) if "html" in each.type
    ]
    allowed = ("<details>", "</details>", "<!-- -->", "<code>", "</code>")
    assert [text for text in html if not text.strip().startswith(allowed)] == []
    assert not any(each.type in ("link_open", "image") for token in found for each in token.children or ())


def test_the_summary_fits_in_a_comment(tmp_path: Path) -> None:
    long = "a_rather_long_name_of_a_layer_" * 12
    assert len(made(samples.write(tmp_path, layers=400, classes=1000, name=long))) < COMMENT


def test_several_candidates_stand_side_by_side(tmp_path: Path) -> None:
    import json

    paths = []
    for number in (1, 2):
        result = {**samples.pruned(), "output": f"small{number}.onnx"}
        paths.append(tmp_path / f"{number}.json")
        paths[-1].write_text(json.dumps(result), encoding="utf-8")
    text = made(paths)
    assert "## 2 candidates for model.onnx" in text
    assert "| `small1.onnx` |" in text
    assert "Pareto front" in text
