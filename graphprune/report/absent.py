"""What a report could show and does not, and the command that would make it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from graphprune.report.facts import Facts


def absent(facts: Facts, shown: frozenset[str]) -> Iterator[tuple[str, str]]:
    """What is missing, in words, and the command; `shown` are the names of the sections that there are."""
    original = next((source.models[0] for source in facts.sources if source.models[0]), "model.onnx")
    candidate = next((source.models[1] for source in facts.sources if source.models[1]), "small.onnx")
    both = f"{shlex.quote(original)} {shlex.quote(candidate)}"
    one = shlex.quote(original)
    if not any(source.outcome for source in facts.sources):
        yield (
            "a verdict: budgets that the candidate must keep",
            f"graphprune gate {both} --save-run gate.json",
        )
    if "latency" not in shown:
        yield "measured latency", f"graphprune profile {both} --per-layer --save-run profile.json"
    elif "layers" not in shown:
        yield (
            "the steps of the runtime side by side",
            f"graphprune profile {both} --per-layer --save-run profile.json",
        )
    if not any(candidate.scores for candidate in facts.candidates):
        yield (
            "accuracy, and what became of each class",
            f"graphprune verify {both} --data DATA --metric top1 --save-run verify.json",
        )
    if "groups" not in shown:
        yield "the groups, and why some cannot be pruned", f"graphprune inspect {one} --save-run inspect.json"
    if "sensitivity" not in shown:
        yield (
            "how much each group may lose",
            f"graphprune sensitivity {one} --data DATA --save-run sensitivity.json",
        )
