"""WebSockets: two ends of one connection, and the frames that travel between them.

Recorded: messages arrive in order, each an event of its own; what is sent leaves through the output gate; what arrives
before an end is accepted waits there. An end that got the other's close and has sent its own is closed (readyState 3).
Texts of errors: workerd src/workerd/api/web-socket.c++, most of them recorded.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import TYPE_CHECKING, Any

from dosim.kernel.loop import SCOPE
from dosim.kernel.streams import mix64
from dosim.platform.facts import (
    ATTACHMENT_LIMIT_BYTES,
    LOST_NOTICED_US,
    MESSAGE_LIMIT_BYTES,
    WEB_SOCKET_AUTO_REPLY_TO_CLOSE,
    WEBSOCKET_STANDARD_BINARY_TYPE,
)
from dosim.runtime.frames import Connection, Frame
from dosim.web.buffers import JsArrayBuffer, buffer_bytes
from dosim.web.errors import JsException, noted, type_error
from dosim.web.forms import JsBlob
from dosim.web.interface import JsInterface, argument_int, argument_text, interface_name, utf8
from dosim.web.proxies import clone_raw, jsnull, raw
from dosim.web.sizes import serialized_size

if TYPE_CHECKING:
    from dosim.network import City
    from dosim.runtime.calls import Call
    from dosim.runtime.hibernation import Hibernatable
    from dosim.runtime.host import ObjectHost
    from dosim.runtime.world import World

#: What the other side reads when a connection is gone without a close frame (recorded).
LOST_CODE, LOST_REASON = 1006, "WebSocket disconnected without sending Close frame."
NO_CODE = 1005
_FORBIDDEN_CODES = frozenset((1004, 1005, 1006, 1015))
_REASON_BYTES = 123
_NOT_ACCEPTED = "You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending messages."
#: Of an end whose other end is in use. Source: workerd api/actor-state.c++ (2026-08-22); not a recorded case.
_PAIRED = (
    "Cannot call `acceptWebSocket()` on this WebSocket because its pair has already been accepted or used in a"
    " Response."
)
_MIXED = "Cannot call `acceptWebSocket()` if the WebSocket was already accepted via `accept()`"

CONNECTING, OPEN, CLOSING, CLOSED = 0, 1, 2, 3


class SocketEvent(JsInterface):
    """What a listener of a socket is given: `data`, or `code`, `reason`, `wasClean`, or `message`, `error`."""

    js_name = "Event"
    __slots__ = ("code", "data", "error", "message", "reason", "target", "type", "wasClean")

    def __init__(self, kind: str, target: JsInterface, **fields: Any) -> None:
        self.type = kind
        self.target = target
        for name, value in fields.items():
            setattr(self, name, value)


class WebSocketEnd(JsInterface):
    """`WebSocket` as programs hold it: one end. The same after a hibernation as before."""

    js_name = "WebSocket"
    __slots__ = (
        "_attachment",
        "_coming",
        "_connection",
        "_listeners",
        "_paused",
        "_scope",
        "answers_close",
        "auto_answered_ms",
        "binary_type",
        "closed_incoming",
        "closed_outgoing",
        "hibernatable",
        "label",
        "last_arrival_us",
        "life",
        "lost",
        "outgoing",
        "peer",
        "receive",
        "side",
    )

    READY_STATE_CONNECTING, READY_STATE_OPEN, READY_STATE_CLOSING, READY_STATE_CLOSED = range(4)
    #: As the stub of the events that it brings to an object.
    object_id = None
    target_place = None
    #: What `new WebSocket()` and a browser know, and a pair does not.
    url = protocol = extensions = jsnull

    peer: WebSocketEnd

    def __init__(self, connection: Connection, label: str, side: int) -> None:
        self._connection = connection
        self.side = side
        #: Whose end it is, for the trace.
        self.label = label
        self._listeners: dict[str, list[Callable[[SocketEvent], Any]]] | None = None
        #: Frames under way to this end, with their times of arrival; None: none. They wait until it is accepted.
        self._coming: deque[tuple[int, Frame]] | None = None
        self._paused = False
        self._attachment: Any = jsnull
        #: Where `accept()` was called; its events go there.
        self._scope: Any = None
        #: The object's registration after `acceptWebSocket`.
        self.hibernatable: Hibernatable | None = None
        #: A client outside takes its frames with this function.
        self.receive: Callable[[Frame], None] | None = None
        self.answers_close = False
        self.auto_answered_ms: int | None = None
        self.binary_type: str | None = None
        self.closed_incoming = self.closed_outgoing = False
        #: The connection is gone without a close frame.
        self.lost = False
        #: The connection was opened from here.
        self.outgoing = False
        self.last_arrival_us = 0
        self.life = 0

    # -- what programs read

    @property
    def readyState(self) -> int:
        if self.closed_incoming and self.closed_outgoing:
            return CLOSED
        return CLOSING if self.closed_incoming or self.closed_outgoing else OPEN

    @property
    def binaryType(self) -> str:
        if self.binary_type is not None:
            return self.binary_type
        world = self._connection.world
        flag = "websocket_standard_binary_type"
        return "blob" if world.flag_since(flag, f"no_{flag}", WEBSOCKET_STANDARD_BINARY_TYPE) else "arraybuffer"

    @binaryType.setter
    def binaryType(self, value: object) -> None:
        if value in ("blob", "arraybuffer"):
            self.binary_type = str(value)

    @property
    def accepted(self) -> bool:
        return self.hibernatable is not None or self._scope is not None or self.receive is not None

    @property
    def host(self) -> ObjectHost | None:
        """The object whose end it is; None: a Worker's, a client's, or nobody's yet."""
        if self.hibernatable is not None:
            return self.hibernatable.host
        owner: Any = self._scope.owner if self._scope is not None else None
        return owner.host if getattr(owner, "is_instance", False) else None

    @property
    def number(self) -> int:
        """Of the connection: the same at both ends."""
        return self._connection.number

    # -- accept

    def accept(self, options: object = None, **_: object) -> None:
        """Receive here, by listeners; keeps the object in memory. Raises TypeError after acceptWebSocket."""
        if self.hibernatable is not None:
            raise type_error("Can't accept() WebSocket after enabling hibernation.")
        if self._scope is not None:
            return
        scope: Any = SCOPE.get()
        if scope is None:
            raise RuntimeError("accept() works inside a Worker or a Durable Object only, while its code runs.")
        world = self._connection.world
        self._scope = scope
        self.label = scope.owner.label
        self.life = scope.owner.life
        self.answers_close = world.flag_since(
            "web_socket_auto_reply_to_close", "web_socket_manual_reply_to_close", WEB_SOCKET_AUTO_REPLY_TO_CLOSE
        )
        scope.owner.keep_socket(self)
        self._accepted("accept", ())

    def check_unaccepted(self) -> None:
        """Raises what `ctx.acceptWebSocket` raises for an end that was accepted in whatever way (recorded)."""
        if self.accepted:
            raise JsException(_MIXED)
        if self.peer.accepted or self._connection.legs:
            raise JsException(_PAIRED)

    def check_sendable(self) -> None:
        """Raises TypeError for an end that cannot be given away in a response any more."""
        if self.accepted:
            how = "acceptWebSocket" if self.hibernatable is not None else "accept"
            raise type_error(f"Can't return WebSocket in a Response after calling {how}().")

    def hibernate(self, registration: Hibernatable) -> None:
        """Its events are the object's from now on, in memory or not."""
        self.hibernatable = registration
        self.label = registration.label
        self.life = registration.life
        self._accepted("hibernatable", registration.tags_of(self))

    def attach_client(self, label: str, receive: Callable[[Frame], None]) -> None:
        """A client outside holds this end: it answers a close as browsers do."""
        self.label, self.receive, self.answers_close = label, receive, True
        self._accepted("client", ())

    def _accepted(self, how: str, tags: tuple[str, ...]) -> None:
        world = self._connection.world
        scope: Any = SCOPE.get()
        call: Call | None = scope.call if scope is not None else None
        request, cause = (call.id, call.last) if call is not None else (0, 0)
        world.emit(world.loop.time_us(), "socket", self.label, request, cause, (self.number, how, tags))
        if self._paused:
            self._paused = False
            world.loop.after(0, self._arrive, None)

    def travelled(self, start: City | None, end: City | None, more_us: int = 0) -> None:
        """The answer that carries this end has gone this way: so will its frames."""
        self._connection.legs.append((start, end, more_us))

    # -- send and close

    def send(self, message: object = None) -> None:
        """Send text, or bytes given as a JavaScript buffer; what is neither is sent as its text (recorded).

        Raises TypeError before the end is accepted and after `close()`.
        """
        if self.lost:
            return
        if self.closed_outgoing:
            raise type_error("Can't call WebSocket send() after close().")
        if not self.accepted:
            raise type_error(_NOT_ACCEPTED)
        self._emit(Frame(self, "message", self._payload(message)))

    def _payload(self, message: object) -> str | bytes:
        if isinstance(message, str):
            return str.__str__(message)
        if interface_name(message) is not None:
            data = buffer_bytes(message)
            return data if data is not None else argument_text(message)
        if isinstance(message, (bytes, bytearray, memoryview, dict, list, tuple)):
            kind = type(message).__name__
            spelling = "ws.send(to_js(data))" if buffer_bytes(message) is not None else "ws.send(json.dumps(data))"
            if self._connection.world.portability(f"ws.send({kind}) sends Python's text of it", spelling):
                data = buffer_bytes(message)
                return data if data is not None else argument_text(message)
        return argument_text(message)

    def close(self, code: object = None, reason: object = None) -> None:
        """Send a close frame; a second one is ignored. Raises InvalidAccessError, SyntaxError for what it refuses."""
        number = None if code is None else argument_int(code)
        if number is not None and (not 1000 <= number < 5000 or number in _FORBIDDEN_CODES):
            raise JsException(f"Invalid WebSocket close code: {number}.", "InvalidAccessError")
        text = "" if reason is None else argument_text(reason)
        if len(utf8(text)) > _REASON_BYTES:
            raise JsException(
                "WebSocket close reason must not be longer than 123 bytes when UTF-8 encoded.", "SyntaxError"
            )
        if reason is not None and number is None:
            raise JsException(
                "If you specify a WebSocket close reason, you must also specify a code.", "InvalidAccessError"
            )
        if self.closed_outgoing:
            return
        if not self.accepted:
            raise type_error(_NOT_ACCEPTED)
        self.closed_outgoing = True
        self._emit(Frame(self, "close", None, NO_CODE if number is None else number, text))
        self._check_over()

    def send_as_client(self, message: str | bytes) -> None:
        """A client outside sends, whoever's code calls it."""
        self._send_now(Frame(self, "message", message))

    def close_as_client(self, code: int, reason: str) -> None:
        """A client outside closes. Raises what `close` raises."""
        Context().run(self.close, code, reason)

    def _emit(self, frame: Frame) -> None:
        """Send with the turn that runs, when its writes are confirmed; from outside at once."""
        scope: Any = SCOPE.get()
        world = self._connection.world
        if scope is None:
            frame.leave(world.loop.time_us())
            return
        call: Call | None = scope.call
        frame.last = call.last if call is not None else 0
        scope.owner.emit_frame(frame)

    def send_frame(self, frame: Frame, at_us: int) -> None:
        """The frame leaves now."""
        world, connection = self._connection.world, self._connection
        faults = world.faults
        cut = faults is not None and frame.kind != "lost" and connection.is_cut(faults)
        delay_us = 0 if cut else connection.delay_us()
        if faults is not None and not cut and frame.kind != "lost":
            delay_us += faults.frame_late_us(self)
        arrive_us = None if cut else max(at_us + delay_us, self.peer.last_arrival_us)
        if frame.kind != "error":
            detail = (connection.number, frame.kind, frame.size_bytes, arrive_us)
            frame.last = world.emit(at_us, "frame", self.label, 0, frame.last, detail)
        if arrive_us is None:
            for end in (self, self.peer):  # both sides notice, some time
                end._expect(at_us + LOST_NOTICED_US, Frame(end.peer, "lost", None, LOST_CODE, LOST_REASON))
            return
        self.peer._expect(arrive_us, frame)

    def _expect(self, arrival_us: int, frame: Frame) -> None:
        """A frame is on its way here, behind those that are."""
        self.last_arrival_us = arrival_us
        if self._coming is not None:
            self._coming.append((arrival_us, frame))
        else:
            self._coming = deque(((arrival_us, frame),))
            self._connection.world.loop.at(arrival_us, self._arrive, None)

    def _arrive(self, _: None) -> None:
        """One frame at a time: what it brings about goes first, before a next one of the same instant (recorded)."""
        if self._coming is None:
            return
        if not self.accepted:
            self._paused = True
            return
        frame = self._coming.popleft()[1]
        if not self._take(frame):
            self.delivered()

    def delivered(self) -> None:
        """The event of the last frame has begun: the next frame is read (recorded: not before)."""
        coming, loop = self._coming, self._connection.world.loop
        if not coming:
            self._coming = None
        elif coming[0][0] > loop.now_us:
            loop.at(coming[0][0], self._arrive, None)
        else:
            loop.after(0, self._next, None)

    def _next(self, _: None) -> None:
        self._connection.world.loop.after(0, self._arrive, None)

    def answer_by_itself(self, response: str, now_us: int, last: int) -> None:
        """The platform's own answer to a message: no event, no gate."""
        frame = Frame(self, "message", response)
        frame.last = last
        self.send_frame(frame, now_us)

    def drop(self) -> None:
        """The connection is gone from this end, without a word: the other end notices."""
        if self.closed_incoming and self.closed_outgoing:
            return
        self.closed_incoming = self.closed_outgoing = self.lost = True
        if not (self.peer.closed_incoming and self.peer.closed_outgoing):
            self._send_now(Frame(self, "lost", None, LOST_CODE, LOST_REASON))
        self._check_over()

    # -- frames arrive

    def _take(self, frame: Frame) -> bool:
        """A frame is read here; True when an event has been made of it, which calls `delivered` when it begins."""
        if frame.kind == "message":
            if len(frame.data) > MESSAGE_LIMIT_BYTES // 4 and frame.size_bytes > MESSAGE_LIMIT_BYTES:
                return self._too_large(frame)
            return not self.closed_incoming and self._deliver(frame)
        if frame.kind == "error":
            text = f"Uncaught Error: {frame.reason}"
            return self._dispatch("error", frame, message=text, error=JsException(frame.reason))
        if self.closed_incoming:
            if frame.kind == "lost":
                self.closed_outgoing = self.lost = True
                self._check_over()
            return False
        closed_first = self.closed_outgoing
        self.closed_incoming = True
        if frame.kind == "lost":
            self.closed_outgoing = self.lost = True
        elif self.answers_close and not self.closed_outgoing:
            self.closed_outgoing = True
            self._send_now(Frame(self, "close", None, frame.code, frame.reason))
        begins = self._deliver(frame)
        if frame.kind == "close" and closed_first and self.hibernatable is not None:
            self._send_now(Frame(self, "error", None, 0, "Network connection lost."))
        self._check_over()
        return begins

    def _too_large(self, frame: Frame) -> bool:
        """A message that is too large to receive ends the connection with code 1009 (workerd, kj http.c++)."""
        text = f"Message is too large: {frame.size_bytes} > {MESSAGE_LIMIT_BYTES}"
        self._send_now(Frame(self, "close", None, 1009, text))
        self.closed_outgoing = True
        return self._take(Frame(frame.sender, "lost", None, LOST_CODE, LOST_REASON))

    def _send_now(self, frame: Frame) -> None:
        self.send_frame(frame, self._connection.world.loop.time_us())

    def _deliver(self, frame: Frame) -> bool:
        if self.receive is not None:
            self.receive(frame)
            return False
        if self.hibernatable is not None:
            return self.hibernatable.take(self, frame)
        if frame.kind == "message":
            return self._dispatch("message", frame, data=self._data(frame.data))
        return self._dispatch("close", frame, code=frame.code, reason=frame.reason, wasClean=frame.kind == "close")

    def _data(self, data: Any) -> Any:
        if not isinstance(data, bytes):
            return data
        return JsBlob(data) if self.binaryType == "blob" else JsArrayBuffer(data)

    def _dispatch(self, kind: str, frame: Frame, **fields: Any) -> bool:
        """Bring an event to whoever accepted this end."""
        if self._scope is None:
            return False
        self._scope.owner.socket_event(self, SocketEvent(kind, self, **fields), frame.last)
        return True

    @property
    def owner(self) -> Any:
        """Whose code called `accept()`: an object's instance or a Worker's request."""
        return self._scope.owner

    @property
    def gate(self) -> Any:
        """The gate that its events go through: that of the section in which it was accepted."""
        return self._scope.gate

    # -- listeners

    def addEventListener(self, kind: object, listener: Callable[[SocketEvent], Any], *_: object) -> None:
        """Call `listener(event)` for "message", "close" or "error"; never called on a hibernatable end (recorded)."""
        if self._listeners is None:
            self._listeners = {}
        listeners = self._listeners.setdefault(argument_text(kind), [])
        if listener not in listeners:
            listeners.append(listener)

    def removeEventListener(self, kind: object, listener: Callable[[SocketEvent], Any], *_: object) -> None:
        listeners = (self._listeners or {}).get(argument_text(kind), [])
        if listener in listeners:
            listeners.remove(listener)

    def run_listeners(self, event: SocketEvent) -> Any:
        """Call them, in their order; what is returned waits for those that run on. A failure stops no other one."""
        world, running = self._connection.world, []
        for listener in [*(self._listeners or {}).get(event.type, ())]:
            try:
                result = listener(event)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                world.callback_failed(error)
                continue
            if inspect.isawaitable(result):
                running.append(asyncio.ensure_future(result))
        return _all_done(world, running) if running else None

    def _check_over(self) -> None:
        """Both directions are closed: nobody has to stay for it."""
        if self.closed_incoming and self.closed_outgoing and self._scope is not None:
            self._scope.owner.release_socket(self)

    # -- attachments

    def serializeAttachment(self, value: object = None) -> None:
        """Keep a copy of `value` with the socket over hibernations; at most 16,384 bytes serialised.

        Raises DataCloneError for Python's own dicts and lists (write `to_js(value)`), Error when it is too large.
        """
        try:
            copy = None if value is None else clone_raw(value)
        except JsException as error:
            if not isinstance(value, (dict, list, tuple)):
                raise
            trap, spelling = "serializeAttachment(dict or list) is refused", "serializeAttachment(to_js(value))"
            if not self._connection.world.friendly:
                raise noted(error, f"Python's own containers are proxies to JavaScript: write {spelling}.") from None
            self._connection.world.portability(trap, spelling)
            from dosim.web.proxies import to_js

            copy = clone_raw(to_js(value))
        size_bytes = serialized_size(copy)
        if size_bytes > ATTACHMENT_LIMIT_BYTES:
            raise JsException(
                f"A WebSocket 'attachment' cannot be larger than {ATTACHMENT_LIMIT_BYTES} bytes.'attachment' was"
                f" {size_bytes} bytes."
            )
        self._attachment = None if copy is None else raw(copy)

    def deserializeAttachment(self) -> Any:
        """A copy of what was attached last; jsnull when nothing was. Attributes, not keys: `.to_py()` converts."""
        kept = self._attachment
        return kept if kept is None or kept is jsnull else raw(clone_raw(kept))

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = None  # type: ignore[assignment]

    @property
    def js_id(self) -> int:
        """A number to key on instead: JavaScript's objects cannot be hashed (Pyodide, `JsProxy.js_id`)."""
        return 2 * self.number + self.side


def make_pair(world: World) -> tuple[WebSocketEnd, WebSocketEnd]:
    """Two ends of a new connection."""
    scope: Any = SCOPE.get()
    call: Call | None = scope.call if scope is not None else None
    if call is not None:
        call.made += 1
        key = mix64(call.key + call.made)
    else:
        key = mix64(world.next_root())
    label = scope.owner.label if scope is not None else "the outside"
    connection = Connection(world, key)
    first, second = WebSocketEnd(connection, label, 0), WebSocketEnd(connection, label, 1)
    first.peer, second.peer = second, first
    return first, second


async def _all_done(world: World, running: Sequence[asyncio.Future[Any]]) -> None:
    """The listeners that went on have ended; what they raised is nobody's business (recorded)."""
    for listener in running:
        try:
            await listener
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            world.callback_failed(error)
