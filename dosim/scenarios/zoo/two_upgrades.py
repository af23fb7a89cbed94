"""`two-upgrades`: the new connection is there before the old one is closed, and the late close takes it off the list.

Believed: connecting puts a user on the list of those present, closing takes them off; the two take turns.

What happens: a phone changes from one network to the other and connects again at once. The close of the old connection
travels on its own way and may come later. Then the user is connected and not on the list, until they connect once more.

Met in: github.com/cloudflare/workerd/issues/6862 (two simultaneous upgrades),
github.com/manaflow-ai/cmux/pull/10963 (the old socket may be half dead: a reconnect has to supersede it).

Mended: a close takes the user off only if that was their last connection.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

from dosim.scenarios.zoo.animal import Animal
from dosim.simulation import Simulation
from dosim.workers import DurableObject, Response, WorkerEntrypoint
from dosim.workers.ffi import to_js
from dosim.workers.js import WebSocketPair


class Presence(DurableObject):
    async def fetch(self, request: Any) -> Response:
        user = urlsplit(request.url).path[1:]
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server, to_js([user]))
        await self.ctx.storage.put(f"here/{user}", True)
        return Response(None, status=101, web_socket=client)

    async def webSocketClose(self, ws: Any, code: int, reason: str, was_clean: bool) -> None:
        user = self.ctx.getTags(ws)[0]
        ws.close(code, reason)
        await self.left(ws, user)

    async def left(self, ws: Any, user: str) -> None:
        await self.ctx.storage.delete(f"here/{user}")

    async def here(self) -> list[str]:
        keys = await self.ctx.storage.list(prefix="here/")
        return [key.removeprefix("here/") for key in keys]


class FixedPresence(Presence):
    async def left(self, ws: Any, user: str) -> None:
        if all(other == ws for other in self.ctx.getWebSockets(user)):
            await super().left(ws, user)


class Default(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Any:
        return await self.env.OBJECT.getByName("office").fetch(request)


async def check(sim: Simulation) -> None:
    """Who is connected is on the list."""
    ann = sim.client("ann")
    first = await ann.websocket("wss://office.example/ann")
    await asyncio.sleep(1)
    first.close()
    await asyncio.sleep(0.02)  # a tunnel
    second = await ann.websocket("wss://office.example/ann")
    await asyncio.sleep(10)
    here = await sim.env.OBJECT.getByName("office").here()

    assert second.closed is not None or here == ["ann"], f"ann is connected; on the list are {here}"


ANIMAL = Animal("two-upgrades", "the old connection closes late", Presence, FixedPresence, check, worker=Default)
