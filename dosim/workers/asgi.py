"""`asgi`: FastAPI, Starlette and other ASGI applications as Workers: `await asgi.fetch(app, request, env, ctx)`.

The behaviour is that of workers-runtime-sdk 1.9.5 (`workers/asgi.py`, also importable as `asgi`): one lifespan for
each request, `scope["env"]` for the bindings, background tasks done before a whole response leaves.

One known difference: a streaming response is sent when its body is whole, because a simulated body is one piece; so a
body without end is never answered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from dosim.web.body import JsReadableStream
from dosim.web.headers import JsHeaders
from dosim.web.http import JsResponse
from dosim.web.proxies import to_js
from dosim.web.url import JsURL
from dosim.workers.entrypoints import WorkerEntrypoint, wait_until
from dosim.workers.gateway import NULL_BODY_STATUSES, BaseOptions, header_pairs, whole_body
from dosim.workers.packages import patch_loaded

Message = MutableMapping[str, Any]

ASGI = {"spec_version": "2.0", "version": "3.0"}
logger = logging.getLogger("asgi")


@dataclass(frozen=True, kw_only=True)
class Options(BaseOptions):
    """Options of the ASGI adapter, see `BaseOptions`."""


async def fetch(app: Any, req: Any, env: Any, ctx: Any = None, *, options: Options | None = None) -> JsResponse:
    """The application's answer to a `workers.Request` or a `js.Request`. Raises what the application raises.

    `ctx` and `options` change nothing; they are the SDK's.
    """
    patch_loaded()
    lifespan = _Lifespan(app)
    state = await lifespan.start()
    answer = _Answer()
    try:
        task = await _start_request(app, req, env, state, answer)
    except Exception:
        logger.exception("ASGI request failed")
        await lifespan.stop()
        raise
    if task.done():
        await lifespan.stop()
    else:
        wait_until(_in_background(_finish(task, lifespan)))
    return answer.response.result()


async def websocket(app: Any, req: Any, env: Any = None) -> JsResponse:
    """Hand a WebSocket to the application; the answer is the upgrade."""
    from dosim.workers import js

    client, server = js.WebSocketPair.new().object_values()
    server.accept()
    server.binaryType = "arraybuffer"
    socket = _Socket(server)
    scope = request_to_scope(req, {} if env is None else env, ws=True)
    task = _in_background(app(scope, socket.inbox.get, socket.send))
    task.add_done_callback(socket.finish)
    wait_until(task)
    return JsResponse.new(None, status=101, webSocket=client)


def entrypoint(app: Any, *, options: Options | None = None) -> type[WorkerEntrypoint]:
    """The Worker that is this application: `Default = asgi.entrypoint(app)`."""

    class Default(WorkerEntrypoint):
        async def fetch(self, request: Any) -> JsResponse:
            if (request.headers.get("upgrade") or "").lower() == "websocket":
                return await websocket(app, request, self.env)
            return await fetch(app, request, self.env, self.ctx, options=options)

    return Default


def __getattr__(name: str) -> Any:
    if name == "env":  # a FastAPI dependency: `async def root(env=asgi.env)`
        from fastapi import Depends, Request

        async def env(request: Request) -> Any:
            return request.scope["env"]

        env.__annotations__["request"] = Request  # the class itself: FastAPI finds no local names
        return Depends(env)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def request_to_scope(req: Any, env: Any, ws: bool = False, state: dict[str, Any] | None = None) -> dict[str, Any]:
    """The ASGI scope of a request: the path decoded, header names in lower case, all of it in bytes but the path."""
    url = JsURL.new(req.url)
    scope = {
        "asgi": ASGI,
        "headers": [(name.lower().encode(), value.encode()) for name, value in header_pairs(req)],
        "http_version": "1.1",
        "method": req.method,
        "scheme": url.protocol[:-1],
        "path": unquote(url.pathname),
        "raw_path": url.pathname.encode(),
        "query_string": url.search[1:].encode(),
        "type": "websocket" if ws else "http",
        "env": env,
    }
    if state is not None:
        scope["state"] = dict(state)
    return scope


# -- one request


class _Answer:
    """What the application has sent of its response."""

    def __init__(self) -> None:
        self.response: asyncio.Future[JsResponse] = asyncio.get_running_loop().create_future()
        #: Nothing more is expected from the application.
        self.finished = asyncio.Event()
        #: The application sends its body in parts.
        self.streams = False
        self._status: int | None = None
        self._headers = JsHeaders()
        self._parts: list[bytes] = []

    async def send(self, message: Message) -> None:
        """A message of the application."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = JsHeaders.new([(k.decode(), v.decode()) for k, v in message.get("headers", [])])
        elif message["type"] == "http.response.body":
            self._parts.append(bytes(message.get("body", b"")))
            if message.get("more_body", False):
                self.streams = True
            else:
                self.complete()

    def complete(self) -> None:
        """The body is whole, or will never be."""
        self.finished.set()
        if self.response.done():
            return
        data = b"".join(self._parts)
        body: Any = JsReadableStream(data, length_known=False) if self.streams else data
        if self._status in NULL_BODY_STATUSES and not self.streams:
            body = None
        self.response.set_result(JsResponse.new(body, headers=self._headers, status=self._status))

    def fail(self, error: Exception) -> None:
        """The application raised: before its response began that is the answer, after it is only logged."""
        if not self.response.done() and not self.streams:
            self.response.set_exception(error)
            self.finished.set()
            return
        logger.error("Exception in ASGI application after response started", exc_info=error)
        self.complete()


async def _start_request(app: Any, req: Any, env: Any, state: dict[str, Any], answer: _Answer) -> asyncio.Future[None]:
    """Run the application up to its response; returns its task, which is done unless the response streams."""
    messages = [{"type": "http.request", "body": b"", "more_body": False}]
    if body := await whole_body(req):
        messages.insert(0, {"type": "http.request", "body": body, "more_body": True})

    async def receive() -> Message:
        if messages:
            return messages.pop(0)
        await answer.finished.wait()
        return {"type": "http.disconnect"}

    async def run() -> None:
        try:
            await app(request_to_scope(req, env, state=state), receive, answer.send)
            if answer.streams:
                answer.complete()
            elif not answer.response.done():
                raise RuntimeError("The application did not generate a response")
        except Exception as error:
            answer.fail(error)

    task = asyncio.ensure_future(run())
    try:
        await answer.response
    except Exception:
        await task
        raise
    if not answer.streams:
        await task
    return task


async def _finish(request: asyncio.Future[None], lifespan: _Lifespan) -> None:
    try:
        await request
    finally:
        await lifespan.stop()


# -- lifespan


class _Lifespan:
    """The application's startup and shutdown around one request; an application may have none of it."""

    def __init__(self, app: Any) -> None:
        loop = asyncio.get_running_loop()
        self._app = app
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._started: asyncio.Future[bool] = loop.create_future()
        self._stopped: asyncio.Future[None] = loop.create_future()
        self._state: dict[str, Any] = {}

    async def start(self) -> dict[str, Any]:
        """Start up; returns the state for each request. Raises RuntimeError when the application says it failed."""
        self._inbox.put_nowait({"type": "lifespan.startup"})
        _in_background(self._run())
        await self._started
        return self._state

    async def stop(self) -> None:
        """Shut down what started up."""
        if self._started.result():
            self._inbox.put_nowait({"type": "lifespan.shutdown"})
            await self._stopped

    async def _run(self) -> None:
        try:
            await self._app({"asgi": ASGI, "state": self._state, "type": "lifespan"}, self._inbox.get, self._send)
        except Exception as error:
            if self._started.done():
                logger.exception("Exception in ASGI lifespan application", exc_info=error)
            else:
                logger.debug("ASGI lifespan task raised before reporting startup", exc_info=error)
        _settle(self._started, False)  # nothing was reported: it has no lifespan
        _settle(self._stopped, None)

    async def _send(self, message: Message) -> None:
        kind, said = message["type"], message.get("message")
        if kind == "lifespan.startup.complete":
            _settle(self._started, True)
        elif kind == "lifespan.startup.failed":
            _settle(self._started, RuntimeError(said or "ASGI lifespan startup failed"))
        elif kind == "lifespan.shutdown.complete":
            _settle(self._stopped, None)
        elif kind == "lifespan.shutdown.failed":
            _settle(self._stopped, RuntimeError(said or "ASGI lifespan shutdown failed"))
        else:
            raise RuntimeError(f"Unexpected lifespan event {kind}")


def _settle(future: asyncio.Future[Any], outcome: object) -> None:
    if not future.done():
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


# -- one WebSocket


class _Socket:
    """The server's end of a WebSocket between the platform's events and the application's messages."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._closed = False
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()
        self.inbox.put_nowait({"type": "websocket.connect"})
        server.addEventListener("message", self._on_message)
        server.addEventListener("close", self._on_close)

    def _on_message(self, event: Any) -> None:
        data = event.data
        content = {"text": data} if isinstance(data, str) else {"bytes": data.to_bytes()}
        self.inbox.put_nowait({"type": "websocket.receive", **content})

    def _on_close(self, event: Any) -> None:
        self.inbox.put_nowait({"type": "websocket.disconnect", "code": event.code, "reason": event.reason})

    async def send(self, message: Message) -> None:
        """A message of the application. The socket was accepted already, so that one does nothing."""
        if message["type"] == "websocket.send":
            if (data := message.get("bytes")) is not None:
                self._server.send(to_js(data))
            if (text := message.get("text")) is not None:
                self._server.send(text)
        elif message["type"] == "websocket.close":
            self._closed = True
            self._server.close(message.get("code", 1000), message.get("reason", ""))
        elif message["type"] != "websocket.accept":
            logger.warning(" == Not implemented %s", message["type"])

    def finish(self, task: asyncio.Future[Any]) -> None:
        """The application has ended: a connection it left open ends too."""
        if not self._closed:
            failed = not task.cancelled() and task.exception() is not None
            try:
                self._server.close(1011 if failed else 1000, "")
            except Exception:
                logger.debug("Closing the WebSocket failed", exc_info=True)


# -- tasks


def _in_background(coroutine: Awaitable[Any]) -> asyncio.Future[Any]:
    task = asyncio.ensure_future(coroutine)
    task.add_done_callback(_log_failure)
    return task


def _log_failure(task: asyncio.Future[Any]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        logger.error("Unhandled exception in background task", exc_info=error)
