"""Measure what the limits need, and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from graphprune.errors import Refused, Usage
from graphprune.gate.catalogue import Metric, find_metric, is_class
from graphprune.gate.counting import figures
from graphprune.gate.evidence import Evidence, Figures, Proof
from graphprune.gate.latency import latency
from graphprune.gate.outcome import Assertion, Location
from graphprune.gate.proof import interface, prove
from graphprune.gate.saved import read_saved
from graphprune.gate.scored import label_of
from graphprune.gate.scoring import check_data, score
from graphprune.gate.settings import Settings
from graphprune.model import Model, load

log = logging.getLogger(__name__)
_UNUSABLE = "the interface of the candidate is not the original's, or its answers are not finite"


def gather(
    settings: Settings,
    assertions: Sequence[Assertion],
    *,
    at: Mapping[str, Location] | None = None,
    folder: Path | None = None,
) -> Evidence:
    """Return the evidence that limits need.

    Args:
        settings: the models, the data, the device.
        assertions: the limits; those of level `off` need nothing.
        at: where keys of the config file stand, for messages.
        folder: what `metric.py` is relative to.

    Raises:
        Usage: a metric has no data, a file is missing, a batch is asked for that is not measured.
        Refused, Environment: a model is invalid, or the device is not there.
    """
    active = [each for each in assertions if each.level != "off"]
    wanted = [(each, find_metric(each.metric)) for each in active]
    if settings.results:
        return _saved(settings, wanted)
    if settings.original is None or settings.candidate is None:
        missing = "the original" if settings.original is None else "the candidate"
        raise Usage(f"{missing} is not named", "give ORIGINAL and CANDIDATE, or saved results with --from")
    names = class_names(settings.class_names)
    _check_classes(wanted, names)
    check_data(settings, wanted, folder)
    original, candidate = load(settings.original), load(settings.candidate)
    found = Evidence(seed=settings.seed, class_names=names)
    exact = [each for each in assertions if each.metric == "exact"]
    if not exact or any(each.level != "off" for each in exact):
        found = _proved(found, original, candidate, settings, at or {})
    found = _counted(found, original, candidate, settings, wanted)
    if found.proof is not None and found.proof.by == "interface":
        return replace(found, missing={**found.missing, "timing": _UNUSABLE, "data": _UNUSABLE})
    found = score(found, original, candidate, settings, wanted, folder)
    return latency(found, original, candidate, settings, wanted)


def _saved(settings: Settings, wanted: Sequence[tuple[Assertion, Metric]]) -> Evidence:
    candidate = None if settings.candidate is None else str(settings.candidate)
    found = read_saved(settings.results, candidate, settings.seed)
    names = class_names(settings.class_names) or found.class_names
    if found.scores:
        _check_classes(wanted, names)
    return replace(found, class_names=names)


def _proved(
    found: Evidence, original: Model, candidate: Model, settings: Settings, at: Mapping[str, Location]
) -> Evidence:
    from graphprune.feeds import fitted_sizes

    sizes = fitted_sizes(original.graph, settings.shape)
    proof: Proof | None = interface(original, candidate, sizes, settings.seed)
    if proof is None:
        log.info("verifying %s", settings.candidate)
        proof = prove(original, candidate, settings.plan, settings.run, sizes, settings.seed)
    if proof is None:
        return found
    key = {"plan": "plan", "run": "run"}.get(proof.by, "candidate")
    return replace(found, proof=replace(proof, where=at.get(key)))


def _counted(
    found: Evidence,
    original: Model,
    candidate: Model,
    settings: Settings,
    wanted: Sequence[tuple[Assertion, Metric]],
) -> Evidence:
    graph = any(metric.source == "graph" for _, metric in wanted)
    made: list[Figures] = []
    missing: dict[str, str] = {}
    for model, path in ((original, settings.original), (candidate, settings.candidate)):
        try:
            made.append(figures(model, str(path), graph=graph))
        except Refused as error:
            missing["graph"] = f"{path}: {error.what}"
            made.append(figures(model, str(path), graph=False))
    return replace(found, original=made[0], candidate=made[1], missing={**found.missing, **missing})


def class_names(path: Path | None) -> tuple[str, ...]:
    """Return the names of classes in a file, one a line; none without a file.

    Raises:
        Usage: it cannot be read, or holds a name twice.
    """
    if path is None:
        return ()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Usage(
            f"class names {path} cannot be read: {why}", "give a file with one name a line"
        ) from error
    names = tuple(line.strip() for line in text.rstrip("\n").split("\n"))
    twice = next((name for name in names if name and names.count(name) > 1), "")
    if twice:
        raise Usage(f"{path} names the class {twice!r} twice", "give every class a name of its own")
    return names


def _check_classes(wanted: Sequence[tuple[Assertion, Metric]], names: Sequence[str]) -> None:
    for assertion, metric in wanted:
        if is_class(metric) and metric.key != "min":
            label_of(assertion, metric.key, names)
