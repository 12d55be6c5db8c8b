"""Durations, shares and lists in the spellings of the command line."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from graphprune.errors import Usage
from graphprune.profiling.words import read_batches, read_duration, read_percentiles, read_share


@pytest.mark.parametrize(
    ("text", "bare", "seconds"),
    [
        ("200ms", "s", 0.2),
        ("3s", "s", 3.0),
        ("3", "s", 3.0),
        ("200", "ms", 0.2),
        ("0", "ms", 0.0),
        ("1.5 s", "s", 1.5),
        ("2m", "s", 120.0),
        ("500us", "s", 5e-4),
        (".5s", "s", 0.5),
        ("1e-3s", "s", 1e-3),
    ],
)
def test_a_duration_has_a_unit_or_that_of_trtexec(text: str, bare: str, seconds: float) -> None:
    assert read_duration(text, "--duration", bare) == seconds


WRONG: dict[str, tuple[Callable[[str], object], tuple[str, ...]]] = {
    "--warmup": (
        lambda text: read_duration(text, "--warmup"),
        ("", "fast", "3 days", "-1s", "1s2", "nan", "1e999s"),
    ),
    "--margin": (lambda text: read_share(text, "--margin"), ("", "2", "x%", "-1%", "100%", "nan")),
    "--batch": (read_batches, ("", "0", "1,,2", "1.5", "-3", "²", "1,a")),
    "--percentile": (read_percentiles, ("", "0", "100", "101", "p99", "99.9999", "nan")),
}


@pytest.mark.parametrize(
    ("named", "text"), [(name, text) for name, (_, texts) in WRONG.items() for text in texts]
)
def test_what_cannot_be_read_is_refused_by_its_option(named: str, text: str) -> None:
    with pytest.raises(Usage) as refused:
        WRONG[named][0](text)
    assert named in refused.value.what
    assert refused.value.hint


def test_numbers_are_taken_once_and_percentiles_in_order() -> None:
    assert read_batches("8, 1,8") == (8, 1)
    assert read_percentiles("99,50%,99") == (50.0, 99.0)
    assert read_share("2.5 %", "--margin") == 0.025
