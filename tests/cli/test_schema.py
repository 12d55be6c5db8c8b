"""`schema`: what graphprune reads and writes fits its JSON Schemas."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from graphprune.cli import VERBS
from graphprune.cli.schema import KINDS, schema


def errors(kind: Any, value: object) -> list[str]:
    return [error.message for error in Draft202012Validator(schema(kind)).iter_errors(value)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_printed_and_is_one(call: Any, kind: str) -> None:
    code, out, err = call(f"schema {kind}")
    assert (code, err) == (0, "")
    found = json.loads(out)
    Draft202012Validator.check_schema(found)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert call(f"schema {kind} -o schema.json")[:2] == (0, "")
    assert json.loads(Path("schema.json").read_text()) == found
    assert call(f"schema {kind} -o schema.json")[0] == 2
    assert call(f"schema {kind} -o schema.json --force")[0] == 0


def test_the_schema_of_the_config_has_every_verb(call: Any) -> None:
    assert set(schema("config")["properties"]) == {"version", "$schema", *VERBS}


def tomls(repository: Path) -> list[str]:
    page = (repository / "docs" / "interface.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return [block for block in blocks if "version" in block]


def test_the_example_of_the_documents_fits_the_schema(repository: Path) -> None:
    assert tomls(repository)
    for text in tomls(repository):
        assert errors("config", tomllib.loads(text)) == []


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("", True),
        ("version = 1", True),
        ("version = 2", False),
        ("'$schema' = 'config.json'", True),
        ("[prune]\nratio = 0.5\nmodel = 'm.onnx'", True),
        ("[prune]\nratio = '50%'", True),
        ("[prune]\nratio = true", False),
        ("[prune]\nratio = [0.5]", False),
        ("[prune]\nratoi = 0.5", False),
        ("[prune]\nonly = ['heads', 'layers']", True),
        ("[prune]\nonly = 'heads,layers'", True),
        ("[prune]\nratio-for = {a = 0.5, b = '0.1'}", True),
        ("[prune]\nratio-for = {a = true}", False),
        ("[prune]\nratio-for = ['a=0.5']", True),
        ("[prune]\nignore = {a = 1}", False),
        ("[prune]\ndry-run = true", True),
        ("[prune]\ndry-run = 'true'", False),
        ("[prune]\nsave-run = 'run.json'", True),
        ("[prune]\nconfig = 'other.toml'", False),
        ("[profile]\nthreads = 4\nbatch = [1, 8]\nmodels = ['a', 'b']", True),
        ("[profile]\nthreads = '4'", False),
        ("[profile]\nthreads = -1", False),
        ("[profile]\nrounds = 5", False),
        ("[build]\nlevel = 6", False),
        ("[build]\nbackend = 'trt-rtx'", True),
        ("[build]\nbackend = 'cuda'", False),
        ("[verify]\nrtol = 1", True),
        ("[verify]\nrtol = '1'", False),
        ("[prun]", False),
        ("prune = 1", False),
        ("[[gate.assert]]\nmetric = 'size'\nmax-ratio = 0.5", True),
        ("[[gate.assert]]\nmetric = 'size'\nmax-ratoi = 0.5", False),
        ("[[gate.assert]]\nmetric = 'size'\nmax = '1MB'\nlevel = 'fatal'", False),
    ],
)
def test_the_schema_and_the_verbs_take_the_same(call: Any, tmp_path: Path, text: str, fits: bool) -> None:
    assert (errors("config", tomllib.loads(text)) == []) == fits
    (tmp_path / "c.toml").write_text(text)
    verb = next((verb for verb in VERBS if f"[{verb}" in text or f"[[{verb}" in text), "inspect")
    words = {"verify": " b", "profile": "", "gate": " b --dry-run"}.get(verb, "")
    _, _, err = call(f"{verb} missing.onnx{words} -c c.toml")
    refused = re.match(r"error: c\.toml:\d+: ", err) is not None
    assert refused != fits, err


def test_records_and_profiles_fit_their_schemas(model: Path, call: Any) -> None:
    timed = "--duration 20ms --warmup 1ms --rounds 6 --per-layer"
    assert call(f"profile model.onnx {timed} --export-json profile.json --save-run run.json")[0] == 0
    assert errors("profile", json.loads(Path("profile.json").read_text())) == []
    run = json.loads(Path("run.json").read_text())
    assert errors("run", run) == []
    assert errors("profile", run["raw"]["profile"]) == []
    assert call("verify model.onnx missing.onnx --save-run run.json")[0] == 2
    failed = json.loads(Path("run.json").read_text())
    assert errors("run", failed) == []
    assert errors("run", {**failed, "seconds": "long"})
    del failed["verb"]
    assert errors("run", failed)
