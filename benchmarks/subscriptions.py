"""1,000 subscriptions over a year: an alarm each every 30 days, and a renewal in SQLite; prints real seconds.

python benchmarks/subscriptions.py [SUBSCRIPTIONS]
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import process_time

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dosim import Simulation
from dosim.workers import DurableObject
from dosim.workers.js import Date

MONTH_MS = 30 * 86_400_000


class Subscription(DurableObject):
    async def start(self) -> None:
        self.ctx.storage.sql.exec("CREATE TABLE renewals (at INTEGER)")
        await self.ctx.storage.setAlarm(Date.now() + MONTH_MS)

    async def alarm(self) -> None:
        self.ctx.storage.sql.exec("INSERT INTO renewals VALUES (?)", Date.now())
        await self.ctx.storage.setAlarm(Date.now() + MONTH_MS)

    async def renewals(self) -> int:
        return self.ctx.storage.sql.exec("SELECT COUNT(*) AS n FROM renewals").one()["n"]


def run(subscriptions: int) -> float:
    """Seconds of CPU for the year."""
    sim = Simulation(durable_objects={"SUBSCRIPTION": Subscription}, retention="none")
    began_s = process_time()
    stubs = [sim.env.SUBSCRIPTION.getByName(f"s{n}") for n in range(subscriptions)]
    sim.run(*[stub.start() for stub in stubs])
    sim.run(for_="365d")
    took_s = process_time() - began_s
    assert 12 == sim.run(stubs[0].renewals()) == sim.run(stubs[-1].renewals())
    return took_s


if __name__ == "__main__":
    print(run(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000))
