"""The JupyterLite site of `make lite` in Chromium; skipped, with the reason, where something is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SITE = Path(__file__).resolve().parent.parent.parent / "_output"
#: Cells out of sight are not in the page, so the end is told by the last one: Run All Cells stops at the first error.
LAST = """() => [...document.querySelectorAll('.jp-OutputArea-output')]
  .some(output => output.textContent.includes("Plan('plan')"))"""


@pytest.fixture
def site(serve: Callable[[Path], str]) -> str:
    if not (SITE / "lab" / "index.html").is_file():
        pytest.skip("the JupyterLite site is not built: make lite")
    return serve(SITE)


def test_the_claims_run_in_jupyterlite_without_a_request_to_elsewhere(
    site: str, tab: Callable[..., Any], trouble: Any
) -> None:
    """
    Run All Cells of the notebook, which stops at an error, gets to the last program; nothing is asked of another site.
    """
    page = tab(viewport={"width": 1300, "height": 1400})
    page.goto(f"{site}lab/index.html?path=dispute-a-claim.ipynb")
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=60_000)
    page.click('.lm-MenuBar-itemLabel:text-is("Run")')
    page.click('.lm-Menu-itemLabel:text-is("Run All Cells")')
    page.wait_for_function(LAST, timeout=100_000)
    page.close()
    trouble.errors.clear()  # JupyterLite logs errors of its own

    assert [] == trouble.elsewhere
