"""Twin and cut run side by side, stage by stage, so that no more of them is open than one stage.

Every boundary is compared, and so are tensors inside. The cut runs from its own tensors; a stage that is not
close enough to the twin then runs from the twin's, so that errors of the stages in front do not add up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphprune.checks import Check, difference, limit_of
from graphprune.cuts import take
from graphprune.errors import Negative, Refused
from graphprune.feeds import Feeds
from graphprune.fitting.spool import Item, Spool
from graphprune.proof.inputs import Sample
from graphprune.proof.parts import Whole
from graphprune.proof.places import Place, fitted
from graphprune.proof.points import Flow, Stage
from graphprune.proof.slices import gap, is_float, moved
from graphprune.proof.wide import widened
from graphprune.runtime import run, session

Array = NDArray[Any]
Arrays = dict[str, Array]
Redraw = Callable[[Sample, Sequence[str]], Feeds]
"""Draws some inputs of a sample anew."""
LOOSE = 10.0
"""How much further a slice may be off than a whole, where it is not by float noise alone."""
MEMORY = 64 << 20
"""Bytes of tensors between stages that stay in memory; what exceeds them goes to disk."""


@dataclass(frozen=True)
class Pair:
    """Two models to be compared, and how they correspond.

    Attributes:
        twin: the model whose numbers are right.
        small: the model to be judged.
        flow: the graph that both were made of.
        places: where tensors of that graph are in `small`.
        stages: the stages.
        points: the tensors inside that are compared, and that `small` goes on from.
        sizes: the sizes that the graph was solved with.
        units: of these, those whose units were cut, with the dimension along which they lie.
        rtol: the largest error of an output, in relation to its norm; by element type where it is not given.
        coarse: what rounding inside the model explains beside that, from end to end.
        atol: an output that differs by no more than this passes.
        coarse_slices: whether slices may differ by as much as outputs, times `LOOSE`, since the models may
            take their sums in another order from end to end.
        wide: whether what is in 16 bits is computed in float32.
    """

    twin: Whole
    small: Whole
    flow: Flow
    places: Mapping[str, Place]
    stages: Sequence[Stage]
    points: frozenset[str]
    sizes: Mapping[str, Sequence[int]]
    units: Mapping[str, int]
    rtol: float | None = None
    coarse: float = 0.0
    atol: float = 0.0
    coarse_slices: bool = False
    wide: bool = False


@dataclass
class Seen:
    """What came of a walk.

    Attributes:
        checks: what was compared: outputs from end to end, and of each stage what was worst.
        compared: how many tensors were compared in all.
        moved: tensors that were seen to be another one for other inputs.
        influences: the inputs that were seen to change something that is compared.
        shifts: how far each output moved where all inputs were drawn anew (relative L2).
        alive: of each tensor whose units were cut, which of those that stay were seen to vary.
    """

    checks: list[Check] = field(default_factory=list[Check])
    compared: int = 0
    moved: set[str] = field(default_factory=set[str])
    influences: set[str] = field(default_factory=set[str])
    shifts: dict[str, float] = field(default_factory=dict[str, float])
    alive: dict[str, NDArray[np.bool_]] = field(default_factory=dict[str, "NDArray[np.bool_]"])


@dataclass
class _Set:
    """One set of inputs on its way through the stages; what is alive is kept by name.

    `base` is the set whose inputs were drawn anew to get this one, where it is such; its outputs are not
    compared once more from end to end. `now` says what the numbers that stood for open sizes are here; `lost`
    names tensors of which it cannot be told at these sizes what stays.
    """

    number: int
    text: str
    twin: dict[str, Item]
    own: dict[str, Item]
    now: Mapping[int, int]
    base: _Set | None = None
    lost: set[str] = field(default_factory=set[str])
    probes: list[_Probe] = field(default_factory=list["_Probe"])


@dataclass
class _Probe:
    """One input drawn anew on its way through the twin: tensors that are others now."""

    name: str
    values: dict[str, Item]


class _Opened:
    """The sessions of a stage, each opened when it is first run, and closed with the stage."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._sessions: dict[str, Any] = {}

    def run(self, key: str, whole: Whole, targets: Sequence[str], given: Mapping[str, Array]) -> list[Array]:
        """Run the part of `whole` that makes `targets` of what is given; it is the same for a `key`."""
        if key not in self._sessions:
            kinds = {name: array.dtype for name, array in given.items()}
            self._sessions[key] = self._stack.enter_context(session(whole.part(targets, kinds)))
        return self.again(key, given)

    def again(self, key: str, given: Mapping[str, Array]) -> list[Array]:
        """Run an open session on other tensors."""
        opened = self._sessions[key]
        return run(opened, {each.name: given[each.name] for each in opened.get_inputs()})


class Walk:
    """A comparison under way."""

    def __init__(self, pair: Pair, samples: Sequence[Sample], redraw: Redraw, seen: Seen) -> None:
        """Take over sets of inputs, which all go through a stage while it is open.

        The first is compared a second time, with all its inputs drawn anew.
        """
        self.pair, self.seen = pair, seen
        self._spool = Spool(MEMORY)
        self._inputs = {tensor.name for tensor in pair.flow.graph.inputs}
        self._wanted = [name for name in sorted(self._inputs) if pair.flow.reaches(name)]
        self._copies = {name: pair.flow.copies(name) for name in self._wanted}
        self.refusals: list[Refused] = []
        self._before: Arrays = {}
        self._sets: list[_Set] = []
        for number, sample in enumerate(samples):
            begun = self._start(number, sample.feeds)
            self._sets.append(begun)
            if not number:
                again = self._start(number, redraw(sample, list(sample.feeds)))
                self._sets.append(replace(again, base=begun))
            for name in self._wanted if len(self._inputs) > 1 or number else ():
                if sample.feeds[name].size:
                    other = _widened(redraw(sample, [name]), pair)[name]
                    begun.probes.append(_Probe(name, {name: self._spool.put(other)}))

    def run(self) -> list[int]:
        """Run all stages, and return which sets of inputs the original ran on.

        Why it did not run on others, `refusals` says.

        Raises:
            Negative: the smaller model does not run, or a tensor of it has another type or size.
        """
        try:
            for number, stage in enumerate(self.pair.stages):
                self._stage(number, stage)
        finally:
            self._spool.close()
        return [each.number for each in self._sets if each.base is None]

    def _start(self, number: int, feeds: Feeds) -> _Set:
        feeds = _widened(feeds, self.pair)
        text = ", ".join(f"{name}:{'x'.join(map(str, array.shape))}" for name, array in feeds.items())
        held = {name: self._spool.put(array) for name, array in feeds.items()}
        now = {
            solved: size
            for name, array in feeds.items()
            for solved, size in zip(self.pair.sizes.get(name, ()), array.shape, strict=False)
            if solved != size
        }
        begun = _Set(number, text, held, {}, now)
        for name, array in feeds.items():
            # Of what is given in the place of an operator that is not run, its rule says what stays.
            stays = self._stays(begun, name, array)
            begun.own[self._there(name)] = held[name] if stays is None else self._spool.put(stays)
        return begun

    def _stage(self, number: int, stage: Stage) -> None:
        pair = self.pair
        targets = [name for name in stage.made if self._is_plain(name)]
        if number == 0:
            targets += [name for name in pair.flow.outputs if name not in pair.flow.makers]
        # Sequences come last, since they are given as any number of tensors.
        rest = [n for n in stage.made if n in pair.flow.outputs and not self._is_plain(n)]
        if not targets and not rest:
            return
        with ExitStack() as stack:
            opened = _Opened(stack)
            for each in list(self._sets):
                if any(each is other for other in self._sets):
                    self._pass(each, stage, targets, rest, opened)
            self._before = {}

    def _pass(
        self, each: _Set, stage: Stage, targets: Sequence[str], rest: Sequence[str], opened: _Opened
    ) -> None:
        """Run a set of inputs through a stage; what is let go of here is the most that is held at a time."""
        given = {name: self._spool.get(item) for name, item in each.twin.items()}
        try:
            results = opened.run("twin", self.pair.twin, [*targets, *rest], given)
        except Refused as error:
            self._drop(each, error)
            return
        expected = dict(zip(targets, results, strict=False))
        kept = {name: self._stays(each, name, array) for name, array in expected.items()}
        stays = {name: array for name, array in kept.items() if array is not None}
        own, others = self._own(each, stays, expected, rest, opened)
        self._judge(each, stage, stays, own, opened)
        if each.base is None:
            self._outputs(each, expected, stays, own)
            for at, (a, b) in enumerate(zip(results[len(targets) :], others, strict=True)):
                self._whole(each, f"{rest[0]}[{at}]", a, b)
            self._probe(each, stage, given, expected, opened)
            self._before = self._before if each.number else expected
        else:
            self._moved(each, self._before, expected)
            self._before = {}
        self._carry(each, stage, expected, own)

    def _drop(self, each: _Set, error: Refused) -> None:
        """Go on without a set of inputs that the original refuses, and without what was drawn from it."""
        if each.base is None:
            self.refusals.append(error)
        self._sets = [other for other in self._sets if other is not each and other.base is not each]

    def _own(
        self, each: _Set, stays: Arrays, expected: Arrays, rest: Sequence[str], opened: _Opened
    ) -> tuple[Arrays, list[Array]]:
        """Run a stage of the smaller model from its own tensors.

        Returns what is compared or carried, by its names there, and the tensors in the outputs `rest`.
        """
        pair = self.pair
        names = [name for name in expected if name in pair.places or name in pair.flow.outputs]
        drawn = {pair.places[name].name: stays[name] for name in stays if name in pair.flow.random}
        targets = [n for n in dict.fromkeys(map(self._there, names)) if n not in drawn]
        given = {name: self._spool.get(item) for name, item in each.own.items()} | drawn
        results = self._right("own", [*targets, *map(self._there, rest)], given, opened)
        return dict(zip(targets, results, strict=False)) | drawn, results[len(targets) :]

    def _judge(self, each: _Set, stage: Stage, stays: Arrays, own: Arrays, opened: _Opened) -> None:
        """Compare what the smaller model makes in a stage with what stays of the twin's tensors.

        Where what it makes of its own tensors is as close as what it would make of the twin's must be, that
        says as much. Where it is not, it is run from the twin's tensors, and that is what counts: noise of
        the stages in front is none of this one's.
        """
        pair = self.pair
        inside = [n for n in stays if n in pair.points or n in pair.flow.outputs or n in stage.alive]
        inside = [n for n in inside if n not in pair.flow.random and n not in pair.flow.from_sizes]
        checks = self._checks(each, {n: (stays[n], own[pair.places[n].name]) for n in inside})
        if checks is None or not all(check.passed for check in checks):
            asked = list(dict.fromkeys(pair.places[name].name for name in inside))
            found = self._right("small", asked, self._given(each, stays, own, inside), opened)
            named = dict(zip(asked, found, strict=True))
            for name in inside:
                _same_kind(name, stays[name], named[pair.places[name].name])
            checks = self._checks(each, {n: (stays[n], named[pair.places[n].name]) for n in inside}) or []
        self._note(checks)
        for name in inside:
            self._units(name, stays[name])

    def _given(self, each: _Set, stays: Arrays, own: Arrays, inside: Sequence[str]) -> Arrays:
        """Return what a stage of the smaller model starts from: the twin's tensors, and sizes of its own."""
        pair = self.pair
        given: Arrays = {}
        for name, item in each.twin.items():
            place = pair.places.get(name)
            if place is not None and name in pair.flow.from_sizes:
                given[place.name] = self._spool.get(each.own[place.name])
            elif place is not None and place.name not in given:
                array = self._stays(each, name, self._spool.get(item))
                if array is not None:
                    given[place.name] = array
        for name, array in stays.items():
            if name in pair.flow.random or (name in inside and name in pair.points):
                given.setdefault(pair.places[name].name, array)
        return given

    def _right(self, key: str, targets: Sequence[str], given: Arrays, opened: _Opened) -> list[Array]:
        """Run the smaller model; that it cannot be run is an answer, not a refusal."""
        if not targets:
            return []
        try:
            return opened.run(key, self.pair.small, targets, given)
        except Refused as error:
            what = f"the original runs and the other does not: {error.what}"
            raise Negative(what, "please report this") from error

    def _checks(self, each: _Set, pairs: Mapping[str, tuple[Array, Array]]) -> list[Check] | None:
        """Compare tensors slice by slice; None where two are not of one type and size."""
        pair = self.pair
        found: list[Check] = []
        for name, (a, b) in pairs.items():
            if a.shape != b.shape or a.dtype != b.dtype:
                return None
            limit = limit_of(a.dtype, pair.rtol)
            if pair.rtol is not None:
                limit = max(limit_of(a.dtype, None), LOOSE * pair.rtol)
            elif pair.coarse_slices and is_float(a):
                limit = LOOSE * max(limit, pair.coarse)
            reach = 1.0 if name in pair.flow.reach else 0.0
            apart = gap(a, b, limit, reach, steps=True)
            error = 0.0 if apart.largest <= pair.atol else apart.ratio * limit
            found.append(Check(each.text, name, error, apart.largest, limit, True, inside=True))
        return found

    def _note(self, checks: Sequence[Check]) -> None:
        """Keep the checks that failed, and the worst of those that passed."""
        self.seen.compared += len(checks)
        self.seen.checks += [check for check in checks if not check.passed]
        passed = [check for check in checks if check.passed]
        self.seen.checks += sorted(passed, key=lambda check: -check.error / check.limit)[:1]

    def _units(self, name: str, stays: Array) -> None:
        """Note which units that stay vary within a tensor."""
        dim = self.pair.units.get(name)
        if dim is None or not is_float(stays) or not stays.size:
            return
        over = tuple(at for at in range(stays.ndim) if at != dim)
        with np.errstate(invalid="ignore"):
            varied = np.max(stays, axis=over) > np.min(stays, axis=over)
        self._alive(name, np.asarray(varied))

    def _alive(self, name: str, varied: NDArray[np.bool_]) -> None:
        known = self.seen.alive.get(name)
        self.seen.alive[name] = varied if known is None or known.shape != varied.shape else known | varied

    def _outputs(self, each: _Set, expected: Arrays, stays: Arrays, own: Arrays) -> None:
        """Compare the outputs that a stage makes as a whole, from end to end."""
        for name in expected:
            if name in self.pair.flow.outputs and name not in self.pair.flow.random:
                self._whole(each, name, stays.get(name, expected[name]), own[self._there(name)])

    def _stays(self, each: _Set, name: str, array: Array) -> Array | None:
        """Return what stays of one of the twin's tensors; None where the smaller model has no such tensor."""
        place = self.pair.places.get(name)
        if place is None or name in each.lost:
            return None
        if place.cuts:
            solved = self.pair.sizes.get(name, ())
            cuts = fitted(place.cuts, solved, array.shape, each.now)
            if cuts is None:
                each.lost.add(name)
                return None
            return take(array, cuts)
        return array

    def _there(self, name: str) -> str:
        place = self.pair.places.get(name)
        return place.name if place is not None else name

    def _is_plain(self, name: str) -> bool:
        return self.pair.flow.is_tensor(name)

    def _whole(self, each: _Set, name: str, a: Array, b: Array) -> None:
        pair = self.pair
        _same_kind(name, a, b)
        if not is_float(a) and name in pair.flow.by_floats and not np.array_equal(a, b):
            # What was decided by floats is compared where it is decided: here a near tie may fall elsewhere.
            return
        error, largest = difference(a, b)
        error = 0.0 if largest <= pair.atol else error
        limit = max(limit_of(a.dtype, pair.rtol), pair.coarse if is_float(a) and pair.rtol is None else 0.0)
        self.seen.compared += 1
        varied = not _swallows(a, pair.atol)
        self.seen.checks.append(Check(each.text, name, error, largest, limit, varied))

    def _probe(self, each: _Set, stage: Stage, given: Arrays, expected: Arrays, opened: _Opened) -> None:
        """Run the twin with some inputs drawn anew, and note what moves."""
        read = set[str]().union(*self.pair.flow.reads[stage.start : stage.stop])
        for probe in list(each.probes):
            if probe.name in self.seen.influences or not read & probe.values.keys():
                continue
            changed = {name: self._spool.get(item) for name, item in probe.values.items()}
            try:
                results = opened.again("twin", given | changed)
            except Refused:
                each.probes.remove(probe)
                continue
            after = dict(zip(expected, results, strict=False))
            others = {n for n in expected if n not in self.pair.flow.random and moved(expected[n], after[n])}
            self.seen.moved |= others
            self._influence(probe.name, others)
            for name in others & set(stage.alive):
                probe.values[name] = self._spool.put(after[name])

    def _moved(self, each: _Set, before: Arrays, after: Arrays) -> None:
        """Note what is another tensor where all inputs were drawn anew."""
        flow = self.pair.flow
        others = {n for n in before if n not in flow.random and moved(before[n], after[n])}
        self.seen.moved |= others
        for name in self.pair.units.keys() & others:
            a, b = self._stays(each, name, before[name]), self._stays(each, name, after[name])
            if a is not None and b is not None:
                self._changed(name, a, b)
        for name in others.intersection(flow.outputs):
            if before[name].shape != after[name].shape:
                continue  # a branch or data decides on its size
            shift = difference(before[name], after[name])[0]
            self.seen.shifts[name] = max(shift, self.seen.shifts.get(name, 0.0))
        if len(self._inputs) == 1:
            self._influence(next(iter(self._inputs)), others)

    def _influence(self, name: str, others: set[str]) -> None:
        """Note whether an input has changed something that is compared and is no mere copy of it."""
        flow = self.pair.flow
        if name not in self._copies:
            return
        copies = self._copies[name]
        if set(flow.outputs) <= copies:
            copies = frozenset[str]()
        seen = {other for other in others - copies if other in flow.heavy or other in flow.outputs}
        if any(other in self.pair.places or other in flow.outputs for other in seen):
            self.seen.influences.add(name)

    def _changed(self, name: str, before: Array, after: Array) -> None:
        """Note which units that stay are others for other inputs."""
        if before.shape != after.shape or not is_float(before):
            return
        over = tuple(at for at in range(before.ndim) if at != self.pair.units[name])
        self._alive(name, np.asarray(np.any(before != after, axis=over)))

    def _carry(self, each: _Set, stage: Stage, expected: Arrays, own: Arrays) -> None:
        """Keep what is read behind the stage, and let go of the rest."""
        later = set(stage.alive)
        for name in dict.fromkeys(self._there(n) for n in later & expected.keys() if n in self.pair.places):
            if name in own:
                each.own[name] = self._spool.put(own[name])
        for name, array in expected.items():
            if name in later:
                each.twin[name] = self._spool.put(array)
        for name in [name for name in each.twin if name not in self._inputs and name not in later]:
            self._spool.free(each.twin.pop(name))
        here = {self.pair.places[name].name for name in later if name in self.pair.places}
        for name in [name for name in each.own if name not in self._inputs and name not in here]:
            self._spool.free(each.own.pop(name))
        for probe in each.probes:
            for name in [n for n in probe.values if n not in self._inputs and n not in later]:
                self._spool.free(probe.values.pop(name))


def _widened(feeds: Feeds, pair: Pair) -> Feeds:
    return widened(feeds.items()) if pair.wide else feeds


def _same_kind(name: str, a: Array, b: Array) -> None:
    if a.shape != b.shape or a.dtype != b.dtype:
        what = f"output '{name}' is {b.dtype}{list(b.shape)}, it was {a.dtype}{list(a.shape)}"
        raise Negative(what, "please report this with the model")


def _swallows(array: Array, atol: float) -> bool:
    """Whether a tolerance is so large that any constant would pass."""
    if not atol or not is_float(array):
        return False
    values = np.asarray(array, np.float64)
    values = values[np.isfinite(values)]
    return bool(values.size) and float(values.max() - values.min()) <= 2 * atol
