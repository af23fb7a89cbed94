"""The JupyterLite site of `make lite` in Chromium; skipped, with the reason, where something is missing."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SITE = Path(__file__).resolve().parent.parent.parent / "_output"
#: Cells out of sight are not in the page, so the end is told by the last one: Run All Cells stops at the first error.
LAST = """() => [...document.querySelectorAll('.jp-OutputArea-output')]
  .some(output => output.textContent.includes("Plan('plan')"))"""


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves the site, with the types that modules and WebAssembly need."""

    extensions_map = {  # noqa: RUF012 (http.server's own)
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".wasm": "application/wasm",
        ".mjs": "text/javascript",
    }

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    if not (SITE / "lab" / "index.html").is_file():
        pytest.skip("the JupyterLite site is not built: make lite")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(SITE)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_claims_run_in_jupyterlite_without_a_request_to_elsewhere(chromium: Any, site: str) -> None:
    """
    Run All Cells of the notebook, which stops at an error, gets to the last program; nothing is asked of another site.
    """
    elsewhere: list[str] = []
    page = chromium.new_page(viewport={"width": 1300, "height": 1400})
    page.on("request", lambda asked: elsewhere.append(asked.url) if asked.url.startswith("http") else None)
    page.goto(f"{site}lab/index.html?path=dispute-a-claim.ipynb")
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=60_000)
    page.click('.lm-MenuBar-itemLabel:text-is("Run")')
    page.click('.lm-Menu-itemLabel:text-is("Run All Cells")')
    page.wait_for_function(LAST, timeout=100_000)
    page.close()

    assert [url for url in elsewhere if not url.startswith(site)] == []
