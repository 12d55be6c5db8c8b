"""Options from config files and the environment: which goes over which, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from graphprune.cli import VERBS, verbs
from graphprune.cli.common import sharing
from graphprune.config.options import form, keys, settable
from tests.cli.perceptron import write_model


def command_of(verb: str) -> click.Command:
    command = verbs.get_command(click.Context(verbs), verb)
    assert command is not None
    return command


def sources(call: Any, line: str) -> tuple[dict[str, Any], dict[str, str]]:
    """What the options of a run were, and where they came from, by the record of the run."""
    Path("run.json").unlink(missing_ok=True)
    code, _, err = call(f"{line} --save-run run.json")
    assert code == 0, err
    run = json.loads(Path("run.json").read_text())
    return run["options"], run["sources"]


@pytest.mark.parametrize(
    ("config", "variable", "word", "value", "source"),
    [
        (None, None, None, None, "default"),
        ("0.1", None, None, "0.1", "config"),
        (None, "0.2", None, "0.2", "environment"),
        ("0.1", "0.2", None, "0.2", "environment"),
        (None, None, "0.3", "0.3", "command line"),
        ("0.1", None, "0.3", "0.3", "command line"),
        (None, "0.2", "0.3", "0.3", "command line"),
        ("0.1", "0.2", "0.3", "0.3", "command line"),
        ("0.1", "", None, "0.1", "config"),
    ],
)
def test_the_command_line_goes_over_the_environment_and_that_over_the_file(
    model: Path,
    call: Any,
    monkeypatch: pytest.MonkeyPatch,
    config: str | None,
    variable: str | None,
    word: str | None,
    value: str | None,
    source: str,
) -> None:
    if config:
        Path("graphprune.toml").write_text(f"[prune]\nratio = {config}\n")
    if variable is not None:
        monkeypatch.setenv("GRAPHPRUNE_PRUNE_RATIO", variable)
    ratio = f"--ratio {word}" if word else ""
    options, from_where = sources(call, f"prune model.onnx --dry-run {ratio}")
    assert (options["ratio"], from_where["ratio"]) == (value, source)


@pytest.mark.parametrize("name", ["graphprune.toml", "c.yaml", "c.json", "pyproject.toml"])
def test_a_whole_call_can_stand_in_a_file(model: Path, call: Any, name: str) -> None:
    options = {"model": "model.onnx", "output": "small.onnx", "ratio": 0.25, "only": ["neurons"], "seed": 3}
    values = {"version": 1, "prune": {**options, "save-plan": "plan.json", "force": True}}
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in values["prune"].items())  # type: ignore[attr-defined]
    table = "tool.graphprune.prune" if name == "pyproject.toml" else "prune"
    Path(name).write_text(f"[{table}]\n{lines}\n" if name.endswith(".toml") else json.dumps(values))
    named = "" if name in ("graphprune.toml", "pyproject.toml") else f"-c {name}"
    code, _, err = call(f"prune {named}")
    assert code == 0, err
    assert json.loads(Path("plan.json").read_text())
    assert Path("small.onnx").is_file()


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_and_argument_of_a_verb_has_a_key(verb: str) -> None:
    command = command_of(verb)
    found = [key for option in settable(command.params) for key in keys(option)]
    spellings = {flag[2:] for option in command.params for flag in option.opts if flag.startswith("--")}
    settings = {"config", "no-config", "from-run", "list-passes"}
    assert spellings - settings <= set(found)
    assert all(keys(option) for option in settable(command.params))
    assert {"save-run", "output-format", "quiet", "verbose", "debug"} <= set(found)


EXAMPLES: dict[str, Any] = {"flag": True, "integer": 7, "number": 0.5, "path": "x.onnx", "text": "text"}


def option_cases() -> list[Any]:
    found: list[Any] = []
    for verb in VERBS:
        for option in settable(command_of(verb).params):
            taken = form(option)
            if (verb, taken.name) != ("gate", "assert"):
                found.append(pytest.param(verb, option, id=f"{verb}-{taken.name}"))
    return found


@pytest.mark.parametrize(("verb", "option"), option_cases())
def test_every_option_of_every_verb_can_stand_in_a_file(
    verb: str, option: click.Parameter, tmp_path: Path
) -> None:
    from graphprune.config.defaults import defaults
    from graphprune.config.document import read

    taken, command = form(option), command_of(verb)
    value = EXAMPLES.get(taken.kind) if not isinstance(option.type, click.Choice) else option.type.choices[0]
    if isinstance(option.type, click.IntRange) and option.type.max is not None:
        value = option.type.max
    if taken.table:
        value = "a=1"
    given = [value] if taken.several else value
    key = keys(option)[0]
    (tmp_path / "c.json").write_text(json.dumps({verb: {key: given}}))
    context = click.Context(command, info_name=verb)
    found = defaults(read(tmp_path / "c.json"), verb, command.params, context)
    (name,) = found
    assert name == option.name
    context.default_map = found
    converted, source = option.consume_value(context, {})
    assert source is click.core.ParameterSource.DEFAULT_MAP
    assert option.process_value(context, converted) == option.type_cast_value(context, found[name])


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("[prune]\n\nratoi = 0.5\n", "graphprune.toml:3: [prune] has no key ratoi", "did you mean ratio?"),
        ("[prune]\nsave_plan = 'x'\n", ":2: [prune] has no key save_plan", "did you mean save-plan?"),
        ("[prun]\nratio = 0.5\n", "graphprune.toml:1: there is no verb prun", "did you mean prune?"),
        ("ratio = 0.5\n", "graphprune.toml:1: there is no key ratio", "did you mean"),
        ("version = 2\n", ":1: it is version 2 of a config, this graphprune reads 1", "write version = 1"),
        ("version = true\n", ":1: it is version True of a config", "write version = 1"),
        ("version = '1'\n", ":1: it is version '1' of a config", "write version = 1"),
        ("prune = 1\n", "graphprune.toml:1: prune is no table", "write [prune]"),
        ("[prune]\nratio = true\n", ":2: ratio = true is not what it takes", "a text or a number"),
        ("[prune]\nratio = [0.5]\n", ":2: ratio = [0.5] is not what it takes", "a text or a number"),
        ("[prune]\ndry-run = 'yes'\n", ':2: dry-run = "yes" is not what it takes', "true or false"),
        ("[prune]\nonly = [1, true]\n", ":2: only = [1, true] is not", "a text or a number, or a list"),
        ("[prune]\noutput = 3\n", ":2: output = 3 is not what it takes", "expected a path"),
        ("[prune]\nratio-for = {a = {b = 1}}\n", ':2: ratio-for = {"a": {"b": 1}} is not', "or a list"),
        ("[prune]\nquiet = 1\n", ":2: quiet = 1 is not what it takes", "true or false"),
        ("[prune]\noutput-format = 'xml'\n", ':2: output-format = "xml" is not', "is not one of"),
        ("[prune]\nratio = 'x'\n", "graphprune.toml:2: --ratio is 'x'", "expected a number"),
        ("[prune]\nratio = 1.5\n", "graphprune.toml:2: ratio is 1.5", ""),
        ("[prune]\nmax-units = 1\nratio = \n", "graphprune.toml:3: it is no TOML: invalid value", "toml.io"),
    ],
)
def test_what_is_wrong_in_a_file_is_refused_with_its_line(
    model: Path, call: Any, text: str, said: str, hint: str
) -> None:
    Path("graphprune.toml").write_text(text)
    code, out, err = call("prune model.onnx -o small.onnx")
    assert (code, out) == (2, "")
    first, second = err.splitlines()
    assert said in first
    assert hint in second
    assert not Path("small.onnx").exists()


@pytest.mark.parametrize(
    ("verb", "text", "said"),
    [
        ("profile model.onnx", "[profile]\nthreads = '4'\n", 'threads = "4" is not what it takes'),
        ("profile model.onnx", "[profile]\nthreads = -1\n", ":2: threads = -1 is not what it takes"),
        ("profile model.onnx", "[profile]\nduration = 'x'\n", "graphprune.toml:2: --duration"),
        ("verify model.onnx model.onnx", "[verify]\nrtol = 'x'\n", 'rtol = "x" is not what it takes'),
        (
            "build model.onnx",
            "[build]\nshape = 'x:1'\nopt-shapes = 'x:1'\n",
            ":3: opt-shapes stands there under another name, too",
        ),
    ],
)
def test_numbers_are_checked_as_the_command_line_checks_them(
    model: Path, call: Any, verb: str, text: str, said: str
) -> None:
    Path("graphprune.toml").write_text(text)
    code, _, err = call(verb)
    assert code == 2
    assert said in err


def test_a_wrong_variable_is_named(model: Path, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHPRUNE_PRUNE_RATIO", "half")
    code, _, err = call("prune model.onnx -o small.onnx")
    assert (code, err.splitlines()[0]) == (2, "error: GRAPHPRUNE_PRUNE_RATIO: --ratio is 'half'")


def test_variables_of_other_tools_do_not_matter(
    model: Path, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("VERSION", "HELP", "ZOO", "ASSETS", "DEBUG", "PRUNE", "INSPECT_CONFIG", "INSPECT_NO_CONFIG"):
        monkeypatch.setenv(f"GRAPHPRUNE_{name}", "nonsense")
    code, _, err = call("inspect model.onnx")
    assert (code, err) == (0, "")


def test_lists_and_tables_say_what_commas_say(model: Path, call: Any) -> None:
    Path("graphprune.toml").write_text(
        '[prune]\nonly = ["neurons"]\nratio-for = { "*first*" = 0.25, "none" = 0.5 }\n'
        '[profile]\nbatch = [1, 2]\npercentile = [50]\nduration = 0.1\nwarmup = "1ms"\n'
    )
    code, _, err = call("prune model.onnx --dry-run")
    assert code == 2
    assert "none" in err  # the pattern that matches nothing has arrived
    options, _ = sources(call, "profile model.onnx --dry-run")
    assert (options["batch"], options["percentile"], options["duration"]) == ("1,2", "50", "0.1")


def test_paths_in_a_file_are_relative_to_its_folder(model: Path, call: Any, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.toml").write_text(
        '[prune]\nmodel = "../model.onnx"\noutput = "small.onnx"\ndata = "calib.py:load"\n'
        'eval-data = "random"\nmetric = ["cosine", "own.py:metric"]\n[verify]\na = "x"\n'
    )
    code, _, err = call("prune -c sub/c.toml --save-run run.json")
    assert (code, "no such file: 'sub/own.py'" in err) == (2, True)
    options = json.loads(Path("run.json").read_text())["options"]
    assert (options["model"], options["output"]) == ("sub/../model.onnx", "sub/small.onnx")
    assert (options["data"], options["eval-data"]) == ("sub/calib.py:load", "random")
    assert options["metric"] == ["cosine", "sub/own.py:metric"]


def test_the_config_of_a_folder_above_is_found_and_named_where_that_is_asked_for(
    model: Path, call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "graphprune.toml").write_text('[inspect]\nmodel = "model.onnx"\n')
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    code, _, err = call("inspect -v")
    assert (code, err.splitlines()[0]) == (0, "config: ../graphprune.toml")
    assert call("inspect")[2] == ""


def test_no_config_reads_none_and_goes_with_no_config_file(model: Path, call: Any) -> None:
    Path("graphprune.toml").write_text("broken")
    assert call("inspect model.onnx")[0] == 2
    assert call("inspect model.onnx --no-config")[0] == 0
    assert "leave one of them out" in call("inspect model.onnx --no-config -c graphprune.toml")[2]


@pytest.mark.parametrize("line", ["inspect --help", "prune -h", "run --list-passes"])
def test_help_is_shown_whatever_the_config(call: Any, line: str, tmp_path: Path) -> None:
    (tmp_path / "graphprune.toml").write_text("broken")
    code, out, err = call(line)
    assert (code, err) == (0, "")
    assert out


def test_a_variable_names_the_config(model: Path, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("ci.toml").write_text("[inspect]\nshow = ['nothing']\n")
    monkeypatch.setenv("GRAPHPRUNE_CONFIG", "ci.toml")
    code, _, err = call("inspect model.onnx")
    assert (code, "ci.toml:2" in err or "nothing" in err) == (2, True)
    assert call("inspect model.onnx --no-config")[0] == 0
    assert "no such file: 'missing.toml'" in call("inspect model.onnx -c missing.toml")[2]


def test_debug_in_a_file_shows_the_traceback(call: Any, tmp_path: Path) -> None:
    (tmp_path / "graphprune.toml").write_text("[inspect]\ndebug = true\n")
    code, _, err = call("inspect missing.onnx")
    assert code == 2
    assert "Traceback" in err


def test_the_same_config_gives_the_same_bytes_as_the_command_line(model: Path, call: Any) -> None:
    Path("c.toml").write_text('[prune]\nratio = 0.25\nimportance = "random"\nseed = 7\n')
    assert call("prune model.onnx -o a.onnx -c c.toml")[0] == 0
    assert call("prune model.onnx -o b.onnx --ratio 0.25 --importance random --seed 7")[0] == 0
    assert Path("a.onnx").read_bytes() == Path("b.onnx").read_bytes()


def test_the_shared_options_are_no_parameters_of_a_verb() -> None:
    @sharing("table", "json")
    def command(**given: object) -> None:
        """Do nothing."""

    made = click.command()(command)
    hidden = {option.name for option in made.params if not option.expose_value}
    assert hidden == {"config", "no_config", "save_run", "from_run"}


def test_a_model_of_another_folder_is_no_surprise(call: Any, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    write_model(tmp_path / "models" / "model.onnx")
    (tmp_path / "graphprune.toml").write_text('[inspect]\nmodel = "models/model.onnx"\n')
    assert call("inspect")[0] == 0


@pytest.mark.parametrize(
    ("verb", "text"),
    [
        ("gate", "[gate]\noriginal = 'gone.onnx'\ncandidate = 'model.onnx'\nassert = 'size.ratio<=1'\n"),
        ("gate", "[gate]\nassert = 'size.ratio<=1'\ncandidate = 'gone.onnx'\noriginal = 'model.onnx'\n"),
        ("inspect", "[inspect]\nmodel = 'gone.onnx'\n"),
        ("prune", "[prune]\nmodel = 'model.onnx'\noutput = 'out.onnx'\nplan = 'gone.onnx'\n"),
    ],
)
def test_a_file_that_is_missing_is_told_with_the_line_that_names_it(
    verb: str, text: str, model: Path, call: Any
) -> None:
    Path("graphprune.toml").write_text(text, encoding="utf-8")
    line = next(number for number, each in enumerate(text.splitlines(), 1) if "gone.onnx" in each)
    code, out, err = call(verb)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: graphprune.toml:{line}: ")


def test_a_target_goes_over_the_ratio_of_a_config_and_says_so(model: Path, call: Any) -> None:
    Path("graphprune.toml").write_text("[prune]\nratio = '30%'\n", encoding="utf-8")
    code, _, err = call("prune model.onnx --dry-run --target params=0.6x")
    assert code == 0
    assert "warning: --ratio does not count: --target is given" in err
    options, _ = sources(call, "prune model.onnx --dry-run")
    assert options["ratio"] == "30%"
