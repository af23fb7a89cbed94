from urllib.parse import urlsplit

from js import Date
from workers import DurableObject, Response, WorkerEntrypoint, fetch

PAY = "https://pay.example/charges"
HOUR_MS = 3_600_000
MONTH_MS = 30 * 24 * HOUR_MS


class Subscription(DurableObject):
    async def start(self, customer):
        if await self.ctx.storage.get("status") == "active":
            return  # asked twice: the day stays
        due = Date.now() + MONTH_MS
        await self.ctx.storage.put({"customer": customer, "due": due, "renewals": 0, "status": "active"})
        await self.ctx.storage.setAlarm(due)

    async def cancel(self):
        await self.ctx.storage.put("status", "cancelled")
        await self.ctx.storage.deleteAlarm()

    async def state(self):
        return await self.ctx.storage.get(["status", "renewals", "due"])

    async def alarm(self, info):
        known = await self.ctx.storage.get(["customer", "due", "renewals", "status"])
        if known["status"] != "active":
            return
        if not await charge(known["customer"], known["due"]):
            await self.unpaid(info.retryCount)
            return
        due = known["due"] + MONTH_MS  # from the day it was due: being late does not add up
        await self.ctx.storage.put({"due": due, "renewals": known["renewals"] + 1})
        await self.again(due)

    async def again(self, at):
        if await self.ctx.storage.get("status") == "active":  # not cancelled during the payment
            await self.ctx.storage.setAlarm(at)

    async def unpaid(self, retries):
        if retries < 5:
            raise RuntimeError("not paid")  # the platform tries again after 2, 4, 8, 16, 32 seconds ...
        await self.again(Date.now() + HOUR_MS)  # ... and we after an hour


class Trusting(Subscription):
    """Leaves it to the platform, which gives up after six retries: then there is no alarm any more."""

    async def unpaid(self, retries):
        raise RuntimeError("not paid")


async def charge(customer, due):
    """The payment service takes each key once, however often it is asked."""
    response = await fetch(PAY, method="POST", headers={"Idempotency-Key": f"{customer}/{due}"})
    return response.ok


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        customer = urlsplit(request.url).path.strip("/")
        subscription = self.env.SUBSCRIPTION.getByName(customer)
        match str(request.method):
            case "POST":
                await subscription.start(customer)
            case "DELETE":
                await subscription.cancel()
        return Response.json(await subscription.state())
