"""M/D/1 in SimPy: each customer a process, the server a Resource."""

from __future__ import annotations

from collections.abc import Generator
from random import Random
from typing import Any

import simpy

SERVICE_S = 0.01


def run(customers: int, utilisation: float = 0.8) -> float:
    """The mean wait, in services."""
    env, rng = simpy.Environment(), Random(1)
    server = simpy.Resource(env, 1)
    waited_s: list[float] = []

    def customer() -> Generator[Any, Any, None]:
        came_s = env.now
        with server.request() as turn:
            yield turn
            waited_s.append(env.now - came_s)
            yield env.timeout(SERVICE_S)

    def arrivals() -> Generator[Any, Any, None]:
        for _ in range(customers):
            yield env.timeout(rng.expovariate(utilisation / SERVICE_S))
            env.process(customer())

    env.process(arrivals())
    env.run()
    return sum(waited_s) / customers / SERVICE_S
