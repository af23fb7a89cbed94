"""Bodies of requests and responses: what they are made of, and reading them, which is I/O.

Reading a body lets other events into a Durable Object (recorded, Python Workers on workerd 2026-11-17): every read
waits for one event of the simulated world. A body that is null has nothing to wait for.
"""

from __future__ import annotations

import asyncio
import builtins
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from dosim.web.buffers import JsArrayBuffer, JsUint8Array, buffer_bytes
from dosim.web.errors import JsException, type_error
from dosim.web.forms import URLENCODED, JsBlob, JsFormData, blob_of_body, decode_body, encode_multipart
from dosim.web.headers import JsHeaders
from dosim.web.interface import JsInterface, argument_text, utf8
from dosim.web.proxies import JsArray, JsNull, JsObject, jsnull, raw
from dosim.web.url import JsURLSearchParams
from dosim.web.values import clone

T = TypeVar("T")
TEXT = "text/plain;charset=UTF-8"
BODY_USED = "Body has already been used. It can only be used once. Use tee() first if you need to read it twice."
STREAM_USED = "This ReadableStream is disturbed (has already been read from), and cannot be used as a body."
STREAM_LOCKED = "This ReadableStream is currently locked to a reader."


def io_hop(what: str) -> Awaitable[None] | None:
    """One I/O event of dosim's kernel, to wait for; None outside a simulation, where nothing has to be waited for."""
    try:
        hop: Callable[[str], Awaitable[None]] | None = getattr(asyncio.get_running_loop(), "io_hop", None)
    except RuntimeError:
        return None
    return None if hop is None else hop(what)


class JsReadableStream(JsInterface):
    """The stream that `request.body` is: here always one chunk of bytes, read at once or not at all.

    `rewindable` is True while the bytes came from text or a buffer on this side: such a body can be sent again when a
    redirect asks for it. `length_known` is False for a stream of items.
    """

    js_name = "ReadableStream"
    __slots__ = ("data", "disturbed", "length_known", "locked", "rewindable")

    def __init__(self, data: bytes, rewindable: bool = False, length_known: bool = True) -> None:
        self.data = data
        self.length_known = length_known
        self.rewindable = rewindable
        self.disturbed = False
        self.locked = False

    def take(self) -> bytes:
        """The bytes, once. Raises TypeError at the second time."""
        if self.disturbed or self.locked:
            raise type_error(BODY_USED)
        self.disturbed = True
        return self.data

    def detach(self) -> JsReadableStream:
        """A stream that takes these bytes over; this one is used from now on."""
        return JsReadableStream(self.take(), rewindable=self.rewindable, length_known=self.length_known)

    def copy(self) -> JsReadableStream:
        """An unread stream of the same bytes."""
        return JsReadableStream(self.data, rewindable=self.rewindable, length_known=self.length_known)

    def tee(self) -> list[JsReadableStream]:
        if self.locked:
            raise type_error(STREAM_LOCKED)
        data = b"" if self.disturbed else self.data
        self.disturbed = self.locked = True
        return [JsReadableStream(data, length_known=False), JsReadableStream(data, length_known=False)]

    def getReader(self) -> JsStreamReader:
        if self.locked:
            raise type_error(STREAM_LOCKED)
        self.locked = True
        return JsStreamReader(self)

    async def cancel(self, reason: object = None) -> None:
        if self.locked:
            raise type_error(STREAM_LOCKED)
        self.disturbed = True

    async def __aiter__(self) -> AsyncIterator[JsUint8Array]:
        reader = self.getReader()
        while not (part := (await reader.read()).to_py())["done"]:
            yield part["value"]


class JsStreamReader(JsInterface):
    """The default reader of a stream."""

    js_name = "ReadableStreamDefaultReader"
    __slots__ = ("_stream",)

    def __init__(self, stream: JsReadableStream) -> None:
        self._stream: JsReadableStream | None = stream

    async def read(self) -> JsObject:
        """An object with `value` (Uint8Array) and `done`."""
        if self._stream is None:
            raise type_error("This ReadableStream reader has been released.")
        first, self._stream.disturbed = not self._stream.disturbed, True
        if not first or not self._stream.data:
            return JsObject({"value": None, "done": True})
        data = self._stream.data
        if (hop := io_hop("body")) is not None:
            await hop
        return JsObject({"value": JsUint8Array(data), "done": False})

    def releaseLock(self) -> None:
        if self._stream is not None:
            self._stream.locked = False
            self._stream = None


def extract_body(init: object) -> tuple[JsReadableStream | None, str | None]:
    """The stream of a body and the Content-Type it brings along; (None, None) for None.

    Takes text, buffers, Blob, FormData, URLSearchParams and ReadableStream of JavaScript; a list is a stream of its
    items (recorded); anything else is turned into text as JavaScript does. Raises TypeError for a stream that has been
    read.
    """
    if init is None or init is jsnull:
        return None, None
    if type(init) is str:
        return JsReadableStream(utf8(init), True), TEXT
    if isinstance(init, JsReadableStream):
        if init.disturbed or init.locked:
            raise type_error(STREAM_USED)
        return init, None
    if isinstance(init, (list, tuple, JsArray)):
        return JsReadableStream(b"".join(map(_item, init)), length_known=False), None
    content_type, data = _content(init)
    return JsReadableStream(data, rewindable=True), content_type


def _content(init: object) -> tuple[str | None, bytes]:
    if isinstance(init, JsBlob):
        return init.type or None, init.data
    if isinstance(init, JsFormData):
        return encode_multipart(init)
    if isinstance(init, JsURLSearchParams):
        return f"{URLENCODED};charset=UTF-8", utf8(init.toString())
    data = None if isinstance(init, str) else buffer_bytes(init)
    return (None, data) if data is not None else (TEXT, utf8(argument_text(init)))


def _item(item: object) -> bytes:
    data = buffer_bytes(item)
    return utf8(argument_text(item)) if data is None else data


class JsBody(JsInterface):
    """What Request and Response share: `body`, `bodyUsed` and the reading methods, each of which uses the body up.

    As in JavaScript a read begins at the call, awaited or not; its error is raised by the await. Headers are made when
    somebody asks for them: most messages have none, or the type of their content alone.
    """

    __slots__ = ("_arrived", "_content_type", "_headers", "_stream")

    _headers: JsHeaders | None
    _stream: JsReadableStream | None
    #: What `_headers` will say of the content once they are made, and whether they will be immutable.
    _content_type: str | None
    _arrived: bool

    @property
    def headers(self) -> JsHeaders:
        found = self._headers
        if found is None:
            found = self._headers = JsHeaders()
            if self._content_type is not None:
                found.add_missing("content-type", self._content_type)
            found.immutable = self._arrived
        return found

    @property
    def body(self) -> JsReadableStream | JsNull:
        return jsnull if self._stream is None else self._stream

    @property
    def stream(self) -> JsReadableStream | None:
        """`body` as Python has it: None when there is none."""
        return self._stream

    @property
    def bodyUsed(self) -> bool:
        stream = self._stream
        return stream is not None and stream.disturbed

    @property
    def size_bytes(self) -> int:
        """Bytes of the body, read or not."""
        return 0 if self._stream is None else len(self._stream.data)

    def text(self) -> Coroutine[Any, Any, str]:
        return self._read(_text)

    def json(self) -> Coroutine[Any, Any, Any]:
        """The parsed body as JavaScript has it: objects with attributes, 1.0 is 1. Raises SyntaxError."""
        return self._read(_parse_json)

    def arrayBuffer(self) -> Coroutine[Any, Any, JsArrayBuffer]:
        return self._read(JsArrayBuffer)

    def bytes(self) -> Coroutine[Any, Any, JsUint8Array]:
        return self._read(JsUint8Array)

    def blob(self) -> Coroutine[Any, Any, JsBlob]:
        content_type = self.headers.find("content-type")
        return self._read(lambda data: blob_of_body(data, content_type))

    def formData(self) -> Coroutine[Any, Any, JsFormData]:
        content_type = self.headers.find("content-type")
        if content_type is None and not self.bodyUsed:
            return _fail(type_error("Parsing a Body as FormData requires a Content-Type header."))
        return self._read(lambda data: decode_body(data, content_type or ""))

    def _read(self, convert: Callable[[builtins.bytes], T]) -> Coroutine[Any, Any, T]:
        stream = self._stream
        if stream is None:
            return _give(b"", convert)
        try:
            data = stream.take()
        except JsException as error:
            return _fail(error)
        return _deliver(data, convert)

    def clone_stream(self) -> JsReadableStream | None:
        """Splits the body in two: one for this, one for a clone. Raises TypeError if it has been used."""
        if self._stream is None:
            return None
        if self._stream.disturbed or self._stream.locked:
            raise type_error(BODY_USED)
        mine, other = self._stream.copy(), self._stream.copy()
        self._stream.disturbed = self._stream.locked = True
        self._stream = mine
        return other

    def send_stream(self) -> JsReadableStream | None:
        """The body as it arrives at the other side; used up on this one. Raises TypeError if it has been used."""
        stream = self._stream
        if stream is None:
            return None
        if stream.disturbed or stream.locked:
            raise type_error(BODY_USED)
        stream.disturbed = True
        return JsReadableStream(stream.data, False, stream.length_known)


async def _fail(error: JsException) -> Any:
    raise error


async def _give(data: bytes, convert: Callable[[bytes], T]) -> T:
    return convert(data)


async def _deliver(data: bytes, convert: Callable[[bytes], T]) -> T:
    if (hop := io_hop("body")) is not None:
        await hop
    return convert(data)


def _text(data: bytes) -> str:
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")


def _parse_json(data: bytes) -> Any:
    text = _text(data)
    try:
        return raw(clone(json.loads(text, parse_constant=_no_constant, parse_int=float, parse_float=float)))
    except json.JSONDecodeError as error:
        raise JsException(_syntax_error(text, error.pos), "SyntaxError") from None


def _no_constant(text: str) -> float:
    raise json.JSONDecodeError("not JSON", text, 0)


def _syntax_error(text: str, at: int) -> str:
    """V8's message for text that stops being JSON at this place."""
    if at >= len(text):
        return "Unexpected end of JSON input"
    start, end = (0, len(text)) if len(text) < 21 else (max(0, at - 10), min(len(text), at + 10))
    before, after = "..." if start else "", "..." if end < len(text) else ""
    return f"Unexpected token '{text[at]}', {before}\"{text[start:end]}\"{after} is not valid JSON"
