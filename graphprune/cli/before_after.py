"""The table that a run shows: the model before and after, and what is known of the difference."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from graphprune.cli.tables import Renderable, count, share, size, table, text
from graphprune.record import Figures, Proof, Record

FIGURES = (
    ("parameters", "params", count),
    ("MACs of one sample", "macs", count),
    ("bytes of weights", "bytes", size),
    ("units", "units", count),
)


def tables(record: Record, output: Path | None, plan: Path | None) -> Iterable[Renderable]:
    """What a run shows first: figures in two columns, the groups, the exactness, where the results are."""
    yield text("Latency was not measured: time both models in ONNX Runtime on the machine they will run on.")
    if record.before is not None:
        yield _figures(record.before, record.after)
        yield text(_groups(record))
    if record.notes:
        yield text(f"In {len(record.notes)} groups {next(iter(record.notes.values()))}.")
    yield text(proven(record.verification))
    for path in (plan, output):
        if path is not None:
            yield text(f"Written to {path}.")
    if plan is None and output is None:
        yield text("Nothing was written.")


def times(seconds: Iterable[tuple[str, float]]) -> Renderable:
    """How long every pass took."""
    return table(("pass", "seconds#"), [(name, f"{took:.3f}") for name, took in seconds])


def _figures(before: Figures, after: Figures | None) -> Renderable:
    rows: list[tuple[object, ...]] = []
    for name, key, show in FIGURES:
        first = getattr(before, key)
        second = getattr(after, key) if after else None
        rows.append(
            (name, show(first), *((show(second), share(second, first)) if second is not None else ("", "")))
        )
    return table(("", "before#", "after#", "remaining#"), rows)


def _groups(record: Record) -> str:
    mixed = sum(bool(change.mixed) for change in record.changes)
    text = f"Groups pruned: {len(record.changes)} of {record.groups_found} found"
    if mixed:
        text += f" ({mixed} mixed: their norms and means see the kept units alone)"
    return f"{text}; {record.groups_pinned} axes are pinned, `graphprune inspect` says why."


def proven(proof: Proof | None) -> str:
    """The sentence on exactness."""
    if proof is None:
        return "Exactness: not verified."
    verdict = "exact" if proof.passed else "NOT exact"
    return (
        f"Exactness: {verdict}; relative L2 distance to the masked original {proof.distance:.1e} "
        f"(limit {proof.limit:.0e}), largest difference {proof.largest:.1e}, "
        f"tensors compared: {proof.comparisons}, at {' and at '.join(proof.shapes) or 'no inputs'}."
    )
