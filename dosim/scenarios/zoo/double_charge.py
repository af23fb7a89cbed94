"""`double-charge`: an alarm runs at least once, so what it does can happen twice.

Believed: an alarm is cron for one object: exact, and once.

What happens: the platform runs an alarm again when the handler raises, and when its success was not heard: the machine
went away after the charge and before the end. The second run charges again. No log of the object shows a mistake.

Met in: github.com/cloudflare/cloudflare-docs/issues/15685, github.com/cloudflare/actors/issues/113,
github.com/iterate/iterate/issues/1282. `runDurableObjectAlarm` of the official test pool runs the handler once and has
no retries (github.com/cloudflare/workers-sdk/issues/5394), so no test shows it.

Mended: the payment gets its key when it is planned, and the bank takes each key once.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dosim.scenarios.zoo.animal import Animal
from dosim.scenarios.zoo.asking import insist
from dosim.simulation import Simulation
from dosim.workers import DurableObject, Response, fetch
from dosim.workers.js import Date

BANK = "https://bank.example/charge"


class Subscription(DurableObject):
    async def renew(self, month: str, in_ms: int) -> None:
        await self.ctx.storage.put("month", month)
        await self.ctx.storage.setAlarm(Date.now() + in_ms)

    async def alarm(self, info: Any = None) -> None:
        await self.charge()
        month = await self.ctx.storage.get("month")
        await self.ctx.storage.put("paid", month)

    async def charge(self) -> None:
        await fetch(BANK, method="POST", body="9 EUR")


class FixedSubscription(Subscription):
    async def charge(self) -> None:
        key = f"{self.ctx.id.name}/{await self.ctx.storage.get('month')}"
        await fetch(BANK, method="POST", body="9 EUR", headers={"Idempotency-Key": key})


class Bank:
    """Takes each key once; without a key every request is a payment."""

    def __init__(self) -> None:
        self.payments = 0
        self._keys: set[str] = set()

    def __call__(self, request: Any) -> Response:
        key = request.headers.get("Idempotency-Key")
        if key is None or key not in self._keys:
            self.payments += 1
        if key is not None:
            self._keys.add(key)
        return Response("accepted", status=202)


async def check(sim: Simulation) -> None:
    """One month is paid once."""
    bank = Bank()
    sim.external(BANK, bank, latency="2ms")
    await insist(lambda: sim.env.OBJECT.getByName("ann").renew("2026-12", 1_000))
    await asyncio.sleep(300)

    assert bank.payments == 1, f"one month was due, and {bank.payments} payments were made"


ANIMAL = Animal(
    "double-charge",
    "the alarm runs again",
    Subscription,
    FixedSubscription,
    check,
    faults=("alarm_twice", "crash", "evict", "reply_lost"),
)
