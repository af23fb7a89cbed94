"""
WebSocket operations of the concurrency case language as Python source, and the helpers their programs need.

`ctx` and sockets are raw JavaScript objects that convert nothing: what goes in is converted here, what comes out is
turned into Python data at once, so that variables and the log never hold raw arrays, buffers or null.
"""

from __future__ import annotations

from dosim.testing.conformance.concurrency_expressions import Frame
from dosim.testing.conformance.concurrency_masks import Json, Program, constructs
from dosim.testing.conformance.concurrency_operations import Operations
from dosim.testing.conformance.rules import RAW_SOCKET

#: Kinds of listeners, with the variables their programs get after `ws`.
LISTENER_VARIABLES: dict[str, tuple[str, ...]] = {
    "message": ("message",),
    "close": ("code", "reason", "wasClean"),
    "error": ("error",),
}
#: Expressions that give text or nothing: no conversion is needed before a raw object takes them.
TEXT_EXPRESSIONS = frozenset({"$repeat", "$concat", "$undefined"})

#: The helpers of programs with sockets, after those of every program.
SOCKET_HELPERS = '''\
# -- sockets


STAND_IN = "masked: "


class Time(int):
    """Milliseconds since the first step: compared as times are, rounded."""


def raw(value):
    """A value for `ctx` or a socket, which convert nothing themselves."""
    if isinstance(value, datetime.datetime):
        return js.Date.new(round((value - date(0)) / datetime.timedelta(milliseconds=1)))
    if isinstance(value, Masked):
        return STAND_IN + value.reason
    if isinstance(value, dict):
        return to_js({key: raw(item) for key, item in value.items()}, dict_converter=js.Object.fromEntries)
    if isinstance(value, (list, tuple)):
        return to_js([raw(item) for item in value])
    if isinstance(value, (bytes, bytearray, memoryview, set)):
        return to_js(value)
    return value


def plain(value):
    """What `ctx` or a socket gave, as Python data."""
    if value is None or type(value).__name__ == "JsNull":
        return None
    if hasattr(value, "getTime"):
        return date(value.getTime())
    if isinstance(value, str) and value.startswith(STAND_IN):
        return Masked(value.removeprefix(STAND_IN))
    if hasattr(value, "to_py"):
        value = value.to_py()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def received(message):
    """A message: text, the bytes of an ArrayBuffer, or a Blob as it is."""
    return message.to_bytes() if hasattr(message, "to_bytes") else message


def event_values(kind, event):
    if kind == "message":
        return [received(event.data)]
    if kind == "close":
        return [event.code, event.reason, event.wasClean]
    error = plain(getattr(event, "error", None))
    return [event.message if error is None else error]


def listen(socket, kind, heard):
    socket.addEventListener(kind, create_proxy(lambda event: heard(*event_values(kind, event))))


def accept(socket, **handlers):
    """accept(), with async functions as listeners; what they raise is nobody's."""

    def listener(handler):
        return lambda *values: (detach(handler(socket, *values)), None)[1]

    socket.accept()
    for kind, handler in handlers.items():
        listen(socket, kind, listener(handler))


async def upgrade(stub, url):
    return await stub.fetch(url, headers={"Upgrade": "websocket"})


def client_end(response, name, before):
    """The socket of an upgrade, accepted, its events logged under the variable's name; `before` if there is none."""
    socket = response.js_object.webSocket
    if not socket:
        return before
    socket.accept()
    listen(socket, "message", lambda data: log("client", name, {"message": data}))
    listen(socket, "close", lambda *values: log("client", name, {"close": list(values)}))
    socket.addEventListener("error", create_proxy(lambda event: log("client", name, {"error": event.message})))
    return socket


async def answered(response):
    if response.js_object.webSocket:
        return {"status": response.status}
    return {"status": response.status, "body": await response.text()}


def auto_response(ctx):
    pair = ctx.getWebSocketAutoResponse()
    return [pair.request, pair.response] if pair else None


def auto_time(ctx, socket):
    at = ctx.getWebSocketAutoResponseTimestamp(socket)
    return {"t": Time(at.getTime() - START_MS[0])} if at else None
'''


def uses_sockets(objects: dict[str, dict[str, Json]], programs: list[Json]) -> bool:
    """Whether a case has a socket operation, a `$upgrade` or a WebSocket handler."""
    if any(part.startswith("webSocket") for definition in objects.values() for part in definition):
        return True
    present = constructs([list(objects.values()), programs])
    return any(name.startswith("ws_") or name == "$upgrade" for name in present)


def is_text(value: Json) -> bool:
    """Whether an expression is a literal or gives text: nothing a raw object would misread."""
    if isinstance(value, dict):
        return len(value) == 1 and next(iter(value)) in TEXT_EXPRESSIONS
    return not isinstance(value, list)


class SocketOperations(Operations):
    """All operations: those of WebSockets too."""

    def raw(self, frame: Frame, value: Json) -> str:
        """An argument of `ctx` or a socket; null and undefined are told apart, anything else is converted."""
        if value is None:
            self.expressions.imports.add("from pyodide.ffi import jsnull")
            return "jsnull"
        text = self.ex(frame, value)
        if is_text(value):
            return text
        self.rules.add(RAW_SOCKET.id)
        return f"raw({text})"

    def raws(self, frame: Frame, values: tuple[Json, ...]) -> str:
        return ", ".join(self.raw(frame, value) for value in values)

    # -- opening and accepting

    def st_ws_pair(self, frame: Frame, client: str, server: str) -> None:
        self.expressions.imports.add("from js import WebSocketPair")
        names = f"{self.python_name(frame, client)}, {self.python_name(frame, server)}"
        frame.emit(f"{names} = WebSocketPair.new().object_values()")

    def op_ws_accept(self, frame: Frame, socket: Json, *tags: Json) -> str:
        arguments = [self.ex(frame, socket), *(self.raw(frame, value) for value in tags[:1])]
        return f"self.ctx.acceptWebSocket({', '.join(arguments)})"

    def op_ws_accept_std(self, frame: Frame, socket: Json, handlers: Json = None) -> str:
        arguments = [self.ex(frame, socket)]
        for kind, variables in LISTENER_VARIABLES.items():
            program = handlers.get(kind) if isinstance(handlers, dict) else None
            if isinstance(program, list):
                arguments.append(f"{kind}={self.listener(frame, list(variables), program)}")
        return f"accept({', '.join(arguments)})"

    def listener(self, frame: Frame, variables: list[str], program: Program) -> str:
        """The function of a listener: it reads its creator's variables, what it sets is its own."""
        return self.function(frame, "fn", ["ws", *variables], program)

    def op_ws_connect(self, frame: Frame, variable: str, reference: Json, url: Json = "http://do/ws") -> str:
        self.counter += 1
        response = f"response_{self.counter}"
        name = self.python_name(frame, variable)
        frame.emit(f"{response} = await upgrade({self.expressions.stub(frame, reference)}, {url!r})")
        frame.emit(f"{name} = client_end({response}, {variable!r}, {name})")
        return f"await answered({response})"

    # -- one socket

    def op_ws_send(self, frame: Frame, socket: Json, data: Json) -> str:
        return f"{self.ex(frame, socket)}.send({self.raw(frame, data)})"

    def op_ws_close(self, frame: Frame, socket: Json, *arguments: Json) -> str:
        return f"{self.ex(frame, socket)}.close({self.raws(frame, arguments)})"

    def op_ws_ready(self, frame: Frame, socket: Json) -> str:
        return f"{self.ex(frame, socket)}.readyState"

    def op_ws_attach(self, frame: Frame, socket: Json, value: Json) -> str:
        return f"{self.ex(frame, socket)}.serializeAttachment({self.raw(frame, value)})"

    def op_ws_attachment(self, frame: Frame, socket: Json) -> str:
        self.rules.add(RAW_SOCKET.id)
        return f"plain({self.ex(frame, socket)}.deserializeAttachment())"

    def op_ws_tags(self, frame: Frame, socket: Json) -> str:
        return f"list(self.ctx.getTags({self.ex(frame, socket)}))"

    # -- all sockets of an object

    def sockets(self, frame: Frame, tag: tuple[Json, ...]) -> str:
        return f"self.ctx.getWebSockets({self.raws(frame, tag[:1])})"

    def op_ws_list(self, frame: Frame, *tag: Json) -> str:
        return f"list({self.sockets(frame, tag)})"

    def op_ws_list_attachments(self, frame: Frame, *tag: Json) -> str:
        self.rules.add(RAW_SOCKET.id)
        return f"[plain(socket.deserializeAttachment()) for socket in {self.sockets(frame, tag)}]"

    def op_ws_count(self, frame: Frame, *tag: Json) -> str:
        return f"len({self.sockets(frame, tag)})"

    # -- auto-response and event timeout

    def op_ws_auto(self, frame: Frame, *texts: Json) -> str:
        if not texts:
            return "self.ctx.setWebSocketAutoResponse()"
        self.expressions.imports.add("from js import WebSocketRequestResponsePair")
        pair = f"WebSocketRequestResponsePair.new({self.raws(frame, texts[:2])})"
        return f"self.ctx.setWebSocketAutoResponse({pair})"

    def op_ws_auto_get(self, frame: Frame) -> str:
        return "auto_response(self.ctx)"

    def op_ws_auto_ts(self, frame: Frame, socket: Json) -> str:
        return f"auto_time(self.ctx, {self.ex(frame, socket)})"

    def op_ws_event_timeout(self, frame: Frame, *ms: Json) -> str:
        return f"self.ctx.setHibernatableWebSocketEventTimeout({self.raws(frame, ms[:1])})"

    def op_ws_event_timeout_get(self, frame: Frame) -> str:
        return "plain(self.ctx.getHibernatableWebSocketEventTimeout())"
