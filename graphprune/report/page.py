"""The page: one HTML file with all that it needs, that asks for nothing from outside."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterable, Mapping
from importlib import resources
from typing import Any, cast

from graphprune.errors import Environment
from graphprune.report.absent import absent
from graphprune.report.facts import Facts
from graphprune.report.markup import Html, el, script_json
from graphprune.report.parts import Chart, Fold, Note, Part, Section, Table, charts_of
from graphprune.report.sections import (
    classes,
    devices,
    environment,
    groups,
    latency,
    layers,
    repeat,
    sensitivity,
    stages,
    tradeoff,
)
from graphprune.report.sections.verdict import verdict
from graphprune.report.tables import table_html

SECTIONS: tuple[Callable[[Facts], Section | None], ...] = (
    tradeoff.section,
    latency.section,
    layers.section,
    classes.section,
    groups.section,
    sensitivity.section,
    devices.section,
    stages.section,
    environment.section,
    repeat.section,
)
"""In the order of the page: what decides first, how it came about last."""
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)


def sections_of(facts: Facts) -> tuple[Section, ...]:
    """The sections that the files have something for."""
    return tuple(made for make in SECTIONS if (made := make(facts)) is not None)


def page(facts: Facts, sections: Iterable[Section]) -> str:
    """Return the page; the same facts give the same text.

    Raises:
        Environment: there are charts, and plotly is not installed.
    """
    shown = tuple(sections)
    charts = charts_of(shown)
    head = el(
        "head",
        None,
        el("meta", {"charset": "utf-8"}),
        el("meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY}),
        el("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        el("meta", {"name": "referrer", "content": "no-referrer"}),
        el("meta", {"name": "color-scheme", "content": "light dark"}),
        el("title", None, f"{facts.title} · graphprune report"),
        el("style", None, _asset("report.css")),
        el("script", None, _asset("theme.js")),
    )
    figures = {chart.name: [_light(figure) for figure in chart.views.values()] for chart in charts}
    body = el(
        "body",
        None,
        el("a", {"class": "skip", "href": "#verdict"}, "Skip to the verdict"),
        _header(facts),
        el("div", {"class": "columns"}, _contents(shown), _main(facts, shown)),
        el("script", {"type": "application/json", "id": "figures"}, Html(script_json(figures)))
        if charts
        else None,
        el("script", {"type": "text/plain", "id": "plotly"}, Html(plotly())) if charts else None,
        el("script", None, _asset("report.js")),
    )
    return "<!DOCTYPE html>\n" + el("html", {"lang": "en"}, head, "\n", body) + "\n"


def plotly() -> str:
    """The script of Plotly, as it is in its Python package; raises `Environment` where that is missing."""
    try:
        found = importlib.import_module("plotly.offline")
    except ImportError as error:
        raise Environment("the charts of a report need plotly", "pip install graphprune[report]") from error
    text: str = found.get_plotlyjs()
    return text.replace("</script", "<\\/script")


def _header(facts: Facts) -> Html:
    files = ", ".join(dict.fromkeys(source.file for source in facts.sources))
    return el(
        "header",
        None,
        el(
            "div",
            {"class": "title"},
            el("h1", None, facts.title),
            el("p", {"class": "files"}, f"from {files}"),
        ),
        el("button", {"type": "button", "id": "theme", "hidden": True, "aria-pressed": "false"}, "Dark"),
    )


def _contents(shown: Iterable[Section]) -> Html:
    links = [("verdict", "Verdict"), *((section.name, section.title) for section in shown)]
    items = [el("li", None, el("a", {"href": f"#{name}"}, title)) for name, title in links]
    return el("nav", {"aria-label": "Contents"}, el("ol", None, *items))


def _main(facts: Facts, shown: tuple[Section, ...]) -> Html:
    noscript = el(
        "noscript",
        None,
        el(
            "p",
            {"class": "note plain"},
            "Charts need scripts. The data of each chart is in the table below it.",
        ),
    )
    missing = list(absent(facts, frozenset(section.name for section in shown)))
    return el(
        "main",
        None,
        noscript,
        verdict(facts),
        *map(_section, shown),
        _absent(missing) if missing else None,
    )


def _section(section: Section) -> Html:
    return el(
        "section",
        {"id": section.name, "aria-labelledby": f"{section.name}-title"},
        el("h2", {"id": f"{section.name}-title"}, section.title),
        el("p", {"class": "lead"}, section.lead) if section.lead else None,
        *map(_part, section.parts),
    )


def _part(part: Part) -> Html:
    if isinstance(part, Chart):
        return _chart(part)
    if isinstance(part, Table):
        return table_html(part)
    if isinstance(part, Fold):
        return el("details", {"class": "fold"}, el("summary", None, part.title), *map(_part, part.parts))
    if isinstance(part, Note):
        return el("p", {"class": f"note {part.kind}"}, part.text)
    return part


def _chart(chart: Chart) -> Html:
    buttons = [
        el(
            "button",
            {"type": "button", "aria-pressed": "true" if at == 0 else "false", "data-view": at},
            name,
        )
        for at, name in enumerate(chart.views)
    ]
    return el(
        "figure",
        {"class": "chart", "id": f"chart-{chart.name}", "aria-labelledby": f"chart-{chart.name}-title"},
        el(
            "figcaption",
            None,
            el("h3", {"id": f"chart-{chart.name}-title"}, chart.title),
            el("p", None, chart.summary),
        ),
        el("div", {"class": "views", "role": "group", "aria-label": "show"}, *buttons)
        if len(buttons) > 1
        else None,
        el(
            "div",
            {
                "class": "plot",
                "data-chart": chart.name,
                "style": f"height:{chart.height}px",
                "role": "group",
                "aria-label": f"{chart.title}, drawn",
            },
        ),
        el("details", None, el("summary", None, "Data of this chart"), table_html(chart.table, inner=True))
        if chart.table
        else None,
    )


def _absent(missing: list[tuple[str, str]]) -> Html:
    items = [el("li", None, f"{what}: ", el("code", None, command)) for what, command in missing]
    return el(
        "section",
        {"id": "absent", "aria-labelledby": "absent-title"},
        el("h2", {"id": "absent-title"}, "What this report does not have"),
        el("ul", {"class": "absent"}, *items),
    )


def _light(value: Any) -> Any:
    """A figure with numbers of six digits: more than a screen shows; what is no number is left out."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _light(item) for key, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_light(item) for item in cast("Iterable[Any]", value)]
    return value


def _asset(name: str) -> Html:
    return Html(resources.files("graphprune.report").joinpath("assets", name).read_text(encoding="utf-8"))
