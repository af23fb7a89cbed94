"""`keys-in-memory`: repeated events are known by their number, as long as the object is in memory.

Believed: the set of numbers that were seen makes the object idempotent; the tests with repeated events say so.

What happens: two things have to come together, which is why it takes weeks. An answer is lost, so the event is sent
again; and before it comes the object has left memory, and the set with it. The second time the event is new.

Met in: github.com/webrenew/unicon/issues/56 (a payment service's events, known by a map in memory),
github.com/MervinPraison/PraisonAI/issues/4208 (a restart within the sender's time of retries runs the agent again).

Mended: the number is written in the turn that does the work: both are there afterwards, or neither.
"""

from __future__ import annotations

from typing import Any

from dosim.scenarios.zoo.animal import Animal
from dosim.scenarios.zoo.asking import insist
from dosim.simulation import Simulation
from dosim.workers import DurableObject


class Credits(DurableObject):
    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.seen: set[str] = set()

    async def bought(self, event: str, number: int) -> None:
        """The payment service reports a purchase, until it is confirmed."""
        if event in self.seen:
            return
        self.seen.add(event)
        await self.ctx.storage.put("credits", await self.left() + number)

    async def left(self) -> int:
        return await self.ctx.storage.get("credits") or 0


class FixedCredits(Credits):
    async def bought(self, event: str, number: int) -> None:
        if not await self.ctx.storage.get(f"seen/{event}"):
            await self.ctx.storage.put({f"seen/{event}": True, "credits": await self.left() + number})


async def check(sim: Simulation) -> None:
    """A purchase that is reported until it is confirmed counts once."""
    account = sim.env.OBJECT
    await insist(lambda: account.getByName("ann").bought("purchase 1", 100))
    await insist(lambda: account.getByName("ann").bought("purchase 2", 20))
    left = await insist(lambda: account.getByName("ann").left())

    assert left == 120, f"purchases of 100 and 20 made {left} credits"


ANIMAL = Animal(
    "keys-in-memory",
    "known as long as it is remembered",
    Credits,
    FixedCredits,
    check,
    faults=("reply_lost", "evict"),
)
