"""`js.WebSocketPair` and what goes with it, for code of a Worker or an object."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from dosim.platform.facts import WEBSOCKET_STANDARD_BINARY_TYPE
from dosim.runtime.hibernation import WebSocketRequestResponsePair
from dosim.runtime.websocket import SocketEvent, WebSocketEnd, make_pair
from dosim.web.errors import JsException, type_error
from dosim.web.interface import JsInterface, argument_text
from dosim.web.proxies import JsArray
from dosim.web.url import parse_url
from dosim.workers.entrypoints import current_owner, fetch

__all__ = ["WebSocket", "WebSocketPair", "WebSocketRequestResponsePair"]

#: A subprotocol's name. Source: workerd `validProtoToken`, after RFC 6455, 4.1.
_TOKEN = re.compile(r"[^\x00-\x20\x7f-\U0010ffff()<>@,;:\\/\[\]?={}]+")


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
    in production for 15 minutes at most (documented: changelog 2026-06-19). Source of the behaviour and the texts:
    workerd src/workerd/api/web-socket.c++.
    """

    js_name = "WebSocket"
    __slots__ = (
        "_binary_type", "_end", "_listeners", "_ready_state", "_task", "_world", "extensions", "onclose", "onerror",
        "onmessage", "onopen", "protocol", "url",
    )  # fmt: skip

    READY_STATE_CONNECTING, READY_STATE_OPEN, READY_STATE_CLOSING, READY_STATE_CLOSED = range(4)
    CONNECTING, OPEN, CLOSING, CLOSED = range(4)

    def __init__(self, world: Any, url: str) -> None:
        self.url = url
        #: What the service has chosen: "" at first, then its header, jsnull without one.
        self.protocol: Any = ""
        self.extensions: Any = ""
        self.onopen = self.onmessage = self.onclose = self.onerror = None
        self._world = world
        self._listeners: dict[str, list[Callable[[Any], Any]]] = {}
        self._end: WebSocketEnd | None = None
        self._ready_state = self.CONNECTING
        self._binary_type: str | None = None
        self._task: asyncio.Future[None] | None = None

    @classmethod
    def new(cls, url: object = None, protocols: object = None) -> WebSocket:
        """Connect. Raises SyntaxError for what is no address or no protocol, AbortError for an undeclared service."""
        text = argument_text(url)
        parsed = parse_url(text)
        if parsed is None:
            raise _wrong("The url is invalid.")
        if parsed.scheme not in ("ws", "wss"):
            raise _wrong("The url scheme must be ws or wss.")
        if parsed.fragment is not None:
            raise _wrong("The url fragment must be empty.")
        headers = {"Upgrade": "websocket"}
        asked = _protocols(protocols)
        if asked:
            headers["Sec-WebSocket-Protocol"] = asked
        world = current_owner().world
        world.externals.find(text)
        self = cls(world, text)
        self._task = asyncio.ensure_future(self._connect(f"http{text[2:]}", headers))
        return self

    # -- connecting

    async def _connect(self, url: str, headers: dict[str, str]) -> None:
        try:
            response = await fetch(url, headers=headers, redirect="manual")
            end = response.js_object.webSocket
            if end is None:
                raise type_error(
                    "Failed to establish the WebSocket connection: expected server to reply with HTTP status code 101"
                    f" (switching protocols), but received {response.status} instead."
                )
        except (OSError, JsException) as error:
            self._failed(error if isinstance(error, JsException) else JsException(str(error)))
            return
        if self._ready_state == self.CLOSED:
            end.drop()
            return
        self.protocol = response.js_object.headers.get("sec-websocket-protocol")
        self.extensions = response.js_object.headers.get("sec-websocket-extensions")
        end.outgoing = True
        end.accept()
        if self._binary_type is not None:
            end.binaryType = self._binary_type
        for kind in ("message", "close", "error"):
            end.addEventListener(kind, self._dispatch)
        self._end = end
        self._dispatch(SocketEvent("open", self))

    def _failed(self, error: JsException) -> None:
        """There is no connection and will be none: an error, and a close without a handshake."""
        if self._task is None:
            return
        self._task, self._ready_state = None, self.CLOSED
        self._dispatch(SocketEvent("error", self, message=f"Uncaught {error}", error=error))
        reason = "Failed to establish websocket connection"
        self._dispatch(SocketEvent("close", self, code=1006, reason=reason, wasClean=False))

    # -- listeners

    def _dispatch(self, event: SocketEvent) -> asyncio.Future[Any] | None:
        """Call the listeners, `on...` first; what is returned waits for those that run on. A failure stops no other."""
        event.target = self
        own = getattr(self, f"on{event.type}")
        running = []
        for listener in [*([own] if callable(own) else []), *self._listeners.get(event.type, ())]:
            try:
                result = listener(event)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                self._world.callback_failed(error)
                continue
            if inspect.isawaitable(result):
                running.append(asyncio.ensure_future(self._ends(result)))
        return asyncio.gather(*running) if running else None

    async def _ends(self, listener: Awaitable[Any]) -> None:
        try:
            await listener
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            self._world.callback_failed(error)

    def addEventListener(self, kind: object, listener: Callable[[Any], Any], *_: object) -> None:
        """Call `listener(event)` for "open", "message", "close" or "error"."""
        listeners = self._listeners.setdefault(argument_text(kind), [])
        if listener not in listeners:
            listeners.append(listener)

    def removeEventListener(self, kind: object, listener: Callable[[Any], Any], *_: object) -> None:
        listeners = self._listeners.get(argument_text(kind), [])
        if listener in listeners:
            listeners.remove(listener)

    # -- what programs read and do

    @property
    def readyState(self) -> int:
        return self._ready_state if self._end is None else self._end.readyState

    @property
    def binaryType(self) -> str:
        if self._end is not None:
            return self._end.binaryType
        flag = "websocket_standard_binary_type"
        by_date = self._world.flag_since(flag, f"no_{flag}", WEBSOCKET_STANDARD_BINARY_TYPE)
        return self._binary_type or ("blob" if by_date else "arraybuffer")

    @binaryType.setter
    def binaryType(self, value: object) -> None:
        if self._end is not None:
            self._end.binaryType = value
        elif value in ("blob", "arraybuffer"):
            self._binary_type = str(value)

    def accept(self, *_: object) -> None:
        """Raises TypeError while it connects: such a socket needs none."""
        if self._end is None:
            raise type_error("Websockets obtained from the 'new WebSocket()' constructor cannot call accept")

    def check_sendable(self) -> None:
        """Raises TypeError: it cannot be given away in a response."""
        if self._end is None:
            raise type_error("Can't return WebSocket in a Response if it was created with `new WebSocket()`")
        self._end.check_sendable()

    def send(self, message: object = None) -> None:
        """Send, once it is open; nothing is sent when it failed. Raises TypeError while it connects."""
        if self._end is not None:
            self._end.send(message)
        elif self._ready_state == self.CONNECTING:
            raise type_error(
                "You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending messages."
            )

    def close(self, code: object = None, reason: object = None) -> None:
        """Close it, or give it up while it connects."""
        if self._end is not None:
            self._end.close(code, reason)
        elif self._ready_state == self.CONNECTING:
            self._ready_state = self.CLOSED
            given_up = JsException("Called close before connection was established.")
            asyncio.get_running_loop().call_soon(self._failed, given_up)


def _wrong(what: str) -> JsException:
    return JsException(f"WebSocket Constructor: {what}", "SyntaxError")


def _protocols(given: object) -> str:
    """The protocols as the header has them, "" for none. Raises SyntaxError for what is no token or is there twice."""
    if given is None:
        return ""
    if not isinstance(given, JsArray):
        text = argument_text(given)
        if not _TOKEN.fullmatch(text):
            raise _wrong("The protocol header token is invalid.")
        return text
    tokens = [argument_text(token) for token in given]
    for number, token in enumerate(tokens):
        if not _TOKEN.fullmatch(token):
            raise _wrong("One of the protocol header tokens is invalid.")
        if token in tokens[:number]:
            raise _wrong("The protocols header cannot have repeating values.")
    return ", ".join(tokens)
