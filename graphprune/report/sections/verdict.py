"""The answer, at the top of the page: the verdict, what it rests on, and the figures that decide."""

from __future__ import annotations

from collections.abc import Iterator

from graphprune.gate.outcome import Finding, Outcome
from graphprune.gate.outputs.words import cells_of, clipped, mark, where
from graphprune.report import answers, findings
from graphprune.report.charts.intervals import interval_chart
from graphprune.report.facts import Candidate, Facts
from graphprune.report.markup import Html, el
from graphprune.report.numbers import plural
from graphprune.report.sections.tradeoff import best, candidates_table
from graphprune.report.tables import table_html

ICONS = {
    "pass": "M5 12.5l4.5 4.5L19 7.5",
    "fail": "M6.5 6.5l11 11M17.5 6.5l-11 11",
    "inconclusive": "M12 6v7.5M12 17.4v.2",
    "warn": "M12 6v7.5M12 17.4v.2",
    "skipped": "M7 12h10",
    "off": "M7 12h10",
    "none": "M7 12h10",
}
WORDS = {"pass": "Pass", "fail": "Fail", "inconclusive": "Inconclusive"}


def verdict(facts: Facts) -> Html:
    """The first section of the page."""
    judged = [source.outcome for source in facts.sources if source.outcome is not None]
    parts = [_banner(outcome, several=len(judged) > 1) for outcome in judged]
    if not judged:
        parts.append(_open(facts))
    main = facts.main
    if main is not None:
        parts.append(_cards(main))
    elif facts.candidates:
        parts.append(table_html(candidates_table(facts)))
    for outcome in judged:
        items = [_finding(each) for each in findings.ordered(outcome)]
        parts.append(el("h3", None, "Budgets"))
        parts.append(el("ul", {"class": "findings"}, *items))
        parts.append(_key())
    return el("section", {"id": "verdict", "aria-labelledby": "verdict-title"}, _heading(), *parts)


def _heading() -> Html:
    return el("h2", {"id": "verdict-title"}, "Verdict")


def icon(status: str) -> Html:
    """The sign of a status; the word stands beside it."""
    path = el("path", {"d": ICONS.get(status, ICONS["none"])})
    return el("svg", {"class": "icon", "viewBox": "0 0 24 24", "aria-hidden": "true"}, path)


def _banner(outcome: Outcome, *, several: bool) -> Html:
    models = f"{outcome.candidate} beside {outcome.original}. " if several and outcome.original else ""
    return el(
        "div",
        {"class": f"banner {outcome.status}"},
        el("p", {"class": "status"}, icon(outcome.status), WORDS[outcome.status]),
        el("p", {"class": "why"}, models + findings.headline(outcome)),
    )


def _open(facts: Facts) -> Html:
    """What is said where no gate has judged."""
    main = facts.main
    if main is not None:
        words = ", ".join(_said(main)) or "Nothing was measured"
        sentence = f"{words[0].upper()}{words[1:]}."
    elif facts.candidates:
        sentence = f"{plural(len(facts.candidates), 'candidate')} side by side. {best(facts)}"
    else:
        sentence = "There is no candidate to judge."
    return el(
        "div",
        {"class": "banner none"},
        el("p", {"class": "status"}, icon("none"), "No budgets were set"),
        el("p", {"class": "why"}, sentence),
    )


def _said(candidate: Candidate) -> Iterator[str]:
    for each in answers.figures(candidate):
        if each.name in ("latency", "MACs") or (each.before and each.name not in ("parameters", "bytes")):
            yield f"{each.name} {each.change}"
        elif each.name == "surgery":
            yield f"the surgery is {each.after}"


def _cards(candidate: Candidate) -> Html:
    return el("dl", {"class": "cards"}, *map(_card, answers.figures(candidate)))


def _card(figure: answers.Figure) -> Html:
    return el(
        "div",
        {"class": f"card {figure.tone}".strip()},
        el("dt", None, figure.name),
        el("dd", {"class": "big"}, figure.after),
        el("dd", {"class": "from"}, f"from {figure.before}") if figure.before else None,
        el("dd", {"class": "change"}, figure.change) if figure.change else None,
        el("dd", {"class": "more"}, figure.more) if figure.more else None,
    )


def _finding(finding: Finding) -> Html:
    told, cells, span = mark(finding), cells_of(finding), findings.span_of(finding)
    sides = f"{cells.original} → {cells.candidate}" if cells.original and cells.candidate else ""
    notes = [findings.basis(finding), cells.note, f"limit set in {where(finding)}"]
    within = f"95 % interval {cells.interval}" if cells.interval else ""
    return el(
        "li",
        {"class": f"finding {told}"},
        el("p", {"class": "badge"}, icon(told), findings.WORDS[told]),
        el(
            "div",
            {"class": "what"},
            el("p", {"class": "metric"}, el("code", None, clipped(finding.assertion.metric))),
            el("p", {"class": "demand"}, f"allowed: {findings.allowed(finding)}"),
        ),
        el("div", {"class": "picture"}, interval_chart(span)) if span else el("div", {"class": "picture"}),
        el(
            "div",
            {"class": "figure"},
            el("p", {"class": "value"}, cells.measured or ("holds" if told == "pass" else "not measured")),
            el("p", {"class": "sides"}, within) if within else None,
            el("p", {"class": "sides"}, sides) if sides else None,
        ),
        el("p", {"class": "note"}, ". ".join(filter(None, notes))),
    )


def _key() -> Html:
    return el(
        "p",
        {"class": "key"},
        "The shaded part is beyond the limit. The bar is the 95 % interval: wholly inside passes (disc), "
        "wholly beyond fails (square), across the limit is open (diamond). The dashed line is the original.",
    )
