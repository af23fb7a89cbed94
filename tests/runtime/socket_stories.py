"""A small world for stories of sockets: rooms that accept them, peers inside and clients outside, and one log.

A room's handlers are functions of `(o, ...)`, `o` being the object: `webSocketMessage(o, ws, message)` and so on; only
those that are given exist. Log entries are `(ms, event)`. A program is a function of `(o, *args)`, async or not.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from dosim import Simulation
from dosim.workers import DurableObject, Response, WorkerEntrypoint, js
from dosim.workers.ffi import create_proxy
from tests.runtime.stories import now_ms

#: The day before the side that called accept() began to answer closes, and the day it did.
BEFORE, SINCE = "2026-04-06", "2026-04-07"
LOST = (1006, "WebSocket disconnected without sending Close frame.", False)


class Actor(DurableObject):
    """Runs programs of a story; counts in `n` what its memory has seen."""

    story: SocketStory

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.n = 0

    def run(self, program: int, *args: Any) -> Any:
        return self.story.programs[program](self, *args)

    def log(self, event: Any) -> None:
        self.story.log.append((now_ms(), event))

    def room(self, name: str = "x") -> Any:
        return self.env.ROOM.getByName(name)


class Room(Actor):
    """Accepts every WebSocket: hibernatable, with the tags of the URL, unless the story connects otherwise."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        if self.story.constructor is not None:
            self.story.constructor(self)

    async def fetch(self, request: Any) -> Any:
        client, server = js.WebSocketPair.new().object_values()
        done = self.story.connect(self, server, request)
        if inspect.isawaitable(done):
            await done
        return Response(None, status=101, web_socket=client)


class Default(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Any:
        return await self.env.ROOM.getByName("x").fetch(request)


def hibernatable(o: Any, server: Any, _: Any) -> None:
    o.ctx.acceptWebSocket(server)


def standard(o: Any, server: Any, _: Any) -> None:
    """accept(), with listeners that log."""
    server.accept()
    o.server = server
    heard(o, server, "room")


def heard(o: Any, socket: Any, who: str) -> Any:
    """Log what comes at this end: its messages, closes with the state they leave, errors."""
    socket.addEventListener("message", create_proxy(lambda event: o.log((who, event.data))))
    closes = lambda event: o.log((who, event.code, event.reason, event.wasClean, socket.readyState))  # noqa: E731
    socket.addEventListener("close", create_proxy(closes))
    socket.addEventListener("error", create_proxy(lambda event: o.log((who, event.message))))
    return socket


async def upgrade(o: Any, room: str = "x", *, accept: bool = True) -> Any:
    """A socket to a room, opened by code of another object, which listens with accept()."""
    response = await o.room(room).fetch("https://do/", headers={"Upgrade": "websocket"})
    socket = heard(o, response.js_object.webSocket, "peer")
    if accept:
        socket.accept()
    return socket


async def echo(o: Any, ws: Any, message: Any) -> None:
    """webSocketMessage: count in memory, log, answer with the count."""
    o.n += 1
    o.log(message)
    ws.send(f"{message} {o.n}")


async def log_close(o: Any, ws: Any, code: int, reason: str, was_clean: bool) -> None:
    """webSocketClose: log what it is given, the socket's state, and how many sockets are listed."""
    o.log(("closed", code, reason, was_clean, ws.readyState, len(o.ctx.getWebSockets())))


async def answer_close(o: Any, ws: Any, code: int, reason: str, was_clean: bool) -> None:
    await log_close(o, ws, code, reason, was_clean)
    ws.close(code, reason)


class SocketStory:
    """One world of rooms and peers. `connect(o, server, request)` accepts; `constructor(o)` ends the constructor."""

    def __init__(
        self,
        *,
        connect: Callable[..., Any] = hibernatable,
        constructor: Callable[[Any], None] | None = None,
        handlers: dict[str, Callable[..., Any]] | None = None,
        **options: Any,
    ) -> None:
        self.log: list[tuple[int, Any]] = []
        self.programs: list[Callable[..., Any]] = []
        self.connect = connect
        self.constructor = constructor
        room = type("Room", (Room,), {"story": self, **(handlers or {})})
        peer = type("Peer", (Actor,), {"story": self})
        settings = {"platform": "workerd", "network": None, "show_output": False, **options}
        self.sim = Simulation(Default, durable_objects={"ROOM": room, "PEER": peer}, **settings)

    def handshake(self, place: str | None = None) -> Any:
        return self.sim.client(place).websocket("wss://app.example/")

    def open(self, place: str | None = None) -> Any:
        """A client's open socket to room x."""
        return self.sim.run(self.handshake(place))

    def _call(self, stub: Any, program: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        self.programs.append(program)
        return stub.run(len(self.programs) - 1, *args)

    def start(self, program: Callable[..., Any], *args: Any) -> Any:
        """Start a program in room x."""
        return self._call(self.sim.env.ROOM.getByName("x"), program, args)

    def do(self, program: Callable[..., Any], *args: Any) -> Any:
        """Run a program in room x to its end; its result."""
        return self.sim.run(self.start(program, *args))

    def peer(self, program: Callable[..., Any], *args: Any, name: str = "p") -> Any:
        """Run a program in a peer to its end; its result."""
        return self.sim.run(self._call(self.sim.env.PEER.getByName(name), program, args))

    def rest(self, seconds: float = 1.0) -> None:
        """Let time pass."""
        self.sim.run(for_=f"{round(seconds * 1000)}ms")

    @property
    def room(self) -> Any:
        return self.sim.objects["x"]

    def events(self) -> list[Any]:
        """The logged events without their times."""
        return [event for _, event in self.log]


def texts(client: Any) -> list[Any]:
    """What a client outside has received."""
    return [received.message for received in client.received]
