"""The command line: what goes to stdout and stderr, and the exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from graphprune.cli import main
from graphprune.errors import GraphpruneError

ODD = "[red]x[/]"
TEXT = """<ir_version: 8, opset_import: ["" : 17]>
g (float[batch, 8] x) => (float[batch, 3] y) {
  [first] h = Gemm(x, w, b) r = Relu(h) [last] y = MatMul(r, v)
}"""


def write_model(path: Path, ends: str = "y") -> Path:
    draw = np.random.default_rng(0)
    model = parser.parse_model(TEXT)
    for name, shape in {"w": (8, 16), "b": (16,), "v": (16, 3)}.items():
        model.graph.initializer.append(
            numpy_helper.from_array(draw.normal(size=shape).astype(np.float32), name)
        )
    model.graph.node[-1].output[0] = model.graph.output[0].name = ends
    onnx.save(model, path)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model.onnx")


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Call the command line in the folder of the model; returns the exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def call(line: str) -> tuple[int, str, str]:
        code = main(line.split())
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.mark.parametrize(
    ("line", "code", "what", "hint"),
    [
        ("", 2, "missing command", "--help"),
        ("prun model.onnx", 2, "no verb prun", "did you mean prune"),
        ("prune", 2, "missing argument", "prune --help"),
        ("prune model.onnx", 2, "where the smaller model goes", "-o OUT"),
        ("prune model.onnx -o out.onnx --rato 0.5", 2, "no option --rato", "did you mean --ratio"),
        ("prune model.onnx -o out.onnx --ratio", 2, "requires an argument", "prune --help"),
        ("prune model.onnx -o out.onnx --ratio half", 2, "--ratio is 'half'", "a number"),
        ("prune model.onnx -o out.onnx --ratio 1.5", 2, "ratio is 1.5", "0.5"),
        ("prune model.onnx -o out.onnx --ratio -1", 2, "ratio is -1", "0.5"),
        ("prune model.onnx -o out.onnx --scope globl", 2, "--scope is 'globl'", "did you mean global"),
        ("prune model.onnx -o out.onnx --importance l3", 2, "--importance is 'l3'", "did you mean l2"),
        ("prune model.onnx -o out.onnx --only chanels", 2, "--only is 'chanels'", "did you mean channels"),
        ("prune model.onnx -o out.onnx --ratio-for 0.5", 2, "--ratio-for is '0.5'", "NAME=VALUE"),
        ("prune model.onnx -o out.onnx --round-to 0", 2, "round-to", "1"),
        ("prune model.onnx -o out.onnx --target macs=fast", 2, "macs=fast", "macs=0.5x"),
        ("prune model.onnx -o out.onnx --shape x:axb", 2, "shape 'x:axb'", "1x3x224x224"),
        ("prune model.onnx -o out.onnx --shape z:1x8", 2, "no input z", "x"),
        ("prune model.onnx -o out.onnx --shape 1x9", 2, "does not fit input x", "fixed size"),
        ("prune model.onnx -o out.onnx --no-verify --rtol 1", 2, "--rtol has no effect", "verify"),
        ("prune model.onnx -o out.onnx --plan plan.json --ratio 0.5", 2, "--ratio has no effect", "select"),
        ("prune model.onnx -o out.onnx --plan missing.json", 2, "plan missing.json", "path"),
        ("prune model.onnx -o out.onnx --plan model.onnx", 2, "plan", "--plan-only"),
        ("prune model.onnx -o out.onnx --plan-only p.json", 2, "nothing but the plan", "--save-plan"),
        ("prune model.onnx -o nowhere/out.onnx", 2, "no folder nowhere", "make it"),
        ("prune model.onnx -o .", 2, "is a folder", "file"),
        ("prune model.onnx -o model.onnx", 2, "model.onnx exists", "--force"),
        ("prune missing.onnx -o out.onnx", 2, "missing.onnx", "path"),
        ("prune . -o out.onnx", 3, "a folder", ".onnx"),
        ("prune junk.onnx -o out.onnx", 3, "not an ONNX model", "export"),
        ("prune empty.onnx -o out.onnx", 3, "empty", "export"),
        ("prune model.onnx -o out.onnx --ratio 0.01", 3, "nothing was pruned", "--allow-noop"),
        ("prune model.onnx -o out.onnx --only heads", 3, "nothing can be pruned", "inspect"),
        ("prune model.onnx -o out.onnx --ignore *", 3, "nothing can be pruned", "inspect"),
        ("prune model.onnx -o out.onnx --target params=0.0001x", 1, "cannot be reached", "--max-ratio"),
        ("run model.onnx -o out.onnx", 2, "missing option", "run --help"),
        ("run model.onnx -o out.onnx -p fold,slect", 2, "no pass slect", "did you mean select"),
        ("run model.onnx -o out.onnx -p select{rato=1}", 2, "no option rato", "did you mean ratio"),
        ("run model.onnx -o out.onnx -p fold,cut", 2, "cut needs the solution", "group makes it"),
        ("run model.onnx -o out.onnx -p fold{", 2, "the end at character", "write it like"),
        ("run model.onnx -o out.onnx -p fold --stop-after 2", 2, "--stop-after is 2", "give 1 to 1"),
        ("run model.onnx -o out.onnx -p fold --dump-after cut", 2, "--dump-after cut", "fold"),
        ("run model.onnx -p fold", 2, "where the resulting model goes", "-o OUT"),
        ("inspect missing.onnx", 2, "missing.onnx", "path"),
        ("inspect model.onnx --show group", 2, "no part group", "did you mean groups"),
        ("inspect model.onnx --group frst", 2, "no group frst", "did you mean first"),
        ("inspect model.onnx --output-format xml", 2, "'xml'", "inspect --help"),
        ("verify model.onnx", 2, "missing argument", "verify --help"),
        ("verify model.onnx junk.onnx", 3, "not an ONNX model", "export"),
        ("doctor --require trt", 2, "'trt'", "doctor --help"),
    ],
)
def test_a_refusal_is_two_lines_and_an_exit_code(
    line: str, code: int, what: str, hint: str, model: Path, call: Any
) -> None:
    (model.parent / "junk.onnx").write_bytes(b"this is not a protobuf" * 10)
    (model.parent / "empty.onnx").write_bytes(b"")
    before = {path.name: path.read_bytes() for path in model.parent.iterdir()}
    found, out, err = call(line)
    lines = err.splitlines()
    assert (found, out, len(lines)) == (code, "", 2), err
    assert lines[0].startswith("error: ")
    assert what in lines[0]
    assert lines[1].startswith("hint: ")
    assert hint in lines[1]
    assert {path.name: path.read_bytes() for path in model.parent.iterdir()} == before


def test_prune_writes_the_smaller_model_and_says_what_was_done(model: Path, call: Any) -> None:
    code, out, err = call("prune model.onnx -o out.onnx --ratio 0.25")
    assert (code, err) == (0, "")
    weights = {tensor.name: tuple(tensor.dims) for tensor in onnx.load("out.onnx").graph.initializer}
    assert weights == {"w": (8, 12), "b": (12,), "v": (12, 3)}
    lines = out.splitlines()
    assert "Latency was not measured" in lines[0]
    assert any(line.split() == ["parameters", "192", "144", "75.0", "%"] for line in lines)
    assert any(line.split() == ["units", "16", "12", "75.0", "%"] for line in lines)
    assert "Groups pruned: 1 of 1 found" in out
    assert "Exactness: exact" in out
    assert all(len(line) <= 100 for line in lines)


def test_the_record_in_json_holds_the_same_figures(model: Path, call: Any) -> None:
    code, out, _ = call("prune model.onnx -o out.onnx --ratio 0.25 --output-format json")
    record = json.loads(out)
    assert code == 0
    assert record["version"] == 1
    assert record["pipeline"] == "fold,group,score,select{ratio=0.25},cut,verify"
    assert record["before"] == {"params": 192, "macs": 176, "bytes": 768, "units": 16}
    assert record["after"]["params"] == 144
    assert record["changes"] == [
        {"name": record["changes"][0]["name"], "kind": "neurons", "before": 16, "after": 12, "mixed": ""}
    ]
    assert record["verification"]["passed"]
    assert record["verification"]["distance"] < 1e-6
    assert len(record["verification"]["shapes"]) == 2
    assert [step["pass"] for step in record["seconds"]] == [
        "fold",
        "group",
        "score",
        "select",
        "cut",
        "verify",
    ]


def test_prune_and_the_pipeline_it_stands_for_write_the_same_bytes(model: Path, call: Any) -> None:
    assert call("prune model.onnx -o one.onnx --importance l1 --round-to 4")[0] == 0
    assert call("run model.onnx -o two.onnx -p fold,group,score{by=l1},select{round-to=4},cut,verify")[0] == 0
    assert Path("one.onnx").read_bytes() == Path("two.onnx").read_bytes()


def test_a_plan_replays_to_the_same_bytes(model: Path, call: Any) -> None:
    assert call("prune model.onnx -o one.onnx --save-plan plan.json --importance random --seed 5")[0] == 0
    assert call("prune model.onnx --plan-only same.json --importance random --seed 5")[0] == 0
    assert call("prune model.onnx -o two.onnx --plan plan.json")[0] == 0
    assert Path("plan.json").read_bytes() == Path("same.json").read_bytes()
    assert Path("one.onnx").read_bytes() == Path("two.onnx").read_bytes()


def test_a_plan_of_another_model_is_refused(model: Path, call: Any) -> None:
    plan = {"version": 1, "groups": {"head": {"units": 4, "keep": [0]}}, "layers": []}
    Path("plan.json").write_text(json.dumps(plan))
    code, _, err = call("prune model.onnx -o out.onnx --plan plan.json")
    assert code == 2
    assert "there is no group 'head'" in err
    assert not Path("out.onnx").exists()


def test_verify_with_the_plan_says_yes_and_without_it_no(model: Path, call: Any) -> None:
    call("prune model.onnx -o out.onnx --save-plan plan.json")
    code, out, err = call("verify model.onnx out.onnx --plan plan.json")
    assert (code, err) == (0, "")
    assert "equal" in out
    code, out, err = call("verify model.onnx out.onnx --output-format json")
    assert code == 1
    assert json.loads(out)["verification"]["passed"] is False
    assert err.startswith("error: output y differs from model.onnx")


def test_verify_finds_a_model_that_the_plan_does_not_explain(model: Path, call: Any) -> None:
    call("prune model.onnx -o out.onnx --save-plan plan.json")
    call("prune model.onnx -o other.onnx --importance random --seed 3")
    assert call("verify model.onnx other.onnx --plan plan.json")[0] == 1


@pytest.mark.parametrize("option", ["--shape x:5x8", "--shape 5,8", "--shapes x:[5,8]", "--optShapes=x:5x8"])
def test_a_shape_is_used_in_whatever_way_it_is_spelled(option: str, model: Path, call: Any) -> None:
    _, out, _ = call(f"prune model.onnx -o out.onnx --output-format json {option}")
    assert json.loads(out)["verification"]["shapes"] == ["x:5x8"]


def test_dry_run_writes_nothing(model: Path, call: Any) -> None:
    code, out, _ = call("prune model.onnx -o out.onnx --save-plan plan.json --dry-run")
    assert code == 0
    assert "Nothing was written." in out
    assert "not verified" in out
    assert [path.name for path in Path().iterdir()] == ["model.onnx"]


def test_allow_noop_writes_the_model_as_it_was(model: Path, call: Any) -> None:
    code, out, _ = call("prune model.onnx -o out.onnx --ratio 0 --allow-noop")
    assert code == 0
    assert "Groups pruned: 0 of 1 found" in out
    before, after = onnx.load("model.onnx"), onnx.load("out.onnx")
    assert [node.op_type for node in before.graph.node] == [node.op_type for node in after.graph.node]


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


def test_inspect_shows_the_groups_and_why_the_rest_is_pinned(model: Path, call: Any) -> None:
    code, out, err = call("inspect model.onnx")
    assert (code, err) == (0, "")
    assert any(line.split()[1:] == ["neurons", "16", "free", "3"] for line in out.splitlines())
    assert "dimension of graph input 'x'" in " ".join(out.split())
    assert "dimension of graph output 'y'" in " ".join(out.split())
    assert any(line.split() == ["input", "x", "float32", "batch", "x", "8"] for line in out.splitlines())


def test_inspect_shows_the_parts_that_are_asked_for(model: Path, call: Any) -> None:
    _, out, _ = call("inspect model.onnx --show layers,ops,shapes,pinned")
    lines = [line.split() for line in out.splitlines()]
    assert ["MatMul", "1", "...", "m", "k,", "...", "k", "n", "->", "...", "m", "n"] in lines
    assert ["h", "batch", "x", "16"] in lines
    assert any(line[:3] == ["last", "MatMul", "48"] for line in lines)


def test_inspect_shows_every_place_of_a_group(model: Path, call: Any) -> None:
    _, out, _ = call("inspect model.onnx --output-format json")
    (name,) = [group["name"] for group in json.loads(out)["groups"] if not group["reason"]]
    _, out, _ = call(f"inspect model.onnx --group {name} --output-format json")
    places = json.loads(out)["group"]["places"]
    assert [(place["tensor"], place["dim"], place["role"]) for place in places] == [
        ("w", 1, "out"),
        ("b", 0, "vector"),
        ("v", 0, "in"),
    ]
    code, out, _ = call(f"inspect model.onnx --group {name}")
    assert code == 0
    assert f"{name}: 16 neurons" in out


def test_doctor_runs_a_session(call: Any) -> None:
    code, out, err = call("doctor --output-format json")
    assert (code, err) == (0, "")
    findings = {finding["subject"]: finding["found"] for finding in json.loads(out)["findings"]}
    assert findings["ort:cpu"] == "runs"
    assert findings["onnx"] == onnx.__version__


def test_doctor_exits_with_4_where_a_required_backend_does_not_run(call: Any) -> None:
    import onnxruntime as ort

    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this machine has the provider")
    code, out, err = call("doctor --require ort:cuda")
    assert code == 4
    assert "ort:cuda" in out
    assert err.startswith("error: ort:cuda")


@pytest.mark.parametrize(
    "line", ["inspect odd.onnx", "inspect odd.onnx --show shapes", "verify odd.onnx odd.onnx"]
)
def test_a_name_is_shown_as_it_is_whatever_it_holds(line: str, tmp_path: Path, call: Any) -> None:
    write_model(tmp_path / "odd.onnx", ends=ODD)
    _, out, _ = call(line)
    assert ODD in out


def test_a_name_cannot_steer_the_terminal(tmp_path: Path, call: Any) -> None:
    write_model(tmp_path / "odd.onnx", ends="a\x1b[31mb")
    _, out, _ = call("inspect odd.onnx")
    assert "\x1b" not in out
    assert r"a\x1b[31mb" in out


def test_quiet_prints_nothing_and_verbose_says_what_is_done(model: Path, call: Any) -> None:
    assert call("prune model.onnx -o one.onnx -q") == (0, "", "")
    code, out, err = call("prune model.onnx -o two.onnx -v")
    assert (code, "parameters" in out) == (0, True)
    assert [line.split()[1] for line in err.splitlines()] == [
        "fold:",
        "group:",
        "score:",
        "select:",
        "cut:",
        "verify:",
    ]


@pytest.mark.parametrize(
    ("error", "code", "first"),
    [
        (MemoryError(), 4, "error: out of memory"),
        (KeyboardInterrupt(), 130, "error: interrupted"),
        (OSError(28, "No space left on device", "out.onnx"), 4, "error: No space left on device at out.onnx"),
        (ZeroDivisionError("division\nby zero"), 70, r"error: ZeroDivisionError: division\nby zero (a bug)"),
        (GraphpruneError("a thing", "do it"), 70, "error: a thing"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_whatever_happens_ends_in_two_lines_and_a_code(
    error: BaseException, code: int, first: str, model: Path, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("graphprune.inspection.inspect", fail)
    found, _, err = call("inspect model.onnx")
    assert found == code
    assert err.splitlines()[0] == first
    assert len(err.splitlines()) == 2


def test_debug_shows_the_traceback(model: Path, call: Any) -> None:
    code, _, err = call("inspect missing.onnx --debug")
    assert code == 2
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("hint: ")


def test_help_and_version_go_to_stdout(call: Any) -> None:
    for line in (
        "--help",
        "-h",
        "prune --help",
        "inspect -h",
        "run -h",
        "verify -h",
        "doctor -h",
        "--version",
    ):
        code, out, err = call(line)
        assert (code, err) == (0, ""), line
        assert out


def _heed_interrupts() -> None:
    """Undo what a shell does to the processes that it starts in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def process(*words: str | Path, **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "graphprune", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
        preexec_fn=_heed_interrupts,  # noqa: PLW1509  the tests have no threads
        **more,
    )


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from graphprune.cli import main; main(['--help']); main(['--version']);"
        "print([name for name in ('numpy', 'onnx', 'onnxruntime', 'rich') if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    assert found.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("variable", ["NO_COLOR", "TERM"])
def test_no_colour_is_written_where_it_is_not_wanted(variable: str, model: Path) -> None:
    value = {"NO_COLOR": "1", "TERM": "dumb"}[variable]
    child = process("inspect", model, env={**os.environ, variable: value})
    out, _ = child.communicate()
    assert child.returncode == 0
    assert "\x1b" not in out


def test_a_reader_that_goes_away_is_no_error(model: Path) -> None:
    line = f"{sys.executable} -m graphprune inspect {model} --output-format json | head -c 1"
    found = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, check=False, cwd=Path(__file__).parent.parent
    )
    assert found.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_process_with_its_code_and_leaves_no_file(
    sent: signal.Signals, code: int, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "plan.json")
    model = write_model(tmp_path / "model.onnx")
    child = process("prune", model, "-o", tmp_path / "out.onnx", "--plan", tmp_path / "plan.json", "--debug")
    with (tmp_path / "plan.json").open("w"):  # opens when the child reads the plan, which it then waits for
        child.send_signal(sent)
    _, err = child.communicate(timeout=60)
    assert child.returncode == code, err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "plan.json"]
