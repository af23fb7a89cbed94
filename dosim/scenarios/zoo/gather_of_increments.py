"""`gather-of-increments`: additions side by side, and between read and write there is sometimes an await.

Believed: `asyncio.gather` over calls of the object's own method is as safe as a loop: no other request is involved, and
the method looks atomic.

What happens: the rate is cached, so `await self.rate()` does not wait, and each addition is one piece. After the object
has been out of memory the cache is empty: every addition reads the total, waits for the rate, and writes over the
others. With an await that always waits it would show in the first test.

Met in: github.com/cloudflare/durable-objects-template/issues/11 and github.com/cloudflare/cloudflare-docs/issues/464
(duplicate counts under load); recorded: two increments by Promise.all in one handler race even with storage alone.

Mended: everything that may wait comes before the read.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dosim.scenarios.zoo.animal import Animal
from dosim.scenarios.zoo.asking import NO_ANSWER, answer, insist
from dosim.simulation import Simulation
from dosim.workers import DurableObject, fetch

RATES = "https://rates.example"


class Cart(DurableObject):
    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.kv = ctx.storage.kv
        self.known_rate: int | None = None

    async def rate(self) -> int:
        if self.known_rate is None:
            self.known_rate = (await (await fetch(RATES)).json())["rate"]
        return self.known_rate

    async def add(self, cents: int) -> None:
        total = self.kv.get("total") or 0
        self.kv.put("total", total + cents * await self.rate())

    async def add_all(self, prices: list[int]) -> int:
        await asyncio.gather(*(self.add(cents) for cents in prices))
        total: int = self.kv.get("total")
        return total


class FixedCart(Cart):
    async def add(self, cents: int) -> None:
        converted = cents * await self.rate()
        self.kv.put("total", (self.kv.get("total") or 0) + converted)


async def check(sim: Simulation) -> None:
    """The total of a cart is the sum of what is in it."""
    sim.external(RATES, lambda _: {"rate": 2}, latency="2ms")
    cart = sim.env.OBJECT
    await insist(lambda: cart.getByName("ann").rate())  # the page shows the rate
    await asyncio.sleep(1)
    total = await answer(cart.getByName("ann").add_all([1, 20, 300]))

    assert total in (642, NO_ANSWER), f"1, 20 and 300 at a rate of 2 made {total}"


ANIMAL = Animal(
    "gather-of-increments",
    "side by side, and the cache is cold",
    Cart,
    FixedCart,
    check,
    faults=("evict", "crash", "reset", "deploy"),
)
