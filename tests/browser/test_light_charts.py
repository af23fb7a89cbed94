"""The colours of light charts in a page: as its theme says, whatever the machine prefers, unless the chart says it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dosim.trace import Trace
from dosim.views import costs_svg, latency_svg, queue_svg, timeline_svg

pytestmark = pytest.mark.browser

#: Paper and ink.
LIGHT, DARK = ["rgb(255, 255, 255)", "rgb(26, 26, 26)"], ["rgb(22, 24, 28)", "rgb(236, 236, 236)"]
#: What the page says of its theme: the attributes of html and of body; and whether that is dark.
PAGES = [
    ("data-theme=dark", "", True),  # Sphinx
    ("data-theme=light", "", False),
    ("", "data-jp-theme-light=false", True),  # JupyterLab
    ("", "data-jp-theme-light=true", False),
]
CHARTS: list[Callable[..., str]] = [timeline_svg, latency_svg, queue_svg, costs_svg]
#: The colours of each chart's paper and of its title.
COLOURS = """() => [...document.querySelectorAll('svg.dosim-chart')].map((chart) =>
  [chart.querySelector('rect'), chart.querySelector('text.h')].map((part) => getComputedStyle(part).fill))"""


def colours(page: Any, html: str = "", body: str = "", **options: Any) -> list[list[str]]:
    charts = "".join(chart(Trace(), **options) for chart in CHARTS)
    page.set_content(f"<!doctype html><html {html}><body {body}>{charts}</body></html>")
    found: list[list[str]] = page.evaluate(COLOURS)
    return found


@pytest.mark.parametrize("prefers", ["dark", "light"])
def test_charts_have_the_colours_of_their_page(tab: Callable[..., Any], prefers: str) -> None:
    """The page's own theme wins over what the machine prefers; where the page says nothing, the machine decides."""
    page = tab(color_scheme=prefers)

    for html, body, dark in PAGES:
        assert [DARK if dark else LIGHT] * 4 == colours(page, html, body)
    assert [DARK if prefers == "dark" else LIGHT] * 4 == colours(page)


def test_a_chart_that_says_so_keeps_its_colours(tab: Callable[..., Any]) -> None:
    """Dark on a light page, light on a dark one."""
    page = tab()

    assert [DARK] * 4 == colours(page, "data-theme=light", dark=True)
    assert [LIGHT] * 4 == colours(page, "data-theme=dark", dark=False)
