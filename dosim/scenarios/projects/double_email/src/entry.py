from js import Date
from workers import DurableObject, Response, WorkerEntrypoint, fetch

MAIL = "https://mail.example/send"


class Careless(DurableObject):
    async def remind(self, delay_ms):
        await self.ctx.storage.setAlarm(Date.now() + delay_ms)

    async def alarm(self, info=None):
        await self.send()
        await self.after()

    async def send(self, **headers):
        response = await fetch(MAIL, method="POST", body="your bill is due", headers=headers)
        if not response.ok:
            raise RuntimeError(f"the mail service answered {response.status}")

    async def after(self):
        if await self.ctx.storage.get("trouble"):
            raise RuntimeError("something after the e-mail went wrong")

    async def trouble(self):
        await self.ctx.storage.put("trouble", True)


class MarkedAfter(Careless):
    """Remembers that it has sent: whatever comes between the e-mail and the mark sends it again."""

    async def alarm(self, info=None):
        if not await self.ctx.storage.get("sent"):
            await self.send()
            await self.ctx.storage.put("sent", True)
        await self.after()


class MarkedFirst(Careless):
    """Remembers that it is about to send: whatever comes between the mark and the e-mail loses it."""

    async def alarm(self, info=None):
        if not await self.ctx.storage.get("sent"):
            await self.ctx.storage.put("sent", True)
            await self.send()
        await self.after()


class Keyed(Careless):
    """Every reminder has a key, stored before anything is sent: the mail service sends each key once."""

    async def remind(self, delay_ms):
        reminders = (await self.ctx.storage.get("reminders") or 0) + 1
        await self.ctx.storage.put({"reminders": reminders, "key": f"{self.ctx.id.name}/{reminders}"})
        await super().remind(delay_ms)

    async def alarm(self, info=None):
        await self.send(**{"Idempotency-Key": await self.ctx.storage.get("key")})
        await self.after()


class Early(Careless):
    """Sets the next alarm first, to be safe: a failure then has no retry, because the alarm was replaced."""

    async def alarm(self, info=None):
        await self.ctx.storage.setAlarm(Date.now() + 30 * 86_400_000)
        await self.send()


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("ok")
