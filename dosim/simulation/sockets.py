"""WebSockets from outside: `async with tokyo.websocket(url) as ws`, and what somebody can do with one."""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import Context
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from dosim.kernel.durations import duration_text
from dosim.runtime.calls import OutsideCall
from dosim.web.errors import noted

if TYPE_CHECKING:
    from dosim.runtime.websocket import Frame, WebSocketEnd
    from dosim.simulation.clients import Client, ClientCall

_REPLACED_BY = "send text with ws.send(str) and bytes with ws.send(bytes)"


class HandshakeRefused(ConnectionError):
    """The server answered the WebSocket handshake with an ordinary response: see `status` and `response`."""

    def __init__(self, url: str, response: Any, error: Exception | None) -> None:
        self.status: int = response.status
        self.response = response
        super().__init__(f"the WebSocket handshake with {url} was answered with status {self.status}, not with 101")
        if error is not None:
            self.add_note(f"The Worker failed: {error}")
        else:
            self.add_note(
                "A handler accepts with `return Response(None, status=101, web_socket=client)`, where"
                " `client, server = WebSocketPair.new().object_values()`."
            )


class SocketClosed(ConnectionError):
    """Nothing more can be sent, or comes: `code`, `reason`, `was_clean` say how the connection ended."""

    def __init__(self, code: int, reason: str, *, was_clean: bool) -> None:
        self.code, self.reason, self.was_clean = code, reason, was_clean
        super().__init__(f"the WebSocket is closed: code {code}" + (f", {reason!r}" if reason else ""))


class Received(NamedTuple):
    """A message as it came: when, in microseconds since the start, and what, str or bytes."""

    at_us: int
    message: str | bytes


class Handshake(OutsideCall):
    """A WebSocket handshake under way: await it, run it, or `async with` it, to have the `ClientSocket`."""

    __slots__ = ("_call", "_client")

    def __init__(self, client: Client, call: ClientCall) -> None:
        super().__init__(call.get_loop(), call.request, f"WebSocket {call.url} from {client.name}")
        self._client = client
        self._call = call
        Context().run(call.add_done_callback, self._answered)

    def _answered(self, call: asyncio.Future[Any]) -> None:
        if call.cancelled():
            return
        error = call.exception()
        if self.done():  # given up: the other end learns that nobody is there
            if error is None and call.result().js_object.webSocket is not None:
                call.result().js_object.webSocket.drop()
            return
        if error is not None:
            self.set_exception(error)
            return
        response = call.result()
        end: WebSocketEnd | None = response.js_object.webSocket
        if end is None:
            self.set_exception(HandshakeRefused(self._call.url, response, self._call.error))
        else:
            self.set_result(ClientSocket(self._client, self._call.url, end))

    async def __aenter__(self) -> ClientSocket:
        socket: ClientSocket = await self
        return socket

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.result().close()


class ClientSocket:
    """An open WebSocket of a client: `send`, `recv`, `async for`, `close`, `vanish`; what came is in `received`.

    As with a browser: a close from the other side is answered by itself.
    """

    def __init__(self, client: Client, url: str, end: WebSocketEnd) -> None:
        self.client = client
        self.url = url
        #: Every message, with its time.
        self.received: list[Received] = []
        #: How the connection ended; None while it is open.
        self.closed: SocketClosed | None = None
        self._end = end
        self._loop = client.loop
        self._unread: deque[str | bytes] = deque()
        self._readers: deque[asyncio.Future[None]] = deque()
        self._ending: list[asyncio.Future[None]] = []
        end.attach_client(f"{client.name} {end.number}", self._take)

    @property
    def number(self) -> int:
        """The connection's number in the trace."""
        return self._end.number

    # -- what somebody does

    def send(self, message: str | bytes) -> asyncio.Future[None]:
        """Send text or bytes, at once; what is returned is done already. Raises SocketClosed, TypeError."""
        if not isinstance(message, (str, bytes)):
            raise noted(TypeError(f"a WebSocket sends text or bytes, not {type(message).__name__}"), _REPLACED_BY)
        self._check_open()
        self._end.send_as_client(message)
        return self._done()

    async def recv(self) -> str | bytes:
        """The next message. Raises SocketClosed when none comes any more."""
        while not self._unread:
            if self.closed is not None:
                raise SocketClosed(self.closed.code, self.closed.reason, was_clean=self.closed.was_clean)
            waiting: asyncio.Future[None] = self._loop.create_future()
            self._readers.append(waiting)
            await waiting
        return self._unread.popleft()

    def __aiter__(self) -> ClientSocket:
        return self

    async def __anext__(self) -> str | bytes:
        """The next message; the end when the connection was closed, SocketClosed when it was lost."""
        try:
            return await self.recv()
        except SocketClosed as closed:
            if closed.was_clean:
                raise StopAsyncIteration from None
            raise

    def close(self, code: int = 1000, reason: str = "") -> asyncio.Future[None]:
        """Send a close frame; `wait_closed` waits for the other side's. Closing twice is allowed.

        Raises JsException named InvalidAccessError or SyntaxError for a code or reason that is not allowed.
        """
        self._end.close_as_client(code, reason)
        return self._done()

    async def wait_closed(self) -> SocketClosed:
        """Wait until the connection has ended; returns how. A hibernatable socket ends when the object closes it."""
        if self.closed is None:
            waiting: asyncio.Future[None] = self._loop.create_future()
            self._ending.append(waiting)
            await waiting
        assert self.closed is not None
        return self.closed

    def vanish(self) -> None:
        """The client is gone without a word: a flat battery, a tunnel. The object's webSocketClose sees code 1006."""
        self._end.drop()
        self._ended(SocketClosed(1006, "", was_clean=False))

    # -- what comes

    def _take(self, frame: Frame) -> None:
        if frame.kind == "message":
            self.received.append(Received(self._loop.now_us, frame.data))
            self._unread.append(frame.data)
            self._wake()
        elif frame.kind in ("close", "lost"):
            self._ended(SocketClosed(frame.code, frame.reason, was_clean=frame.kind == "close"))

    def _ended(self, how: SocketClosed) -> None:
        if self.closed is None:
            self.closed = how
            self._wake()
            ending, self._ending = self._ending, []
            for waiting in ending:
                if not waiting.done():
                    waiting.set_result(None)

    def _wake(self) -> None:
        readers, self._readers = self._readers, deque()
        for waiting in readers:
            if not waiting.done():
                waiting.set_result(None)

    def _check_open(self) -> None:
        if self.closed is not None:
            raise SocketClosed(self.closed.code, self.closed.reason, was_clean=self.closed.was_clean)
        if self._end.closed_outgoing:
            raise SocketClosed(1000, "this side has closed it", was_clean=True)

    def _done(self) -> asyncio.Future[None]:
        future = self._loop.create_future()
        future.set_result(None)
        return future

    def __repr__(self) -> str:
        how = "open" if self.closed is None else f"closed with {self.closed.code}"
        last = f", the last at {duration_text(self.received[-1].at_us)}" if self.received else ""
        return f"<WebSocket {self.number} of {self.client.name}: {how}, {len(self.received)} received{last}>"
