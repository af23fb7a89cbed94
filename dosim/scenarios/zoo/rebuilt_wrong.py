"""`rebuilt-wrong`: after hibernation the constructor rebuilds the list of sockets, and one of them has no name yet.

Believed: the constructor restores what the sockets carry: all have said who they are, so all attachments are there.

What happens: a socket that has just been accepted has none until its first message. If the room leaves memory before,
`deserializeAttachment()` is null, the constructor raises, and in Python Workers that error stays: every call and every
message gets it until the object leaves memory again. One silent visitor, and the room is dead for all.

Met in: github.com/cloudflare/workerd/issues/904 (hibernation cannot be rehearsed); the official Python example asks
`if attachment:` first (github.com/cloudflare/cloudflare-docs/pull/26809); recorded: an error in `__init__` is kept and
given to every later call.

Mended: the attachment is set where the socket is accepted, so that there is no socket without one.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dosim.scenarios.zoo.animal import Animal
from dosim.scenarios.zoo.asking import insist
from dosim.simulation import Simulation
from dosim.workers import DurableObject, Response, WorkerEntrypoint
from dosim.workers.ffi import to_js
from dosim.workers.js import WebSocketPair


class Room(DurableObject):
    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.names: list[str] = []
        for ws in ctx.getWebSockets():
            self.names.append(ws.deserializeAttachment().name)

    async def fetch(self, request: Any) -> Response:
        client, server = WebSocketPair.new().object_values()
        self.accept(server)
        return Response(None, status=101, web_socket=client)

    def accept(self, server: Any) -> None:
        self.ctx.acceptWebSocket(server)

    async def webSocketMessage(self, ws: Any, name: str) -> None:
        """The first message of a socket is a name; everybody hears it."""
        ws.serializeAttachment(to_js({"name": name}))
        self.names.append(name)
        for peer in self.ctx.getWebSockets():
            peer.send(f"{name} is here")


class FixedRoom(Room):
    def accept(self, server: Any) -> None:
        server.serializeAttachment(to_js({"name": "somebody"}))
        self.ctx.acceptWebSocket(server)


class Default(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Any:
        return await self.env.OBJECT.getByName("lobby").fetch(request)


async def check(sim: Simulation) -> None:
    """Who comes in and says their name is heard, and be it at the second try."""
    ann = await insist(lambda: sim.client("ann").websocket("wss://chat.example/"))
    await asyncio.sleep(1)
    for _ in range(3):
        ann.send("ann")
        await asyncio.sleep(5)

    assert ann.received, "ann said her name three times, and nobody heard it"


ANIMAL = Animal(
    "rebuilt-wrong",
    "a socket without a name, after hibernation",
    Room,
    FixedRoom,
    check,
    faults=("evict",),
    worker=Default,
)
