import json
from urllib.parse import parse_qs, urlsplit

from js import Date, WebSocketPair
from pyodide.ffi import create_proxy
from workers import DurableObject, Response, WorkerEntrypoint

BUFFER = 10  # messages that wait in memory for one write
ARCHIVE = 100  # messages that go to R2 in one piece


class Room(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.sockets = {}  # socket -> name: in memory, so the room stays there as long as anybody is connected
        self.buffer = []  # in memory: lost when the room is
        self.sql = ctx.storage.sql
        # AUTOINCREMENT: else ids begin anew when the table is empty, and with them the archive's names
        self.sql.exec(
            "CREATE TABLE IF NOT EXISTS messages"
            " (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER, name TEXT, text TEXT)"
        )

    async def fetch(self, request):
        url = urlsplit(request.url)
        if request.headers.get("Upgrade") != "websocket":
            return Response.json({"messages": self.history(), "waiting": len(self.buffer)})
        client, server = WebSocketPair.new().object_values()
        name = parse_qs(url.query)["name"][0]
        server.accept()
        self.sockets[server] = name
        server.addEventListener("message", create_proxy(lambda event: self.said(name, event.data)))
        server.addEventListener("close", create_proxy(lambda event: self.left(server)))
        return Response(None, status=101, web_socket=client)

    async def said(self, name, text):
        self.buffer.append((Date.now(), name, text))
        for socket in self.sockets:
            socket.send(json.dumps({"name": name, "text": text}))
        if len(self.buffer) >= BUFFER:
            await self.flush()

    def left(self, socket):
        del self.sockets[socket]

    async def flush(self):
        for row in self.buffer:
            self.sql.exec("INSERT INTO messages (at, name, text) VALUES (?, ?, ?)", *row)
        self.buffer = []
        oldest = self.sql.exec("SELECT * FROM messages ORDER BY id LIMIT ?", ARCHIVE).toArray()
        if len(oldest) == ARCHIVE:
            first, last = oldest[0]["id"], oldest[-1]["id"]
            await self.env.ARCHIVE.put(f"messages/{first}-{last}.json", json.dumps(oldest))
            self.sql.exec("DELETE FROM messages WHERE id <= ?", last)

    def history(self):
        return [row["text"] for row in self.sql.exec("SELECT text FROM messages ORDER BY id")]


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        room = urlsplit(request.url).path.strip("/")
        return await self.env.ROOM.getByName(room).fetch(request)
