from urllib.parse import urlsplit

from workers import DurableObject, Response, WorkerEntrypoint, fetch

SLOW = "https://slow.example/report"


async def report():
    return await (await fetch(SLOW)).text()  # five seconds


class Awaiting(DurableObject):
    """Awaits: others come in meanwhile."""

    async def make(self):
        made = await self.ctx.storage.get("made") or 0
        text = await report()
        await self.ctx.storage.put("made", made + 1)  # what others have written meanwhile is overwritten
        return text

    async def made(self):
        return await self.ctx.storage.get("made") or 0


class Blocking(Awaiting):
    """Keeps the gate closed while it waits."""

    async def make(self):
        return await self.ctx.blockConcurrencyWhile(super().make)


class Queued(Awaiting):
    """Takes the order, answers at once, and is told later."""

    async def make(self):
        number = (await self.ctx.storage.get("ordered") or 0) + 1
        await self.ctx.storage.put("ordered", number)
        await self.env.JOBS.send({"object": self.ctx.id.name, "number": number})
        return f"order {number}"

    async def done(self, number, text):
        made = await self.ctx.storage.get("made") or 0
        await self.ctx.storage.put({"made": made + 1, f"report {number}": text})


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        kind = urlsplit(request.url).path.strip("/")
        return Response(await getattr(self.env, kind).getByName("desk").make())

    async def queue(self, batch, env, ctx):
        for message in batch.messages:
            text = await report()
            await self.env.QUEUED.getByName(message.body["object"]).done(message.body["number"], text)
