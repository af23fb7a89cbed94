from js import Date
from workers import DurableObject, Response, WorkerEntrypoint

ROWS = 1_000  # what the table has


class Loop(DurableObject):
    DELAY_MS = 10  # "soon"

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.sql = ctx.storage.sql

    async def start(self):
        self.sql.exec("CREATE TABLE jobs (id INTEGER PRIMARY KEY, state TEXT)")
        for _ in range(ROWS):
            self.sql.exec("INSERT INTO jobs (state) VALUES ('done')")
        await self.arm()

    async def arm(self):
        await self.ctx.storage.setAlarm(Date.now() + self.DELAY_MS)

    async def alarm(self, info=None):
        self.sql.exec("SELECT id FROM jobs WHERE state = 'waiting'").toArray()  # no index: every row is read
        await self.arm()  # ... and for ever


class Minute(Loop):
    """The same once a minute."""

    DELAY_MS = 60_000


class Budgeted(Loop):
    """The same, with a budget of wakes that nobody asked for."""

    BUDGET = 20

    async def arm(self):
        wakes = (await self.ctx.storage.get("wakes") or 0) + 1
        await self.ctx.storage.put("wakes", wakes)
        if wakes > self.BUDGET:
            print(f"stopped: {self.BUDGET} alarms without a request")
            return
        await super().arm()


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("ok")
