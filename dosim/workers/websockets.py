"""`js.WebSocketPair` and what goes with it, for code of a Worker or an object."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from dosim.runtime.hibernation import WebSocketRequestResponsePair
from dosim.runtime.websocket import SocketEvent, WebSocketEnd, make_pair
from dosim.web.errors import JsException, type_error
from dosim.web.interface import JsInterface, argument_text
from dosim.web.url import parse_url
from dosim.workers.entrypoints import current_owner, fetch

__all__ = ["WebSocket", "WebSocketPair", "WebSocketRequestResponsePair"]


class WebSocketPair(JsInterface):
    """Two ends of a new connection: `client, server = WebSocketPair.new().object_values()`."""

    js_name = "WebSocketPair"
    __slots__ = ("_ends",)

    def __init__(self, ends: tuple[WebSocketEnd, WebSocketEnd]) -> None:
        self._ends = ends

    @classmethod
    def new(cls) -> WebSocketPair:
        """A new pair: the first end is for the client, in the response; the second is accepted here."""
        return cls(make_pair(current_owner().world))

    def object_values(self) -> list[WebSocketEnd]:
        return list(self._ends)

    def object_keys(self) -> list[str]:
        return ["0", "1"]

    def object_entries(self) -> list[list[Any]]:
        return [[str(number), end] for number, end in enumerate(self._ends)]

    def __iter__(self) -> Iterator[WebSocketEnd]:
        return iter(self._ends)

    def __getitem__(self, index: object) -> WebSocketEnd:
        raise TypeError(
            "'pyodide.ffi.JsProxy' object is not subscriptable: write"
            " client, server = WebSocketPair.new().object_values()."
        )


class WebSocket(JsInterface):
    """`WebSocket.new("wss://...")`: a connection to a service that was declared with `sim.external(..., websocket=)`.

    Listeners: "open", "message", "close", "error", or the properties `onopen` and so on. It keeps its object in memory,
    in production for 15 minutes at most (documented: changelog 2026-06-19).
    """

    js_name = "WebSocket"
    __slots__ = ("_end", "_listeners", "_ready_state", "_task", "onclose", "onerror", "onmessage", "onopen", "url")

    CONNECTING, OPEN, CLOSING, CLOSED = range(4)

    def __init__(self, url: str) -> None:
        self.url = url
        self.onopen = self.onmessage = self.onclose = self.onerror = None
        self._listeners: dict[str, list[Callable[[Any], Any]]] = {}
        self._end: WebSocketEnd | None = None
        self._ready_state = self.CONNECTING
        self._task: asyncio.Future[None] | None = None

    @classmethod
    def new(cls, url: object = None, protocols: object = None) -> WebSocket:
        """Connect. Raises SyntaxError for an address that is none, AbortError for one that nobody declared."""
        text = argument_text(url)
        parsed = parse_url(text)
        wrong = "WebSocket Constructor: "
        if parsed is None:
            raise JsException(f"{wrong}The url is invalid.", "SyntaxError")
        if parsed.scheme not in ("ws", "wss"):
            raise JsException(f"{wrong}The url scheme must be ws or wss.", "SyntaxError")
        if parsed.fragment is not None:
            raise JsException(f"{wrong}The url fragment must be empty.", "SyntaxError")
        current_owner().world.externals.find(text)
        self = cls(text)
        self._task = asyncio.ensure_future(self._connect(f"http{text[2:]}", protocols))
        return self

    async def _connect(self, url: str, protocols: object) -> None:
        headers = {"Upgrade": "websocket"}
        if protocols:
            headers["Sec-WebSocket-Protocol"] = argument_text(protocols)
        try:
            response = await fetch(url, headers=headers)
            end = response.js_object.webSocket
            if end is None:
                raise JsException(
                    "Failed to establish the WebSocket connection: expected server to reply with HTTP status code 101"
                    f" (switching protocols), but received {response.status} instead.",
                    "TypeError",
                )
        except (OSError, JsException) as error:
            self._ready_state = self.CLOSED
            self._dispatch(SocketEvent("error", self, message=f"Uncaught {error}", error=error))
            text = "Failed to establish websocket connection"
            self._dispatch(SocketEvent("close", self, code=1006, reason=text, wasClean=False))
            return
        if self._ready_state == self.CLOSED:
            end.drop()
            return
        end.outgoing = True
        end.accept()
        for kind in ("message", "close", "error"):
            end.addEventListener(kind, self._dispatch)
        self._end = end
        self._dispatch(SocketEvent("open", self))

    def _dispatch(self, event: SocketEvent) -> None:
        found = [*self._listeners.get(event.type, ())]
        own = getattr(self, f"on{event.type}")
        for listener in [*found, *([own] if own else [])]:
            result = listener(event)
            if inspect.isawaitable(result):
                asyncio.ensure_future(result)  # noqa: RUF006 (the loop keeps it)

    @property
    def readyState(self) -> int:
        return self._ready_state if self._end is None else self._end.readyState

    def addEventListener(self, kind: object, listener: Callable[[Any], Any], *_: object) -> None:
        """Call `listener(event)` for "open", "message", "close" or "error"."""
        self._listeners.setdefault(argument_text(kind), []).append(listener)

    def removeEventListener(self, kind: object, listener: Callable[[Any], Any], *_: object) -> None:
        listeners = self._listeners.get(argument_text(kind), [])
        if listener in listeners:
            listeners.remove(listener)

    def accept(self, *_: object) -> None:
        """Raises TypeError: such a socket needs none."""
        raise type_error("Websockets obtained from the 'new WebSocket()' constructor cannot call accept")

    def send(self, message: object = None) -> None:
        """Send, once it is open. Raises TypeError before."""
        if self._end is None:
            raise type_error(
                "You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending messages."
            )
        self._end.send(message)

    def close(self, code: object = None, reason: object = None) -> None:
        """Close it, or give it up while it connects."""
        if self._end is None:
            self._ready_state = self.CLOSED
        else:
            self._end.close(code, reason)
