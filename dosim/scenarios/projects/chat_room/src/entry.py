import json
from urllib.parse import parse_qs, urlsplit

from js import Date, WebSocketPair
from pyodide.ffi import create_proxy
from workers import DurableObject, Response, WorkerEntrypoint

ARCHIVE = 100  # messages that go to R2 in one piece


class Room(DurableObject):
    waiting = 10  # messages that are kept in memory before they are written

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.sockets = []  # accepted with accept(): the room stays in memory as long as anybody is connected
        self.buffer = []  # in memory: lost when the room is
        self.sql = ctx.storage.sql
        # AUTOINCREMENT: else ids begin anew when the table is empty, and with them the archive's names
        self.sql.exec(
            "CREATE TABLE IF NOT EXISTS messages"
            " (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER, name TEXT, text TEXT)"
        )

    async def fetch(self, request):
        if request.headers.get("Upgrade") != "websocket":
            return Response.json({"messages": self.history(), "waiting": len(self.buffer)})
        client, server = WebSocketPair.new().object_values()
        name = parse_qs(urlsplit(request.url).query)["name"][0]
        server.accept()
        self.sockets.append(server)  # not in a set: what comes from JavaScript cannot be hashed
        server.addEventListener("message", create_proxy(lambda event: self.said(name, event.data)))
        server.addEventListener("close", create_proxy(lambda event: self.left(server)))
        return Response(None, status=101, web_socket=client)

    async def said(self, name, text):
        self.buffer.append((Date.now(), name, text))
        full = len(self.buffer) >= self.waiting
        if full:
            self.flush()
        for socket in self.sockets:  # what is sent after a write leaves when the write is confirmed
            socket.send(json.dumps({"name": name, "text": text}))
        if full:
            await self.archive()

    def left(self, socket):
        if socket in self.sockets:
            self.sockets.remove(socket)

    def flush(self):
        for row in self.buffer:
            self.sql.exec("INSERT INTO messages (at, name, text) VALUES (?, ?, ?)", *row)
        self.buffer = []

    async def archive(self):
        first, last = self.id_at("ASC"), self.id_at("DESC")
        if last - first + 1 < ARCHIVE:
            return
        last = first + ARCHIVE - 1
        piece = self.sql.exec("SELECT * FROM messages WHERE id <= ? ORDER BY id", last).toArray()
        await self.env.ARCHIVE.put(f"messages/{first}-{last}.json", json.dumps(piece))
        self.sql.exec("DELETE FROM messages WHERE id <= ?", last)  # after a crash before this: once more, same name

    def id_at(self, end):
        return self.sql.exec(f"SELECT id FROM messages ORDER BY id {end} LIMIT 1").one()["id"]

    def history(self):
        return [row["text"] for row in self.sql.exec("SELECT text FROM messages ORDER BY id")]


class Unbuffered(Room):
    waiting = 1  # every message is written when it comes


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        kind, room = urlsplit(request.url).path.strip("/").split("/")
        rooms = self.env.UNBUFFERED if kind == "unbuffered" else self.env.ROOM
        return await rooms.getByName(room).fetch(request)
