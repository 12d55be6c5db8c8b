"""Run cases: a mutated file, or a random network, before a verb; what comes out is judged.

A case is its kind and its number, so that it can be repeated: `mutated-17`, `net-4`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

from tests.fuzz import nets
from tests.fuzz.mutate import Step, chosen, mutated
from tests.fuzz.serve import ENDLESS, GONE, Server
from tests.networks import TEXTS, network

SECONDS = 20.0
"""Of processor time, for one case."""
MEMORY = 4 << 30
"""Bytes of address space, for each process of a case."""

Kind = Literal["mutated", "net"]
FAULTS = ("bug", "crash", "hang", "wrong", "disowned")
"""Outcomes that must not be: exit 70, a process that ended, one that did not, a wrong model, and a refusal of
the tool's own work, which asks for a report."""


@dataclass(frozen=True)
class Case:
    """What is run.

    Attributes:
        name: kind and number.
        source: what the model is made from: a network of `tests.networks`, or the number of a random one.
        steps: the mutations.
        words: the command line after `graphprune`; the model is `m.onnx`, what is written `o.onnx`.
    """

    name: str
    source: str
    steps: tuple[Step, ...]
    words: tuple[str, ...]

    def data(self) -> bytes:
        """Return the file."""
        return mutated(_source(self.source), self.steps) if self.steps else _source(self.source)


@dataclass(frozen=True)
class Outcome:
    """What came of a case: `refused`, `done`, `no`, `environment`, `usage`, or one of `FAULTS`.

    Attributes:
        kind: the above.
        said: what was printed on stderr, or what the judge says.
        seconds: of the wall clock, without the judge's.
        judged: of a model that was written, whether the judge could tell what it must be.
    """

    kind: str
    said: str
    seconds: float
    judged: bool | None = None


_PRUNE = ("prune", "m.onnx", "-o", "o.onnx", "--force")
_WORDS: Sequence[tuple[int, tuple[str, ...]]] = (
    (12, _PRUNE),
    (1, (*_PRUNE, "--no-verify")),
    (1, (*_PRUNE, "--precision", "fp16")),
    (1, (*_PRUNE, "--data", "random", "--samples", "8")),
    (3, ("inspect", "m.onnx")),
    (1, ("sparsify", "m.onnx", "-o", "o.onnx", "--force")),
    (1, ("verify", "m.onnx", "m.onnx")),
    (1, ("run", "m.onnx", "-p", "fold,group", "--dry-run")),
)
_SHAPES: Sequence[tuple[int, tuple[str, ...]]] = (
    (6, _PRUNE),
    (2, (*_PRUNE, "--ratio", "0.3")),
    (1, (*_PRUNE, "--ratio", "0.8")),
    (1, (*_PRUNE, "--round-to", "4")),
    (1, (*_PRUNE, "--importance", "random", "--scope", "global")),
    (1, (*_PRUNE, "--only", "channels,neurons,heads")),
    (1, (*_PRUNE, "--only", "width,head-dims")),
)
_EXITS: Mapping[int, str] = {0: "done", 1: "no", 2: "usage", 3: "refused", 4: "environment"}


@cache
def _source(name: str) -> bytes:
    model = nets.drawn(int(name)) if name.isdecimal() else network(name)
    return bytes(model.SerializeToString())


def case(kind: Kind, number: int) -> Case:
    """Return the case of this kind and number; it is always the same."""
    draw = random.Random(f"{kind}-{number}")
    if kind == "net":
        return Case(f"net-{number}", str(number), (), _drawn(draw, _SHAPES))
    source = draw.choice(list(TEXTS)) if draw.random() < 0.75 else str(draw.randrange(500))
    return Case(f"mutated-{number}", source, tuple(chosen(draw)), _drawn(draw, _WORDS))


def _drawn(draw: random.Random, rows: Sequence[tuple[int, tuple[str, ...]]]) -> tuple[str, ...]:
    return draw.choices([words for _, words in rows], [weight for weight, _ in rows])[0]


class Room:
    """A folder with the two processes that run and judge cases, one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._product = Server("tests.fuzz.serve", folder, MEMORY)
        self._judge = Server("tests.fuzz.judge", folder, MEMORY)

    def close(self) -> None:
        """End the processes."""
        self._product.close()
        self._judge.close()

    def run(self, case: Case) -> Outcome:
        """Run a case and judge what comes out."""
        (self.folder / "m.onnx").write_bytes(case.data())
        written = self.folder / "o.onnx"
        written.unlink(missing_ok=True)
        answer = self._product.ask({"words": [*case.words, "--no-config", "--debug"]}, SECONDS)
        kind = {GONE: "crash", ENDLESS: "hang", **_EXITS}.get(answer.code, "bug")
        if kind == "no" and "please report" in answer.said:
            kind = "disowned"
        if kind == "done" and (case.words == _PRUNE or case.name.startswith("net")):
            asked = self._judge.ask({"original": "m.onnx", "pruned": "o.onnx"}, SECONDS)
            if asked.code == 1:
                kind = "wrong"
            return Outcome(kind, asked.said, answer.seconds, asked.code in (0, 1))
        return Outcome(kind, answer.said, answer.seconds)


def smaller(room: Room, case: Case, outcome: Outcome) -> Case:
    """Return the case without the mutations that its outcome does not need."""
    for step in case.steps:
        fewer = replace(case, steps=tuple(each for each in case.steps if each != step))
        if len(fewer.steps) < len(case.steps) and fewer.steps and room.run(fewer).kind == outcome.kind:
            case = fewer
    return case


def keep(case: Case, outcome: Outcome, folder: Path) -> None:
    """Write the file of a case, and how it was run and ended, to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{case.name}.onnx").write_bytes(case.data())
    steps = ", ".join(f"{step.name} {step.seed}" for step in case.steps) or "none"
    text = f"{outcome.kind}: graphprune {' '.join(case.words)}\nfrom {case.source}, mutations: {steps}\n\n"
    (folder / f"{case.name}.txt").write_text(text + outcome.said, encoding="utf-8")


def campaign(
    cases: Iterable[Case],
    room: Room,
    found: Path | None = None,
    told: Callable[[Case, Outcome], None] = lambda case, outcome: None,
    counts: Counter[str] | None = None,
) -> Counter[str]:
    """Run cases, keep those that fail in `found`, and count outcomes, in `counts` where it is given.

    A count's name is the case's kind and the outcome: `net done`, `mutated refused`, `net judged`.
    """
    counts = Counter() if counts is None else counts
    for each in cases:
        kind = each.name.partition("-")[0]
        outcome = room.run(each)
        counts[f"{kind} run"] += 1
        counts[f"{kind} {outcome.kind}"] += 1
        if outcome.judged is not None:
            counts[f"{kind} {'judged' if outcome.judged else 'not judged'}"] += 1
        told(each, outcome)
        if outcome.kind in FAULTS and found is not None:
            keep(smaller(room, each, outcome), outcome, found)
    return counts
