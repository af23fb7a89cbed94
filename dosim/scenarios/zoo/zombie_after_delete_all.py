"""`zombie-after-delete-all`: the object is deleted while its alarm waits for an answer, and the alarm writes again.

Believed: `deleteAll()` is the end of an object: storage is empty, the alarm is gone (since February 2026).

What happens: it is gone as long as nobody writes. An alarm that was under way goes on when its answer comes: it stores
the feed of a user who has left, and sets the next alarm. The object lives for ever, and is billed for it.

Met in: github.com/cloudflare/workerd/issues/2993 (`deleteAll` in the handler looped),
github.com/cloudflare/containers/issues/14 and /191, github.com/cloudflare/cloudflare-docs/issues/28515.

Mended: after an await ask storage whether one is still wanted.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dosim.scenarios.zoo.animal import Animal
from dosim.simulation import Simulation
from dosim.workers import DurableObject, fetch
from dosim.workers.js import Date

FEEDS = "https://feeds.example"
HOUR_MS = 3_600_000


class Feed(DurableObject):
    async def subscribe(self, url: str) -> None:
        await self.ctx.storage.put("url", url)
        await self.ctx.storage.setAlarm(Date.now() + 1_000)

    async def alarm(self, info: Any = None) -> None:
        url = await self.ctx.storage.get("url")
        text = await (await fetch(url)).text()
        if await self.is_wanted(url):
            await self.ctx.storage.put("text", text)
            await self.ctx.storage.setAlarm(Date.now() + HOUR_MS)

    async def is_wanted(self, url: str) -> bool:
        return True

    async def leave(self) -> None:
        await self.ctx.storage.deleteAll()


class FixedFeed(Feed):
    async def is_wanted(self, url: str) -> bool:
        return bool(await self.ctx.storage.get("url") == url)


async def check(sim: Simulation) -> None:
    """Of a user who has left, nothing is left."""
    sim.external(FEEDS, lambda _: "news", latency="2ms")
    feed = sim.env.OBJECT.getByName("ann")
    await feed.subscribe(f"{FEEDS}/ann")
    await asyncio.sleep(1.02)
    await feed.leave()
    await asyncio.sleep(10)

    left = sim.objects["ann"]
    assert not left.storage and left.alarm_us is None, f"ann has left, and there are {left.storage} and an alarm"


ANIMAL = Animal("zombie-after-delete-all", "the alarm that was under way", Feed, FixedFeed, check)
