"""Inputs that belong together: which sizes and values a model is run at, so that little is left unseen.

Each run is the cheapest that exercises the graph (`exercise`), told from sizes before anything runs (`peak`).
A model with a cache runs on a past, at a decode step and without a past; others at two sizes. Tables and
windows that are longer have runs of their own, up to and past their ends, and so has each branch of an If
that an input decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice, product
from operator import eq, gt, itemgetter, lt
from typing import TypeVar

import numpy as np
import onnx_graphsurgeon as gs

from graphprune.errors import Refused
from graphprune.feeds.branch import specialised
from graphprune.feeds.draw import Run
from graphprune.feeds.inputs import Feeds, Sizes, inputs_of
from graphprune.feeds.outlook import Outlook, look
from graphprune.feeds.roles import Role, roles
from graphprune.feeds.search import LADDER, Assignment, Equations, Ladders, Wanted, feasible, solved
from graphprune.symbols.expression import Expr, calls
from graphprune.symbols.facts import Facts, facts
from graphprune.symbols.given import Given
from graphprune.symbols.system import Bound, Conflict

BUDGET = 500_000_000
"""Bytes that the tensors of a run may take at once."""
_BRANCHES = 8
"""Values of inputs that are looked at for the branches that they decide."""
_SCORED, _MOVED = 250, 60
"""How many sizes are weighed for one run, and how many for a single symbol of it."""
_RISE = 16
"""Sizes this many times the best so far are not expected to exercise more."""
_GROWTH = 1.5
"""Where sizes are refused, those tried next are greater by this."""
T = TypeVar("T")


@dataclass(frozen=True)
class LeftOut:
    """What no run exercises: what, why, and where sizes cost too much the cheapest that were found."""

    name: str
    reason: str
    cheapest: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True)
class Feeding:
    """The runs of a model, those that show most first, and what none of them exercises.

    `others` gives for the name of a run the runs at other sizes that may take its place.
    """

    runs: tuple[Run, ...]
    left_out: tuple[LeftOut, ...] = ()
    others: Mapping[str, Callable[[], Iterator[Run]]] = field(
        default_factory=dict[str, "Callable[[], Iterator[Run]]"], repr=False, compare=False
    )

    @property
    def violations(self) -> tuple[str, ...]:
        """What no run exercises, though sizes tell it."""
        if not self.runs:
            return ()
        missed = set(self.runs[0].violations).intersection(*(run.violations for run in self.runs))
        return tuple(text for text in self.runs[0].violations if text in missed)


def carry_out(
    feeding: Feeding, attempt: Callable[[Run], T]
) -> tuple[list[tuple[Run, T]], tuple[LeftOut, ...]]:
    """Return what `attempt` makes of each run, at other sizes where it is refused, and what is left out.

    Raises:
        Refused: every run is, with the words of the first.
    """
    done: list[tuple[Run, T]] = []
    left = list(feeding.left_out)
    refusal: Refused | None = None
    for run in feeding.runs:
        first: Refused | None = None
        for candidate in (run, *islice(feeding.others.get(run.name, _none)(), 3)):
            try:
                done.append((candidate, attempt(candidate)))
            except Refused as error:
                first = first or error
                continue
            break
        refusal = refusal or first
        if first is not None:
            left.append(LeftOut(run.name, f"at {shown(run.sizes)} {first.what}"))
    if not done and refusal is not None:
        raise refusal
    return done, tuple(left)


def _none() -> Iterator[Run]:
    return iter(())


def shown(sizes: Mapping[str, Sizes]) -> str:
    """Return sizes as `--shape` takes them."""
    return " ".join(f"{name}:{'x'.join(map(str, shape))}" for name, shape in sizes.items())


def plan(
    graph: gs.Graph,
    known: Facts,
    *,
    budget: int = BUDGET,
    data: Sequence[Feeds] = (),
    given: Given | None = None,
    least: int = 3,
) -> Feeding:
    """Return the runs that exercise `graph`.

    Args:
        graph: the model.
        known: what it says of its sizes, with what the user says of them.
        budget: bytes of tensors between operators that a run may take; a model whose sizes are all fixed
            takes what it takes.
        data: inputs of the user's, which come first.
        given: what the user says of sizes, once more for each branch of an If.
        least: the smallest size for what nothing else is known of.

    Raises:
        Refused: sizes contradict each other, none were found at which the inputs fit together, or all that
            were found take more than `budget`.
    """
    purposes = roles(graph, known)
    unknown = [tensor.name for tensor in inputs_of(graph) if tensor.name not in known.inputs]
    if unknown and not data:
        raise Refused(
            f"the shape of input {unknown[0]} is not known", f"give it with --shape {unknown[0]}:1x3x224x224"
        )
    runs = [_given(feeds, purposes, place) for place, feeds in enumerate(data)]
    left: list[LeftOut] = []
    others: dict[str, Callable[[], Iterator[Run]]] = {}
    for suffix, outlook in () if unknown else _branches(graph, known, purposes, given):
        found = _runs(outlook, budget, least)
        runs += [replace(run, name=run.name + suffix) for run in found.runs]
        left += [replace(each, name=each.name + suffix) for each in found.left_out]
        others |= {name + suffix: _named(make, suffix) for name, make in found.others.items()}
    if not runs:
        raise _refusal(left, known)
    return Feeding(tuple(runs), tuple(left), others)


def _named(make: Callable[[], Iterator[Run]], suffix: str) -> Callable[[], Iterator[Run]]:
    return lambda: (replace(run, name=run.name + suffix) for run in make())


def _given(feeds: Feeds, purposes: Mapping[str, Role], place: int) -> Run:
    sizes = {name: array.shape for name, array in feeds.items()}
    name = f"data {place + 1}" if place else "data"
    return Run(name, sizes, roles=purposes, limits=_limits(purposes), given=feeds)


def _limits(purposes: Mapping[str, Role]) -> dict[str, int]:
    known = {name: role.limit for name, role in purposes.items() if role.limit is not None}
    return {name: limit.as_int() for name, limit in known.items() if limit.is_number}


def _branches(
    graph: gs.Graph, known: Facts, purposes: Mapping[str, Role], given: Given | None
) -> Iterator[tuple[str, Outlook]]:
    """Yield the graph with each choice of the branches that inputs decide, and how its runs are called."""
    decides = [role for role in purposes.values() if role.kind == "branch"]
    if not decides:
        yield "", look(graph, known, purposes)
        return
    seen = set[tuple[bool, ...]]()
    for choice in islice(product(*(role.candidates for role in decides)), _BRANCHES):
        values = {
            role.name: np.full(_sizes_of(role.name, known), value, role.dtype)
            for role, value in zip(decides, choice, strict=True)
        }
        part, taken = specialised(graph, values)
        if taken in seen:
            continue
        seen.add(taken)
        suffix = "".join(f", {role.name}={value}" for role, value in zip(decides, choice, strict=True))
        yield suffix, look(part, facts(part, given), purposes, values)


def _sizes_of(name: str, known: Facts) -> Sizes:
    return tuple(size.as_int() if size.is_number else 1 for size in known.inputs.get(name, ()))


def _refusal(left: Sequence[LeftOut], known: Facts) -> Refused:
    for conflict in known.conflicts:
        return Refused(
            f"sizes contradict each other: {_clash(conflict)}",
            "give others with --shape",
        )
    first = next(iter(left), LeftOut("", "the model has no inputs"))
    if first.cheapest:
        # What is all fixed takes what it takes.
        sizes = ",".join(f"{name}={size}" for name, size in first.cheapest.items())
        return Refused(first.reason, f"where there is the memory, have it run so with --shape {sizes}")
    name = f"{known.free[0]}=8, or another size" if known.free else "the sizes of the inputs"
    return Refused(first.reason, f"give {name}, with --shape")


def _clash(conflict: Conflict) -> str:
    return f"{conflict.left} ({conflict.here}) cannot be {conflict.right} ({conflict.there})"


@dataclass(frozen=True)
class _Aim:
    """A run that is looked for.

    Attributes:
        name: what it is called.
        wanted: what should have which value.
        ladders: sizes for single symbols where others than the usual are wanted.
        accepts: whether it is what is looked for at these values of all symbols.
        must: whether it is searched for thoroughly, and said where it cannot be had.
        why: what is said of it where it would cost too much.
    """

    name: str
    wanted: Wanted
    ladders: Mapping[str, Sequence[int]] = field(default_factory=dict[str, "Sequence[int]"])
    accepts: Callable[[Mapping[str, int]], bool] = lambda _: True
    must: bool = True
    why: str = ""


def _runs(outlook: Outlook, budget: int, least: int) -> Feeding:
    runs: list[Run] = []
    left: list[LeftOut] = []
    others: dict[str, Callable[[], Iterator[Run]]] = {}
    seen: list[Assignment] = []
    if outlook.facts.conflicts:
        reason = f"sizes contradict each other: {_clash(outlook.facts.conflicts[0])}"
        return Feeding((), (LeftOut("all sizes", reason),))
    if not outlook.constraints.free:
        return Feeding((outlook.run("fixed sizes", {}),))
    for aim in _aims(outlook, seen, least):
        if any(aim.accepts(outlook.constraints.whole(each)) for each in seen) and not aim.must:
            continue
        found = _cheapest(outlook, aim, budget)
        if isinstance(found, LeftOut):
            left += [found] if aim.must or found.cheapest else []
        elif found not in seen:
            seen.append(found)
            runs.append(outlook.run(aim.name, found))
            others[aim.name] = _others(outlook, aim, found, budget)
    if not runs and (single := _single(outlook, left)) is not None:
        return Feeding((outlook.run("one sample", single),), tuple(left), others)
    return Feeding(tuple(runs), tuple(left), others)


def _single(outlook: Outlook, left: Sequence[LeftOut]) -> Assignment | None:
    """Return a batch of one where that alone is open and the budget has no room even for it.

    Such a model takes what it takes, as one whose sizes are all fixed.
    """
    batch = set[str]().union(*(size.symbols for size in outlook.batch))
    cheapest: Assignment = next((dict(each.cheapest) for each in left if each.cheapest), Assignment())
    single = cheapest and batch.issuperset(cheapest) and all(size == 1 for size in cheapest.values())
    return cheapest if single else None


def _aims(outlook: Outlook, seen: Sequence[Assignment], least: int) -> Iterator[_Aim]:
    """Yield what is run; what was found so far is in `seen`."""
    if outlook.past:
        yield from _cached(outlook)
    else:
        ladder = [*(size for size in LADDER if size >= least), *(size for size in LADDER if size < least)]
        ladders = dict.fromkeys(outlook.constraints.free, ladder)
        yield _Aim("first sizes", [(size, (2, 1, 3, 4, None)) for size in outlook.batch], ladders)
        if seen:
            yield _second(outlook, seen[0])
    yield from _ends(outlook)
    yield from _turns(outlook, seen)


def _second(outlook: Outlook, first: Assignment) -> _Aim:
    """Return the run at other sizes than the first, all greater where they can be."""
    ladders = {name: [size for size in LADDER if size > above] or [above] for name, above in first.items()}
    return _Aim(
        "other sizes",
        [(size, (3, 1, 2, 4, None)) for size in outlook.batch],
        ladders,
        must=False,
        accepts=lambda known: any(known[name] != size for name, size in first.items()),
    )


def _cached(outlook: Outlook) -> Iterator[_Aim]:
    """Yield the runs of a model with a cache: on a past, a step at a time, and from nothing."""
    few, one = (3, 2, 4, 5, 1, None), (1, 2, 3, None)
    for name, past, new, batch in (
        ("prefill on a past", (5, 4, 3, 2, 8, 1), few, (2, 1, 3, None)),
        ("decode", (7, 6, 5, 4, 3, 2, 8, 1), one, (2, 1, 3, None)),
        ("prefill", (0,), few, (2, 1, 3, None)),
    ):
        yield _Aim(
            name,
            [
                *((size, past) for size in outlook.past),
                *((size, new) for size in outlook.step),
                *((size, batch) for size in outlook.batch),
            ],
        )


def _ends(outlook: Outlook) -> Iterator[_Aim]:
    """Yield the runs that read tables and caches to their ends, the shortest for each length."""
    nearest: dict[Expr, Bound] = {}
    for bound in sorted(
        outlook.facts.atmost, key=lambda each: each.high.as_int() if each.high.is_number else 0
    ):
        if bound.high.is_number and not bound.low.is_number and not bound.low.symbols & outlook.facts.data:
            nearest.setdefault(bound.low, bound)
    for low, bound in nearest.items():
        end = bound.high.as_int()
        why = "what it does not read is not cut, so it is compared as weights"
        yield _Aim(
            f"to the end of {bound.tensor}",
            [(low, (end,)), *_little(outlook, low)],
            _towards(outlook, low, end),
            accepts=_where(low, partial(eq, end)),
            must=False,
            why=why,
        )


def _little(outlook: Outlook, length: Expr) -> Wanted:
    """Return what keeps a long run cheap: few steps on a long past, and one sample."""
    pasts = frozenset[str]().union(*(size.symbols for size in outlook.past))
    steps = [(size, (1, 2, 3, None)) for size in outlook.step] if length.symbols & pasts else []
    return [*steps, *((size, (1, 2, None)) for size in outlook.batch)]


def _towards(outlook: Outlook, low: Expr, end: int) -> dict[str, list[int]]:
    """Return the sizes around which an expression of one symbol that is no plain sum reaches `end`."""
    if len(low.symbols) != 1 or not any(True for _ in calls(low)):
        return {}
    (name,) = low.symbols
    smallest, largest = 1, 2
    try:
        while low.value({name: largest}) < end and largest < 1 << 24:
            smallest, largest = largest, 2 * largest
        while largest - smallest > 1:
            middle = (smallest + largest) // 2
            smallest, largest = (middle, largest) if low.value({name: middle}) < end else (smallest, middle)
    except (KeyError, ZeroDivisionError):
        return {}
    return {name: [*range(largest, largest + 40), *range(largest - 1, max(0, largest - 8), -1)]}


def _turns(outlook: Outlook, seen: Sequence[Assignment]) -> Iterator[_Aim]:
    """Yield the runs at which windows are full and slide: where a max or a min takes its other side."""
    for difference, text in outlook.windows.items():
        known = [outlook.constraints.whole(each) for each in seen]
        signs = {_sign(difference, each) for each in known} - {None}
        if not signs or {-1, 1} <= signs:
            continue
        sign = 1 if 1 in signs else -1
        little = _little(outlook, difference)
        yield _Aim(
            f"at the turn of {text}",
            [(difference, (0,)), *little],
            must=False,
            accepts=_where(difference, partial(eq, 0)),
        )
        beyond = tuple(-sign * more for more in (3, 2, 1, 4, 6, 8))
        longer = [(size, (4, 2, 3, 1, None) if size in outlook.step else values) for size, values in little]
        yield _Aim(
            f"past the turn of {text}",
            [(difference, beyond), *longer],
            must=False,
            accepts=_where(difference, partial(lt if sign < 0 else gt, 0)),
        )


def _where(expression: Expr, holds: Callable[[int], bool]) -> Callable[[Mapping[str, int]], bool]:
    return lambda known: holds(expression.value(known))


def _sign(difference: Expr, known: Mapping[str, int]) -> int | None:
    try:
        value = difference.value(known)
    except (KeyError, ZeroDivisionError):
        return None
    return (value > 0) - (value < 0)


def _ladders(outlook: Outlook, aim: _Aim) -> Ladders:
    return Ladders({name: aim.ladders.get(name, LADDER) for name in outlook.constraints.free})


def _cheapest(outlook: Outlook, aim: _Aim, budget: int) -> Assignment | LeftOut:
    """Return the sizes for an aim that leave least without influence, the cheapest of those."""
    ladders = _ladders(outlook, aim)
    over: tuple[int, Assignment] | None = None
    for equations, assignments in feasible(outlook.constraints, aim.wanted, ladders, thorough=aim.must):
        best: tuple[int, Assignment] | None = None
        for scored, assignment in enumerate(assignments):
            if not aim.accepts(outlook.constraints.whole(assignment)):
                continue
            peak = outlook.peak(assignment)
            if peak > budget:
                over = min(over or (peak, assignment), (peak, assignment), key=itemgetter(0))
                break
            misses = outlook.score(assignment)[0]
            if best is None or misses < best[0]:
                best = misses, assignment
            far = max(assignment.values()) > _RISE * max(best[1].values())
            if best[0] <= outlook.never or far or scored > _SCORED:
                break
        if best is not None:
            return _settled(outlook, aim, equations, ladders, best, budget)
    if over is None:
        free = ", ".join(outlook.constraints.free)
        return LeftOut(aim.name, f"no sizes were found at which the inputs fit together ({free} are free)")
    peak, assignment = over
    sizes = ", ".join(f"{name}={size}" for name, size in assignment.items())
    cost = f"tensors would take {peak / 1e6:.0f} MB at {sizes}, the limit is {budget / 1e6:.0f} MB"
    return LeftOut(aim.name, f"{cost}; {aim.why}" if aim.why else cost, assignment)


def _settled(
    outlook: Outlook,
    aim: _Aim,
    equations: Equations,
    ladders: Ladders,
    best: tuple[int, Assignment],
    budget: int,
) -> Assignment:
    """Return the sizes lowered one by one as far as nothing more is missed, then made unlike each other."""
    misses, assignment = best

    def other(name: str, size: int) -> Assignment | None:
        found = solved(outlook.constraints, equations, {**assignment, name: size})
        fits = found is not None and found[name] == size and outlook.constraints.meets(found)
        if not fits or found is None or not aim.accepts(outlook.constraints.whole(found)):
            return None
        return found if outlook.score(found)[0] <= misses and outlook.peak(found) <= budget else None

    for name in outlook.constraints.free:
        first = ladders.steps[name][0]
        lower = [size for size in ladders.steps[name] if first <= size < assignment[name]]
        assignment = next(filter(None, (other(name, size) for size in lower[:_MOVED])), assignment)
    for place, name in enumerate(outlook.constraints.free):
        if assignment[name] in [assignment[each] for each in outlook.constraints.free[:place]]:
            higher = [size for size in ladders.steps[name] if assignment[name] < size <= 3 * assignment[name]]
            assignment = next(filter(None, (other(name, size) for size in higher[:_MOVED])), assignment)
    return assignment


def _others(outlook: Outlook, aim: _Aim, found: Assignment, budget: int) -> Callable[[], Iterator[Run]]:
    """Return what yields the runs at other sizes for the same aim."""

    def make() -> Iterator[Run]:
        first = True
        for _, assignments in feasible(
            outlook.constraints, aim.wanted, _ladders(outlook, aim), thorough=aim.must
        ):
            largest = max(found.values()) if first else 0
            for assignment in assignments:
                if outlook.peak(assignment) > budget:
                    break
                high = max(assignment.values())
                if high < _GROWTH * largest or not aim.accepts(outlook.constraints.whole(assignment)):
                    continue
                largest = high
                yield outlook.run(aim.name, assignment)
                if not first:
                    break
            first = False

    return make


def at(graph: gs.Graph, known: Facts, sizes: Mapping[str, Sizes], name: str = "given sizes") -> Run:
    """Return the run at given sizes of all inputs; inputs that go with sizes get the values that follow."""
    outlook = look(graph, known, roles(graph, known))
    equations = [
        (dim, size)
        for each, shape in known.inputs.items()
        for dim, size in zip(shape, sizes.get(each, ()), strict=False)
    ]
    fitting = solved(outlook.constraints, equations, dict.fromkeys(outlook.constraints.free, 1))
    wanted = {each.name: tuple(sizes[each.name]) for each in inputs_of(graph)}
    if fitting is None:
        return Run(name, wanted, roles=outlook.roles, limits=_limits(outlook.roles))
    return replace(outlook.run(name, fitting), sizes=wanted)
