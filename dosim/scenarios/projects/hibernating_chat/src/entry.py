from urllib.parse import parse_qs, urlsplit

from js import WebSocketPair, WebSocketRequestResponsePair
from pyodide.ffi import create_proxy, to_js
from workers import DurableObject, Response, WorkerEntrypoint


class Sleepy(DurableObject):
    """Sockets, tags and attachments are kept by the platform; an attribute is not."""

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.messages = 0
        ctx.setWebSocketAutoResponse(WebSocketRequestResponsePair.new("ping", "pong"))

    async def fetch(self, request):
        name = parse_qs(urlsplit(request.url).query)["name"][0]
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server, to_js(["member"]))
        server.serializeAttachment(to_js({"name": name}))
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        self.messages += 1
        name = ws.deserializeAttachment().name
        members = self.ctx.getWebSockets("member")
        for member in members:
            member.send(f"{name}: {message} (message {self.messages}, {len(members)} members)")


class Awake(DurableObject):
    """Sockets of accept() and their listeners live in memory: so does the room, for as long as one is open."""

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.messages = 0
        self.members = {}

    async def fetch(self, request):
        name = parse_qs(urlsplit(request.url).query)["name"][0]
        client, server = WebSocketPair.new().object_values()
        server.accept()
        self.members[server] = name
        server.addEventListener("message", create_proxy(lambda event: self.said(server, event.data)))
        server.addEventListener("close", create_proxy(lambda event: self.members.pop(server)))
        return Response(None, status=101, web_socket=client)

    def said(self, ws, message):
        if message == "ping":
            ws.send("pong")
            return
        self.messages += 1
        for member in self.members:
            member.send(f"{self.members[ws]}: {message} (message {self.messages}, {len(self.members)} members)")


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        kind = urlsplit(request.url).path.strip("/")
        return await getattr(self.env, kind).getByName("room").fetch(request)
