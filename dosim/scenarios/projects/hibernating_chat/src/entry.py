import json
from urllib.parse import parse_qs, urlsplit

from js import WebSocketPair, WebSocketRequestResponsePair
from pyodide.ffi import create_proxy, to_js
from workers import DurableObject, Response, WorkerEntrypoint


def name_in(request):
    return parse_qs(urlsplit(request.url).query)["name"][0]


class Sleepy(DurableObject):
    """Sockets, their tags and attachments are kept by the platform; an attribute is not."""

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.count = 0
        ctx.setWebSocketAutoResponse(WebSocketRequestResponsePair.new("ping", "pong"))

    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server, to_js(["member"]))
        server.serializeAttachment(to_js({"name": name_in(request)}))
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        self.count += 1
        members = self.ctx.getWebSockets("member")
        name = ws.deserializeAttachment().name
        said = json.dumps({"from": name, "text": message, "members": len(members), "count": self.count})
        for member in members:
            member.send(said)


class Awake(DurableObject):
    """Sockets of accept() and their listeners live in memory: so does the room, for as long as one is open."""

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.count = 0
        self.members = {}

    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        server.accept()
        name = name_in(request)
        self.members[name] = server
        server.addEventListener("message", create_proxy(lambda event: self.heard(name, event.data)))
        server.addEventListener("close", create_proxy(lambda event: self.members.pop(name)))
        return Response(None, status=101, web_socket=client)

    def heard(self, name, message):
        if message == "ping":
            self.members[name].send("pong")
            return
        self.count += 1
        said = json.dumps({"from": name, "text": message, "members": len(self.members), "count": self.count})
        for member in self.members.values():
            member.send(said)


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        kind = urlsplit(request.url).path.strip("/")
        return await getattr(self.env, kind).getByName("room").fetch(request)
