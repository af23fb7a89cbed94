"""A small run with one of everything that exports show, and `write`, which makes the golden files anew.

The goldens name lines of this file: whoever moves them writes the goldens anew.
"""

from __future__ import annotations

from pathlib import Path

from dosim import Simulation, cpu
from dosim.export import FORMATS, save
from dosim.platform.facts import EPOCH_MS
from dosim.workers import DurableObject, Response, WorkerEntrypoint


class Counter(DurableObject):
    """The README's, with an alarm."""

    async def increment(self) -> int:
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        if n == 1:
            await self.ctx.storage.setAlarm(EPOCH_MS + 5_000)
        return n

    async def alarm(self, info: object = None) -> None:
        await self.ctx.storage.put("rang", True)


class Default(WorkerEntrypoint):
    async def fetch(self, request: object) -> Response:
        stub = self.env.COUNTER.getByName("demo")
        return Response.json({"n": await stub.increment()})


def world(retention: str = "full") -> Simulation:
    """Two requests at once, one whose answer is lost, an alarm, a crash."""
    sim = Simulation(Default, durable_objects={"COUNTER": Counter}, seed=7, retention=retention)
    calls = [sim.client(city).fetch("https://app.example/") for city in ("Tokyo", "São Paulo")]
    sim.run(*calls)
    sim.lose("reply", of="demo")
    lost = sim.client("Tokyo").fetch("https://app.example/")
    sim.run(for_="6s")
    assert lost.error is not None
    sim.crash("demo")
    return sim


class Busy(DurableObject):
    """Computes for a millisecond."""

    async def hit(self) -> None:
        cpu("1ms")


class Front(WorkerEntrypoint):
    async def fetch(self, request: object) -> Response:
        await self.env.BUSY.getByName("one").hit()
        return Response("done")


def busy(network: str | None = "earth") -> Simulation:
    """Ten requests at once to one object that computes: they wait for its thread."""
    sim = Simulation(Front, durable_objects={"BUSY": Busy}, seed=7, network=network)
    client = sim.client("Tokyo")
    sim.run(*(client.fetch("https://app.example/") for _ in range(10)))
    return sim


def write(folder: str | Path) -> None:
    """Every format into a folder."""
    sim = world()
    for name, suffix in FORMATS.items():
        save(sim, Path(folder) / f"counter{suffix}", name)
