"""The page in a real browser: drawn, silent, asking for nothing; on a phone, on paper, by keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from graphprune.report.facts import facts_of
from graphprune.report.load import load
from graphprune.report.page import page, sections_of
from tests.report import samples
from tests.report.browser import chromium, scroll, visit

DRAWN = (
    "[...document.querySelectorAll('.plot')].map((plot) => plot.querySelectorAll('.main-svg path').length)"
)
WIDER = (
    "[...document.querySelectorAll('.plot')].filter((each) => each.scrollWidth > each.clientWidth + 1).length"
)
PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
AXE = Path(__file__).resolve().parents[2] / "build" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
CONTRAST = """
(selector) => {
  const colour = (text) => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const light = ([r, g, b]) => {
    const part = (c) => ((c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = colour(getComputedStyle(at).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll(selector)].map((element) => {
    const style = getComputedStyle(element);
    const svg = element instanceof SVGElement;
    const [a, b] = [light(colour(svg ? style.fill : style.color)), light(behind(element))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  });
}
"""
TEXTS = (
    ".banner .status, .banner .why, .card *, .badge, .value, .demand, .sides, .note, .lead, nav a, th, td, "
    "summary, button, .key, figcaption p, .plot .xtick text, .plot .xtitle, .plot .legendtext, .interval text"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    facts = facts_of(load(samples.write(folder, layers=48, classes=40)), "")
    (folder / "report.html").write_text(page(facts, sections_of(facts)), encoding="utf-8")
    return folder / "report.html"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    facts = facts_of(load(samples.write(folder, name=samples.BAD)), "")
    (folder / "report.html").write_text(page(facts, sections_of(facts)), encoding="utf-8")
    return folder / "report.html"


def test_all_charts_are_drawn_and_nothing_is_said_or_asked_for(browser: Browser, report: Path) -> None:
    with visit(browser, report) as seen:
        scroll(seen.page)
        drawn = seen.page.evaluate(DRAWN)
        assert len(drawn) >= 10
        assert min(drawn) > 5
        assert seen.said == []
        assert seen.asked == [report.as_uri()]


def test_nothing_is_drawn_before_it_is_looked_at(browser: Browser, report: Path) -> None:
    with visit(browser, report) as seen:
        seen.page.wait_for_timeout(100)
        assert 0 in seen.page.evaluate(DRAWN)


def test_hostile_names_run_nothing(browser: Browser, hostile: Path) -> None:
    with visit(browser, hostile) as seen:
        seen.page.on("dialog", lambda dialog: seen.said.append(f"dialog: {dialog.message}"))
        scroll(seen.page)
        assert seen.said == []
        assert seen.asked == [hostile.as_uri()]
        assert seen.page.locator("img").count() == 0
        assert min(seen.page.evaluate(DRAWN)) > 5


@pytest.mark.parametrize(
    "context", [PHONE, {"viewport": {"width": 768, "height": 900}}], ids=["phone", "tablet"]
)
def test_a_narrow_page_does_not_scroll_sideways(
    browser: Browser, report: Path, hostile: Path, context: dict[str, object]
) -> None:
    for path in (report, hostile):
        with visit(browser, path, **context) as seen:
            scroll(seen.page)
            assert seen.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            assert seen.page.evaluate(WIDER) == 0


def test_charts_follow_the_width_of_the_window(browser: Browser, report: Path) -> None:
    width = "document.querySelector('.plot .main-svg').getBoundingClientRect().width"
    with visit(browser, report, viewport={"width": 1200, "height": 900}) as seen:
        scroll(seen.page)
        before = seen.page.evaluate(width)
        seen.page.set_viewport_size({"width": 500, "height": 900})
        seen.page.wait_for_timeout(800)
        assert seen.page.evaluate(width) < before
        assert seen.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_what_is_behind_them(browser: Browser, report: Path, scheme: str) -> None:
    with visit(browser, report, color_scheme=scheme) as seen:
        scroll(seen.page)
        found = seen.page.evaluate(CONTRAST, TEXTS)
        assert len(found) > 200
        assert min(found) >= 4.5


def test_the_button_turns_the_colours_round(browser: Browser, report: Path) -> None:
    back = "getComputedStyle(document.body).backgroundColor"
    with visit(browser, report, color_scheme="light") as seen:
        button = seen.page.get_by_role("button", name="Dark")
        before = seen.page.evaluate(back)
        assert button.get_attribute("aria-pressed") == "false"
        button.press("Enter")
        assert button.get_attribute("aria-pressed") == "true"
        assert seen.page.evaluate(back) != before
        assert seen.said == []


def test_the_keyboard_reaches_a_heading_and_sorts_by_it(browser: Browser, report: Path) -> None:
    with visit(browser, report) as seen:
        seen.page.keyboard.press("Tab")
        assert seen.page.evaluate("document.activeElement.className") == "skip"
        table = seen.page.locator("#groups table")
        heading = table.get_by_role("columnheader", name="kept")
        for _ in range(300):
            seen.page.keyboard.press("Tab")
            if heading.get_by_role("button").evaluate("(each) => each === document.activeElement"):
                break
        outline = seen.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        seen.page.keyboard.press("Enter")
        assert heading.get_attribute("aria-sort") == "ascending"
        assert _column(table) == sorted(_column(table))
        seen.page.keyboard.press("Enter")
        assert heading.get_attribute("aria-sort") == "descending"
        assert _column(table) == sorted(_column(table), reverse=True)


def _column(table: object) -> list[float]:
    """The shares that are kept, from top to bottom."""
    texts: list[str] = table.locator("tbody tr td:nth-of-type(5)").all_inner_texts()  # type: ignore[attr-defined]
    assert len(texts) == 48
    return [float(re.sub(r"[^\d.]", "", text)) for text in texts]


def test_a_search_leaves_rows_out_and_says_how_many(browser: Browser, report: Path) -> None:
    with visit(browser, report) as seen:
        section = seen.page.locator("#groups")
        section.get_by_role("searchbox").fill("graph output")
        assert section.locator("tbody tr:visible").count() == 16
        assert "16 of 48 rows" in section.get_by_role("status").inner_text()


def test_another_view_of_a_chart_is_drawn(browser: Browser, report: Path) -> None:
    with visit(browser, report) as seen:
        section = seen.page.locator("#chart-groups-1")
        section.scroll_into_view_if_needed()
        seen.page.wait_for_timeout(500)
        assert "units (%)" in section.locator(".plot").inner_text()
        section.get_by_role("button", name="units").click()
        seen.page.wait_for_timeout(300)
        assert "units (%)" not in section.locator(".plot").inner_text()
        assert section.get_by_role("button", name="units").get_attribute("aria-pressed") == "true"


def test_paper_gets_all_charts_in_light_colours(browser: Browser, report: Path) -> None:
    with visit(browser, report, color_scheme="dark") as seen:
        printed = seen.page.pdf(format="A4")
        assert printed.startswith(b"%PDF")
        assert len(re.findall(rb"/Type\s*/Page\b", printed)) >= 5
        assert min(seen.page.evaluate(DRAWN)) > 5
        seen.page.emulate_media(media="print")
        assert seen.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert (
            min(seen.page.evaluate(CONTRAST, ".banner .why, .card .more, td, .lead, .plot .xtick text"))
            >= 4.5
        )
        assert seen.said == []


def test_without_scripts_the_verdict_and_the_tables_are_there(browser: Browser, report: Path) -> None:
    with visit(browser, report, java_script_enabled=False) as seen:
        assert seen.page.locator(".banner .status").inner_text() == "Fail"
        assert seen.page.locator("svg.interval:visible").count() == 4
        assert seen.page.locator("noscript p").is_visible()
        assert seen.page.locator("#groups tbody tr:visible").count() == 48
        assert seen.page.locator(".plot:visible").count() == 0
        assert seen.page.locator("thead button").count() == 0
        seen.page.locator("summary").first.click()
        assert seen.page.locator("details[open] tbody tr:visible").count() > 1


def test_motion_is_not_smooth_for_who_does_not_want_it(browser: Browser, report: Path) -> None:
    with visit(browser, report, reduced_motion="reduce") as seen:
        assert seen.page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, report: Path, scheme: str) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not there: `make axe` fetches it with npm")
    with visit(browser, report, color_scheme=scheme, bypass_csp=True) as seen:
        scroll(seen.page)
        seen.page.evaluate("window.scrollTo(0, 0)")
        seen.page.add_script_tag(path=AXE)
        found = seen.page.evaluate("axe.run(document).then((done) => done.violations)")
        assert [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found] == []
