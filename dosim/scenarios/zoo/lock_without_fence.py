"""`lock-without-fence`: the lock has expired, its holder does not know, and writes.

Believed: a lock that expires makes sure that only one works on the document, and that nobody waits for a dead one.

What happens: the holder's message is slow, or is lost and sent again a second later. By then the lock has passed to
somebody else, who has read, changed and written. The late write overwrites that. Both saw a valid lock.

Met in: github.com/HarperFast/harper/issues/2710 (after the lease an old worker can still write),
github.com/bsm/redislock/issues/93, both after Martin Kleppmann's "How to do distributed locking" (2016).

Mended: every lock has a number that grows (a fencing token), every read and write carries it, and the document refuses
a write with one that is lower than the highest it has seen. It has to see it when somebody reads: between the next
holder's read and write a late write would be lost as well.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dosim.scenarios.zoo.animal import Animal
from dosim.scenarios.zoo.asking import NO_ANSWER, answer, insist
from dosim.simulation import Simulation
from dosim.workers import DurableObject
from dosim.workers.js import Date

LEASE_MS = 50


class Lock(DurableObject):
    """Shared by both: gives the lock, with a growing number, to one at a time for 50 ms."""

    async def take(self) -> int:
        """The lock's number, 0 when somebody has it."""
        if (await self.ctx.storage.get("until") or 0) > Date.now():
            return 0
        token: int = (await self.ctx.storage.get("token") or 0) + 1
        await self.ctx.storage.put({"token": token, "until": Date.now() + LEASE_MS})
        return token


class Document(DurableObject):
    async def read(self, token: int) -> list[str]:
        return await self.ctx.storage.get("lines") or []

    async def write(self, lines: list[str], token: int) -> bool:
        await self.ctx.storage.put("lines", lines)
        return True


class FixedDocument(Document):
    async def read(self, token: int) -> list[str]:
        await self.is_valid(token)
        return await super().read(token)

    async def write(self, lines: list[str], token: int) -> bool:
        return await self.is_valid(token) and await super().write(lines, token)

    async def is_valid(self, token: int) -> bool:
        """Whether nobody with a higher number has been here, to read or to write."""
        highest: int = max(token, await self.ctx.storage.get("highest") or 0)
        await self.ctx.storage.put("highest", highest)
        return token == highest


async def check(sim: Simulation) -> None:
    """A line whose writing was confirmed stays."""

    async def append(line: str) -> Any:
        token: Any = 0
        while token in (0, NO_ANSWER):
            await asyncio.sleep(0.01)
            token = await answer(sim.env.LOCK.getByName("document").take())
        document = sim.env.OBJECT.getByName("document")
        lines = await insist(lambda: document.read(token))
        return await answer(document.write([*lines, line], token))

    first = asyncio.create_task(append("by ann"))
    await asyncio.sleep(0.07)
    second = asyncio.create_task(append("by ben"))
    answers = {"by ann": await first, "by ben": await second}
    lines = await insist(lambda: sim.env.OBJECT.getByName("document").read(1_000))

    missing = [line for line, done in answers.items() if done is True and line not in lines]
    assert not missing, f"{missing} were written with the lock, the document is {lines}"


ANIMAL = Animal(
    "lock-without-fence",
    "a write after the lock has expired",
    Document,
    FixedDocument,
    check,
    faults=("request_lost",),
    beside={"LOCK": Lock},
)
