"""A test of ten requests at once, explored by dosim: each reads, asks a service outside, reads again and writes.

The test holds under every order, so that an exploration uses its whole budget. `exploring_asyncio.py` has the same
test over asyncio alone.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dosim import Simulation
from dosim.testing import explore
from dosim.workers import DurableObject, fetch

REQUESTS = 10
RATES = "https://rates.example"


class Wallet(DurableObject):
    async def pay_in(self, amount: int) -> int:
        if await self.ctx.storage.get("closed"):
            raise RuntimeError("closed")
        response = await fetch(f"{RATES}/CHF")
        paid = amount * (await response.json())["rate"]
        cents: int = (await self.ctx.storage.get("cents") or 0) + paid
        await self.ctx.storage.put("cents", cents)
        return cents


def test() -> None:
    """What was paid in is in the wallet, and each payment saw another balance."""
    sim = Simulation(durable_objects={"WALLET": Wallet}, network=None, show_output=False)
    sim.external(RATES, lambda _: {"rate": 2}, latency="50ms")
    sim.run(_payments(sim))


async def _payments(sim: Simulation) -> None:
    stub: Any = sim.env.WALLET.getByName("ann")
    balances = await asyncio.gather(*(stub.pay_in(1) for _ in range(REQUESTS)))
    assert sorted(balances) == [2 * (n + 1) for n in range(REQUESTS)]


def run(runs: int) -> int:
    """Explore it with so many random schedules; returns how many were tried."""
    found = explore(test, runs=runs, strategy="random")
    found.check()
    return found.runs


def run_plain(runs: int) -> None:
    """The same test as often, which nobody explores."""
    for _ in range(runs):
        test()
