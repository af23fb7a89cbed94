import asyncio
from urllib.parse import urlsplit

from js import Date, WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint, fetch

import dosim


class User(DurableObject):
    """A database of one's own."""

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS notes (text TEXT)")

    async def note(self):
        self.ctx.storage.sql.exec("INSERT INTO notes VALUES ('x')")
        return self.ctx.storage.sql.exec("SELECT COUNT(*) AS n FROM notes").one()["n"]

    async def keep(self):
        await self.ctx.storage.put("blob", "x" * 3_000_000)


class Agent(DurableObject):
    """Three calls of a model, one after another."""

    async def think(self):
        for step in range(3):
            await (await fetch("https://model.example/")).text()
            await self.ctx.storage.put("step", step + 1)
        return "done"

    async def status(self):
        return await self.ctx.storage.get("step") or 0


class Document(DurableObject):
    async def edit(self):
        edits = (await self.ctx.storage.get("edits") or 0) + 1
        await self.ctx.storage.put("edits", edits)
        return edits


class Room(DurableObject):
    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        for peer in self.ctx.getWebSockets():
            peer.send(message)


class Seat(DurableObject):
    async def take(self):
        if await self.ctx.storage.get("taken"):
            return False
        await self.ctx.storage.put("taken", True)
        return True


class Limiter(DurableObject):
    """Five a second."""

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.second, self.used = 0, 0

    async def ask(self):
        second = Date.now() // 1000
        if second != self.second:
            self.second, self.used = second, 0
        self.used += 1
        return self.used <= 5


class Session(DurableObject):
    async def write(self):
        await self.ctx.storage.put("cart", "full")

    async def read(self):
        return await self.ctx.storage.get("cart")


class Task(DurableObject):
    async def plan(self):
        await self.ctx.storage.put("due", Date.now() + 3_600_000)
        await self.ctx.storage.setAlarm(Date.now() + 3_600_000)

    async def alarm(self):
        await self.ctx.storage.put("late_ms", Date.now() - await self.ctx.storage.get("due"))


class Cpu(DurableObject):
    async def short(self):
        dosim.cpu("1ms")
        return "ok"

    async def long(self):
        dosim.cpu("5s")
        return "ok"


class Default(WorkerEntrypoint):
    """/CLASS/name/method calls the method; /socket/name opens a socket; /kv/... and /plain do without objects."""

    async def fetch(self, request):
        what, *rest = urlsplit(request.url).path.strip("/").split("/")
        if what == "plain":
            return Response.json("ok")
        if what == "socket":
            return await self.env.ROOM.getByName(rest[0]).fetch(request)
        if what == "kv":
            return Response.json(await self.kv(rest[0]))
        if what == "everybody":
            notes = [self.env.USER.getByName(f"user-{number}").note() for number in range(int(rest[0]))]
            return Response.json(sum(await asyncio.gather(*notes)))
        stub = getattr(self.env, what).getByName(rest[0])
        return Response.json(await getattr(stub, rest[1])())

    async def kv(self, action):
        if action == "write":
            await self.env.SESSIONS.put("cart", "full")
        return await self.env.SESSIONS.get("cart")
