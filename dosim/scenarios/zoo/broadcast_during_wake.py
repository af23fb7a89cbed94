"""`broadcast-during-wake`: the constructor has begun to load the list, and the message that woke it is broadcast first.

Believed: `__init__` cannot await, so start a task there; it will be done before anybody needs what it loads.

What happens: while people connect, it is. But a hibernated room is constructed by the message itself: the constructor
starts the task, the task waits for `fetch`, the gate is open, and `webSocketMessage` runs with an empty list. The one
message in an hour that matters, from the one who was muted, goes to everybody.

Met in: github.com/cloudflare/partykit/issues/370 (`onStart` has not run when the first call comes),
github.com/cloudflare/workerd/issues/904, github.com/cloudflare/cloudflare-docs/issues/27441 (two pages of the documents
say the opposite about blocks in constructors).

Mended: `ctx.blockConcurrencyWhile(self.load)` in the constructor: that is what it is for.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dosim.scenarios.zoo.animal import Animal
from dosim.scenarios.zoo.asking import insist
from dosim.simulation import Simulation
from dosim.workers import DurableObject, Response, WorkerEntrypoint, fetch
from dosim.workers.js import WebSocketPair

MUTED = "https://moderation.example/muted"


class Room(DurableObject):
    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.muted: list[str] = []
        self.start()

    def start(self) -> None:
        self.loading = asyncio.create_task(self.load())

    async def load(self) -> None:
        self.muted = await (await fetch(MUTED)).json()

    async def fetch(self, request: Any) -> Response:
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws: Any, message: str) -> None:
        name = message.partition(":")[0]
        if name in self.muted:
            return
        for peer in self.ctx.getWebSockets():
            peer.send(message)


class FixedRoom(Room):
    def start(self) -> None:
        self.ctx.blockConcurrencyWhile(self.load)


class Default(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Any:
        return await self.env.OBJECT.getByName("lobby").fetch(request)


async def check(sim: Simulation) -> None:
    """What somebody who is muted writes reaches nobody."""
    sim.external(MUTED, lambda _: ["troll"], latency="2ms")
    ann = await insist(lambda: sim.client("ann").websocket("wss://chat.example/"))
    troll = await insist(lambda: sim.client("troll").websocket("wss://chat.example/"))
    await asyncio.sleep(5)
    troll.send("troll: buy gold")
    await asyncio.sleep(5)

    assert not ann.received, f"ann received {ann.received[0].message!r}, of somebody who is muted"


ANIMAL = Animal(
    "broadcast-during-wake",
    "the message comes before the list",
    Room,
    FixedRoom,
    check,
    faults=("evict",),
    worker=Default,
)
