"""WebSockets as somebody outside the platform holds them: a client, or a declared service that is connected to."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from dosim.kernel.durations import duration_text
from dosim.web.errors import noted

if TYPE_CHECKING:
    from dosim.kernel.loop import Loop
    from dosim.runtime.frames import Frame
    from dosim.runtime.websocket import WebSocketEnd

_REPLACED_BY = "send text with ws.send(str) and bytes with ws.send(bytes)"


class SocketClosed(ConnectionError):
    """Nothing more can be sent, or comes: `code`, `reason`, `was_clean` say how the connection ended."""

    def __init__(self, code: int, reason: str, *, was_clean: bool) -> None:
        self.code, self.reason, self.was_clean = code, reason, was_clean
        super().__init__(f"the WebSocket is closed: code {code}" + (f", {reason!r}" if reason else ""))


class Received(NamedTuple):
    """A message as it came: when, in microseconds since the start, and what, str or bytes."""

    at_us: int
    message: str | bytes


class OutsideSocket:
    """An open WebSocket as somebody outside holds it: `send`, `recv`, `async for`, `close`, `vanish`, `received`.

    As with a browser: a close from the other side is answered by itself.
    """

    __slots__ = ("__weakref__", "_end", "_loop", "_unread", "_waiting", "closed", "holder", "received", "url")

    def __init__(self, holder: str, url: str, end: WebSocketEnd, loop: Loop) -> None:
        self.holder = holder
        self.url = url
        #: Every message, with its time.
        self.received: list[Received] = []
        #: How the connection ended; None while it is open.
        self.closed: SocketClosed | None = None
        self._end = end
        self._loop = loop
        self._unread: deque[str | bytes] | None = None
        self._waiting: list[asyncio.Future[None]] | None = None
        end.attach_client(f"{holder} {end.number}", self._take)

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
            await self._news()
        return self._unread.popleft()

    def _news(self) -> asyncio.Future[None]:
        """Done when a message has come, or the connection has ended."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiting = [*(self._waiting or ()), future]
        return future

    def unread(self) -> list[str | bytes]:
        """What has come and `recv` has not given yet; it is given now."""
        found, self._unread = [*(self._unread or ())], None
        return found

    def __aiter__(self) -> OutsideSocket:
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
        while self.closed is None:
            await self._news()
        return self.closed

    def vanish(self) -> None:
        """The client is gone without a word: a flat battery, a tunnel. The object's webSocketClose sees code 1006."""
        self._end.drop()
        self._ended(SocketClosed(1006, "", was_clean=False))

    # -- what comes

    def _take(self, frame: Frame) -> None:
        if frame.kind == "message":
            self.received.append(Received(self._loop.now_us, frame.data))
            if self._unread is None:
                self._unread = deque()
            self._unread.append(frame.data)
            self._wake()
        elif frame.kind in ("close", "lost"):
            self._ended(SocketClosed(frame.code, frame.reason, was_clean=frame.kind == "close"))

    def _ended(self, how: SocketClosed) -> None:
        if self.closed is None:
            self.closed = how
            self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        for future in waiting or ():
            if not future.done():
                future.set_result(None)

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
        return f"<WebSocket {self.number} of {self.holder}: {how}, {len(self.received)} received{last}>"
