"""Whether a request costs more when there are more objects: the full path without a network, all objects in memory."""

from __future__ import annotations

from time import process_time

from full_path_dosim import Counter, Default, visit

from dosim import Simulation

CLIENTS = 100


def cost_us(objects: int, requests: int) -> float:
    """CPU time of one request, microseconds, when `objects` objects take turns."""
    sim = Simulation(Default, durable_objects={"COUNTER": Counter}, network=None, retention="none")
    clients = [sim.client() for _ in range(CLIENTS)]
    per_client = -(-objects // CLIENTS)
    for client, first in zip(clients, range(0, objects, per_client), strict=False):
        sim.run(*[client.fetch(f"https://app.example/{n}/0") for n in range(first, min(first + per_client, objects))])
    assert len(sim.objects) == objects
    started = process_time()
    sim.run(*[visit(client, number, objects, requests // CLIENTS) for number, client in enumerate(clients)])
    return (process_time() - started) / (requests // CLIENTS * CLIENTS) * 1e6
