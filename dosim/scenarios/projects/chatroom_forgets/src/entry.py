import json

from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint


class Room(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.message_history = []  # as long as the sockets live? No: as long as the object is in memory

    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        server.send(json.dumps({"history": self.message_history}))
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        self.message_history.append(message)
        for peer in self.ctx.getWebSockets():
            peer.send(message)


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await self.env.ROOM.getByName("lobby").fetch(request)
