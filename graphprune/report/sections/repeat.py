"""How to repeat all this: commands, files and their hashes, seeds, versions."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from graphprune.report import numbers
from graphprune.report.facts import Facts
from graphprune.report.load import Source
from graphprune.report.markup import Html, el, join
from graphprune.report.parts import Cell, Part, Section, Table


def section(facts: Facts) -> Section | None:
    """What was run, file by file."""
    parts: list[Part] = [commands_html(facts)]
    rows = list(dict.fromkeys(_files(facts)))
    if rows:
        shown = tuple(
            (Cell(path, code=True), Cell(how), Cell(numbers.size(size), size), Cell(mark, code=True))
            for path, how, size, mark in rows
        )
        parts.append(Table("Files", ("file", "was", "size#", "hash"), shown))
    parts.append(_runs(facts))
    lead = "The same inputs and options give the same bytes; times differ as machines do."
    return Section("repeat", "How to repeat it", lead, tuple(parts))


def commands(facts: Facts) -> Iterator[tuple[str, str]]:
    """Each file, and the command that made it; and the one that repeats it from its record."""
    for source in facts.sources:
        if source.run is not None:
            yield source.file, shlex.join(["graphprune", *source.run.command])
            yield source.file, shlex.join(["graphprune", source.run.verb, "--from-run", source.file])
        elif source.record is not None and all(source.models):
            model, output = source.models
            words = ["graphprune", "run", model, "-o", output, "-p", source.record.pipeline]
            yield source.file, shlex.join(words)


def commands_html(facts: Facts) -> Html:
    """The commands, each in a box of its own."""
    made: list[Html] = []
    last = ""
    for file, command in commands(facts):
        words = "or from its record" if file == last else f"What made {file}"
        made.append(el("p", {"class": "what"}, words))
        made.append(el("pre", {"tabindex": 0, "class": "command"}, el("code", None, command)))
        last = file
    return join(made) if made else el("p", None, "The files do not say which commands made them.")


def _files(facts: Facts) -> Iterator[tuple[str, str, int, str]]:
    for source in facts.sources:
        for file in source.run.files if source.run else ():
            yield file.path, "written" if file.written else f"read ({file.option})", file.bytes, file.hash
        for profile in source.profiles:
            for batch in profile.batches:
                for timed in batch.models:
                    yield timed.name, "timed", timed.bytes, timed.hash


def _runs(facts: Facts) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for source in facts.sources:
        run = source.run
        rows.append(
            (
                Cell(source.file, code=True),
                Cell(source.verb),
                Cell(run.started.replace("T", " ").replace("+00:00", " UTC") if run else ""),
                Cell(numbers.duration(run.seconds) if run else "", run.seconds if run else None),
                Cell("" if run is None else str(run.exit_code), run.exit_code if run else None),
                Cell(_seeds(source)),
            )
        )
    columns = ("file", "made by", "started", "took#", "exit code#", "seeds")
    return Table("What this report is made of", columns, tuple(rows))


def _seeds(source: Source) -> str:
    found = [str(profile.seed) for profile in source.profiles]
    if source.run is not None and "seed" in source.run.options:
        found.insert(0, str(source.run.options["seed"]))
    return ", ".join(dict.fromkeys(found))
