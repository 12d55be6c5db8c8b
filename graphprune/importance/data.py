"""How much every unit matters, judged by what it does on real inputs.

Per group, every linear operator that sums over its units (`graphprune.fitting.consumers`) gives one number
a unit,
from the inputs x of that operator and its weight W; as in `graphprune.importance`, an operator's numbers
are divided by their mean and the operators are averaged. `obs` scores are errors relative to the operators'
results and are left as they are.

| by | a unit's number at one operator, over the columns k of the unit | source |
|---|---|---|
| activation | root of the sum of E x_k^2 | Molchanov et al. 2017, *Resource Efficient Inference*, 2.2 |
| wanda | sum over k and outputs of abs(W_k) root(E x_k^2) | Sun et al. 2024, *Wanda*, eq. 1 |
| fluctuation | sum over k of Var(x_k) norm(W_k)^2 | An et al. 2024, *FLAP*, eq. 5 |
| obs | the error that it adds when it goes, weights made up, greedily | Kurtic et al. 2023, *ZipLM*, eq. 4 |

A group over which no linear operator with a constant weight sums (the head dims of queries and keys, say) is
judged by the root mean squares of its units where they are made, multiplied over their makers, since queries
and keys meet in a product.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from graphprune.axes import find, leaves
from graphprune.fitting.consumers import Use, along, block_of, uses
from graphprune.fitting.linear import linears, matrix
from graphprune.fitting.obs import Consumer, eliminate
from graphprune.fitting.shrinkage import shrunk
from graphprune.fitting.statistics import Statistics
from graphprune.groups import Group
from graphprune.importance import Scores, score
from graphprune.positions import Index, units
from graphprune.progress import Tell
from graphprune.solution import Solution

Numbers = NDArray[np.float64]
By = Literal["activation", "wanda", "fluctuation", "obs"]
CRITERIA: tuple[By, ...] = get_args(By)


def read_criterion(name: str) -> By:
    """Return the criterion called `name`; KeyError where there is none."""
    known: dict[str, By] = dict(zip(CRITERIA, CRITERIA, strict=True))
    return known[name]


def score_on_data(solution: Solution, statistics: Statistics, by: By, tell: Tell | None = None) -> Scores:
    """Return the importance of every unit of every group that may be pruned.

    Args:
        solution: the groups.
        statistics: the inputs of the graph's linear operators.
        by: the criterion.
        tell: is told how many groups are done, of how many.
    """
    felt = uses(solution)
    values: dict[str, Numbers] = {}
    notes: dict[str, str] = {}
    open_ = [group for group in solution.groups if group.prunable]
    for done, group in enumerate(open_):
        here = [use for use in felt.get(group.name, ()) if use.number in statistics]
        rows = _rows(solution, group, here)
        if here and by == "obs":
            path = eliminate(_consumers(here, statistics, group.size, rows), rows * group.size, ridge=0.0)
            values[group.name] = _shaped(path.scores(), rows)
        elif here:
            parts = (_numbers(use, statistics, by, group.size, rows) for use in here)
            values[group.name] = _shaped(_mean(parts), rows)
        if tell is not None:
            tell(done + 1, len(open_))
    rest = [group.name for group in open_ if group.name not in values]
    made = _made(solution, statistics, rest)
    plain: Mapping[str, Numbers] = score(solution).values if set(rest) - set(made) else {}
    for name in rest:
        values[name] = made[name] if name in made else plain[name]
        notes[name] = (
            "no linear operator sums over it, so "
            + ("the size of its units on the data" if name in made else "l2")
            + " is used"
        )
    return Scores(by, values, notes)


def _rows(solution: Solution, group: Group, here: Sequence[Use]) -> int:
    """Return how many blocks choose for themselves; 1 where the group's units are the same in all of them."""
    held = solution.blocks[group.name]
    return 1 if isinstance(held, str) or any(use.outer is None for use in here) else held.count


def _shaped(scores: Numbers, rows: int) -> Numbers:
    return scores if rows == 1 else scores.reshape(rows, -1)


def _columns(use: Use, size: int, rows: int) -> Index:
    """Return for each column the unit it belongs to, those of one block behind those of another; or -1."""
    if rows == 1 or use.outer is None:
        return use.units
    return np.where(use.units >= 0, use.outer * size + use.units, -1)


def _consumers(here: Sequence[Use], statistics: Statistics, size: int, rows: int) -> list[Consumer]:
    found: list[Consumer] = []
    for use in here:
        moments = statistics.moments(use.number)
        weight, _ = matrix(use.it)
        columns = _columns(use, size, rows)
        for block in range(use.it.blocks):
            gram = shrunk(moments.covariance[block], float(moments.effective[block]))
            found.append(Consumer(gram, weight[block], columns[block]))
    return found


def _numbers(use: Use, statistics: Statistics, by: By, size: int, rows: int) -> Numbers:
    moments = statistics.moments(use.number)
    weight, _ = matrix(use.it)
    if by == "activation":
        numbers = moments.square
    elif by == "wanda":
        numbers = np.abs(weight).sum(axis=2) * np.sqrt(np.maximum(moments.square, 0))
    else:
        variance = np.diagonal(moments.covariance, axis1=1, axis2=2)
        numbers = variance * np.square(weight).sum(axis=2)
    columns = _columns(use, size, rows)
    inside = columns >= 0
    sums: Numbers = np.bincount(columns[inside], weights=numbers[inside], minlength=rows * size).astype(float)
    return np.sqrt(sums) if by == "activation" else sums


def _mean(parts: Iterable[Numbers]) -> Numbers:
    scaled = [part / part.mean() if part.mean() > 0 else part for part in parts]
    mean: Numbers = np.mean(scaled, axis=0)
    return mean


def _made(solution: Solution, statistics: Statistics, names: Sequence[str]) -> dict[str, Numbers]:
    """Return the root mean squares of units where linear operators make them, multiplied, by group."""
    group_of = {id(find(solution.group(name).axis)): name for name in names}
    found: dict[str, Numbers] = {}
    for number, it in linears(solution.graph):
        made = solution.nodes[number].outputs[0]
        if not group_of or made is None or number not in statistics:
            continue
        axis = along(made, it.target_dim)
        inside = {id(find(leaf)): leaf for leaf in leaves(axis)}
        for key, leaf in inside.items():
            name = group_of.get(key)
            if name is None:
                continue
            lie, size, rows = units(axis, leaf), solution.group(name).size, 1
            held, outer = solution.blocks[name], block_of(solution, name, axis)
            if outer is not None and not isinstance(held, str):
                lie, rows = np.where(lie >= 0, outer * size + lie, -1), held.count
            power = statistics.moments(number).power.reshape(-1)
            sums = np.bincount(lie[lie >= 0], weights=power[lie >= 0], minlength=rows * size)
            root = _shaped(np.sqrt(sums / sums.mean()) if sums.mean() > 0 else np.sqrt(sums), rows)
            if name in found and found[name].shape != root.shape:
                found[name], root = (
                    each if each.ndim == 1 else each.mean(axis=0) for each in (found[name], root)
                )
            found[name] = found[name] * root if name in found else root
    return found
