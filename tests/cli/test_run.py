"""run runs any pipeline, stops in it, and writes what is in between."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_run_stops_dumps_and_times_as_it_is_told(model: Path, call: Any) -> None:
    line = "run model.onnx -o out.onnx -p fold,group,score,select,cut,verify --stop-after 5 --time-passes"
    code, out, _ = call(f"{line} --dump-after cut --dump-after fold")
    assert code == 0
    assert sorted(path.name for path in Path().iterdir()) == [
        "model.onnx",
        "out.1-fold.onnx",
        "out.5-cut.onnx",
        "out.onnx",
    ]
    assert Path("out.5-cut.onnx").read_bytes() == Path("out.onnx").read_bytes()
    assert [line.split()[0] for line in out.splitlines()[-5:]] == ["fold", "group", "score", "select", "cut"]


def test_run_lists_the_passes_with_their_options(call: Any) -> None:
    code, out, _ = call("run --list-passes")
    assert code == 0
    for word in ("fold:", "score:", "l2|l1", "round-to", "replay:", "verify:"):
        assert word in out


def test_run_shows_no_figures_where_no_pass_has_made_them(model: Path, call: Any) -> None:
    code, out, _ = call("run model.onnx --dry-run -p fold")
    assert code == 0
    assert "parameters" not in out
    assert "Groups" not in out
