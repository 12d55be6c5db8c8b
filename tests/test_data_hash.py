"""Equal data has an equal fingerprint, other data another."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from graphprune.data import open_data
from tests.data_sources import IMAGE, SOURCES, X, Y, graph, npz

sources = pytest.mark.parametrize("write", SOURCES, ids=lambda write: write.__name__)


@sources
def test_the_fingerprint_is_that_of_the_samples(tmp_path: Path, write: Callable[..., str]) -> None:
    text = write(tmp_path)
    before = open_data(text, graph(IMAGE)).fingerprint
    assert open_data(text, graph(IMAGE)).fingerprint == before
    assert open_data(text, graph(IMAGE), samples=4).fingerprint != before
    write(tmp_path, X + 1)
    assert open_data(text, graph(IMAGE)).fingerprint != before


def test_the_fingerprint_depends_on_what_the_labels_are_and_not_on_the_name_of_the_file(
    tmp_path: Path,
) -> None:
    for name in ("a.npz", "b.npz"):
        np.savez(tmp_path / name, x=X, y=Y, z=Y)
    text = "g (float[batch, 3, 4, 4] x, int64[batch] z) => (int64[batch] w) { w = Identity(z) }"
    np.savez(tmp_path / "c.npz", x=X, labels=Y)
    one = open_data(str(tmp_path / "a.npz"), graph(text), label_key="y")
    assert one.fingerprint == open_data(str(tmp_path / "b.npz"), graph(text), label_key="y").fingerprint
    labels = open_data(str(tmp_path / "c.npz"), graph(IMAGE)).fingerprint
    text = text.replace(" z)", " labels)", 1).replace("(z)", "(labels)")
    assert labels != open_data(str(tmp_path / "c.npz"), graph(text)).fingerprint


def test_large_files_are_told_apart_without_being_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphprune.data.hash._MOST_READ", 100)
    text = npz(tmp_path)
    before = open_data(text, graph(IMAGE)).fingerprint
    assert open_data(text, graph(IMAGE)).fingerprint == before
    os.utime(text, ns=(1, 1))
    assert open_data(text, graph(IMAGE)).fingerprint != before
