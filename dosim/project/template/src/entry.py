"""Pads of notes that disappear after an hour: a Worker, and one Durable Object for each pad."""

import time
from urllib.parse import urlsplit

from workers import DurableObject, Response, WorkerEntrypoint

KEPT_MS = 60 * 60 * 1000


class Pad(DurableObject):
    """One pad: its notes are rows of its own SQLite database, and its alarm removes the old ones."""

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.sql = self.ctx.storage.sql
        self.sql.exec("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT, until INTEGER)")

    async def add(self, text):
        self.sql.exec("INSERT INTO notes (text, until) VALUES (?, ?)", text, now_ms() + KEPT_MS)
        await self.set_alarm()

    async def notes(self):
        return [row["text"] for row in self.sql.exec("SELECT text FROM notes ORDER BY id")]

    async def alarm(self):
        self.sql.exec("DELETE FROM notes WHERE until <= ?", now_ms())
        await self.set_alarm()

    async def set_alarm(self):
        """There is one alarm for all notes: it belongs to the oldest."""
        for row in self.sql.exec("SELECT until FROM notes ORDER BY until LIMIT 1").toArray():
            await self.ctx.storage.setAlarm(row["until"])


class Default(WorkerEntrypoint):
    """POST /<pad> adds the body as a note, GET /<pad> lists the notes."""

    async def fetch(self, request):
        pad = self.env.PADS.getByName(urlsplit(request.url).path.strip("/") or "home")
        if request.method == "POST":
            await pad.add(await request.text())
            return Response("noted\n", status=201)
        return Response.json({"notes": await pad.notes()})


def now_ms():
    return int(time.time() * 1000)
