"""`workers.wsgi`: Django, Flask and other WSGI applications as Workers: `await wsgi.fetch(app, request, env)`.

The behaviour is that of workers-runtime-sdk 1.9.5 (`workers/wsgi.py`); it has no top-level `wsgi` as it has `asgi`.
The application may call `pyodide.ffi.run_sync` (as Django's D1 backend does). Two known differences: the request's
body is read before the application starts, and the whole body of the response is taken before the response leaves.
"""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

from dosim.web.body import JsReadableStream
from dosim.web.headers import JsHeaders
from dosim.web.http import JsResponse
from dosim.workers.entrypoints import WorkerEntrypoint
from dosim.workers.gateway import NULL_BODY_STATUSES, BaseOptions, header_pairs, whole_body
from dosim.workers.suspending import suspendable

ErrorInfo = tuple[type[BaseException], BaseException, TracebackType | None]

logger = logging.getLogger("wsgi")


@dataclass(frozen=True, kw_only=True)
class Options(BaseOptions):
    """Options of the WSGI adapter, see `BaseOptions`."""


async def fetch(app: Any, req: Any, env: Any, ctx: Any = None, *, options: Options | None = None) -> JsResponse:
    """The application's answer to a `workers.Request` or a `js.Request`. Raises what the application raises.

    `ctx` and `options` change nothing; they are the SDK's.
    """
    body = await whole_body(req)
    try:
        return await suspendable(_Answer(app, build_environ(req, env, body)).response)
    except Exception:
        logger.exception("WSGI request failed")
        raise


def entrypoint(app: Any, *, options: Options | None = None) -> type[WorkerEntrypoint]:
    """The Worker that is this application: `Default = wsgi.entrypoint(app)`."""

    class Default(WorkerEntrypoint):
        async def fetch(self, request: Any) -> JsResponse:
            return await fetch(app, request, self.env, options=options)

    return Default


def build_environ(req: Any, env: Any, body: bytes) -> dict[str, Any]:
    """The WSGI environment of a request (PEP 3333), with the bindings as `workers.env`."""
    url = urlsplit(req.url)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": str(getattr(req.method, "value", req.method)),
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(url.path or "/").encode().decode("latin-1"),
        "QUERY_STRING": url.query,
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": str(url.port or (443 if url.scheme == "https" else 80)),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "workers.env": env,
    }
    for name, value in header_pairs(req):
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
            value = f"{environ[key]},{value}" if key in environ else value  # noqa: PLW2901
        environ[key] = value
    if body:
        environ.setdefault("CONTENT_LENGTH", str(len(body)))
    return environ


class _Answer:
    """One call of the application and what it says."""

    def __init__(self, app: Any, environ: dict[str, Any]) -> None:
        self._app = app
        self._environ = environ
        self._status: str | None = None
        self._headers: list[tuple[str, str]] = []
        #: What the application has passed to `write()`, which comes before what it returns.
        self._written: list[bytes] = []

    def response(self) -> JsResponse:
        """Raises RuntimeError if the application did not call start_response."""
        result = self._app(self._environ, self._start_response)
        try:
            parts = list(result)
        finally:
            if (close := getattr(result, "close", None)) is not None:
                close()
            self._environ["wsgi.input"].close()
        if self._status is None:
            raise RuntimeError("The WSGI application did not call start_response()")
        code, _, reason = self._status.partition(" ")
        empty = int(code) in NULL_BODY_STATUSES
        body = None if empty else JsReadableStream(b"".join([*self._written, *parts]), length_known=False)
        options = {"status": int(code), "headers": JsHeaders.new(self._headers), "statusText": reason or None}
        return JsResponse.new(body, **options)

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ErrorInfo | None = None
    ) -> Callable[[bytes], None]:
        if self._status is not None:
            if exc_info is None:
                raise AssertionError("start_response() called more than once")
            raise exc_info[1].with_traceback(exc_info[2])
        self._status, self._headers = status, headers
        return self._written.append
