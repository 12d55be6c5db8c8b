"""Calibration and evaluation data: batches of samples from what `--data` names.

| `--data` | what |
|---|---|
| `calib.npz`, `x.npy` | keys are input names, the leading axis counts samples (`data.files`) |
| a folder of `.npz` or `.npy` files | the same, in parts (`data.files`) |
| `data.py`, `data.py:load_data` | a function that yields feeds, or pairs of feed and target (`data.code`) |
| `test_data_set_0`, a folder of such | inputs as the ONNX backend tests have them (`data.sets`) |
| `random` | random numbers, with a warning (`data.random`) |

Nothing is read whole: memory is bounded by a batch (and by what a function yields at once). Pickles are
never read. The order is the data's own, always the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.data.batches import Batch, Chunk, batched
from graphprune.data.code import Generated
from graphprune.data.files import LABELS, open_file, open_folder
from graphprune.data.hash import hash_samples, hash_text
from graphprune.data.layout import Layout, layout_of, written
from graphprune.data.random import draw
from graphprune.data.sets import open_sets, sets_in
from graphprune.errors import Usage
from graphprune.feeds import Sizes
from graphprune.user_code import is_code, load_code

__all__ = ["Batch", "Data", "open_data"]

FUNCTION = "load_data"
"""The function of a `data.py` that is called where none is named."""

log = logging.getLogger(__name__)

MOST = 10**9
"""Nobody has more samples than this; their numbers alone take 8 GB."""


class Known(Protocol):
    """A source that knows how many samples it has, and reads any of them."""

    @property
    def count(self) -> int:
        """The number of samples."""
        ...

    def digest(self) -> str:
        """A hash of them all."""
        ...

    def chunks(self, size: int, chosen: NDArray[np.int64]) -> Iterator[Chunk]:
        """Read the samples with these ascending numbers, at most about `size` at a time."""
        ...


@dataclass(frozen=True)
class Data:
    """Samples that can be gone through any number of times, in the same order.

    Attributes:
        layout: how they lie in the model's inputs.
        source: where they come from.
        chosen: the ascending numbers of the samples that are used; None where their number is unknown.
        most: how many samples are used at most, where their number is unknown.
    """

    layout: Layout
    source: Known | Generated
    chosen: NDArray[np.int64] | None
    most: int | None

    @property
    def count(self) -> int | None:
        """The number of samples; None for a function, which knows it at the end."""
        return None if self.chosen is None else len(self.chosen)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the samples: equal for equal data, another for other data.

        Files are hashed by content (by name, size and time of change where they exceed 1 GB in total); what
        a function yields is hashed by content, which runs it once, to its end.
        """
        if isinstance(self.source, Generated):
            return hash_samples(self._chunks(1))
        assert self.chosen is not None
        return hash_text(self.source.digest(), np.array2string(self.chosen, threshold=1 << 62))

    def batches(self, size: int) -> Iterator[Batch]:
        """Yield the samples in batches of `size`, the last one smaller.

        A model that takes a fixed number of samples at a time gets that many; one whose inputs share no
        leading axis gets them one by one.

        Raises:
            Usage: `size` is below 1, or a sample is damaged, not finite, or does not fit the model.
        """
        if size < 1:
            raise Usage(f"a batch of {size} holds nothing", "give at least 1")
        return batched(self._chunks(self.layout.fixed or size), size, self.layout)

    def _chunks(self, size: int) -> Iterator[Chunk]:
        if not isinstance(self.source, Generated):
            assert self.chosen is not None
            yield from self.source.chunks(size, self.chosen)
            return
        left = self.most
        for chunk in self.source.chunks():
            yield chunk if left is None or chunk.count <= left else chunk.part(0, left)
            left = None if left is None else left - chunk.count
            if left is not None and left <= 0:
                return


def open_data(
    text: str,
    graph: gs.Graph,
    *,
    label_key: str = LABELS,
    sizes: Mapping[str, Sizes] | None = None,
    samples: int | None = None,
    seed: int = 0,
) -> Data:
    """Open what `--data` names, and check headers, or the first sample of a function, against the model.

    Args:
        text: see above.
        graph: the model that the samples are for.
        label_key: the key of the labels; data without labels may lack it where it is the default.
        sizes: shapes of inputs that the model leaves open.
        samples: at most so many samples are used: of files, ones drawn with `seed` and in the files' order;
            of a function, the first.
        seed: the seed of that choice, and of random data.

    Raises:
        Usage: there is no such data, it does not fit the model, it is empty, or it does not fill the batches
            of a model that takes a fixed number of samples at a time.
        Refused: the model has no input that could be fed.
    """
    layout = layout_of(graph, sizes)
    if samples is not None and samples < 1:
        raise Usage(f"{samples} samples are none", "give at least 1")
    if samples is not None and samples > MOST:
        raise Usage(f"{samples} samples are more than anybody has", f"give {MOST} at most")
    if text == "random":
        found = draw(graph, layout, sizes, samples, seed)
        shapes = ", ".join(f"{name}:{written(shape)}" for name, shape in found.run.sizes.items())
        log.warning("random data (%s) says little about the real inputs; name real ones with --data", shapes)
        return Data(layout, found, np.arange(found.count), None)
    if is_code(text):
        return _from_code(text, layout, label_key, samples)
    source = _from_files(Path(text), layout, label_key)
    return Data(layout, source, _choose(source.count, layout, samples, seed, text), None)


def _from_files(path: Path, layout: Layout, label_key: str) -> Known:
    if not path.exists():
        raise Usage(f"no such data: '{path}'", "name a .npz file, a folder, data.py:load_data, or random")
    if not path.is_dir():
        return open_file(path, layout, label_key)
    folders = sets_in(path)
    return open_sets(folders, layout) if folders else open_folder(path, layout, label_key)


def _from_code(text: str, layout: Layout, label_key: str, samples: int | None) -> Data:
    source = Generated(layout, load_code(text, FUNCTION), label_key)
    if samples is not None and layout.fixed:
        samples = _whole(samples, layout.fixed)
    chunks = source.chunks()
    if next((chunk for chunk in chunks if chunk.count), None) is None:
        raise Usage(f"{source.code.where} yields no samples", "yield at least one")
    chunks.close()
    return Data(layout, source, None, samples)


def _choose(count: int, layout: Layout, samples: int | None, seed: int, text: str) -> NDArray[np.int64]:
    """The numbers of the samples to use, ascending."""
    if not count:
        raise Usage(f"'{text}' holds no samples", "give at least one")
    wanted = min(count, samples or count)
    if layout.fixed and wanted < count:
        wanted = _whole(wanted, layout.fixed)
    if layout.fixed and wanted % layout.fixed:
        full = count - count % layout.fixed
        hint = f"leave {count - full} out with --samples {full}" if full else f"give at least {layout.fixed}"
        raise Usage(f"{count} samples do not fill batches of {layout.fixed}, which the model takes", hint)
    if wanted == count:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, wanted, replace=False))


def _whole(samples: int, fixed: int) -> int:
    """`samples` rounded down to full batches."""
    if samples < fixed:
        raise Usage(f"the model takes {fixed} samples at a time, {samples} are asked for", f"ask for {fixed}")
    return samples - samples % fixed
