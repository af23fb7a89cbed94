"""`rescued-twice`: alarms are late sometimes, so the constructor does what is due; and then the alarm comes.

Believed: if the reminder is overdue when the object starts, its alarm was lost, so send it now.

What happens: late is not lost. The alarm that comes a minute late finds the object out of memory and constructs it: the
constructor sends what is overdue, and a moment later `alarm()` sends it again. While the object is in memory the
constructor does not run, and it is in memory in every test.

Met in: github.com/cloudflare/actors/issues/113 (the callback ran in the constructor and again by the platform, only on
a cold start), github.com/cloudflare/cloudflare-docs/issues/18324 (an alarm found days in the past).

Mended: whoever does the work takes the alarm with it: then the platform does not run the handler any more.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dosim.scenarios.zoo.animal import Animal
from dosim.simulation import Simulation
from dosim.workers import DurableObject, fetch
from dosim.workers.js import Date

MAIL = "https://mail.example"


class Reminder(DurableObject):
    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        ctx.blockConcurrencyWhile(self.catch_up)

    async def catch_up(self) -> None:
        due_ms = await self.ctx.storage.get("due")
        if due_ms is not None and due_ms <= Date.now():
            await self.send()

    async def remind(self, in_ms: int) -> None:
        await self.ctx.storage.put("due", Date.now() + in_ms)
        await self.ctx.storage.setAlarm(Date.now() + in_ms)

    async def alarm(self, info: Any = None) -> None:
        await self.send()

    async def send(self) -> None:
        await self.done()
        await fetch(MAIL, method="POST", body="your bill is due")

    async def done(self) -> None:
        await self.ctx.storage.delete("due")


class FixedReminder(Reminder):
    async def done(self) -> None:
        await super().done()
        await self.ctx.storage.deleteAlarm()


async def check(sim: Simulation) -> None:
    """One reminder is one e-mail."""
    mails: list[str] = []
    sim.external(MAIL, lambda request: mails.append(request.url), latency="2ms")
    await sim.env.OBJECT.getByName("ann").remind(5_000)
    await asyncio.sleep(3_600)

    assert len(mails) == 1, f"one reminder was due, and {len(mails)} e-mails were sent"


ANIMAL = Animal("rescued-twice", "late is not lost", Reminder, FixedReminder, check, faults=("alarm_late",))
