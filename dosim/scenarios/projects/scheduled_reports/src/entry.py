import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from agents import Agent, route_agent_request
from js import Date
from workers import Response, WorkerEntrypoint, fetch

HOUR = timedelta(hours=1)


class Reports(Agent):
    """A report at nine on working days, another one on the first of the month."""

    async def on_start(self, props=None):
        self.sql("CREATE TABLE IF NOT EXISTS reports (kind TEXT, due TEXT, made_ms INTEGER, sold TEXT)")
        await self.plan()

    async def plan(self):
        await self.schedule("0 9 * * mon-fri", self.report, "daily")  # asked for anew in each life: still one
        await self.schedule("0 0 1 * *", self.report, "monthly")

    async def report(self, kind, schedule):
        response = await fetch("https://shop.example/sales")
        sold = await response.text()
        due = schedule.time.isoformat()
        self.sql("INSERT INTO reports VALUES (?, ?, ?, ?)", kind, due, Date.now(), sold)
        self.broadcast(f"{kind} report of {due}: {sold} sold")

    async def all(self):
        return self.sql("SELECT kind, due, made_ms FROM reports ORDER BY made_ms, kind")

    async def planned(self):
        return [schedule.cron or schedule.type for schedule in await self.list_schedules()]


class Berlin(Reports):
    """At nine by the clock of Berlin: no cron expression says that, so each report plans the next."""

    async def plan(self):
        if not await self.list_schedules():
            await self.plan_after(now())

    async def report(self, kind, schedule):
        await super().report(kind, schedule)
        await self.plan_after(schedule.time)

    async def plan_after(self, when):
        due = next_nine(when)
        if not await self.list_schedules(start=due, end=due):  # a report that runs twice plans the next one once
            await self.schedule(due, self.report, "daily", idempotent=False)


class Looping(Reports):
    """Without schedules: a loop looks at the clock every minute. Nothing brings it back when it is gone."""

    async def plan(self):
        self.loop = asyncio.ensure_future(self.look())

    async def look(self):
        while True:
            await asyncio.sleep(60)
            at = now().replace(second=0, microsecond=0)
            if (at.hour, at.minute) == (9, 0) and at.weekday() < 5:
                await self.report("daily", SimpleNamespace(time=at))


def now():
    return datetime.fromtimestamp(Date.now() / 1000, UTC)


def next_nine(after):
    """The next nine o'clock of a working day in Berlin, in UTC."""
    day = after.date()
    while True:
        nine = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
        due = nine - ahead(nine)
        if due > after and day.weekday() < 5:
            return due
        day += timedelta(days=1)


def ahead(when):
    """How far Berlin's clock is ahead of UTC: an hour more from the last Sunday of March to that of October."""
    summer = last_sunday(when.year, 3) + HOUR <= when < last_sunday(when.year, 10) + HOUR
    return 2 * HOUR if summer else HOUR


def last_sunday(year, month):
    last = datetime(year, month, 31, tzinfo=UTC)
    return last - timedelta(days=last.isoweekday() % 7)


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await route_agent_request(request, self.env) or Response("not found", status=404)
