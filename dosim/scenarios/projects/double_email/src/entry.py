from js import Date
from workers import DurableObject, Response, WorkerEntrypoint, fetch

MAIL = "https://mail.example/send"


class Careless(DurableObject):
    async def remind(self, delay_ms):
        await self.ctx.storage.setAlarm(Date.now() + delay_ms)

    async def alarm(self, info=None):
        await fetch(MAIL, method="POST", body="your bill is due")
        await self.after()

    async def after(self):
        if await self.ctx.storage.get("trouble"):
            raise RuntimeError("something after the e-mail went wrong")

    async def trouble(self):
        await self.ctx.storage.put("trouble", True)


class Keyed(Careless):
    """Every reminder has a key, stored before anything is sent: the mail service sends each key once."""

    async def remind(self, delay_ms):
        reminders = (await self.ctx.storage.get("reminders") or 0) + 1
        await self.ctx.storage.put({"reminders": reminders, "key": f"{self.ctx.id.name}/{reminders}"})
        await super().remind(delay_ms)

    async def alarm(self, info=None):
        key = await self.ctx.storage.get("key")
        await fetch(MAIL, method="POST", body="your bill is due", headers={"Idempotency-Key": key})
        await self.after()


class Early(Careless):
    """Sets the next alarm first, to be safe: a failure then has no retry, because the alarm was replaced."""

    async def alarm(self, info=None):
        await self.ctx.storage.setAlarm(Date.now() + 30 * 86_400_000)
        await self.after()
        await fetch(MAIL, method="POST", body="your bill is due")


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("ok")
