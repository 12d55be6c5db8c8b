"""What is measured is kept where a record is, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

import pytest

from graphprune.runs import attach, keeping


def forbidden() -> NoReturn:
    raise AssertionError("nobody keeps a record")


def test_nothing_is_made_where_no_record_is_kept() -> None:
    attach("profile", forbidden)
    with keeping():
        pass
    attach("profile", forbidden)


def test_values_and_what_makes_them_are_kept_by_name() -> None:
    with keeping() as kept:
        attach("profile", {"a": 1})
        attach("evidence", lambda: {"b": 2})
        attach("profile", {"a": 3})
    assert kept == {"profile": {"a": 3}, "evidence": {"b": 2}}


def test_a_record_within_a_record_keeps_its_own() -> None:
    with keeping() as outer:
        with keeping() as inner:
            attach("x", {"inner": True})
        attach("y", {"inner": False})
    assert (set(outer), set(inner)) == ({"y"}, {"x"})


def test_a_record_ends_where_its_run_fails() -> None:
    def fail() -> Mapping[str, object]:
        raise ValueError("no figures")

    with pytest.raises(ValueError, match="no figures"), keeping():
        attach("x", fail)
    attach("x", forbidden)
