"""Run a model bit by bit over many batches, and keep what the rest of it will ask for.

What has been computed stays, on disk beyond a budget of memory, until no node that is still to run reads it.
So a pass that looks at one operator after another, and changes the weights of each before it runs, costs one
run of the model and not one for each operator.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any

import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.errors import Refused
from graphprune.feeds import Feeds
from graphprune.fitting.readers import Readers
from graphprune.fitting.spool import Item, Spool
from graphprune.fitting.stage import Stages
from graphprune.model import Model
from graphprune.progress import Tell
from graphprune.runtime import Opened, run, session

MEMORY = 1 << 29
"""Bytes of tensors that are kept in memory; what exceeds them goes to disk."""

"""Is told how many nodes have run, and how many there are."""


class Walk:
    """A model under way; a context manager, since it may keep files.

    Between two calls of `reach`, constants that nodes still to run read may be replaced, and nodes may be put
    in or taken out. What is held was computed with the constants of its time.

    >>> with Walk(model, batches) as walk:                                               # doctest: +SKIP
    ...     walk.reach(["relu1"])
    ...     first = walk.value("relu1", 0)

    Attributes:
        model: the model.
        count: how many batches there are.
    """

    def __init__(
        self, model: Model, batches: Iterable[Feeds], memory: int = MEMORY, tell: Tell | None = None
    ) -> None:
        """Take over the inputs.

        Args:
            model: the model; the graph's nodes must be in topological order.
            batches: the inputs, which may differ in size. They are read once, and not held in memory all at
                once where they take more than `memory`.
            memory: bytes of tensors that are kept in memory; what exceeds them goes to disk.
            tell: is told of the progress after each call of `reach`.

        Raises:
            Refused: there are no batches, an input is missing, or one is given that has a default.
            Environment: the disk is full.
        """
        self.model = model
        self.count = 0
        self._tell = tell
        self._spool = Spool(memory)
        self._held: dict[str, list[Item]] = {}
        self._wanted: set[str] = set()
        self._sequences: set[str] = set()
        self._readers = Readers(model.graph)
        self._stages = Stages(model)
        try:
            self._take(batches)
        except BaseException:
            self._spool.close()
            raise

    def __enter__(self) -> Walk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spool.close()

    def want(self, names: Iterable[str]) -> None:
        """Keep these tensors, once they are there, until they are dropped."""
        self._wanted.update(names)

    def drop(self, names: Iterable[str]) -> None:
        """Say that these tensors will not be asked for again."""
        names = set(names)
        self._wanted -= names
        self._readers.look(self.model.graph)
        self._forget(names)

    def value(self, name: str, batch: int) -> NDArray[Any]:
        """Return a tensor that has been reached, and is wanted or read by a node to come; leave it as it is.

        Raises:
            KeyError: there is no such tensor now.
        """
        return self._spool.get(self._held[name][batch])

    def reach(self, names: Sequence[str]) -> None:
        """Run what it takes to compute the tensors `names`, which stay until they are dropped.

        Raises:
            Refused: the model cannot be run on the inputs, or one of `names` is no tensor but a sequence.
            KeyError: nothing computes one of `names`, or it was let go since nobody wanted it.
            Environment: memory or the disk is full.
        """
        self._readers.look(self.model.graph)
        todo = self._readers.needed([name for name in names if name not in self._held], self._held)
        self.want(names)
        self._refuse_sequences()
        if todo:
            self._run(todo)
        if self._tell is not None:
            self._tell(*self._readers.progress())

    def _take(self, batches: Iterable[Feeds]) -> None:
        self._held = {tensor.name: [] for tensor in self.model.graph.inputs}
        defaults = {info.name for info in self.model.source.graph.input} - self._held.keys()
        for feeds in batches:
            self.count += 1
            for name in defaults & feeds.keys():
                what = f"the input '{name}' has a default, and is taken for a constant"
                raise Refused(what, "leave it out of the data")
            for name, held in self._held.items():
                if name not in feeds:
                    raise Refused(f"the data has no values of the input '{name}'", "give all inputs")
                # A copy, since a loader may fill the same array again.
                held.append(self._spool.put(feeds[name].copy()))
        if not self.count:
            raise Refused("there are no inputs to run the model on", "give some data")

    def _run(self, nodes: list[gs.Node]) -> None:
        """Run `nodes`. Of what they make, tensors that others will ask for are kept."""
        read = {name for node in nodes for name in self._readers.reads(node)}
        given = sorted(read & self._held.keys())
        types = {name: self.value(name, 0).dtype for name in given}
        while True:
            asked = self._readers.asked(nodes) | self._wanted
            made = [tensor.name for node in nodes for tensor in node.outputs if tensor.name in asked]
            keep = [name for name in made if name not in self._held and name not in self._sequences]
            with session(self._stages.of(nodes, types, keep), optimised=True) as opened:
                kinds = {output.name: output.type for output in opened.get_outputs()}
                sequences = {name for name, kind in kinds.items() if not kind.startswith("tensor(")}
                if not sequences:
                    results = self._results(opened, given, len(keep))
                    break
            self._repeat(sequences)
        self._held.update(zip(keep, results, strict=True))
        self._forget(self._readers.ran(nodes))

    def _results(self, opened: Opened, given: Sequence[str], outputs: int) -> list[list[Item]]:
        results: list[list[Item]] = [[] for _ in range(outputs)]
        for batch in range(self.count):
            values = run(opened, {name: self.value(name, batch) for name in given})
            for into, value in zip(results, values, strict=True):
                into.append(self._spool.put(value))
        return results

    def _repeat(self, names: set[str]) -> None:
        """Keep none of these outputs, which are sequences: their nodes run again wherever they are read."""
        self._sequences |= names
        self._readers.repeat(names)
        self._refuse_sequences()

    def _refuse_sequences(self) -> None:
        for name in sorted(self._sequences & self._wanted):
            self._wanted -= self._sequences
            raise Refused(f"'{name}' is no tensor", "ask for what is made of it")

    def _forget(self, names: Iterable[str]) -> None:
        """Let go of those of `names` that nobody will read any more."""
        for name in names:
            if name in self._held and name not in self._wanted and not self._readers.is_read(name):
                for item in self._held.pop(name):
                    self._spool.free(item)
