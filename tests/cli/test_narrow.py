"""No table loses a character, on narrow terminals either."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console, ConsoleOptions, RenderResult

from graphprune.cli.tables import Sheet, table
from graphprune.profiling.files import write_profile
from tests.cli.perceptron import write_model
from tests.profiling.profiles import CPU, GPU, batch, profile

WIDTHS = (60, 80, 100)
LONG = "features.12.block.0.3.1/activation_post_process/Conv_quant"


def rendered(sheet: Sheet, width: int) -> str:
    file = io.StringIO()
    Console(file=file, width=width, highlight=False, emoji=False, markup=False).print(sheet)
    return file.getvalue()


def letters(text: str) -> Counter[str]:
    return Counter("".join(text.split()))


def check(sheet: Sheet, width: int) -> None:
    """Every character of every cell and heading stands there, and figures stand in one line."""
    shown = rendered(sheet, width)
    heads = [head.rstrip("#=") for head in sheet.heads]
    cells = [cell.plain for row in sheet.rows for cell in row]
    assert not letters("".join((*heads, *cells))) - letters(shown)
    assert max(map(len, shown.splitlines()), default=0) <= width
    for row in sheet.rows:
        for head, cell in zip(sheet.heads, row, strict=True):
            if head.endswith(("#", "=")):
                assert all(line.strip() in shown for line in cell.plain.split("\n"))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("figures", [0, 1, 5, 9, 20])
def test_figures_stay_whole_and_names_are_folded(figures: int, width: int) -> None:
    heads = ("metric", "what it is", *(f"figure {number}#" for number in range(figures)), "in words=")
    row = (
        LONG,
        "an answer 日本語",
        *(f"{number}.{number:05} ms" for number in range(figures)),
        "0.701 to 0.705",
    )
    check(table(heads, [row, row], keys=2), width)


def test_a_table_that_is_too_wide_goes_on_below_with_its_keys() -> None:
    heads = ("metric", *(f"figure {number}#" for number in range(9)))
    row = ("top1", *("0.12345678" for _ in range(9)))
    parts = [part.splitlines() for part in rendered(table(heads, [row]), 60).split("\n\n") if part.strip()]
    assert len(parts) == 3
    assert all(part[0].startswith("metric") and part[-1].startswith("top1") for part in parts)


def test_a_table_that_has_room_is_one() -> None:
    shown = rendered(table(("a", "b#"), [("x", 1), ("yy", 22)]), 60)
    assert [line.rstrip() for line in shown.splitlines()] == ["a    b", "x    1", "yy  22"]


@pytest.fixture
def sheets(monkeypatch: pytest.MonkeyPatch) -> list[Sheet]:
    """All tables that are shown, as they are before they are laid out."""
    seen: list[Sheet] = []
    lay_out = Sheet.__rich_console__

    def noted(sheet: Sheet, console: Console, options: ConsoleOptions) -> RenderResult:
        seen.append(sheet)
        return lay_out(sheet, console, options)

    monkeypatch.setattr(Sheet, "__rich_console__", noted)
    return seen


@pytest.mark.parametrize(
    "line",
    [
        "inspect model.onnx",
        "inspect model.onnx --show groups,pinned,layers,weights,ops,shapes,map",
        "inspect model.onnx --group first",
        "prune model.onnx --dry-run --data calib.npz",
        "prune model.onnx --dry-run --sparsify 2:4 --precision fp16",
        "run model.onnx --dry-run -p fold,group,score,select,cut --time-passes",
        "run --list-passes",
        "verify model.onnx model.onnx",
        "verify model.onnx model.onnx --data labelled.npz --metric top1,cosine",
        "sensitivity model.onnx --data calib.npz",
        "sparsify model.onnx --dry-run",
        "profile model.onnx small.onnx --dry-run",
        "profile model.onnx small.onnx --batch 1,2 --rounds 6 --duration 10ms --warmup 0s --per-layer",
        "compare cpu.json gpu.json other.json",
        "compare cpu.json --baseline cpu.json",
        "gate model.onnx small.onnx --dry-run --assert params.ratio<=0.6251",
        "gate model.onnx small.onnx --data labelled.npz --assert top1>=0.01 --assert class.min.drop<=90%",
        "gate model.onnx small.onnx --assert params.ratio<=0.6251 --assert macs.ratio<=0.6252",
        "doctor",
    ],
)
def test_no_verb_has_a_table_that_loses_a_character(line: str, call: Any, sheets: list[Sheet]) -> None:
    write_model(Path("model.onnx"))
    draw = np.random.default_rng(0)
    x = draw.normal(size=(24, 8)).astype(np.float32)
    np.savez("calib.npz", x=x)
    np.savez("labelled.npz", x=x, labels=np.arange(24) % 3)
    if "small.onnx" in line:
        assert call("prune model.onnx -o small.onnx")[0] == 0
    if line.startswith("compare"):
        both = {"model.onnx": 10.0, "small.onnx": 6.0}
        devices = [(CPU, "cpu"), (GPU, "gpu"), (replace(CPU, name=LONG), "other")]
        for device, name in devices:
            write_profile(profile(batch(both, 1), batch(both, 8), device=device), Path(f"{name}.json"))
    sheets.clear()
    code, out, err = call(line)
    assert code in (0, 1), err
    assert sheets, out
    for sheet in tuple(sheets):
        for width in WIDTHS:
            check(sheet, width)
