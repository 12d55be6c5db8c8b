"""How far a build has come: TensorRT tells of phases inside phases, each with a number of steps."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock


@dataclass
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


class Phases:
    """The phases that a build is in. Several threads may tell of them.

    >>> phases = Phases()
    >>> phases.start("build", None, 2)
    >>> phases.step("build", 0)
    >>> phases.start("time tactics", "build", 4)
    >>> phases.step("time tactics", 1)
    >>> phases.share()
    0.75
    """

    def __init__(self) -> None:
        self._open: dict[str, _Phase] = {}
        self._furthest = 0.0
        self._lock = Lock()

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """A phase begins, within another or as the whole."""
        with self._lock:
            self._open[name] = _Phase(parent, max(1, steps))

    def step(self, name: str, number: int) -> None:
        """Step `number` of a phase is done."""
        with self._lock:
            if name in self._open:
                self._open[name].done = number + 1

    def finish(self, name: str) -> None:
        """A phase is over; its parent will say that a step is done."""
        with self._lock:
            self._open.pop(name, None)

    def share(self) -> float:
        """Return how much of the build is done, 0 to 1; it never goes back."""
        with self._lock:
            whole = [name for name, phase in self._open.items() if phase.parent not in self._open]
            self._furthest = max(self._furthest, *(self._share(name) for name in whole), 0.0)
            return self._furthest

    def _share(self, name: str) -> float:
        phase = self._open[name]
        inner = sum(self._share(other) for other, found in self._open.items() if found.parent == name)
        return min(1.0, (phase.done + min(1.0, inner)) / phase.steps)
