"""WebSockets from outside: `async with tokyo.websocket(url) as ws`, and what somebody can do with one."""

from __future__ import annotations

import asyncio
from contextvars import Context
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from dosim.bindings.outside import OutsideSocket, Received, SocketClosed
from dosim.runtime.calls import OutsideCall

if TYPE_CHECKING:
    from dosim.runtime.websocket import WebSocketEnd
    from dosim.simulation.clients import Client, ClientCall
    from dosim.simulation.journal import Journal

T = TypeVar("T")

__all__ = ["ClientSocket", "Handshake", "HandshakeRefused", "Received", "SocketClosed"]


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


class ClientSocket(OutsideSocket):
    """An open WebSocket of a client; see `OutsideSocket`."""

    __slots__ = ("_journal", "client")

    def __init__(self, client: Client, url: str, end: WebSocketEnd) -> None:
        super().__init__(client.name, url, end, client.loop)
        self.client = client
        self._journal: Journal | None = client.journal

    def send(self, message: str | bytes) -> asyncio.Future[None]:
        return self._noted("send", (message,), super().send(message))

    def close(self, code: int = 1000, reason: str = "") -> asyncio.Future[None]:
        return self._noted("close", (code, reason), super().close(code, reason))

    def vanish(self) -> None:
        self._noted("vanish", (), super().vanish())

    def unread(self) -> list[str | bytes]:
        return self._noted("unread", (), super().unread())

    def _noted(self, name: str, args: tuple[Any, ...], done: T) -> T:
        if self._journal is not None:
            self._journal.note(("socket", self.number), name, args, {})
        return done
