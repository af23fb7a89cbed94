"""The hibernatable WebSockets of one object: they stay while its instances come and go.

Recorded: sockets, tags, attachments, the auto-response and the event timeout survive hibernation, attributes do not.
Messages, closes and errors are events of the object, which is constructed for them if it is not in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dosim.platform.facts import (
    AUTO_RESPONSE_LIMIT_BYTES,
    EPOCH_MS,
    EVENT_TIMEOUT_LIMIT_MS,
    HIBERNATABLE_SOCKETS,
    SOCKET_TAGS,
    TAG_LENGTH,
)
from dosim.web.buffers import JsArrayBuffer
from dosim.web.dates import JsDate
from dosim.web.errors import JsException, noted, type_error
from dosim.web.interface import JsInterface, argument_int, argument_text, utf8
from dosim.web.proxies import JsArray, jsnull

if TYPE_CHECKING:
    from dosim.runtime.frames import Frame
    from dosim.runtime.host import ObjectHost
    from dosim.runtime.websocket import WebSocketEnd

_NOT_AN_ARRAY = "Failed to execute 'acceptWebSocket' on 'DurableObjectState': parameter 2 is not of type 'Array'."
#: What every unsigned number says of a negative one. workerd src/workerd/jsg/value.h.
_NEGATIVE = "The value cannot be converted because it is negative and this API expects a positive number."
_NO_SOCKET = "Failed to execute '{}' on 'DurableObjectState': parameter 1 is not of type 'WebSocket'."
_NO_PAIR = (
    "Failed to execute 'setWebSocketAutoResponse' on 'DurableObjectState': parameter 1 is not of type"
    " 'WebSocketRequestResponsePair'."
)


class WebSocketRequestResponsePair(JsInterface):
    """A message that the platform answers by itself, and the answer."""

    js_name = "WebSocketRequestResponsePair"
    __slots__ = ("request", "response")

    def __init__(self, request: str, response: str) -> None:
        self.request = request
        self.response = response

    @classmethod
    def new(cls, request: object = None, response: object = None) -> WebSocketRequestResponsePair:
        return cls(argument_text(request), argument_text(response))


class Hibernatable:
    """An object's registry of the sockets it has accepted with `acceptWebSocket`."""

    __slots__ = ("_host", "_tags", "auto", "event_timeout_ms")

    def __init__(self, host: ObjectHost) -> None:
        self._host = host
        #: Each socket with its tags, by its `js_id`, in the order in which they were accepted.
        self._tags: dict[int, tuple[WebSocketEnd, tuple[str, ...]]] = {}
        self.auto: WebSocketRequestResponsePair | None = None
        self.event_timeout_ms: int | None = None

    def __len__(self) -> int:
        return len(self._tags)

    @property
    def host(self) -> ObjectHost:
        return self._host

    @property
    def label(self) -> str:
        return self._host.label

    @property
    def life(self) -> int:
        return self._host.life

    # -- what ctx calls

    def accept(self, socket: WebSocketEnd, tags: object) -> None:
        """`ctx.acceptWebSocket(ws, tags)`. Raises the platform's errors (recorded)."""
        socket.check_unaccepted()
        checked = self._checked_tags(tags)
        if len(self._tags) >= HIBERNATABLE_SOCKETS:
            raise JsException(
                f"only {HIBERNATABLE_SOCKETS} websockets can be accepted on a single Durable Object instance"
            )
        self._tags[socket.js_id] = socket, checked
        socket.hibernate(self)

    def _checked_tags(self, tags: object) -> tuple[str, ...]:
        world = self._host.world
        if tags is None:
            return ()
        if not isinstance(tags, JsArray):
            spelling = "ctx.acceptWebSocket(ws, to_js([...]))"
            if not (isinstance(tags, (list, tuple)) and world.friendly):
                raise noted(type_error(_NOT_AN_ARRAY), f"Tags are a JavaScript array: write {spelling}.")
            world.portability("acceptWebSocket(ws, [...]) is refused: a Python list is no Array", spelling)
        texts = [argument_text(tag) for tag in tags]
        for number, text in enumerate(texts):
            if number >= SOCKET_TAGS:
                raise JsException(f"a Hibernatable WebSocket cannot have more than {SOCKET_TAGS} tags")
            if len(text) > TAG_LENGTH:
                raise JsException(f'"{text}" is longer than the max tag length ({TAG_LENGTH} characters).')
        return tuple(dict.fromkeys(texts))

    def tags_of(self, socket: WebSocketEnd) -> tuple[str, ...]:
        known = self._tags.get(socket.js_id)
        return known[1] if known else ()

    def sockets(self, tag: object = None) -> JsArray:
        """All: the newest first; with a tag: the oldest first (recorded)."""
        if tag is None:
            return JsArray([socket for socket, _ in reversed(self._tags.values())])
        wanted = argument_text(tag)
        return JsArray([socket for socket, tags in self._tags.values() if wanted in tags])

    def set_auto_response(self, pair: object) -> None:
        """Answer a text by itself, without waking; None: no more. Raises RangeError over 2,048 bytes (recorded)."""
        if pair is None:
            self.auto = None
            return
        if not isinstance(pair, WebSocketRequestResponsePair):
            raise type_error(_NO_PAIR)
        for what, text in (("Request", pair.request), ("Response", pair.response)):
            size_bytes = len(utf8(text))
            if size_bytes > AUTO_RESPONSE_LIMIT_BYTES:
                raise JsException(
                    f"{what} cannot be larger than {AUTO_RESPONSE_LIMIT_BYTES} bytes. A {what.lower()} of size"
                    f" {size_bytes} was provided.",
                    "RangeError",
                )
        self.auto = pair

    def set_event_timeout(self, timeout_ms: object) -> None:
        """A handler that takes longer is cut off; None or 0: no limit. Raises Error over a week (recorded)."""
        number = 0 if timeout_ms is None else argument_int(timeout_ms)
        if number < 0:
            raise type_error(_NEGATIVE)
        if number > EVENT_TIMEOUT_LIMIT_MS:
            raise JsException(f"Event timeout should not exceed {EVENT_TIMEOUT_LIMIT_MS} ms.")
        self.event_timeout_ms = number or None

    # -- frames that arrive

    def take(self, socket: WebSocketEnd, frame: Frame) -> bool:
        """A frame for the object: answered without it, or an event that wakes it (then True)."""
        world = self._host.world
        if frame.kind == "message":
            auto = self.auto
            if auto is not None and frame.data == auto.request:
                self._answer_by_itself(socket, frame, auto.response)
                return False
            data = frame.data
            args: tuple[Any, ...] = (socket, JsArrayBuffer(data) if isinstance(data, bytes) else data)
            method = "webSocketMessage"
        else:
            args = (socket, frame.code, frame.reason, frame.kind == "close")
            method = "webSocketClose"
        socket.life = self._host.life
        self._host.arrive(world.event_call("websocket", self._host, method, args, socket, frame.last))
        return True

    def _answer_by_itself(self, socket: WebSocketEnd, frame: Frame, response: str) -> None:
        world = self._host.world
        now_us = world.loop.now_us
        socket.auto_answered_ms = EPOCH_MS + now_us // 1000
        last = world.emit(now_us, "auto_response", self.label, 0, frame.last, (socket.number,))
        socket.answer_by_itself(response, now_us, last)

    def handled(self, socket: WebSocketEnd, method: str) -> None:
        """A handler has ended: a closed socket leaves the list now (recorded)."""
        if method == "webSocketClose":
            self._tags.pop(socket.js_id, None)

    def drop(self) -> None:
        """The object was reset: its sockets are gone, their other ends notice."""
        gone, self._tags = self._tags, {}
        for socket, _ in gone.values():
            socket.drop()


def checked_socket(value: object, what: str) -> WebSocketEnd:
    """The argument as a socket. Raises the platform's TypeError."""
    from dosim.runtime.websocket import WebSocketEnd

    if not isinstance(value, WebSocketEnd):
        raise type_error(_NO_SOCKET.format(what))
    return value


def timestamp(socket: WebSocketEnd) -> object:
    """When the socket was answered by itself last: a raw Date, jsnull for never."""
    return jsnull if socket.auto_answered_ms is None else JsDate(socket.auto_answered_ms)
