"""M/D/1 in dosim, three times: on the kernel's own events, on asyncio's primitives, and as a Durable Object's thread.

All draw the same gaps as `md1_simpy.py`, so all have the same mean wait. The first is what dosim's platform is made of:
gates, hops, flushes and alarms are such events. The others are what user code is made of.
"""

from __future__ import annotations

import asyncio
from collections import deque
from random import Random
from typing import Any

import dosim
from dosim import Simulation
from dosim.kernel.loop import Loop
from dosim.workers import DurableObject

SERVICE_US = 10_000


class _Queue:
    """Arrivals and one server, as events of the kernel."""

    def __init__(self, loop: Loop, customers: int, utilisation: float) -> None:
        self.loop = loop
        self.left = customers
        self.gap_us = SERVICE_US / utilisation
        self.rng = Random(1)
        self.waiting: deque[int] = deque()
        self.busy = False
        self.waited_us = 0

    def next_arrival(self) -> None:
        if self.left:
            self.left -= 1
            self.loop.after(round(self.rng.expovariate(1 / self.gap_us)), self.arrives, None)

    def arrives(self, _: None) -> None:
        self.waiting.append(self.loop.now_us)
        if not self.busy:
            self.serve()
        self.next_arrival()

    def serve(self) -> None:
        self.busy = True
        self.waited_us += self.loop.now_us - self.waiting.popleft()
        self.loop.after(SERVICE_US, self.served, None)

    def served(self, _: None) -> None:
        self.busy = False
        if self.waiting:
            self.serve()


def run_events(customers: int, utilisation: float = 0.8) -> float:
    """The mean wait, in services: plain events."""
    loop = Loop()
    queue = _Queue(loop, customers, utilisation)
    queue.next_arrival()
    with loop.entered():
        loop.run_slice(lambda: False, drain=True)
    return queue.waited_us / customers / SERVICE_US


def run_tasks(customers: int, utilisation: float = 0.8) -> float:
    """The mean wait, in services: each customer a task, the server an `asyncio.Lock`."""
    rng = Random(1)
    waited_s: list[float] = []
    sim = Simulation(network=None, retention="none")

    async def customer(server: asyncio.Lock, time: Any) -> None:
        came_s = time()
        async with server:
            waited_s.append(time() - came_s)
            await asyncio.sleep(SERVICE_US / 1e6)

    async def arrivals() -> None:
        server, time = asyncio.Lock(), asyncio.get_running_loop().time
        tasks: set[asyncio.Task[None]] = set()
        for _ in range(customers):
            await asyncio.sleep(rng.expovariate(utilisation / SERVICE_US * 1e6))
            task = asyncio.create_task(customer(server, time))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    sim.run(arrivals())
    sim.run()
    return sum(waited_s) / customers / SERVICE_US * 1e6


class Server(DurableObject):
    async def serve(self) -> None:
        dosim.cpu(f"{SERVICE_US}us")


def run_object(customers: int, utilisation: float = 0.8) -> float:
    """The mean wait, in services: each customer a call, the server an object's thread."""
    rng = Random(1)
    waited_us = 0
    sim = Simulation(durable_objects={"SERVER": Server}, network=None, platform="workerd", retention="none")

    def collect(t_us: int, _: int, kind: str, __: str, ___: int, ____: int, detail: tuple[Any, ...]) -> None:
        nonlocal waited_us
        if kind == "start":
            waited_us += t_us - detail[0]

    async def arrivals() -> None:
        server = sim.env.SERVER.getByName("server")
        for _ in range(customers):
            await asyncio.sleep(rng.expovariate(utilisation / SERVICE_US * 1e6))
            server.serve()

    sim.trace.subscribe(collect)
    sim.run(arrivals())
    sim.run()
    return waited_us / customers / SERVICE_US
