"""The word that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint for an unknown `word`: the nearest of `known`, or all of them when none is near.

    >>> did_you_mean("slect", ["score", "select"])
    'did you mean select?'
    >>> did_you_mean("zzz", ["score", "select"])
    'known are score, select'
    """
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]}?"
    return f"known are {', '.join(names)}" if names else "none is known"
