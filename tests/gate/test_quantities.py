"""A limit is read with its unit, and refused with one that does not fit."""

from __future__ import annotations

import pytest

from graphprune.errors import Usage
from graphprune.gate.quantities import UNITS, Quantity, read_quantity

GOOD: list[tuple[object, Quantity, float]] = [
    ("250ns", "time", 250e-9),
    ("30us", "time", 30e-6),
    ("30µs", "time", 30e-6),
    ("5 ms", "time", 0.005),
    ("1.5s", "time", 1.5),
    (20, "bytes", 20),
    ("20B", "bytes", 20),
    ("20 bytes", "bytes", 20),
    ("20kB", "bytes", 20_000),
    ("20KB", "bytes", 20_000),
    ("20MB", "bytes", 20e6),
    ("1.5GB", "bytes", 1.5e9),
    ("1TB", "bytes", 1e12),
    ("1KiB", "bytes", 1024),
    ("20MiB", "bytes", 20 * 2**20),
    ("2GiB", "bytes", 2 * 2**30),
    ("1TiB", "bytes", 2**40),
    (0.92, "share", 0.92),
    ("92%", "share", 0.92),
    ("92 %", "share", 0.92),
    (1, "share", 1),
    ("1%", "fall", 0.01),
    ("1pp", "fall", 0.01),
    ("1 point", "fall", 0.01),
    ("2 points", "fall", 0.02),
    (0.01, "fall", 0.01),
    (0.7, "ratio", 0.7),
    ("0.7x", "ratio", 0.7),
    ("70%", "ratio", 0.7),
    (1_200_000, "count", 1.2e6),
    ("1.2M", "count", 1.2e6),
    ("3k", "count", 3e3),
    ("3K", "count", 3e3),
    ("2G", "count", 2e9),
    ("1B", "count", 1e9),
    ("1T", "count", 1e12),
    (1000, "rate", 1000),
    ("1000/s", "rate", 1000),
    ("1.5k/s", "rate", 1500),
    ("2M/s", "rate", 2e6),
    ("900 ips", "rate", 900),
    (1e-4, "number", 1e-4),
    ("1e-4", "number", 1e-4),
]
BAD: list[tuple[object, Quantity, str]] = [
    ("5MB", "time", "unit 'MB'"),
    (5, "time", "has no unit"),
    ("5ms", "bytes", "unit 'ms'"),
    ("20mb", "bytes", "unit 'mb'"),
    ("1pp", "share", "unit 'pp'"),
    ("1ms", "fall", "unit 'ms'"),
    (92, "share", "more than the whole"),
    ("150%", "fall", "more than the whole"),
    ("0.7ms", "ratio", "unit 'ms'"),
    ("3MB", "count", "unit 'MB'"),
    ("1%", "number", "unit '%'"),
    ("fast", "time", "is no number"),
    ("", "ratio", "is no number"),
    ("nan", "ratio", "is no number"),
    (float("nan"), "ratio", "is no number"),
    (float("inf"), "ratio", "is no number"),
    ("1e999", "ratio", "not finite"),
    ("-5ms", "time", "negative"),
    (-0.1, "ratio", "negative"),
    (True, "ratio", "a boolean"),
    ([1], "bytes", "a list"),
    ({"a": 1}, "bytes", "a table"),
    (None, "bytes", "empty"),
]


@pytest.mark.parametrize(("written", "quantity", "limit"), GOOD, ids=str)
def test_a_limit_is_read_in_the_base_unit(written: object, quantity: Quantity, limit: float) -> None:
    assert read_quantity(written, quantity)[0] == pytest.approx(limit, rel=1e-12)


@pytest.mark.parametrize(("written", "quantity", "what"), BAD, ids=str)
def test_what_does_not_fit_is_refused_with_what_does(written: object, quantity: Quantity, what: str) -> None:
    with pytest.raises(Usage) as refused:
        read_quantity(written, quantity)
    assert what in refused.value.what
    assert refused.value.hint


def test_every_unit_has_a_case() -> None:
    for quantity, units in UNITS.items():
        tried = [str(written) for written, of, _ in GOOD if of == quantity]
        assert all(any(text.endswith(unit) for text in tried) for unit in units.scale), quantity
