"""`check-then-act`: there is none yet, so make one; two callers both find that there is none.

Believed: an object is the natural place for "create it once": it is alone, so it cannot race with itself.

What happens: creating takes a call to somebody else, and during that call the object serves the next request. It looks,
finds nothing either, and creates a second one. The first is forgotten: it runs, it is billed, and nobody stops it.

Met in: github.com/cloudflare/containers/issues/200 (in the thread the maintainers disagree whether it can happen),
github.com/cloudflare/partykit/issues/323.

Mended: a lock for the time between looking and writing. An `asyncio.Lock` works between the requests of one object. (A
crash in between still leaves an orphan: for that the other side needs a key, see `retry-without-key`.)
"""

from __future__ import annotations

import asyncio
from typing import Any

from dosim.scenarios.zoo.animal import Animal
from dosim.simulation import Simulation
from dosim.workers import DurableObject, fetch

CLOUD = "https://cloud.example"


class Sandbox(DurableObject):
    async def container(self) -> str:
        known: str | None = await self.ctx.storage.get("container")
        if known is None:
            response = await fetch(f"{CLOUD}/containers", method="POST")
            known = (await response.json())["id"]
            await self.ctx.storage.put("container", known)
        return known


class FixedSandbox(Sandbox):
    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.starting = asyncio.Lock()

    async def container(self) -> str:
        async with self.starting:
            return await super().container()


async def check(sim: Simulation) -> None:
    """Everybody who asks gets the same container, and only that one is running."""
    running: list[str] = []

    def start(_: Any) -> dict[str, str]:
        running.append(f"container {len(running) + 1}")
        return {"id": running[-1]}

    sim.external(CLOUD, start, latency="2ms")
    first = sim.env.OBJECT.getByName("build").container()
    await asyncio.sleep(0.02)  # the next caller comes 20 ms later
    second = sim.env.OBJECT.getByName("build").container()
    got = await asyncio.gather(first, second)

    assert len(running) == 1, f"two callers got {' and '.join(got)}: {len(running)} are running"


ANIMAL = Animal("check-then-act", "none yet, so two are made", Sandbox, FixedSandbox, check)
