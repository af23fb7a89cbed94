import asyncio

from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint


class Book(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.sql = ctx.storage.sql
        self.sql.exec("CREATE TABLE IF NOT EXISTS orders (key TEXT, item TEXT)")

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
