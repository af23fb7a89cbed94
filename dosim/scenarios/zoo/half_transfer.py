"""`half-transfer`: two objects, two writes, and one of them has happened.

Believed: take it here, add it there, and put it back if that fails. An exception means that it failed.

What happens: there is no transaction over two objects. If the first one leaves memory between the two writes, the money
is nowhere. If the second one's answer is lost, it has the money and the first takes it back: there is more than before.

Met in: github.com/outerbase/starbasedb/issues/36 (`transaction()` cannot span messages),
github.com/cloudflare/cloudflare-docs/issues/15305 (an error does not say whether it happened).

Mended: the transfer is a row, written in the turn that takes the money. An alarm delivers it until it is confirmed, and
the receiver knows the numbers of what it has received.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dosim.scenarios.zoo.animal import Animal
from dosim.scenarios.zoo.asking import answer, insist
from dosim.simulation import Simulation
from dosim.workers import DurableObject
from dosim.workers.js import Date


class Account(DurableObject):
    async def cents(self) -> int:
        return await self.ctx.storage.get("cents") or 0

    async def change(self, by: int) -> None:
        await self.ctx.storage.put("cents", await self.cents() + by)

    async def receive(self, number: str, cents: int) -> None:
        await self.change(cents)

    async def send(self, number: str, to: str, cents: int) -> None:
        await self.change(-cents)
        try:
            await self.env.OBJECT.getByName(to).receive(number, cents)
        except Exception:
            await self.change(cents)  # it did not work: back to where it was
            raise


class FixedAccount(Account):
    async def receive(self, number: str, cents: int) -> None:
        if not await self.ctx.storage.get(f"in/{number}"):
            await self.ctx.storage.put(f"in/{number}", True)
            await self.change(cents)

    async def send(self, number: str, to: str, cents: int) -> None:
        await self.ctx.storage.put(f"out/{number}", {"to": to, "cents": cents})
        await self.change(-cents)
        await self.ctx.storage.setAlarm(Date.now())

    async def alarm(self, info: Any = None) -> None:
        for key, sent in (await self.ctx.storage.list(prefix="out/")).items():
            await self.env.OBJECT.getByName(sent["to"]).receive(key.removeprefix("out/"), sent["cents"])
            await self.ctx.storage.delete(key)


async def check(sim: Simulation) -> None:
    """Whatever becomes of a transfer: when it is over, there is as much money as before."""
    account = sim.env.OBJECT.getByName
    await insist(lambda: account("ann").receive("opening", 100))
    before = await insist(lambda: account("ann").cents())
    await answer(account("ann").send("transfer 1", "ben", 30))
    await asyncio.sleep(300)
    held = [await insist(lambda name=name: account(name).cents()) for name in ("ann", "ben")]  # type: ignore[misc]

    assert sum(held) == before, f"of {before} there are {held[0]} with ann and {held[1]} with ben"


ANIMAL = Animal(
    "half-transfer",
    "two objects, one of them written",
    Account,
    FixedAccount,
    check,
    faults=("crash", "evict", "reset", "reply_lost", "request_lost"),
)
