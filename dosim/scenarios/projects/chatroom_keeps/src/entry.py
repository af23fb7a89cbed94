import json

from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint


class Room(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.sql = ctx.storage.sql
        self.sql.exec("CREATE TABLE IF NOT EXISTS history (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT)")

    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        rows = self.sql.exec("SELECT text FROM history ORDER BY id")
        server.send(json.dumps({"history": [row["text"] for row in rows]}))
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        self.sql.exec("INSERT INTO history (text) VALUES (?)", message)
        for peer in self.ctx.getWebSockets():
            peer.send(message)


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await self.env.ROOM.getByName("lobby").fetch(request)
