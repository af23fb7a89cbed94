"""`memory-after-rollback`: the transaction was rolled back, the attribute was not.

Believed: in `storage.transaction` either everything happens or nothing.

What happens: everything in storage. The attribute that mirrors it, for speed, keeps the value of a sale that never was,
and so do the answers, until the object leaves memory. Then the number jumps, and nobody knows why.

Met in: github.com/outerbase/starbasedb/issues/12 (rollback built on point-in-time recovery, for want of documents),
github.com/nicia-ai/typegraph/issues/142; recorded: a raise inside `transaction` rolls back storage and keeps fields.

Mended: memory follows storage: set the attribute after the transaction has ended well.
"""

from __future__ import annotations

from typing import Any

from dosim.scenarios.zoo.animal import Animal
from dosim.scenarios.zoo.asking import answer, insist
from dosim.simulation import Simulation
from dosim.workers import DurableObject, fetch

WAREHOUSE = "https://warehouse.example"


class Stock(DurableObject):
    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.known: int | None = None

    async def left(self) -> int:
        if self.known is None:
            self.known = await self.ctx.storage.get("left") or 10
        return self.known

    async def sell(self, pieces: int) -> None:
        async def sale(_: Any) -> None:
            self.known = await self.left() - pieces
            await self.ctx.storage.put("left", self.known)
            await fetch(WAREHOUSE, method="POST", body=f"pack {pieces}")

        await self.ctx.storage.transaction(sale)


class FixedStock(Stock):
    async def sell(self, pieces: int) -> None:
        left = await self.left() - pieces

        async def sale(_: Any) -> None:
            await self.ctx.storage.put("left", left)
            await fetch(WAREHOUSE, method="POST", body=f"pack {pieces}")

        await self.ctx.storage.transaction(sale)
        self.known = left


async def check(sim: Simulation) -> None:
    """What the object says now it says after the next restart."""
    sim.external(WAREHOUSE, lambda _: 202, latency="2ms")
    stock = sim.env.OBJECT
    await answer(stock.getByName("shoes").sell(3))
    before = await insist(lambda: stock.getByName("shoes").left())
    sim.evict("shoes")
    after = await insist(lambda: stock.getByName("shoes").left())

    assert before == after, f"{before} were left, and after the object had left memory {after}"


ANIMAL = Animal(
    "memory-after-rollback",
    "storage goes back, the attribute does not",
    Stock,
    FixedStock,
    check,
    faults=("reply_lost", "request_lost"),
)
