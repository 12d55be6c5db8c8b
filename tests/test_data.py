"""Data comes as the model takes it, in order, from every source, without being read whole."""

from __future__ import annotations

import logging
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from graphprune.data import open_data
from graphprune.errors import Usage
from tests.data_sources import (
    BY_TWO,
    IMAGE,
    PAIR,
    SOURCES,
    STATE,
    X,
    Y,
    code,
    code_of_samples,
    gathered,
    graph,
    normal,
    npz,
)

sources = pytest.mark.parametrize("write", SOURCES, ids=lambda write: write.__name__)


@sources
@pytest.mark.parametrize("size", [1, 3, 10, 64])
def test_every_source_gives_the_same_batches(tmp_path: Path, write: Callable[..., str], size: int) -> None:
    data = open_data(write(tmp_path), graph(IMAGE))
    batches = list(data.batches(size))
    assert [batch.count for batch in batches] == [len(X[at : at + size]) for at in range(0, 10, size)]
    assert all(batch.feeds["x"].dtype == np.float32 for batch in batches)
    feeds, labels = gathered(data, size)
    np.testing.assert_array_equal(feeds["x"], X)
    np.testing.assert_array_equal(labels, Y)


@sources
def test_data_can_be_gone_through_again(tmp_path: Path, write: Callable[..., str]) -> None:
    data = open_data(write(tmp_path), graph(IMAGE))
    next(data.batches(2))
    assert [b.feeds["x"].sum() for b in data.batches(2)] == [b.feeds["x"].sum() for b in data.batches(2)]


@sources
def test_fewer_samples_are_chosen_by_the_seed_in_the_data_s_order(
    tmp_path: Path, write: Callable[..., str]
) -> None:
    data = open_data(write(tmp_path), graph(IMAGE), samples=4, seed=1)
    feeds, labels = gathered(data)
    rows = [int(np.flatnonzero((sample == X).all(axis=(1, 2, 3)))[0]) for sample in feeds["x"]]
    assert len(rows) == 4 and rows == sorted(set(rows))
    assert rows == ([0, 1, 2, 3] if write in (code, code_of_samples) else np.sort(choice(1)).tolist())
    np.testing.assert_array_equal(labels, Y[rows])


def choice(seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).choice(10, 4, replace=False)


def test_labels_may_have_another_key(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=X, y=Y)
    data = open_data(str(tmp_path / "d.npz"), graph(IMAGE), label_key="y")
    np.testing.assert_array_equal(gathered(data)[1], Y)


def test_data_without_labels_has_no_targets(tmp_path: Path) -> None:
    np.save(tmp_path / "anything.npy", X)
    data = open_data(str(tmp_path / "anything.npy"), graph(IMAGE))
    assert data.count == 10
    assert gathered(data)[1] is None


def test_integers_are_cast_where_they_fit(tmp_path: Path) -> None:
    ids = np.array([[1, 2], [3, 4]], np.uint16)
    np.savez(tmp_path / "d.npz", ids=ids, mask=ids > 2)
    batch = next(open_data(str(tmp_path / "d.npz"), graph(PAIR)).batches(2))
    assert batch.feeds["ids"].dtype == np.int64 and batch.feeds["mask"].dtype == np.float32
    np.testing.assert_array_equal(batch.feeds["ids"], ids)


def test_arrays_in_fortran_order_are_read_right(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.asfortranarray(X))
    np.testing.assert_array_equal(gathered(open_data(str(tmp_path / "d.npz"), graph(IMAGE)))[0]["x"], X)


def test_a_model_that_takes_two_at_a_time_gets_two(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", normal(6, 5))
    data = open_data(str(tmp_path / "x.npy"), graph(BY_TWO))
    assert [batch.feeds["x"].shape for batch in data.batches(64)] == [(2, 5)] * 3
    fewer = open_data(str(tmp_path / "x.npy"), graph(BY_TWO), samples=5)
    assert fewer.count == 4


def test_an_input_for_one_sample_means_one_sample_at_a_time(tmp_path: Path) -> None:
    text = "g (float[N, 5] x, float[1, 5] bias) => (float[N, 5] y) { y = Add(x, bias) }"
    np.savez(tmp_path / "d.npz", x=normal(3, 5), bias=normal(3, 5, seed=1))
    batches = list(open_data(str(tmp_path / "d.npz"), graph(text)).batches(64))
    assert [batch.feeds["bias"].shape for batch in batches] == [(1, 5)] * 3


def test_samples_of_inputs_without_a_common_axis_are_fed_one_by_one(tmp_path: Path) -> None:
    x, state, rate = normal(3, 1, 5), normal(3, 2, 1, 3), np.array([8, 16, 24])
    np.savez(tmp_path / "d.npz", x=x, state=state, rate=rate)
    data = open_data(str(tmp_path / "d.npz"), graph(STATE))
    assert data.count == 3
    for number, batch in enumerate(data.batches(64)):
        assert batch.count == 1
        np.testing.assert_array_equal(batch.feeds["state"], state[number])
        assert batch.feeds["rate"].shape == () and batch.feeds["rate"] == rate[number]
        # ONNX Runtime takes arrays, and no numpy scalars, beside others.
        assert all(isinstance(array, np.ndarray) for array in batch.feeds.values())


def test_samples_of_different_lengths_do_not_share_a_batch(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text(
        "import numpy as np\ndef load_data():\n    for n in (4, 4, 4, 7, 7):\n"
        "        yield {'ids': np.ones((1, n), int), 'mask': np.ones((1, n))}\n"
    )
    data = open_data(str(tmp_path / "data.py"), graph(PAIR))
    assert data.count is None
    assert [batch.feeds["ids"].shape for batch in data.batches(2)] == [(2, 4), (1, 4), (2, 7)]


def test_an_endless_function_is_asked_for_as_many_samples_as_are_wanted(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text(
        "import numpy as np\ndef load_data():\n    while True:\n        yield {'x': np.ones((4, 3, 4, 4))}\n"
    )
    data = open_data(str(tmp_path / "data.py"), graph(IMAGE), samples=10)
    assert [batch.count for batch in data.batches(3)] == [3, 3, 3, 1]
    assert data.fingerprint


def test_code_leaves_no_bytecode_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    open_data(code(tmp_path), graph(IMAGE))
    assert not list(tmp_path.glob("**/*.pyc"))


def test_random_data_warns_and_does_not_depend_on_the_size_of_batches(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logger = logging.getLogger("graphprune")
    logger.addHandler(caplog.handler)
    try:
        data = open_data("random", graph(IMAGE), samples=7, seed=5)
    finally:
        logger.removeHandler(caplog.handler)
    assert [record.levelname for record in caplog.records][:1] == ["WARNING"]
    assert "random data" in caplog.text
    one, other = gathered(data, 2)[0]["x"], gathered(data, 7)[0]["x"]
    assert one.shape == (7, 3, 4, 4)
    np.testing.assert_array_equal(one, other)
    next_seed = open_data("random", graph(IMAGE), samples=7, seed=6)
    assert not set(gathered(next_seed)[0]["x"].ravel()) & set(one.ravel())
    assert data.fingerprint != next_seed.fingerprint


def test_random_data_has_the_shapes_that_are_asked_for() -> None:
    sizes = {"ids": (1, 12), "mask": (1, 12)}
    batch = next(open_data("random", graph(PAIR), sizes=sizes).batches(4))
    assert {name: array.shape for name, array in batch.feeds.items()} == {"ids": (4, 12), "mask": (4, 12)}
    assert next(open_data("random", graph(STATE)).batches(4)).feeds["rate"].shape == ()
    assert [b.count for b in open_data("random", graph(BY_TWO), samples=3).batches(8)] == [2, 2]


def test_given_sizes_are_demanded_of_data(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", ids=np.ones((3, 4), int), mask=np.ones((3, 4)))
    with pytest.raises(Usage, match="ids is 3x4"):
        open_data(str(tmp_path / "d.npz"), graph(PAIR), sizes={"ids": (1, 12), "mask": (1, 12)})


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed], ids=["stored", "compressed"])
def test_an_archive_is_streamed_in_bounded_memory(tmp_path: Path, save: Callable[..., None]) -> None:
    text = "g (float[batch, 64, 64] x) => (float[batch, 64, 64] y) { y = Relu(x) }"
    save(tmp_path / "large.npz", x=np.zeros((4000, 64, 64), np.float32) + normal(64), labels=np.arange(4000))
    tracemalloc.start()
    try:
        data = open_data(str(tmp_path / "large.npz"), graph(text))
        counts = [batch.count for batch in data.batches(32)]
        assert data.fingerprint
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(counts) == 4000
    assert peak < 12 << 20  # the array takes 62 MiB, a batch 0.5


def test_chosen_samples_alone_are_kept_of_a_large_chunk(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(1000 * 48, dtype=np.float32).reshape(1000, 3, 4, 4))
    data = open_data(str(tmp_path / "x.npy"), graph(IMAGE), samples=100, seed=3)
    values = gathered(data, 7)[0]["x"][:, 0, 0, 0] / 48
    assert data.count == len(values) == 100
    assert (np.diff(values) > 0).all() and values.max() > 900


def test_a_batch_of_nothing_is_refused(tmp_path: Path) -> None:
    data = open_data(npz(tmp_path), graph(IMAGE))
    with pytest.raises(Usage):
        data.batches(0)
