"""`block-deadlock`: a block waits for something that can only go on outside the block.

Believed: `blockConcurrencyWhile` is a mutex: wrap it around what must not be disturbed.

What happens: while the block runs, nothing is delivered to the code outside it, answers of `fetch` neither. Here the
block joins a login that an earlier request has begun, to save one. That request is outside: its answer is at the door
and is not let in. After 30 s the platform resets the object. Nothing of it shows while nobody logs in just then.

Met in: github.com/partykit/partykit/issues/707 (added, objects "waited for too long", taken back),
github.com/anolilab/lunora/issues/576 (what the block needs was begun outside), github.com/rocicorp/mono/issues/533.

Mended: a block waits only for what it has begun itself.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dosim.scenarios.zoo.animal import Animal
from dosim.simulation import Simulation
from dosim.workers import DurableObject, fetch

LOGIN = "https://login.example/token"


class Api(DurableObject):
    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.token = ""
        self.coming: asyncio.Task[str] | None = None

    async def log_in(self) -> str:
        return await (await fetch(LOGIN, method="POST")).text()  # type: ignore[no-any-return]

    async def new_token(self) -> str:
        """One login at a time: whoever comes meanwhile gets the same one."""
        if self.coming is None:
            self.coming = asyncio.create_task(self.log_in())
        try:
            return await self.coming
        finally:
            self.coming = None

    async def ask(self, question: str) -> str:
        if not self.token:
            self.token = await self.new_token()
        return f"{question} asked with {self.token}"

    async def rotate(self) -> str:
        """Nobody may use the old token from now on."""
        await self.ctx.blockConcurrencyWhile(self.replace_token)
        return self.token

    async def replace_token(self) -> None:
        self.token = await self.new_token()


class FixedApi(Api):
    async def replace_token(self) -> None:
        self.token = await self.log_in()


async def check(sim: Simulation) -> None:
    """Everybody is answered within 20 s."""
    sim.external(LOGIN, lambda _: "a token", latency="2ms")
    started_us = sim.now.us
    asked = sim.env.OBJECT.getByName("api").ask("the weather")
    await asyncio.sleep(0.02)
    rotated = sim.env.OBJECT.getByName("api").rotate()
    answers = await asyncio.gather(asked, rotated, return_exceptions=True)
    waited_s = (sim.now.us - started_us) / 1e6

    assert waited_s < 20, f"it took {waited_s:.0f} s, and the answers were: {'; '.join(map(str, answers))}"


ANIMAL = Animal("block-deadlock", "a block that waits for the outside", Api, FixedApi, check)
