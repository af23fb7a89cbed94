"""`fire-and-forget`: the answer is out, the work goes on in a task, and the object leaves memory.

Believed: an unfinished task keeps the object alive until it is done.

What happens: what keeps an object in memory has changed three times, and nothing keeps it through a deploy or a crash.
The customer has "accepted", the order is stored, and the e-mail was never sent. Nobody raised anything.

Met in: github.com/cloudflare/agents/issues/1029 and /915 (evicted in the middle of a stream),
github.com/MapleTechLabs/maple/issues/905 (silent after 2 min 17 s), github.com/kentcdodds/kody/issues/1530.

Mended: the work that is owed is a row, written with the order; an alarm does it and then deletes it. An alarm outlives
the object's memory. (It may do it twice: `double-charge` shows what helps.)
"""

from __future__ import annotations

import asyncio
from typing import Any

from dosim.scenarios.zoo.animal import Animal
from dosim.scenarios.zoo.asking import NO_ANSWER, answer
from dosim.simulation import Simulation
from dosim.workers import DurableObject, fetch
from dosim.workers.js import Date

MAIL = "https://mail.example"
INVOICES = "https://invoices.example"


class Shop(DurableObject):
    async def order(self, number: str) -> str:
        await self.ctx.storage.put(f"order/{number}", "accepted")
        self.task = asyncio.create_task(self.confirm(number))  # the customer need not wait for that
        return "accepted"

    async def confirm(self, number: str) -> None:
        invoice = await (await fetch(f"{INVOICES}/{number}")).text()
        await fetch(f"{MAIL}/{number}", method="POST", body=invoice)


class FixedShop(Shop):
    async def order(self, number: str) -> str:
        await self.ctx.storage.put({f"order/{number}": "accepted", f"owed/{number}": True})
        await self.ctx.storage.setAlarm(Date.now())
        return "accepted"

    async def alarm(self, info: Any = None) -> None:
        for key in await self.ctx.storage.list(prefix="owed/"):
            await self.confirm(key.removeprefix("owed/"))
            await self.ctx.storage.delete(key)


async def check(sim: Simulation) -> None:
    """Who was told that the order is accepted gets an e-mail."""
    mails: set[str] = set()
    sim.external(INVOICES, lambda _: "20 EUR", latency="2ms")
    sim.external(MAIL, lambda request: mails.add(request.url), latency="2ms")
    accepted = await answer(sim.env.OBJECT.getByName("shop").order("7"))
    await asyncio.sleep(60)

    assert accepted is NO_ANSWER or mails, "the order was accepted, and a minute later no e-mail has been sent"


ANIMAL = Animal(
    "fire-and-forget",
    "a task that the object does not survive",
    Shop,
    FixedShop,
    check,
    faults=("evict", "crash", "reset", "deploy"),
)
