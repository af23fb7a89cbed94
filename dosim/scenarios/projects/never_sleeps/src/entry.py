import asyncio
import time
from urllib.parse import urlsplit

from js import WebSocketPair, WebSocketRequestResponsePair, setInterval
from pyodide.ffi import create_proxy
from workers import DurableObject, Response, WorkerEntrypoint

BEAT_S = 30


class Room(DurableObject):
    """It lets go: its sockets may hibernate, and the platform answers pings."""

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        ctx.setWebSocketAutoResponse(WebSocketRequestResponsePair.new("ping", "pong"))

    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        ws.send(message)

    def beat(self):
        for ws in self.ctx.getWebSockets():
            ws.send("beat")

    async def news(self):
        return "no news"

    async def subscribe(self):
        async def news():
            return await self.news()

        return news  # a function: whoever keeps it keeps the object in memory


class Plain(DurableObject):
    """A socket of accept()."""

    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        server.accept()
        server.addEventListener("message", create_proxy(lambda event: server.send(event.data)))
        return Response(None, status=101, web_socket=client)


class Interval(Room):
    """A heartbeat from JavaScript's timer."""

    async def fetch(self, request):
        setInterval(create_proxy(self.beat), BEAT_S * 1000)
        return await super().fetch(request)


class Loop(Room):
    """A heartbeat from a loop in Python."""

    async def fetch(self, request):
        self.task = asyncio.create_task(self.beat_for_ever())
        return await super().fetch(request)

    async def beat_for_ever(self):
        while True:
            await asyncio.sleep(BEAT_S)
            self.beat()


class Alarm(Room):
    """A heartbeat from alarms, as long as somebody is connected: between two of them the room sleeps."""

    async def fetch(self, request):
        await self.set_alarm()
        return await super().fetch(request)

    async def alarm(self):
        if len(self.ctx.getWebSockets()):
            self.beat()
            await self.set_alarm()

    async def set_alarm(self):
        await self.ctx.storage.setAlarm(int(time.time() * 1000) + BEAT_S * 1000)


class Default(WorkerEntrypoint):
    """/BINDING: a socket with that room. /ROOM/keep, /ROOM/ask: a socket with this Worker, which asks the room."""

    async def fetch(self, request):
        kind, *how = urlsplit(request.url).path.strip("/").split("/")
        room = getattr(self.env, kind).getByName("room")
        if not how:
            return await room.fetch(request)
        client, server = WebSocketPair.new().object_values()
        server.accept()
        news = await room.subscribe() if how == ["keep"] else room.news

        async def answer(event):
            server.send(await news())

        server.addEventListener("message", create_proxy(answer))
        return Response(None, status=101, web_socket=client)
