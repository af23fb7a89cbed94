"""Designs that are right, though each looks like a mistake from outside."""

import asyncio
import json
import random
import time
import uuid
from urllib.parse import parse_qs, urlsplit

from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint, fetch


class Limiter(DurableObject):
    """Two a second; old seconds are forgotten by an alarm."""

    async def ask(self):
        second = int(time.time())
        key = f"s:{second}"
        used = await self.ctx.storage.get(key) or 0
        if used >= 2:
            return {"allowed": False, "retry_after": 1}
        await self.ctx.storage.put(key, used + 1)
        if await self.ctx.storage.getAlarm() is None:
            await self.ctx.storage.setAlarm(int(time.time() * 1000) + 60_000)
        return {"allowed": True, "left": 1 - used}

    async def alarm(self):
        now = int(time.time())
        for key in list((await self.ctx.storage.list(prefix="s:")).keys()):
            if int(key[2:]) < now - 10:
                await self.ctx.storage.delete(key)


class Agent(DurableObject):
    """A conversation: what the user says, what the model says, and a status in between."""

    async def say(self, text: str):
        await self._append("user", text)
        await self.ctx.storage.put("status", "thinking")
        answer = await (await fetch("https://model.example/v1", method="POST", body=text)).text()
        await self._append("assistant", answer)
        await self.ctx.storage.put("status", "idle")
        return answer

    async def _append(self, role, text):
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put({"n": n, f"m:{n:05}": {"role": role, "text": text, "at": time.time()}})

    async def status(self):
        return await self.ctx.storage.get("status") or "idle"

    async def messages(self):
        return list((await self.ctx.storage.list(prefix="m:")).values())


class Leaderboard(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.sql = ctx.storage.sql
        self.sql.exec("CREATE TABLE IF NOT EXISTS scores (player TEXT PRIMARY KEY, score INTEGER, at INTEGER)")

    async def submit(self, player: str, score: int):
        self.sql.exec(
            "INSERT INTO scores VALUES (?, ?, ?) ON CONFLICT (player)"
            " DO UPDATE SET score = MAX(score, excluded.score), at = excluded.at",
            player,
            score,
            int(time.time() * 1000),
        )
        return self.sql.exec("SELECT score FROM scores WHERE player = ?", player).one()["score"]

    async def top(self, limit: int = 10):
        return [
            dict(r)
            for r in self.sql.exec(
                "SELECT player, score FROM scores ORDER BY score DESC, player LIMIT ?", limit
            ).toArray()
        ]


class Presence(DurableObject):
    """Who is here: read from the sockets."""

    async def fetch(self, request):
        url = urlsplit(request.url)
        if request.headers.get("Upgrade") != "websocket":
            return Response.json({"here": sorted(self.names())})
        name = parse_qs(url.query).get("name", ["anonymous"])[0]
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        server.serializeAttachment(json.dumps({"name": name}))
        self.tell({"here": sorted(self.names())})
        return Response(None, status=101, web_socket=client)

    def names(self):
        return [json.loads(ws.deserializeAttachment())["name"] for ws in self.ctx.getWebSockets()]

    def tell(self, what):
        for ws in self.ctx.getWebSockets():
            ws.send(json.dumps(what))

    async def webSocketMessage(self, ws, message):
        self.tell({"from": json.loads(ws.deserializeAttachment())["name"], "text": message, "id": str(uuid.uuid4())})

    async def webSocketClose(self, ws, code, reason, clean):
        ws.close(code, reason)


class Session(DurableObject):
    async def login(self, user: str):
        token = uuid.uuid4().hex
        await self.ctx.storage.put("session", {"user": user, "token": token, "until": time.time() + 100})
        await self.ctx.storage.setAlarm(int(time.time() * 1000) + 100_000)
        return token

    async def whoami(self):
        session = await self.ctx.storage.get("session")
        if session is None or session["until"] < time.time():
            return None
        return session["user"]

    async def alarm(self):
        session = await self.ctx.storage.get("session")
        if session and session["until"] <= time.time():
            await self.ctx.storage.deleteAll()


class Payments(DurableObject):
    """Idempotency keys; what is under way is refused."""

    async def pay(self, key: str, cents: int):
        known = await self.ctx.storage.get(f"p:{key}")
        if known == "pending":
            return {"error": "in progress"}
        if known is not None:
            return known
        await self.ctx.storage.put(f"p:{key}", "pending")
        await fetch("https://bank.example/charge", method="POST", body=str(cents), headers={"Idempotency-Key": key})
        total = (await self.ctx.storage.get("total") or 0) + cents
        done = {"charged": cents}
        await self.ctx.storage.put({"total": total, f"p:{key}": done})
        return done

    async def total(self):
        return await self.ctx.storage.get("total") or 0


class Cached(DurableObject):
    """A read-through cache of the outside in memory, and a shared load."""

    loading = None
    value = None

    async def read(self):
        if self.value is None:
            if self.loading is None:
                self.loading = asyncio.ensure_future(self._load())
            await self.loading
        return self.value

    async def _load(self):
        self.value = await (await fetch("https://config.example/")).text()


class Jobs(DurableObject):
    """Work that a loop of alarms does, one each, and then stops."""

    async def add(self, name: str):
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put({"n": n, f"job:{n:05}": {"name": name, "done": False}})
        if await self.ctx.storage.getAlarm() is None:
            await self.ctx.storage.setAlarm(int(time.time() * 1000) + 5_000)
        return n

    async def alarm(self):
        waiting = [(k, v) for k, v in (await self.ctx.storage.list(prefix="job:")).items() if not v["done"]]
        for key, job in waiting[:1]:
            await self.ctx.storage.put(key, {**job, "done": True})
        if len(waiting) > 1:
            await self.ctx.storage.setAlarm(int(time.time() * 1000) + 1_000)

    async def list_jobs(self):
        return list((await self.ctx.storage.list(prefix="job:")).values())


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        url = urlsplit(request.url)
        match url.path.strip("/").split("/"):
            case ["presence", room]:
                return await self.env.PRESENCE.getByName(room).fetch(request)
            case ["board", game, player, score] if request.method == "POST":
                return Response.json(await self.env.BOARD.getByName(game).submit(player, int(score)))
            case ["board", game]:
                return Response.json(await self.env.BOARD.getByName(game).top())
            case ["limit", who]:
                answer = await self.env.LIMITS.getByName(who).ask()
                return Response.json(answer, status=200 if answer["allowed"] else 429)
            case ["dice"]:
                return Response.json(random.randrange(6))
        return Response("not found", status=404)
