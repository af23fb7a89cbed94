"""Same seed, same digest, under two hash seeds: sockets, hibernation, queues, crons, externals."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import asyncio, random, uuid
from dosim import Simulation
from dosim.workers import DurableObject, Response, WorkerEntrypoint, fetch, js
from dosim.workers.ffi import create_proxy, to_js


class Room(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.plain = {}

    async def fetch(self, request):
        client, server = js.WebSocketPair.new().object_values()
        if "plain" in request.url:
            server.accept()
            self.plain[server.js_id] = server
            server.addEventListener("message", create_proxy(self.heard))
        else:
            self.ctx.acceptWebSocket(server, to_js([str(uuid.uuid4())]))
            server.serializeAttachment(random.random())
        return Response(None, status=101, web_socket=client)

    def heard(self, event):
        for socket in self.plain.values():
            socket.send(event.data)

    async def webSocketMessage(self, ws, message):
        members = {socket.js_id: socket for socket in self.ctx.getWebSockets()}
        for key in set(members):  # a Python set of their keys: its order must not be the process's
            socket = members[key]
            socket.send(f"{message} {socket.deserializeAttachment()}")
        if message == "pay":
            response = await fetch("https://bank.example/pay")
            await self.ctx.storage.put("paid", await response.text())
            await self.env.JOBS.send({"paid": message, "by": random.random()})
        if message == "leave":
            ws.close(4000, "left")

    async def webSocketClose(self, ws, code, reason, wasClean):
        await self.ctx.storage.put(str(uuid.uuid4()), [code, len(self.ctx.getWebSockets())])

    async def note(self, text):
        for socket in self.ctx.getWebSockets():
            socket.send(text)


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await self.env.ROOM.getByName(request.url.split("/")[3]).fetch(request)

    async def scheduled(self, controller, env, ctx):
        await self.env.ROOM.getByName("a").note(f"cron {random.randrange(1000)}")

    async def queue(self, batch, env, ctx):
        for message in {id(m): m for m in batch.messages}.values():
            await self.env.ROOM.getByName("a").note(f"job {message.id} {message.attempts}")
        if batch.messages[0].attempts < 2:
            raise ValueError("again")


sim = Simulation(
    Default, durable_objects={"ROOM": Room}, queues={"JOBS": "jobs"}, crons=["* * * * *"], seed=11, show_output=False,
    queue_consumers={"jobs": {"max_batch_timeout": 1, "dead_letter_queue": "dead"}},
)
sim.external("https://bank.example", lambda request: f"ok {random.random()}", latency="300ms", place="Sydney")
cities = ["Tokyo", "Paris", "Lima", "Lagos", "Sydney"]
sockets = [sim.run(sim.client(city).websocket("wss://x.example/a")) for city in cities]
plain = [sim.run(sim.client(city).websocket("wss://x.example/b/plain")) for city in cities]


async def talk(ws, messages):
    for message in messages:
        ws.send(message)
        await asyncio.sleep(random.random())


sim.run(*[talk(ws, ["hi", "pay"]) for ws in sockets], *[talk(ws, ["a", "b"]) for ws in plain])
sim.run(for_="20s")
print(sim.objects["a"].state)
sockets[0].send("leave")
sockets[1].vanish()
plain[0].close()
sim.run(for_="2m")
sim.restart()
sim.run(for_="5s")
for ws in sockets + plain:
    print(ws, [received.message for received in ws.received][-3:])
print(sim.trace.count, sim.trace.digest)
"""


def _run(hash_seed: str) -> str:
    root = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=env, cwd=root, capture_output=True, text=True, check=False, timeout=60
    )
    assert "" == done.stderr
    return done.stdout


def test_same_seed_same_digest_whatever_the_hash_seed() -> None:
    """Two processes, two hash seeds: every message, every record the same."""
    first, second = _run("1"), _run("4242")

    assert "hibernated" == first.splitlines()[0]
    assert first.splitlines()[-1].split()[0].isdigit()
    assert first == second
