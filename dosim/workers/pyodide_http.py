"""`pyodide.http`: the error classes of fetch, and `pyfetch`, which reaches nothing outside."""

from __future__ import annotations

from dosim.web.errors import AbortError, BodyUsedError
from dosim.workers.entrypoints import fetch as pyfetch
from dosim.workers.http import HttpStatusError
from dosim.workers.http import PyodideFetchResponse as FetchResponse

__all__ = ["AbortError", "BodyUsedError", "FetchResponse", "HttpStatusError", "pyfetch"]
