"""`lost-update`: read, ask somebody, write; whatever was written meanwhile is overwritten.

Believed: an object is single-threaded, so what one method does is not mixed with what another does.

What happens: only storage keeps the input gate closed. While a method waits for `fetch`, the next request runs. Two
payments read the same balance, both ask for the rate, and the second write forgets the first payment. The test in
which the requests come one after the other passes for ever.

Met in: github.com/ColeMurray/background-agents/issues/1760 (a hand audit of every read, await, write),
github.com/cloudflare/daphne/issues/75, github.com/storacha/w3name/issues/40.

Mended: ask first. Between `get` and `put` there is then nothing but storage, and that is atomic.
"""

from __future__ import annotations

import asyncio

from dosim.scenarios.zoo.animal import Animal
from dosim.simulation import Simulation
from dosim.workers import DurableObject, fetch

RATES = "https://rates.example"


class Wallet(DurableObject):
    async def pay_in(self, amount: int, currency: str) -> int:
        cents: int = await self.ctx.storage.get("cents") or 0
        cents += amount * await self.rate(currency)
        await self.ctx.storage.put("cents", cents)
        return cents

    async def rate(self, currency: str) -> int:
        response = await fetch(f"{RATES}/{currency}")
        rate: int = (await response.json())["rate"]
        return rate

    async def cents(self) -> int:
        return await self.ctx.storage.get("cents") or 0


class FixedWallet(Wallet):
    async def pay_in(self, amount: int, currency: str) -> int:
        paid = amount * await self.rate(currency)
        cents: int = (await self.ctx.storage.get("cents") or 0) + paid
        await self.ctx.storage.put("cents", cents)
        return cents


async def check(sim: Simulation) -> None:
    """Two payments that were both confirmed are both in the wallet."""
    sim.external(RATES, lambda _: {"rate": 2}, latency="2ms")
    first = sim.env.OBJECT.getByName("ann").pay_in(10, "CHF")
    await asyncio.sleep(0.02)  # the next payment comes 20 ms later
    second = sim.env.OBJECT.getByName("ann").pay_in(1, "CHF")
    await asyncio.gather(first, second)
    cents = await sim.env.OBJECT.getByName("ann").cents()

    assert cents == 22, f"10 and 1 were paid in, at a rate of 2, and the wallet holds {cents}"


ANIMAL = Animal("lost-update", "two payments, one balance", Wallet, FixedWallet, check)
