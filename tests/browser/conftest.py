"""A real browser for the tests beside this file; without Playwright or Chromium they are skipped, saying why."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

#: Chromium asks nobody for anything: whatever leaves the machine is a page's own doing.
QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
).split()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "browser: drives Chromium with Playwright; skipped where either is missing")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless browser: DOSIM_CHROMIUM, or the `chromium` of the PATH."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = os.environ.get("DOSIM_CHROMIUM") or shutil.which("chromium")
    if not path:
        pytest.skip("there is no chromium: install it, or name it in DOSIM_CHROMIUM")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, headless=True, args=QUIET)
        yield browser
        browser.close()
