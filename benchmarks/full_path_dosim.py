"""The full path through dosim's ordinary interface: `client.fetch`, a Worker, a stub, a put, the reply; full trace.

The same load as `full_path_simpy.py`: so many clients, each sending one request after another, over so many objects.
On top of what the SimPy model does there are real requests and responses, gates, turns, transactions and causes.
"""

from __future__ import annotations

from typing import Any

from dosim import Simulation
from dosim.simulation import Client
from dosim.workers import DurableObject, Response, WorkerEntrypoint


class Counter(DurableObject):
    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.count = 0

    async def increment(self, argument: dict[str, Any]) -> dict[str, Any]:
        self.count += argument["by"]
        await self.ctx.storage.put("n", self.count)
        return {"n": self.count, "id": self.ctx.id.name, "tags": ["a", "b"]}


class Default(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        _, name, number = request.url.rsplit("/", 2)
        body = {"op": "incr", "by": 1, "user": {"id": int(number), "name": "ada"}}
        value = await self.env.COUNTER.getByName(name).increment(body)
        return Response(str(value["n"]))


async def visit(client: Client, number: int, objects: int, requests: int) -> None:
    """One client's requests, one after another."""
    for turn in range(requests):
        await client.fetch(f"https://app.example/{(number * 31 + turn) % objects}/{number}")


def run(requests: int, clients: int = 100, objects: int = 50, retention: str = "full") -> int:
    """Run the model; returns the number of records."""
    sim = Simulation(Default, durable_objects={"COUNTER": Counter}, seed=7, retention=retention)
    per_client = requests // clients
    sim.run(*[visit(sim.client("Tokyo"), number, objects, per_client) for number in range(clients)])
    assert sum(view.storage["n"] for view in sim.objects) == per_client * clients
    return sim.trace.count
