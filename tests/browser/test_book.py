"""The built book in Chromium: no errors, no requests to elsewhere, formulas, diagrams, widgets, programs that run.

The tests need Playwright, Chromium (`DOSIM_CHROMIUM` names another) and what `make book` has built; where one is
missing they are skipped, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

BOOK = Path(__file__).resolve().parent.parent.parent / "book"
HTML = BOOK / "_build" / "html"
PAGES = sorted(
    page.relative_to(BOOK).with_suffix(".html").as_posix()
    for pattern in ("*.md", "how-to/*.md", "explanation/*.md", "reference/*.md", "course/*.ipynb")
    for page in BOOK.glob(pattern)
)
RUN_MS = 60_000  # loading Python takes about 5 s here


class Visit:
    """A page of the book that is open, what went wrong in it, and what it asked other sites for."""

    def __init__(self, page: Any, site: str, trouble: Any) -> None:
        self.page = page
        self.site = site
        self.errors, self.elsewhere = trouble.errors, trouble.elsewhere

    def go(self, address: str) -> Any:
        self.page.goto(address if ":" in address else self.site + address)
        self.page.wait_for_load_state("networkidle")
        return self.page


@pytest.fixture(scope="module")
def site(serve: Callable[[Path], str]) -> str:
    """The address of the built book."""
    if not (HTML / "index.html").is_file():
        pytest.skip("the book is not built: make book")
    if not (HTML / "_static" / "vendor" / "stamp.txt").is_file():
        pytest.skip("the book was built without npm")
    return serve(HTML)


@pytest.fixture
def visit(tab: Callable[..., Any], site: str, trouble: Any, request: pytest.FixtureRequest) -> Visit:
    page = tab(viewport={"width": 1300, "height": 1000}, color_scheme=getattr(request, "param", "light"))
    return Visit(page, site, trouble)


in_the_dark = pytest.mark.parametrize("visit", ["dark"], indirect=True)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_error_and_asks_nobody_else(visit: Visit, page: str) -> None:
    """
    Opened over http, a page throws nothing, logs no error, finds every file, and requests nothing of another site.
    """
    visit.go(page)

    assert visit.errors == []
    assert visit.elsewhere == []


def test_formulas_and_diagrams_are_drawn(visit: Visit) -> None:
    """
    The page about the model shows its formulas set and its diagrams drawn, none as source text.
    """
    page = visit.go("explanation/model.html")
    page.wait_for_selector("figure.dosim-diagram svg")
    page.wait_for_selector("mjx-container")
    fences = (BOOK / "explanation" / "model.md").read_text("utf-8").count("```mermaid")
    page.wait_for_function("n => document.querySelectorAll('figure.dosim-diagram svg').length === n", arg=fences)

    assert page.locator("div.math mjx-container").count() == 2
    assert page.locator("div.highlight-mermaid").count() == 0
    assert visit.errors == []


def test_diagrams_follow_the_theme(visit: Visit) -> None:
    """
    Switching to dark draws each diagram again, in other colours.
    """
    page = visit.go("explanation/model.html")
    page.wait_for_selector("figure.dosim-diagram svg")
    light = page.locator("figure.dosim-diagram").first.inner_html()
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_function("old => document.querySelector('figure.dosim-diagram').innerHTML !== old", arg=light)

    assert page.locator("figure.dosim-diagram svg").first.is_visible()
    assert visit.errors == []


def test_widgets_of_a_notebook_are_there_without_a_kernel(visit: Visit) -> None:
    """
    The first notebook's explorer shows its sliders and its picture.
    """
    page = visit.go("course/01-ten-requests.html")
    page.wait_for_selector(".widget-slider, .jupyter-widget-slider")

    assert page.locator(".widget-slider, .jupyter-widget-slider").count() >= 2
    assert page.locator(".widget-html svg.dosim-chart").first.is_visible()
    assert visit.errors == []


BRIGHTNESS = """element => {
  const numbers = getComputedStyle(element).color.match(/[\\d.]+/g).slice(0, 3).map(Number);
  return numbers.reduce((sum, value) => sum + value, 0) / 765;
}"""


def test_the_player_of_a_lesson_follows_the_theme(visit: Visit, spare_px: Callable[[Any], float]) -> None:
    """
    Its frame is dark when the reader makes the page dark, light again after that, and as high as what is in it.
    """
    page = visit.go("course/02-why-state-is-hard.html")
    frame = page.locator("iframe.dosim-frame").first
    for theme in ("light", "dark", "light"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
        frame.content_frame.locator(f".dosim-player[data-theme={theme}]").wait_for()

    assert 0 <= spare_px(frame) < 40


@in_the_dark
def test_explorers_can_be_read_in_the_dark(visit: Visit) -> None:
    """
    The picture has dark paper, and a button's words are lighter than the button.
    """
    page = visit.go("course/01-ten-requests.html")
    page.wait_for_selector(".widget-html svg.dosim-chart")
    button = page.locator(".jupyter-button").first
    paper = page.locator(".widget-html svg.dosim-chart > rect").first

    assert "rgb(22, 24, 28)" == paper.evaluate("rect => getComputedStyle(rect).fill")
    assert button.evaluate(BRIGHTNESS) > 0.5 + button.evaluate(BRIGHTNESS.replace(").color", ").backgroundColor"))


@in_the_dark
def test_tables_that_a_program_shows_can_be_read_in_the_dark(visit: Visit) -> None:
    """
    On dark paper the text of an HTML output is light.
    """
    page = visit.go("how-to/price-a-design.html")

    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.locator("div.cell_output .text_html td").first.evaluate(BRIGHTNESS) > 0.6


def cell(page: Any, number: int) -> Any:
    return page.locator("div.cell.tag_live").nth(number)


def done(box: Any, state: str) -> str:
    """What the cell's program printed, when it is over as it should be."""
    box.page.wait_for_function(
        "(box) => ['done', 'failed'].includes(box.dataset.live)", arg=box.element_handle(), timeout=RUN_MS
    )
    printed: str = box.locator(".dosim-live-output").inner_text()
    assert state == box.get_attribute("data-live"), printed
    return printed


def test_a_program_runs_in_the_page_and_prints_what_it_printed_when_the_book_was_built(visit: Visit) -> None:
    """
    The first page's program, run by Pyodide in the page, prints the same as stands below it, to the microsecond.
    """
    page = visit.go("index.html")
    box = cell(page, 0)
    box.get_by_role("button", name="Run in this page").click()
    printed = done(box, "done")

    assert '200 {"n": 3}' in printed
    assert printed.strip() == box.locator(".cell_output pre").inner_text().strip()
    assert (visit.errors, visit.elsewhere) == ([], [])


def test_every_claim_holds_in_the_page(visit: Visit) -> None:
    """
    Each program of the page of claims runs in the page, one after another in one worker, and its asserts hold.
    """
    page = visit.go("claims.html")
    count = page.locator("div.cell.tag_live").count()
    for number in range(count):
        box = cell(page, number)
        box.get_by_role("button", name="Run in this page").click()
        done(box, "done")

    assert count >= 12
    assert (visit.errors, visit.elsewhere) == ([], [])


def test_a_program_can_be_changed_stopped_and_put_back(visit: Visit) -> None:
    """
    An endless program is stopped; a wrong one shows its own line; the original comes back.
    """
    page = visit.go("claims.html")
    box = cell(page, 0)
    box.get_by_role("button", name="Edit").click()
    area = box.locator("textarea")
    area.fill("while True:\n    pass")
    area.press("Control+Enter")
    box.get_by_role("button", name="Stop").click()
    stopped = done(box, "failed")
    box.evaluate("box => delete box.dataset.live")
    area.fill("from dosim import Simulation\nSimulation(seed=7).run(until='1h')\n1 / 0")
    area.press("Control+Enter")
    failed = done(box, "failed")
    box.get_by_role("button", name="Back to the original").click()

    assert stopped == "Stopped."
    assert 'File "program.py", line 3' in failed and failed.strip().endswith("ZeroDivisionError: division by zero")
    assert box.locator("textarea").count() == 0 and box.locator(".cell_input pre").is_visible()
    assert visit.errors == []


def test_back_to_the_original_ends_a_program_that_runs(visit: Visit) -> None:
    """
    The original comes back while its changed program runs without end; then it runs, and prints what it printed.
    """
    page = visit.go("claims.html")
    box = cell(page, 0)
    box.get_by_role("button", name="Edit").click()
    area = box.locator("textarea")
    area.fill("while True:\n    pass")
    area.press("Control+Enter")
    box.get_by_role("button", name="Back to the original").click()
    box.evaluate("box => delete box.dataset.live")
    box.get_by_role("button", name="Run in this page").click(timeout=5_000)
    printed = done(box, "done")

    assert printed.strip() == box.locator(".cell_output pre").inner_text().strip()
    assert visit.errors == []


def test_the_book_can_be_read_from_a_folder(visit: Visit) -> None:
    """
    Opened as a file, formulas and diagrams are drawn, and a program says why it cannot run there.
    """
    page = visit.go((HTML / "explanation" / "model.html").as_uri())
    page.wait_for_selector("figure.dosim-diagram svg")
    page.wait_for_selector("mjx-container")
    page = visit.go((HTML / "index.html").as_uri())
    cell(page, 0).get_by_role("button", name="Run in this page").click()

    assert "only over http" in cell(page, 0).get_by_role("status").inner_text()
    assert visit.errors == []
