import json
from urllib.parse import parse_qs, urlsplit

from js import WebSocketPair
from pyodide.ffi import to_js
from workers import DurableObject, Response

OPEN = 1


async def route_raw_request(request, env):
    parts = urlsplit(request.url).path.strip("/").split("/")
    if len(parts) < 2 or parts[0] != "raw":
        return None
    return await env.RAW_ROOM.getByName(parts[1]).fetch(request)


class RawRoom(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.set_up()

    async def fetch(self, request):
        if (request.headers.get("Upgrade") or "").lower() == "websocket":
            return await self.upgrade(request)
        return await self.on_request(request)

    async def upgrade(self, request):
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        server.send(self.state_frame(self.get_state()))
        await self.on_connect(server, request)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        frame = self.state_of_a_client(message)
        if frame is not None:
            self.set_state(frame, exclude=ws)
            return
        await self.on_message(ws, message)

    async def webSocketClose(self, ws, code, reason, was_clean):
        await self.on_close(ws)
        if code not in (1005, 1006, 1015):
            ws.close(code, reason)

    # state

    def get_state(self):
        kept = self.ctx.storage.kv.get("state")
        return json.loads(kept) if kept else {"people": [], "messages": 0}

    def set_state(self, state, exclude=None):
        self.ctx.storage.kv.put("state", json.dumps(state))
        self.broadcast(self.state_frame(state), exclude)

    def state_frame(self, state):
        return json.dumps({"state": state, "type": "cf_agent_state"})

    def state_of_a_client(self, message):
        try:
            frame = json.loads(message)
        except ValueError:
            return None
        is_state = isinstance(frame, dict) and frame.get("type") == "cf_agent_state" and "state" in frame
        return frame["state"] if is_state else None

    # sockets

    def open_sockets(self):
        return [ws for ws in self.ctx.getWebSockets() if ws.readyState == OPEN]

    def broadcast(self, message, exclude=None):
        for ws in self.open_sockets():
            if exclude is None or ws != exclude:
                ws.send(message)

    def set_name(self, ws, name):
        ws.serializeAttachment(to_js({"name": name}))

    def name_of(self, ws):
        return ws.deserializeAttachment().name

    def sql(self, query, *params):
        return [dict(row.items()) for row in self.ctx.storage.sql.exec(query, *params).toArray()]

    # the room

    def set_up(self):
        self.sql("CREATE TABLE IF NOT EXISTS messages (number INTEGER PRIMARY KEY, name TEXT, text TEXT)")

    async def on_connect(self, ws, request):
        (name,) = parse_qs(urlsplit(request.url).query)["name"]
        self.set_name(ws, name)
        self.broadcast(json.dumps({"type": "joined", "name": name}), exclude=ws)
        self.count_people()

    async def on_message(self, ws, message):
        name = self.name_of(ws)
        self.sql("INSERT INTO messages (name, text) VALUES (?, ?)", name, message)
        self.broadcast(json.dumps({"type": "message", "name": name, "text": message}))
        state = self.get_state()
        self.set_state({**state, "messages": state["messages"] + 1})

    async def on_close(self, ws):
        self.broadcast(json.dumps({"type": "left", "name": self.name_of(ws)}), exclude=ws)
        self.count_people()

    async def on_request(self, request):
        return Response.json(self.sql("SELECT name, text FROM messages ORDER BY number"))

    def count_people(self):
        people = sorted(self.name_of(ws) for ws in self.open_sockets())
        self.set_state({**self.get_state(), "people": people})
