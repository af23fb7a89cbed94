"""`half-migrated`: a deploy comes between two statements of a migration, and the object never starts again.

Believed: the migration is in `blockConcurrencyWhile`, so nobody sees it half done; and it ran well a thousand times.

What happens: a block keeps requests out, it is no transaction. At its await the statements so far are committed. If the
object leaves memory there, the column exists and the version is not written: at every later start the migration fails
on "duplicate column name", and a failing block resets the object. It is lost with everything in it, until somebody
writes a special migration for it.

Met in: github.com/lambrospetrou/durable-utils/issues/13 and /15 (caught locally, crashes in production),
github.com/redwoodjs/sdk/issues/901, github.com/cheatcode-ai/cheatcode/issues/63; deploys in the middle of work:
github.com/openstory-so/openstory/issues/1331.

Mended: whatever has to be asked is asked first; all statements of a version and its number come in one turn.
"""

from __future__ import annotations

from typing import Any

from dosim.scenarios.zoo.animal import Animal
from dosim.scenarios.zoo.asking import insist
from dosim.simulation import Simulation
from dosim.workers import DurableObject, fetch

RATES = "https://rates.example/chf"


class Orders(DurableObject):
    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.sql = ctx.storage.sql
        ctx.blockConcurrencyWhile(self.migrate)

    async def migrate(self) -> None:
        self.sql.exec("CREATE TABLE IF NOT EXISTS versions (version INTEGER)")
        version = self.sql.exec("SELECT count(*) AS n FROM versions").one()["n"]
        if version < 1:
            self.sql.exec("CREATE TABLE orders (item TEXT, chf INTEGER)")
            self.sql.exec("INSERT INTO versions VALUES (1)")
        if version < 2:
            await self.to_version_2()
            self.sql.exec("INSERT INTO versions VALUES (2)")

    async def to_version_2(self) -> None:
        self.sql.exec("ALTER TABLE orders ADD COLUMN eur INTEGER")
        self.sql.exec("UPDATE orders SET eur = chf * ?", await self.rate())

    async def rate(self) -> int:
        rate: int = (await (await fetch(RATES)).json())["rate"]
        return rate

    async def order(self, item: str, chf: int, eur: int) -> int:
        self.sql.exec("INSERT INTO orders VALUES (?, ?, ?)", item, chf, eur)
        count: int = self.sql.exec("SELECT count(*) AS n FROM orders").one()["n"]
        return count


class FixedOrders(Orders):
    async def to_version_2(self) -> None:
        rate = await self.rate()
        self.sql.exec("ALTER TABLE orders ADD COLUMN eur INTEGER")
        self.sql.exec("UPDATE orders SET eur = chf * ?", rate)


async def check(sim: Simulation) -> None:
    """Whoever orders, and tries again after an error, has ordered in the end."""
    sim.external(RATES, lambda _: {"rate": 1}, latency="2ms")
    await insist(lambda: sim.env.OBJECT.getByName("shop").order("a book", 20, 20))


ANIMAL = Animal(
    "half-migrated",
    "a deploy between two statements",
    Orders,
    FixedOrders,
    check,
    faults=("deploy", "evict", "crash", "reset"),
)
