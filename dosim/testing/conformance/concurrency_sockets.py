"""
WebSocket operations of the concurrency case language as Python source.

What a Python Workers program must convert itself is converted: tags, attachments and binary messages go through
`to_js`, attachments come back through `to_py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import cast

from dosim.testing.conformance.concurrency_expressions import Expressions, Frame
from dosim.testing.conformance.concurrency_masks import Json, Program

#: The variables of each listener's program, with what an event gives for them.
LISTENER_VARIABLES: dict[str, dict[str, str]] = {
    "message": {"message": "event.data"},
    "close": {"code": "event.code", "reason": "event.reason", "wasClean": "event.wasClean"},
    "error": {"error": "event.error or event.message"},
}

SOCKETS_PRELUDE = '''\
def socket_pair():
    client, server = js.WebSocketPair.new().object_values()
    return client, server


def send(ws, data):
    ws.send(to_js(data) if isinstance(data, (bytes, bytearray, memoryview)) else data)


def listen(ws, kind, handler):
    """Call the handler's program on each event; what it raises is not looked at."""
    ws.addEventListener(kind, create_proxy(lambda event: (detach(handler(event)), None)[1]))


async def connect(stub, variable, url):
    """Open a socket and write its events to the log. Returns the socket and the answer."""
    response = await stub.fetch(url, headers={"Upgrade": "websocket"})
    ws = response.js_object.webSocket
    if not ws:
        return None, {"status": response.status, "body": await response.text()}
    ws.accept()

    def on(kind, event_of):
        ws.addEventListener(kind, create_proxy(lambda event: log("client", variable, event_of(event))))

    on("message", lambda event: {"message": event.data})
    on("close", lambda event: {"close": [event.code, event.reason, event.wasClean]})
    on("error", lambda event: {"error": event.message})
    return ws, {"status": response.status}


def auto_response(ctx):
    pair = ctx.getWebSocketAutoResponse()
    return [pair.request, pair.response] if pair else None


def auto_response_time(ctx, ws):
    date = ctx.getWebSocketAutoResponseTimestamp(ws)
    return {"t": date.getTime() - START_MS[0]} if date else None
'''


class SocketOperations(ABC):
    """The operations that start with `ws_`."""

    expressions: Expressions
    sockets_used = False

    @abstractmethod
    def function(self, frame: Frame, kind: str, params: list[str], program: Program) -> str:
        """Write a nested function; returns its name."""

    @abstractmethod
    def python_name(self, frame: Frame, variable: Json) -> str:
        """The Python name of a variable."""

    @abstractmethod
    def ex(self, frame: Frame, value: Json) -> str:
        """An expression as source."""

    @abstractmethod
    def values(self, frame: Frame, *values: Json) -> str:
        """Expressions as arguments."""

    def raw(self, frame: Frame, value: Json) -> str:
        """A value for an API that converts nothing: null and undefined are told apart where they are written."""
        if value is None:
            self.expressions.imports.add("from pyodide.ffi import jsnull")
            return "jsnull"
        return f"to_raw({self.ex(frame, value)})"

    def st_ws_pair(self, frame: Frame, client: str, server: str) -> None:
        self.sockets_used = True
        names = f"{self.python_name(frame, client)}, {self.python_name(frame, server)}"
        frame.emit(f"{names} = socket_pair()")

    def st_ws_accept(self, frame: Frame, ws: Json, *tags: Json) -> None:
        arguments = [self.ex(frame, ws), *(f"to_raw({self.ex(frame, tag)})" for tag in tags)]
        frame.emit(f"self.ctx.acceptWebSocket({', '.join(arguments)})")

    def st_ws_accept_std(self, frame: Frame, ws: Json, handlers: Json = None) -> None:
        self.sockets_used = True
        socket = self.ex(frame, ws)
        frame.emit(f"{socket}.accept()")
        for kind, program in cast("dict[str, Program]", handlers or {}).items():
            given = {"ws": socket, **LISTENER_VARIABLES[kind]}
            name = self.function(frame, "fn", list(given), program)
            frame.emit(f"listen({socket}, {kind!r}, lambda event, on={name}: on({', '.join(given.values())}))")

    def st_ws_send(self, frame: Frame, ws: Json, data: Json) -> None:
        self.sockets_used = True
        frame.emit(f"send({self.values(frame, ws, data)})")

    def st_ws_close(self, frame: Frame, ws: Json, *arguments: Json) -> None:
        frame.emit(f"{self.ex(frame, ws)}.close({self.values(frame, *arguments)})")

    def st_ws_attach(self, frame: Frame, ws: Json, value: Json) -> None:
        frame.emit(f"{self.ex(frame, ws)}.serializeAttachment({self.raw(frame, value)})")

    def st_ws_auto(self, frame: Frame, *texts: Json) -> None:
        pair = f"js.WebSocketRequestResponsePair.new({self.values(frame, *texts)})" if texts else ""
        frame.emit(f"self.ctx.setWebSocketAutoResponse({pair})")

    def st_ws_event_timeout(self, frame: Frame, ms: Json) -> None:
        frame.emit(f"self.ctx.setHibernatableWebSocketEventTimeout({ms!r})")

    def op_ws_connect(self, frame: Frame, variable: str, reference: Json, url: str = "http://do/ws") -> str:
        self.sockets_used = True
        stub = self.expressions.stub(frame, reference)
        frame.emit(f"{self.python_name(frame, variable)}, connected = await connect({stub}, {variable!r}, {url!r})")
        return "connected"

    def op_ws_ready(self, frame: Frame, ws: Json) -> str:
        return f"{self.ex(frame, ws)}.readyState"

    def op_ws_attachment(self, frame: Frame, ws: Json) -> str:
        return f"from_raw({self.ex(frame, ws)}.deserializeAttachment())"

    def op_ws_tags(self, frame: Frame, ws: Json) -> str:
        return f"list(self.ctx.getTags({self.ex(frame, ws)}))"

    def op_ws_list(self, frame: Frame, *tag: Json) -> str:
        return f"list(self.ctx.getWebSockets({self.values(frame, *tag)}))"

    def op_ws_list_attachments(self, frame: Frame, *tag: Json) -> str:
        return f"[from_raw(ws.deserializeAttachment()) for ws in {self.op_ws_list(frame, *tag)}]"

    def op_ws_count(self, frame: Frame, *tag: Json) -> str:
        return f"len({self.op_ws_list(frame, *tag)})"

    def op_ws_auto_get(self, frame: Frame) -> str:
        self.sockets_used = True
        return "auto_response(self.ctx)"

    def op_ws_auto_ts(self, frame: Frame, ws: Json) -> str:
        self.sockets_used = True
        return f"auto_response_time(self.ctx, {self.ex(frame, ws)})"

    def op_ws_event_timeout_get(self, frame: Frame) -> str:
        return "self.ctx.getHibernatableWebSocketEventTimeout()"
