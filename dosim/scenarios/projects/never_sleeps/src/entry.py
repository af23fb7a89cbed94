from urllib.parse import urlsplit

from js import WebSocketPair, WebSocketRequestResponsePair, setInterval
from pyodide.ffi import create_proxy
from workers import DurableObject, Response, WorkerEntrypoint


class Letting(DurableObject):
    """Sockets that may hibernate, and pings that the platform answers."""

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        ctx.setWebSocketAutoResponse(WebSocketRequestResponsePair.new("ping", "pong"))

    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        ws.send(message)


class Heartbeat(Letting):
    """The same, and a timer that sends a heartbeat every thirty seconds."""

    async def fetch(self, request):
        setInterval(create_proxy(self.beat), 30_000)
        return await super().fetch(request)

    def beat(self):
        for ws in self.ctx.getWebSockets():
            ws.send("beat")


class Plain(DurableObject):
    """A socket of accept()."""

    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        server.accept()
        server.addEventListener("message", create_proxy(lambda event: server.send(event.data)))
        return Response(None, status=101, web_socket=client)


class Subscribed(Letting):
    """The same, and a method that returns a function: whoever keeps it keeps the object."""

    async def subscribe(self):
        async def news():
            return "no news"

        return news


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        kind = urlsplit(request.url).path.strip("/")
        return await getattr(self.env, kind).getByName("room").fetch(request)
