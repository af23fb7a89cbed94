import json
from urllib.parse import parse_qs, urlsplit

from agents import Agent
from workers import Response


class ChatRoom(Agent):
    initial_state = {"people": [], "messages": 0}

    async def on_start(self, props=None):
        self.sql("CREATE TABLE IF NOT EXISTS messages (number INTEGER PRIMARY KEY, name TEXT, text TEXT)")

    async def on_connect(self, connection, context):
        (name,) = parse_qs(urlsplit(context.request.url).query)["name"]
        connection.set_state({"name": name})
        self.broadcast(json.dumps({"type": "joined", "name": name}), exclude=connection)
        self.count_people()

    async def on_message(self, connection, message):
        name = connection.state["name"]
        self.sql("INSERT INTO messages (name, text) VALUES (?, ?)", name, message)
        self.broadcast(json.dumps({"type": "message", "name": name, "text": message}))
        self.set_state({**self.state, "messages": self.state["messages"] + 1})

    async def on_close(self, connection, code, reason, was_clean):
        self.broadcast(json.dumps({"type": "left", "name": connection.state["name"]}), exclude=connection)
        self.count_people()

    async def on_request(self, request):
        return Response.json(self.sql("SELECT name, text FROM messages ORDER BY number"))

    def count_people(self):
        people = sorted(connection.state["name"] for connection in self.get_connections())
        self.set_state({**self.state, "people": people})
