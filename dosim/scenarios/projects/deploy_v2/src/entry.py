import asyncio

from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint

MIGRATIONS = [
    "CREATE TABLE IF NOT EXISTS orders (key TEXT, item TEXT)",  # what version 1 made, and counted nowhere
    "ALTER TABLE orders ADD COLUMN amount INTEGER DEFAULT 1",
]


class Book(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.sql = ctx.storage.sql
        ctx.blockConcurrencyWhile(self.migrate)

    async def migrate(self):
        """Old data meets new code: apply what this object has not had yet, before any request comes in."""
        self.sql.exec("CREATE TABLE IF NOT EXISTS versions (version INTEGER PRIMARY KEY)")
        done = self.sql.exec("SELECT count(*) AS done FROM versions").one()["done"]
        for version, statement in enumerate(MIGRATIONS[done:], start=done + 1):
            self.sql.exec(statement)
            self.sql.exec("INSERT INTO versions VALUES (?)", version)

    async def order(self, key, item):
        """Without a key every call is an order; with one, the first call is."""
        await asyncio.sleep(1)  # is it in stock?
        if key and self.sql.exec("SELECT 1 FROM orders WHERE key = ?", key).toArray():
            return "known"
        self.sql.exec("INSERT INTO orders (key, item) VALUES (?, ?)", key, item)
        await asyncio.sleep(1)  # print the receipt
        return "ordered"

    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        book = self.env.BOOK.getByName("book")
        if request.headers.get("Upgrade") == "websocket":
            return await book.fetch(request)
        try:
            return Response(await book.order(request.headers.get("Idempotency-Key"), await request.text()))
        except Exception as error:
            return Response(str(error), status=503)
