"""A real browser for the tests beside this file; without Playwright or Chromium they are skipped, saying why.

Every page comes from the fixture `tab`, which fails the test whose page threw, logged an error, or asked anything of
the network beyond this machine.
"""

from __future__ import annotations

import http.server
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

#: Chromium itself asks nobody for anything: whatever leaves the machine is a page's own doing.
QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
).split()
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NEAR = ("http://127.0.0.1:", "ws://127.0.0.1:", "file:", "data:", "blob:", "about:")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless browser: DOSIM_CHROMIUM, or the first of the usual names in the PATH."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: make test-browser")
    path = os.environ.get("DOSIM_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if not path:
        pytest.skip("there is no Chromium: install it, or name it in DOSIM_CHROMIUM")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, headless=True, args=QUIET)
        yield browser
        browser.close()


@dataclass
class Trouble:
    """What went wrong in the pages of one test: thrown or logged errors, and addresses beyond this machine."""

    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def watch(self, context: Any, page: Any) -> None:
        context.on("request", lambda request: self._asked(request.url))
        page.on("websocket", lambda socket: self._asked(socket.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)

    def _asked(self, url: str) -> None:
        if not url.startswith(NEAR):
            self.elsewhere.append(url)


@pytest.fixture
def trouble() -> Trouble:
    return Trouble()


@pytest.fixture
def tab(chromium: Any, trouble: Trouble) -> Iterator[Callable[..., Any]]:
    """Opens an empty page, with the options of a browser's context; afterwards there may have been no trouble."""
    contexts = []

    def opened(**options: Any) -> Any:
        context = chromium.new_context(**{"viewport": {"width": 1100, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        trouble.watch(context, page)
        return page

    yield opened
    for context in contexts:
        context.close()

    assert trouble == Trouble()


class Files(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, with the types that modules and WebAssembly need, and without a line for each request."""

    extensions_map = {  # noqa: RUF012 (http.server's own)
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".wasm": "application/wasm",
        ".mjs": "text/javascript",
    }

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder, while it is served from this machine."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def spare_px() -> Callable[[Any], float]:
    """How much higher a player's frame is than its page, pixels, when the two have come to terms, or after 5 s."""

    def measured(frame: Any) -> float:
        frame.scroll_into_view_if_needed()  # out of sight, a browser lays a frame out when it likes
        for _ in range(50):
            high, page = (where.bounding_box()["height"] for where in (frame, frame.content_frame.locator("main")))
            if 0 <= high - page < 40:
                break
            frame.page.wait_for_timeout(100)
        return float(high - page)

    return measured


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Path], str]]:
    """Serves folders until the tests are over; returns the address of each."""
    with ExitStack() as stack:
        yield lambda folder: stack.enter_context(served(folder))


@pytest.fixture(scope="session")
def axe() -> str:
    """The text of axe-core, which looks for what some readers cannot use."""
    named = os.environ.get("DOSIM_AXE")
    path = Path(named) if named else Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
    if not path.is_file():
        pytest.skip("axe-core is not there: make test-browser installs it with npm, or name axe.min.js in DOSIM_AXE")
    return path.read_text("utf-8")
