"""`retry-without-key`: no answer came, so ask again; it had happened, and happens twice.

Believed: an error means that it did not happen, so trying again is safe; the platform's errors even say `retryable`.

What happens: a reply can be lost after everything was done and stored. The caller cannot tell this from a request that
never arrived. The payment came with a reference, and the reference is written to the books, but nobody looks for it.

Met in: github.com/cloudflare/cloudflare-docs/issues/14193 and /15305 (always retry; no: only if retryable),
github.com/unkeyed/unkey/issues/952 (one retry, because of the network),
github.com/UsefulSoftwareCo/executor/issues/1034 (the object had moved to another machine).

Mended: the reference is a key: the second time it is known, and the answer is the same.
"""

from __future__ import annotations

from typing import Any

from dosim.scenarios.zoo.animal import Animal
from dosim.scenarios.zoo.asking import insist
from dosim.simulation import Simulation
from dosim.workers import DurableObject


class Account(DurableObject):
    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.sql = ctx.storage.sql
        self.sql.exec("CREATE TABLE IF NOT EXISTS entries (reference TEXT, cents INTEGER)")

    async def deposit(self, cents: int, reference: str) -> int:
        self.sql.exec("INSERT INTO entries VALUES (?, ?)", reference, cents)
        return await self.balance()

    async def balance(self) -> int:
        cents: int = self.sql.exec("SELECT coalesce(sum(cents), 0) AS cents FROM entries").one()["cents"]
        return cents


class FixedAccount(Account):
    async def deposit(self, cents: int, reference: str) -> int:
        if not self.sql.exec("SELECT 1 FROM entries WHERE reference = ?", reference).toArray():
            self.sql.exec("INSERT INTO entries VALUES (?, ?)", reference, cents)
        return await self.balance()


async def check(sim: Simulation) -> None:
    """One transfer, repeated until it is confirmed, is in the account once."""
    account = sim.env.OBJECT
    await insist(lambda: account.getByName("ann").deposit(500, "transfer 1"))
    cents = await insist(lambda: account.getByName("ann").balance())

    assert cents == 500, f"one transfer of 500 made a balance of {cents}"


ANIMAL = Animal(
    "retry-without-key",
    "no answer, so once more",
    Account,
    FixedAccount,
    check,
    faults=("reply_lost", "request_lost", "crash", "reset", "evict"),
)
