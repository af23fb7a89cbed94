"""`queue-not-idempotent`: a batch comes again because one of its messages failed, and the others count twice.

Believed: each message of a queue is delivered once; if one fails, that one is delivered again.

What happens: queues deliver at least once. When the consumer raises, all messages of the batch that were not
acknowledged come again, the ones that had been counted too. Also a single message whose answer was lost is counted
twice.

Met in: github.com/cloudflare/cloudflare-docs/pull/6677 (at least once, by design),
github.com/openclaw/clawsweeper/issues/1529 and /1372 (whole batches fail together); recorded: an exception redelivers
the whole batch.

Mended: the object knows the number of every event that it has counted.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from dosim.scenarios.zoo.animal import Animal
from dosim.scenarios.zoo.asking import insist
from dosim.simulation import Client, Simulation
from dosim.workers import DurableObject, Response, WorkerEntrypoint


class Points(DurableObject):
    async def add(self, event: str, points: int) -> None:
        await self.ctx.storage.put("points", await self.points() + points)

    async def points(self) -> int:
        return await self.ctx.storage.get("points") or 0


class FixedPoints(Points):
    async def add(self, event: str, points: int) -> None:
        if not await self.ctx.storage.get(f"seen/{event}"):
            await self.ctx.storage.put({f"seen/{event}": True, "points": await self.points() + points})


class Default(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        await self.env.EVENTS.send(await request.json())
        return Response("accepted", status=202)

    async def queue(self, batch: Any, env: Any, ctx: Any) -> None:
        for message in batch.messages:
            event = message.body
            await self.env.OBJECT.getByName(event["user"]).add(event["id"], event["points"])


async def report(client: Client, body: str) -> None:
    """Report a game. Raises ConnectionError when it was not accepted."""
    response = await client.fetch("https://game.example/", method="POST", body=body)
    if not response.ok:
        raise ConnectionError(f"answered {response.status}")


async def check(sim: Simulation) -> None:
    """Three games of 1, 20 and 300 points, each reported until it was accepted, make 321."""
    ann = sim.client("ann")
    for number, points in enumerate((1, 20, 300)):
        body = json.dumps({"user": "ann", "id": f"game {number}", "points": points})
        await insist(lambda body=body: report(ann, body))  # type: ignore[misc]
    await asyncio.sleep(60)
    points = await insist(lambda: sim.env.OBJECT.getByName("ann").points())

    assert points == 321, f"games of 1, 20 and 300 points made {points}"


ANIMAL = Animal(
    "queue-not-idempotent",
    "the batch comes again",
    Points,
    FixedPoints,
    check,
    faults=("reply_lost",),
    worker=Default,
    options={"queues": {"EVENTS": "events"}, "queue_consumers": {"events": {"max_batch_size": 3, "max_retries": 100}}},
)
