"""A refusal is two lines on stderr and an exit code, and leaves nothing behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from graphprune.cli import VERBS, verbs
from graphprune.errors import GraphpruneError


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
        ("prune model.onnx -o pipe --force", 2, "not a plain file", "file"),
        ("prune model.onnx -o out --save-plan out", 2, "out is named twice", "name of its own"),
        ("prune model.onnx -o model.onnx", 2, "model.onnx is an input: MODEL", "--in-place"),
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
        ("run model.onnx -o out.onnx -p fold,cut", 2, "cut needs the solution", "put it before cut"),
        ("run model.onnx -o out.onnx -p fold{", 2, "the end at character", "write it like"),
        ("run model.onnx -o out.onnx -p fold --stop-after 2", 2, "--stop-after is 2", "give 1 to 1"),
        ("run model.onnx -o out.onnx -p fold --dump-after cut", 2, "--dump-after cut", "fold"),
        ("run model.onnx -p fold", 2, "where the resulting model goes", "-o OUT"),
        ("inspect missing.onnx", 2, "missing.onnx", "path"),
        ("inspect model.onnx --show group", 2, "no part group", "did you mean groups"),
        ("inspect model.onnx --group frst", 2, "no group frst", "did you mean first"),
        ("inspect model.onnx --output-format xml", 2, "'xml'", "inspect --help"),
        (
            "prune model.onnx -o out.onnx --ratio 0.5 --target macs=0.5x",
            2,
            "--target and --ratio",
            "leave one",
        ),
        ("prune model.onnx -o out.onnx --ratio 120%", 2, "ratio is 1.2", "0.5"),
        ("prune model.onnx -o out.onnx --target=", 2, "--target is empty", "leave it out"),
        ("prune model.onnx -o out.onnx --rtol nan", 2, "--rtol is 'nan'", "a number"),
        ("prune model.onnx -o out.onnx --atol -1", 2, "atol -1", "from 0 on"),
        ("prune model.onnx -o out.onnx --data random --samples 99999999999999999999", 2, "more than", "most"),
        ("sparsify model.onnx -o out.onnx --backend ort:cpu", 2, "--backend has no", "--keep-if-faster"),
        ("verify model.onnx", 2, "missing argument", "verify --help"),
        ("verify model.onnx model.onnx --atol -1", 2, "atol -1", "from 0 on"),
        ("verify model.onnx model.onnx --rtol nan", 2, "rtol nan", "from 0 to 1"),
        ("verify model.onnx model.onnx --data random --rtol nan", 2, "--rtol has no effect", "--plan"),
        ("verify model.onnx model.onnx --data random --samples 0", 2, "'--samples'", "--help"),
        ("verify model.onnx model.onnx --samples 3", 2, "--samples has no effect", "--data"),
        ("verify model.onnx model.onnx --metric top1", 2, "--metric has no effect", "--data"),
        ("verify model.onnx junk.onnx", 3, "not an ONNX model", "export"),
        ("doctor --require ort:gpu", 2, "no backend ort:gpu", "did you mean"),
    ],
)
def test_a_refusal_is_two_lines_and_an_exit_code(
    line: str, code: int, what: str, hint: str, model: Path, call: Any
) -> None:
    (model.parent / "junk.onnx").write_bytes(b"this is not a protobuf" * 10)
    (model.parent / "empty.onnx").write_bytes(b"")
    os.mkfifo(model.parent / "pipe")
    before = {path.name: path.read_bytes() for path in model.parent.iterdir() if path.is_file()}
    found, out, err = call(line)
    lines = err.splitlines()
    assert (found, out, len(lines)) == (code, "", 2), err
    assert lines[0].startswith("error: ")
    assert what in lines[0]
    assert lines[1].startswith("hint: ")
    assert hint in lines[1]
    assert {path.name: path.read_bytes() for path in model.parent.iterdir() if path.is_file()} == before


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

    monkeypatch.setattr("graphprune.inspection.solved", fail)
    found, _, err = call("inspect model.onnx")
    assert found == code
    assert err.splitlines()[0] == first
    assert len(err.splitlines()) == 2


def test_debug_shows_the_traceback(model: Path, call: Any) -> None:
    code, _, err = call("inspect missing.onnx --debug")
    assert code == 2
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("hint: ")


NUMBERS = ("N", "NUMBER", "TIME", "SHARE", "N,...", "GLOB=NUMBER,...", "GLOB=NUMBER")


def _numeric() -> Iterator[tuple[str, str]]:
    """Every option of every verb that takes a number."""
    context = click.Context(verbs)
    for verb in VERBS:
        command = verbs.get_command(context, verb)
        assert command is not None
        for option in command.params:
            number = isinstance(option.type, click.types.IntParamType | click.types.FloatParamType)
            if isinstance(option, click.Option) and (number or option.metavar in NUMBERS):
                name = max(option.opts, key=len)
                yield f"{verb} {WORDS[verb]}", f"{name}={'*=' if 'GLOB' in (option.metavar or '') else ''}"


WORDS = {
    "inspect": "model.onnx",
    "prune": "model.onnx --dry-run",
    "sparsify": "model.onnx --dry-run",
    "sensitivity": "model.onnx --data random",
    "verify": "model.onnx model.onnx --data random",
    "build": "model.onnx --dry-run",
    "profile": "model.onnx --dry-run",
    "run": "model.onnx --dry-run -p fold",
    "gate": "model.onnx model.onnx --assert size.ratio<=1 --dry-run",
    "report": "result.json -o report.html",
    "init": "-o config.toml",
    "compare": "result.json",
    "schema": "config",
    "doctor": "--null-test model.onnx",
}


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "", "one"])
@pytest.mark.parametrize(("words", "option"), tuple(_numeric()))
def test_what_is_no_number_of_its_kind_is_refused(
    words: str, option: str, value: str, model: Path, call: Any
) -> None:
    code, out, err = call(f"{words} {option}{value}")
    assert (code, out) == (2, ""), err
    assert [line.partition(":")[0] for line in err.splitlines()] == ["error", "hint"]
