import json

from agents import Agent, callable, route_agent_request
from workers import Response, WorkerEntrypoint

EACH = 10  # every tenth order is told as news, too


class Dashboard(Agent):
    initial_state = {"orders": 0, "cents": 0}

    async def on_start(self):
        self.sql("CREATE TABLE IF NOT EXISTS news (orders INTEGER PRIMARY KEY, text TEXT)")

    async def on_request(self, request):  # the shop posts an order
        order = json.loads(await request.text())
        orders = self.state["orders"] + 1
        self.set_state({"orders": orders, "cents": self.state["cents"] + order["cents"]})  # to every screen
        if orders % EACH == 0:
            self.tell(orders, f"order number {orders}")
        return Response.json(self.state)

    def tell(self, orders, text):
        self.sql("INSERT INTO news VALUES (?, ?)", orders, text)
        self.broadcast(json.dumps({"type": "news", "orders": orders, "text": text}))  # to those who are there now

    @callable
    async def news_since(self, orders):  # for a screen that was not
        return self.sql("SELECT orders, text FROM news WHERE orders > ? ORDER BY orders", orders)


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await route_agent_request(request, self.env) or Response("Not found", status=404)
