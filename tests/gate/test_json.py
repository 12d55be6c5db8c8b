"""The JSON of a gate: it fits its published schema, and can be read back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from graphprune.gate.outcome import Outcome
from graphprune.gate.outputs.json import as_json, schema
from graphprune.profiling.strict import Mismatch, read
from tests.gate.outcomes import FALL, HOSTILE, every_kind, hostile, outcome

SCHEMA = Path(__file__).parent.parent.parent / "docs" / "schemas" / "gate.json"
OUTCOMES = {
    "every kind": every_kind(),
    "nothing": outcome(),
    **{name: hostile(text) for name, text in HOSTILE.items()},
}


def published() -> jsonschema.Draft202012Validator:
    told = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(told)
    return jsonschema.Draft202012Validator(told)


@pytest.mark.parametrize("made", OUTCOMES.values(), ids=OUTCOMES)
def test_an_outcome_fits_the_published_schema_and_is_read_back(made: Outcome) -> None:
    value = json.loads(as_json(made))
    published().validate(value)
    assert read(Outcome, value) == made


def test_what_is_no_outcome_does_not_fit_the_schema() -> None:
    value = json.loads(as_json(outcome(FALL)))
    value["findings"][0]["status"] = "perhaps"
    assert not published().is_valid(value)
    assert not published().is_valid({**value, "findings": "none"})


def test_a_number_that_json_lacks_fits_as_its_text_alone() -> None:
    value = json.loads(as_json(outcome(replace(FALL, value=float("inf")))))
    assert value["findings"][0]["value"] == "inf"
    assert published().is_valid(value)
    value["findings"][0]["value"] = "many"
    assert not published().is_valid(value)


def test_the_published_schema_is_the_one_that_the_code_makes() -> None:
    assert _wordless(json.loads(SCHEMA.read_text(encoding="utf-8"))) == _wordless(schema())


def _wordless(value: object) -> object:
    """A schema without its descriptions, which msgspec may word anew."""
    if isinstance(value, list):
        return [_wordless(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _wordless(item)
        for key, item in value.items()
        if key != "description" or not isinstance(item, str)
    }


def test_a_status_that_is_none_is_not_read() -> None:
    value = json.loads(as_json(outcome(FALL)))
    value["findings"][0]["status"] = "pas"
    with pytest.raises(Mismatch, match=r"findings\[0\].status is 'pas'; did you mean pass"):
        read(Outcome, value)
