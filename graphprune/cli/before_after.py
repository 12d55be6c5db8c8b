"""The table that a run shows: the model before and after, and what is known of the difference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from graphprune.cli.sparsity_tables import ordered, sparsity_tables
from graphprune.cli.tables import Renderable, count, share, size, table, text
from graphprune.compression import Stage
from graphprune.record import Agreement, Calibrated, Figures, Latency, Proof, Record

FIGURES = (
    ("parameters", "params", count),
    ("MACs of one sample", "macs", count),
    ("bytes of weights", "bytes", size),
    ("units", "units", count),
)
NOT_MEASURED = (
    "Latency was not measured: `graphprune profile ORIGINAL PRUNED` times both, where they will run."
)
NAMED = 5
"""How many of the layers that went are named."""


def tables(record: Record) -> Iterable[Renderable]:
    """What a run shows first: figures in two columns, groups and layers, the exactness, the agreement."""
    yield text(_measured(record.latency) if record.latency else NOT_MEASURED)
    for note in cast("Sequence[str]", record.facts.get("fold", ())):
        yield text(note)
    if record.before is not None:
        yield _figures(record.before, record.after)
        if record.counted_at:
            yield text(f"The model leaves sizes open; MACs are counted at {', '.join(record.counted_at)}.")
        yield text(_groups(record))
        if record.layers_removed:
            yield text(_layers(record))
    if record.stages:
        yield stages(record.stages)
        yield from refined(record.facts)
    if record.notes:
        yield text(f"In {len(record.notes)} groups {next(iter(record.notes.values()))}.")
    if record.calibrated is not None:
        yield text(_calibrated(record.calibrated))
    order = cast("Mapping[str, Any] | None", record.facts.get("permute"))
    if order is not None:
        yield text(ordered(order))
    sparse = cast("Mapping[str, Any] | None", record.facts.get("sparsify"))
    if sparse is not None:
        yield from sparsity_tables(sparse)
    agreement = record.agreement
    if record.verification is not None or record.after is not None or not (record.stages or order):
        rewritten = agreement is not None and agreement.kept
        yield text(proven(record.verification, rewritten=rewritten, refined=bool(record.stages)))
    if agreement is not None:
        yield text(agreed(agreement))


def stages(found: Sequence[Stage]) -> Renderable:
    """The compression of each stage, and of all."""
    first = found[0]
    rows = [
        (
            stage.name,
            count(stage.params),
            count(stage.macs) if stage.macs is not None else "",
            size(stage.bytes),
            f"x{stage.bytes / before.bytes:.3f}" if before.bytes and stage is not first else "",
            f"x{stage.bytes / first.bytes:.3f}" if first.bytes and stage is not first else "",
        )
        for before, stage in zip((first, *found), found)
    ]
    return table(
        ("stage", "parameters#", "MACs#", "bytes of weights#", "of the one before#", "of all#"), rows
    )


def refined(facts: Mapping[str, object]) -> Iterable[Renderable]:
    """The sentences on precision: how the outputs compare, and what stays float32."""
    for name in ("cast", "quantise"):
        fact = cast("Mapping[str, Any] | None", facts.get(name))
        if fact is None:
            continue
        said = f"the same class on {100 * fact['agreement']:.1f} %, " if fact["agreement"] is not None else ""
        kind = fact["to"] if name == "cast" else "int8"
        yield text(
            f"In {kind}: {said}squared error over variance {fact['output_error']:.2g} of the outputs before, "
            f"on {fact['samples']} samples of {fact['measured_on']}."
        )
        before, after = fact.get("opsets", (0, 0))
        if before != after:
            yield text(f"The operator set was raised from {before} to {after}: int8 by channel is new there.")
        for reason, names in fact.get("float32", {}).items():
            shown = ", ".join(names[:NAMED]) + (
                f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            )
            yield text(f"Left float32 ({reason}): {shown}.")


def places(output: Path | None, plan: Path | None) -> Iterable[Renderable]:
    """Where the results are."""
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


def _measured(latency: Latency) -> str:
    before, after = (f"{1000 * seconds:.3g} ms" for seconds in latency.seconds)
    threads = "" if latency.backend != "ort:cpu" else f", threads: {latency.threads or 'all'}"
    limit = f"; the target is {latency.limit:.3f}" if latency.limit is not None else ""
    return (
        f"Measured latency on {latency.device} ({latency.backend}{threads}): {before}, then {after}: "
        f"{latency.ratio:.3f} of the original's time ({latency.low:.3f} to {latency.high:.3f}{limit})."
    )


def _groups(record: Record) -> str:
    mixed = sum(bool(change.mixed) for change in record.changes)
    text = f"Groups pruned: {len(record.changes)} of {record.groups_found} found"
    if mixed:
        text += f" ({mixed} mixed: their norms and means see the kept units alone)"
    return f"{text}; {record.groups_pinned} axes are pinned, `graphprune inspect` says why."


def _layers(record: Record) -> str:
    names = record.layers_removed
    shown = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    return f"Layers removed: {len(names)} of {record.layers_found} found: {shown}."


def _calibrated(calibrated: Calibrated) -> str:
    samples = "all" if calibrated.samples is None else str(calibrated.samples)
    return (
        f"Calibrated on {samples} samples of {calibrated.data}; operators looked at: {calibrated.operators}."
    )


def proven(proof: Proof | None, *, rewritten: bool = False, refined: bool = False) -> str:
    """The sentence on exactness; `rewritten` says that weights were made up after the proof, `refined` that
    sparsity or precision followed.
    """
    of = "Exactness of the cut, before what followed" if refined else "Exactness"
    of = "Exactness of the cut, before weights were made up" if rewritten else of
    if proof is None:
        return f"{of}: not verified."
    verdict = "exact" if proof.passed else "NOT exact"
    return (
        f"{of}: {verdict}; relative L2 distance to the masked original {proof.distance:.1e} "
        f"(limit {proof.limit:.0e}), largest difference {proof.largest:.1e}, "
        f"tensors compared: {proof.comparisons}, {proof.inside} of them inside, "
        f"at {' and at '.join(proof.shapes) or 'no inputs'}. {unexercised(proof)}"
        f"{not_run(proof.not_run)}"
    )


def not_run(nodes: Sequence[str]) -> str:
    """The sentence on operators that ONNX Runtime does not have, behind a blank; empty where there are none.

    >>> not_run(["EfficientNMS_TRT 'nms'"]).partition(":")[2]
    " EfficientNMS_TRT 'nms'; what they read and what stands behind them was compared."
    """
    if not nodes:
        return ""
    shown = ", ".join(nodes[:NAMED]) + (f" and {len(nodes) - NAMED} more" if len(nodes) > NAMED else "")
    return (
        f" Not run, since ONNX Runtime does not have them: {shown}; what they read and what stands behind "
        "them was compared."
    )


def unexercised(proof: Proof) -> str:
    """The sentence on what a comparison was not seen to exercise."""
    if not proof.not_exercised:
        return "Every output varied, and every input made a difference."
    return f"Not exercised: {'; '.join(proof.not_exercised)}."


def agreed(agreement: Agreement) -> str:
    """The sentence on how near the outputs are to the original's, and on which model came out.

    >>> agreed(Agreement("lstsq", 0.42, 0.031, True)).partition("mean): ")[2]
    'error 0.031 with weights made up (lstsq), 0.42 as cut. The weights made up are the result.'
    """
    start = "Agreement with the original on the calibration data (squared error over variance: 0 is the "
    start += "original, 1 its mean): "
    cut, made_up = f"{agreement.cut:.3g}", f"{agreement.made_up:.3g}"
    if agreement.by == "none":
        return f"{start}error {cut} as cut. Weights were not made up."
    tried = f"error {made_up} with weights made up ({agreement.by}), {cut} as cut."
    if agreement.kept:
        return f"{start}{tried} The weights made up are the result."
    return f"{start}{tried} They brought it no nearer, so the result is the model as it was cut."
