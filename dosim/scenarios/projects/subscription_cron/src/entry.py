from urllib.parse import urlsplit

from js import Date
from workers import Response, WorkerEntrypoint, fetch

PAY = "https://pay.example/charges"
MONTH_MS = 30 * 86_400_000


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        customer = urlsplit(request.url).path.strip("/")
        insert = self.env.DB.prepare("INSERT INTO subscriptions (customer, due) VALUES (?, ?)")
        await insert.bind(customer, Date.now() + MONTH_MS).run()
        return Response("started", status=201)

    async def scheduled(self, controller, env, ctx):
        select = self.env.DB.prepare("SELECT customer, due FROM subscriptions WHERE due <= ?")
        found = await select.bind(controller.scheduledTime).all()
        renew = self.env.DB.prepare("UPDATE subscriptions SET due = ?, renewals = renewals + 1 WHERE customer = ?")
        for row in found.results:
            if await charge(row["customer"], row["due"]):  # if not, the next run tries again
                await renew.bind(row["due"] + MONTH_MS, row["customer"]).run()


async def charge(customer, due):
    """The payment service takes each key once, however often it is asked."""
    response = await fetch(PAY, method="POST", headers={"Idempotency-Key": f"{customer}/{due}"})
    return response.ok
