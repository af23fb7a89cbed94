from urllib.parse import urlsplit

from workers import DurableObject, Response, WorkerEntrypoint, fetch

SLOW = "https://slow.example/report"


async def report():
    response = await fetch(SLOW)  # five seconds
    return await response.text()


class Awaiting(DurableObject):
    """Counts its reports. While it awaits one, others come in."""

    async def make(self):
        made = await self.made()
        await report()
        await self.ctx.storage.put("made", made + 1)  # whatever was written meanwhile is overwritten
        return f"report {made + 1}"

    async def made(self):
        return await self.ctx.storage.get("made") or 0


class Blocking(Awaiting):
    """Lets nobody in while it waits."""

    async def make(self):
        return await self.ctx.blockConcurrencyWhile(super().make)


class ReadingLate(Awaiting):
    """Reads after the wait: between this get and this put nobody comes in."""

    async def make(self):
        await report()
        made = await self.made() + 1
        await self.ctx.storage.put("made", made)
        return f"report {made}"


class Queued(Awaiting):
    """Takes the order and answers. A consumer of the queue makes the report, and brings it."""

    async def make(self):
        number = (await self.ctx.storage.get("ordered") or 0) + 1
        await self.ctx.storage.put("ordered", number)
        await self.env.JOBS.send({"desk": self.ctx.id.name, "number": number})
        return f"order {number}"

    async def keep(self, number, text):
        if await self.report(number) is None:  # a queue delivers at least once
            await self.ctx.storage.put({f"report {number}": text, "made": await self.made() + 1})

    async def report(self, number):
        return await self.ctx.storage.get(f"report {number}")


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        match urlsplit(request.url).path.strip("/").split("/"):
            case ["orders", number]:
                text = await self.env.QUEUED.getByName("desk").report(int(number))
                return Response("not yet", status=202) if text is None else Response(text)
            case ["made", kind]:
                return Response(str(await getattr(self.env, kind).getByName("desk").made()))
            case [kind]:
                desk = getattr(self.env, kind).getByName("desk")
                return Response(await desk.make(), status=202 if kind == "QUEUED" else 200)

    async def queue(self, batch, env, ctx):
        for message in batch.messages:
            desk = self.env.QUEUED.getByName(message.body["desk"])
            await desk.keep(message.body["number"], await report())
