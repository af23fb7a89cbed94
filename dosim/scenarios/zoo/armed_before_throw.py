"""`armed-before-throw`: the next alarm is set first, to be safe, and so the retries are gone.

Believed: setting the next alarm at the beginning of the handler is the safe order: whatever happens, it will go on.

What happens: `setAlarm` in a handler replaces the alarm that is running, its retries too. When the work then fails, it
is not tried again in two seconds but tomorrow, and today's reading is missing.

Met in: github.com/cloudflare/cloudflare-docs/issues/15685 (an early setAlarm and a throw replace the retries),
github.com/cloudflare/agents/issues/1119 (a schedule stops silently).

Mended: set the next alarm last, in the turn that writes the result: both happen, or neither and the platform retries.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dosim.scenarios.zoo.animal import Animal
from dosim.scenarios.zoo.asking import insist
from dosim.simulation import Simulation
from dosim.workers import DurableObject, fetch
from dosim.workers.js import Date

METER = "https://meter.example/reading"
DAY_MS = 86_400_000


class Meter(DurableObject):
    async def start(self) -> None:
        await self.ctx.storage.setAlarm(Date.now() + DAY_MS)

    async def alarm(self, info: Any = None) -> None:
        await self.ctx.storage.setAlarm(Date.now() + DAY_MS)  # first of all: it has to go on
        await self.read()

    async def read(self) -> None:
        reading = await (await fetch(METER)).json()
        await self.ctx.storage.put("readings", [*await self.readings(), reading["kwh"]])

    async def readings(self) -> list[int]:
        return await self.ctx.storage.get("readings") or []


class FixedMeter(Meter):
    async def alarm(self, info: Any = None) -> None:
        await self.read()
        await self.ctx.storage.setAlarm(Date.now() + DAY_MS)


async def check(sim: Simulation) -> None:
    """A meter that runs for three days has three readings."""
    sim.external(METER, lambda _: {"kwh": 7}, latency="2ms")
    meter = sim.env.OBJECT
    await insist(lambda: meter.getByName("house").start())
    await asyncio.sleep(3.1 * DAY_MS / 1000)
    readings = await insist(lambda: meter.getByName("house").readings())

    assert len(readings) >= 3, f"in three days the meter was read {len(readings)} times"


ANIMAL = Animal(
    "armed-before-throw",
    "the next alarm is set first",
    Meter,
    FixedMeter,
    check,
    faults=("reply_lost", "crash", "evict"),
)
