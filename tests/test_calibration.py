"""Samples are dealt to what is fitted on and what is held out to judge by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphprune.data import open_data
from graphprune.feeds import Feeds
from graphprune.fitting.calibration import BATCH, Calibration, calibration
from graphprune.model import Model
from tests.calibrated import prepared

TEXT = "g (float[n, 1] x) => (float[n, 1] y) { y = Relu (x) }"


def numbered(folder: Path, count: int, text: str = TEXT) -> Calibration:
    """Samples that are their own numbers."""
    return calibration(open_data(data(folder, count), model(text).graph))


def data(folder: Path, count: int) -> str:
    x = np.arange(count, dtype=np.float32)[:, None]
    np.savez(folder / "data.npz", x=x, labels=np.arange(count))
    return str(folder / "data.npz")


def model(text: str = TEXT) -> Model:
    return prepared(text)[0]


def numbers(feeds: list[Feeds]) -> list[int]:
    return [int(number) for each in feeds for number in each["x"][:, 0]]


@pytest.mark.parametrize(("count", "batch"), [(1, 1), (15, 1), (40, 2), (160, 10), (512, 32), (5000, BATCH)])
def test_batches_are_small_where_there_are_few_samples(count: int, batch: int, tmp_path: Path) -> None:
    assert numbered(tmp_path, count).batch == batch


@pytest.mark.parametrize("count", [16, 40, 333, 1200])
def test_one_batch_in_eight_is_fitted_on_by_nobody(count: int, tmp_path: Path) -> None:
    samples = numbered(tmp_path, count)
    fitted, held = numbers(list(samples.fitted())), numbers(list(samples.held_out(count)))
    assert sorted(fitted + held) == list(range(count)) == numbers(list(samples.all()))
    assert 0 < len(held) <= count / 7


def test_no_more_is_held_out_than_asked_for(tmp_path: Path) -> None:
    samples = numbered(tmp_path, 1600)
    assert samples.batch == BATCH
    for most in (1, BATCH, BATCH + 1):
        assert len(numbers(list(samples.held_out(most)))) == most
    first = next(samples.held_out(1))
    assert first["x"][0, 0] == 7 * BATCH


def test_of_few_samples_all_are_fitted_and_the_first_are_judged_by(tmp_path: Path) -> None:
    samples = numbered(tmp_path, 5)
    assert numbers(list(samples.fitted())) == [0, 1, 2, 3, 4]
    assert numbers(list(samples.held_out(3))) == [0, 1, 2]


def test_a_model_of_a_fixed_batch_gets_it(tmp_path: Path) -> None:
    samples = numbered(tmp_path, 40, TEXT.replace("[n, 1]", "[4, 1]"))
    assert samples.batch == 4
    assert all(len(each["x"]) == 4 for each in samples.all())
    assert len(numbers(list(samples.held_out(1)))) == 4


def test_labels_come_with_what_is_held_out(tmp_path: Path) -> None:
    samples = numbered(tmp_path, 64)
    batches = list(samples.held_out_batches(64))
    assert batches
    for batch in batches:
        assert batch.targets is not None
        assert batch.targets.tolist() == batch.feeds["x"][:, 0].tolist()


@pytest.mark.parametrize("count", [3, 300])
def test_samples_of_a_number_that_is_not_known_are_dealt_all_the_same(count: int, tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text(
        "import numpy as np\ndef load_data():\n"
        f"    for number in range({count}):\n        yield {{'x': np.full((1,), number, np.float32)}}\n"
    )
    samples = calibration(open_data(str(tmp_path / "data.py"), model().graph))
    assert samples.batch == BATCH
    fitted, held = numbers(list(samples.fitted())), numbers(list(samples.held_out(64)))
    assert held
    if count == 300:
        assert sorted(fitted + held) == list(range(300))
    else:
        assert fitted == held == [0, 1, 2]
