import asyncio

from agents import Agent, RetryOptions, retry
from workers import Response, WorkerEntrypoint, fetch

PAY = "https://pay.example/charges"
THREE_TIMES = RetryOptions(max_attempts=3, base_delay=1, max_delay=10)


class Refused(Exception):
    pass


async def pay(invoice, **headers):
    response = await fetch(PAY, method="POST", body=invoice, headers=headers)
    if not response.ok:
        raise Refused(invoice)


class Queued(Agent):
    """Every invoice is an item of the agent's queue: a row, until it is paid or its last attempt has failed."""

    async def on_start(self, props=None):
        self.sql("CREATE TABLE IF NOT EXISTS dropped (invoice TEXT)")

    async def add(self, invoices):
        for invoice in invoices:
            await self.queue(self.charge, invoice, retry=THREE_TIMES)

    async def charge(self, invoice, item):
        await pay(invoice)

    async def on_error(self, connection, error):
        if not isinstance(error, Refused):
            raise error
        self.sql("INSERT INTO dropped VALUES (?)", str(error))  # somebody has to look at it

    async def known(self):
        dropped = [row["invoice"] for row in self.sql("SELECT invoice FROM dropped ORDER BY rowid")]
        return {"waiting": [item.payload for item in await self.queue_items()], "dropped": dropped}


class Keyed(Queued):
    """The item's id is the same however often it runs, so it is the key by which the service knows it."""

    async def charge(self, invoice, item):
        await pay(invoice, **{"Idempotency-Key": item.id})


class Listed(Queued):
    """The same without the queue: a list in memory, and a task that works it off."""

    async def add(self, invoices):
        self.invoices = list(invoices)
        self.work = asyncio.ensure_future(self.work_off())

    async def work_off(self):
        while self.invoices:
            try:
                await retry(lambda: pay(self.invoices[0]), max_attempts=3, base_delay=1, max_delay=10)
            except Refused as error:
                await self.on_error(None, error)
            self.invoices.pop(0)


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("ok")
