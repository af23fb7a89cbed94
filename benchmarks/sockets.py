"""Hibernating sockets: 100,000 over 1,000 objects, each sends a message a minute for an hour.

    python benchmarks/sockets.py [SOCKETS OBJECTS MINUTES]

Prints, as JSON: messages and their frames a second of real time, bytes of resident memory a socket, and the bytes that
the hour added. Retention is `none`; the network is instant, so that events are the runtime's own.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from time import process_time
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from memory import resident_bytes

from dosim import Simulation
from dosim.workers import DurableObject, Response, WorkerEntrypoint
from dosim.workers.js import WebSocketPair

#: Handshakes at one time.
CHUNK = 1_000


class Room(DurableObject):
    """Answers each message; keeps what it knows of a socket in its attachment."""

    async def fetch(self, request: Any) -> Response:
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        server.serializeAttachment(0)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws: Any, message: str) -> None:
        seen = ws.deserializeAttachment() + 1
        ws.serializeAttachment(seen)
        ws.send(message)


class Door(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        return await self.env.ROOM.getByName(request.url.rpartition("/")[2]).fetch(request)


def run(sockets: int, objects: int, minutes: int) -> dict[str, float]:
    """Connect, rest, and send: each socket once a minute, its room's sockets together."""
    sim = Simulation(Door, durable_objects={"ROOM": Room}, network=None, retention="none")
    client = sim.client()
    before_bytes = resident_bytes()
    connected: list[Any] = []
    for start in range(0, sockets, CHUNK):
        calls = [client.websocket(f"wss://x/{n % objects}") for n in range(start, min(start + CHUNK, sockets))]
        connected += sim.run(*calls) if len(calls) > 1 else [sim.run(*calls)]
    sim.run(for_="1m")
    assert all(view.state == "hibernated" for view in sim.objects)
    idle_bytes = resident_bytes()

    async def talk(room: int) -> None:
        """The sockets of one room: a message each, every minute, from a moment of the minute of its own."""
        mine = connected[room::objects]
        await asyncio.sleep(60 * room / objects)
        for _ in range(minutes):
            for socket in mine:
                socket.send("x")
            await asyncio.sleep(60)
            for socket in mine:
                assert socket.received.pop().message == "x"
                assert socket.unread() == ["x"]

    began_s = process_time()
    sim.run(*[talk(room) for room in range(objects)])
    took_s = process_time() - began_s
    messages = sockets * minutes
    return {
        "messages": messages,
        "messages_per_s": messages / took_s,
        "records_per_s": sim.trace.count / took_s,
        "bytes_per_socket": (idle_bytes - before_bytes) / sockets,
        "grown_bytes": resident_bytes() - idle_bytes,
        "took_s": took_s,
    }


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]] or [100_000, 1_000, 60]
    print(json.dumps(run(*given)))
