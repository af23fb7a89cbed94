"""`unbounded-alarm-loop`: an alarm that sets itself again while there is work, by a count that drifts.

Believed: the alarm stops by itself, since it sets the next one only while something is pending.

What happens: `pending` is a second account of what the table knows, and is written in another turn. One failure between
the two, and it never comes back to 0: the object wakes every 30 s for ever, finds nothing to do, and is billed. Nobody
calls it, so no error and no latency shows it; the bill does.

Met in: news.ycombinator.com/item?id=47787042 ($34,895 in eight days, without users),
github.com/iterate/iterate/issues/1282 (exhausted retries without end), github.com/cloudflare/workerd/issues/2993.

Mended: ask the table itself whether anything is left.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dosim.scenarios.zoo.animal import Animal
from dosim.scenarios.zoo.asking import answer, insist
from dosim.simulation import Simulation
from dosim.workers import DurableObject, fetch
from dosim.workers.js import Date

PAGES = "https://pages.example"
WAIT_MS = 30_000


class Crawler(DurableObject):
    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.sql = ctx.storage.sql
        self.sql.exec("CREATE TABLE IF NOT EXISTS pages (url TEXT PRIMARY KEY, text TEXT)")

    async def add(self, url: str) -> None:
        await self.count(1)
        text = await (await fetch(url)).text()
        self.sql.exec("INSERT OR REPLACE INTO pages VALUES (?, ?)", url, text)
        await self.ctx.storage.setAlarm(Date.now() + WAIT_MS)

    async def count(self, by: int) -> None:
        await self.ctx.storage.put("pending", (await self.ctx.storage.get("pending") or 0) + by)

    async def alarm(self, info: Any = None) -> None:
        for row in self.sql.exec("SELECT url FROM pages LIMIT 1").toArray():
            self.sql.exec("DELETE FROM pages WHERE url = ?", row["url"])  # it is in the index now
            await self.count(-1)
        if await self.is_busy():
            await self.ctx.storage.setAlarm(Date.now() + WAIT_MS)

    async def is_busy(self) -> bool:
        return (await self.ctx.storage.get("pending") or 0) > 0


class FixedCrawler(Crawler):
    async def is_busy(self) -> bool:
        left: int = self.sql.exec("SELECT count(*) AS n FROM pages").one()["n"]
        return left > 0


async def check(sim: Simulation) -> None:
    """An object that has nothing to do wakes no more."""
    sim.external(PAGES, lambda _: "a page", latency="2ms")
    crawler = sim.env.OBJECT
    await answer(crawler.getByName("site").add(f"{PAGES}/1"))
    await insist(lambda: crawler.getByName("site").add(f"{PAGES}/2"))
    await asyncio.sleep(300)

    due_us = sim.objects["site"].alarm_us
    pages = sim.objects["site"].tables["pages"]
    assert due_us is None or pages, f"no page has been left for minutes, and an alarm is due at t={due_us / 1e6:.0f} s"


ANIMAL = Animal(
    "unbounded-alarm-loop",
    "it wakes for ever, for nothing",
    Crawler,
    FixedCrawler,
    check,
    faults=("reply_lost", "crash", "evict", "reset"),
)
