"""A walk takes its inputs one batch after another, and keeps what has no room in memory on disk."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from graphprune.errors import Environment, Refused
from graphprune.feeds import Feeds
from graphprune.fitting.walk import Walk
from graphprune.model import Model, from_proto
from tests.networks.fill import fill


def from_text(text: str) -> Model:
    return from_proto(fill(text))


NETWORK = from_text("g (float[2, 4] x, float[2, 4] z) => (float[2, 4] y) { y = Add (x, z) }")
FEEDS: Feeds = {name: np.ones((2, 4), np.float32) for name in ("x", "z")}


def test_batches_are_read_one_by_one() -> None:
    size = 1 << 20
    buffer = np.zeros((1, size), np.float32)

    def stream() -> Iterator[Feeds]:
        for number in range(40):
            buffer[:] = number  # as loaders do that fill one array again and again
            yield {"x": buffer}

    model = from_text(f"g (float[1, {size}] x) => (float y) {{ n = Neg (x) y = ReduceSum (n) }}")
    tracemalloc.start()
    with Walk(model, stream(), memory=8 * size) as walk:
        walk.reach(["n"])
        peak = tracemalloc.get_traced_memory()[1]
        assert [walk.value("n", batch)[0, 0] for batch in range(40)] == [-i for i in range(40)]
    tracemalloc.stop()
    assert peak < 8 * size + 6 * buffer.nbytes, "the budget, and some batches in passing"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ([], "no inputs to run"),
        ([{}], "no values of the input 'x'"),
        ([FEEDS, {"x": FEEDS["x"]}], "no values of the input 'z'"),
    ],
    ids=["no-batches", "no-input", "one-input-of-one-batch"],
)
def test_data_that_lacks_something_is_refused(data: list[Feeds], why: str) -> None:
    with pytest.raises(Refused, match=why):
        Walk(NETWORK, data)


def test_a_reader_that_fails_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def broken() -> Iterator[Feeds]:
        yield FEEDS
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        Walk(NETWORK, broken(), memory=0)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_no_more_is_an_error_of_the_environment() -> None:
    with Walk(NETWORK, [FEEDS], memory=0) as walk:
        folder = Path(walk._spool._folder.name)
        for file in folder.iterdir():
            file.rename(folder.parent / f"{folder.name}-{file.name}")
        moved = list(folder.parent.glob(f"{folder.name}-*"))
        folder.rmdir()
        try:
            with pytest.raises(Environment, match="cannot keep tensors"):
                walk._spool.put(np.zeros(4))
        finally:
            folder.mkdir()
            for file in moved:
                file.unlink()
