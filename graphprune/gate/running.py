"""A gate from beginning to end: limits are joined, what they need is measured, and it is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from graphprune import runs
from graphprune.gate.assertions import read_assert
from graphprune.gate.config import GateConfig, gate_config, joined, selected
from graphprune.gate.evidence import Evidence, to_values
from graphprune.gate.outcome import Assertion, Location, Outcome
from graphprune.gate.settings import Settings, read_settings


@dataclass(frozen=True)
class Job:
    """What is to be judged, by what.

    Attributes:
        settings: the models, the data, the device.
        assertions: the limits.
        at: where keys of the config file stand.
        folder: the folder of the config file; None where there is none.
    """

    settings: Settings
    assertions: tuple[Assertion, ...]
    at: Mapping[str, Location] = field(default_factory=dict[str, Location])
    folder: Path | None = None


def job_of(settings: Settings, config: GateConfig | None, words: Sequence[str]) -> Job:
    """Return what settings, the limits of a config file, and those of the command line come to.

    Raises:
        Usage: there are no limits, they contradict each other, or `only` selects none.
    """
    file = config.assertions if config is not None else ()
    assertions = selected(joined(file, tuple(read_assert(word) for word in words)), settings.only)
    if config is None:
        return Job(settings, assertions)
    return Job(settings, assertions, config.at, config.folder)


def execute(job: Job) -> tuple[Outcome, Evidence]:
    """Measure and judge; the evidence is kept in the record of the run, where one is written."""
    from graphprune.gate.gather import gather
    from graphprune.gate.judge import judge

    settings = job.settings
    evidence = gather(settings, job.assertions, at=job.at, folder=job.folder)
    runs.attach("evidence", lambda: to_values(evidence))
    outcome = judge(
        evidence, job.assertions, inconclusive=settings.inconclusive, warn_only=settings.warn_only
    )
    return _called(outcome, settings), evidence


def _called(outcome: Outcome, settings: Settings) -> Outcome:
    """`outcome` with the models as the user named them."""
    if settings.results or settings.original is None:
        return outcome
    return replace(outcome, original=str(settings.original), candidate=str(settings.candidate))


def gate(
    original: Path | str | None = None,
    candidate: Path | str | None = None,
    assertions: Sequence[str] = (),
    *,
    config: Path | str | None = None,
    **options: object,
) -> Outcome:
    """Judge a candidate beside the original by budgets, as `graphprune gate` does.

    Args:
        original: the model to compare with; not needed with `results`.
        candidate: the model that is judged.
        assertions: limits as `--assert` takes them, as `latency.p50.ratio<=0.7`.
        config: a config file with `[gate]` and `[[gate.assert]]`; what is given here goes before it.
        options: fields of `graphprune.gate.settings.Settings`, as the config file has them: `data`, `plan`,
            `run`, `backend`, `duration="3s"`, `inconclusive`, `results` (saved results) and so on.

    Raises:
        Usage: a limit or an option is wrong.
        Refused: a model is invalid.
        Environment: the device is not there.
    """
    found: GateConfig | None = None
    if config is not None:
        from graphprune.config.document import read

        found = gate_config(read(Path(config)))
    values: dict[str, object] = {"original": original, "candidate": candidate}
    values |= {
        ("from" if name == "results" else name.replace("_", "-")): value for name, value in options.items()
    }
    given = read_settings(values, None, str)
    settings = given if found is None else _over(found.settings, given, values)
    return execute(job_of(settings, found, assertions))[0]


def _over(below: Settings, above: Settings, values: Mapping[str, object]) -> Settings:
    """The settings of a config file, but for those that are given."""
    names = {
        "results" if key == "from" else key.replace("-", "_") for key in values if values[key] is not None
    }
    return replace(below, **{name: getattr(above, name) for name in names})
