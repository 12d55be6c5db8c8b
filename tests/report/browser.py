"""A real browser, headless: the Chromium that is installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def executable() -> str:
    """The path of Chromium; empty where there is none."""
    given = os.environ.get("GRAPHPRUNE_CHROMIUM", "")
    return given or next((found for name in NAMES if (found := shutil.which(name))), "")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start it; the test is skipped where there is none."""
    path = executable()
    if not path:
        pytest.skip("no Chromium on PATH, and GRAPHPRUNE_CHROMIUM names none")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """A page, and what it said and asked for while it was open."""

    page: Page
    said: list[str] = field(default_factory=list[str])
    asked: list[str] = field(default_factory=list[str])


@contextmanager
def visit(browser: Browser, path: Path, **context: object) -> Iterator[Visit]:
    """Open the file; every message, error and request is kept."""
    opened = browser.new_context(**context)  # type: ignore[arg-type]
    page = opened.new_page()
    found = Visit(page)
    page.on("console", lambda message: found.said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: found.said.append(f"error: {error}"))
    page.on("request", lambda request: found.asked.append(request.url))
    try:
        page.goto(path.as_uri())
        yield found
    finally:
        opened.close()


def scroll(page: Page) -> None:
    """Look at each chart in turn, as a reader does who unfolds all; each is drawn when it comes near."""
    page.evaluate("document.querySelectorAll('details.fold').forEach((each) => (each.open = true))")
    for plot in page.locator(".plot").all():
        plot.evaluate("(each) => each.scrollIntoView({ behavior: 'instant', block: 'center' })")
        plot.locator(".main-svg").first.wait_for()
    page.evaluate("window.scrollTo({ top: 0, behavior: 'instant' })")
