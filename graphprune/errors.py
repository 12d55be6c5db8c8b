"""The refusals of graphprune: what went wrong, where, and what to do about it."""

from __future__ import annotations


class GraphpruneError(Exception):
    """A refusal that the command line prints as two lines, `error: what` and `hint: hint`.

    `code` is the exit code of the process (see docs/interface.md).
    """

    code = 70

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what} ({self.hint})" if self.hint else self.what


class Negative(GraphpruneError):
    """The answer is no: a difference was found, a target cannot be reached (exit code 1)."""

    code = 1


class Usage(GraphpruneError):
    """Wrong usage or configuration (exit code 2)."""

    code = 2


class Refused(GraphpruneError):
    """The model is invalid or unsupported, or nothing could be pruned (exit code 3)."""

    code = 3


class Environment(GraphpruneError):
    """The machine cannot do it: a missing provider, memory, disk space (exit code 4)."""

    code = 4
