"""`cache-outlives-its-row`: a reader fills the cache after the row was deleted, and it stays there.

Believed: reading fills the cache and deleting empties it, so the cache is right.

What happens: a reader has found the row and waits for the profile. Meanwhile the user logs out: row and cache entry are
deleted. Then the reader goes on and puts what it has into the cache. The session that was ended is valid until the
object leaves memory, which for a busy object may be weeks.

Met in: github.com/cloudflare/partykit/issues/323, github.com/cloudflare/daphne/issues/75 (races between a read and an
await); the pattern is the "stale set" for which memcache at Facebook got its leases (Nishtala and others, 2013).

Mended: after an await look again before you write, into a cache too.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dosim.scenarios.zoo.animal import Animal
from dosim.simulation import Simulation
from dosim.workers import DurableObject, fetch

PROFILES = "https://profiles.example"


class Sessions(DurableObject):
    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.kv = ctx.storage.kv
        self.cache: dict[str, str] = {}

    async def log_in(self, token: str, user: str) -> None:
        self.kv.put(token, user)

    async def who(self, token: str) -> str | None:
        if token in self.cache:
            return self.cache[token]
        user: str | None = self.kv.get(token)
        if user is None:
            return None
        profile = await self.profile(user)
        self.cache[token] = profile
        return profile

    async def profile(self, user: str) -> str:
        return await (await fetch(f"{PROFILES}/{user}")).text()  # type: ignore[no-any-return]

    async def log_out(self, token: str) -> None:
        self.kv.delete(token)
        self.cache.pop(token, None)


class FixedSessions(Sessions):
    async def who(self, token: str) -> str | None:
        if token not in self.cache:
            user: str | None = self.kv.get(token)
            profile = await self.profile(user) if user is not None else ""
            if self.kv.get(token) is None:
                return None
            self.cache[token] = profile
        return self.cache[token]


async def check(sim: Simulation) -> None:
    """After a confirmed logout the token is nobody's."""
    sim.external(PROFILES, lambda _: "Ann, administrator", latency="2ms")
    sessions = sim.env.OBJECT.getByName("all")
    await sessions.log_in("t0ken", "ann")
    page = sim.env.OBJECT.getByName("all").who("t0ken")
    await asyncio.sleep(0.02)
    await sessions.log_out("t0ken")
    await page
    who = await sessions.who("t0ken")

    assert who is None, f"the token of an ended session is still that of {who!r}"


ANIMAL = Animal("cache-outlives-its-row", "a reader fills it after the end", Sessions, FixedSessions, check)
