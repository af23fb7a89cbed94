"""Small worlds for the tests of invariants, and traces that were tampered with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from dosim import Simulation
from dosim.trace import Trace
from dosim.trace.records import RawRecord
from dosim.workers import DurableObject, Response, WorkerEntrypoint


class Counter(DurableObject):
    async def increment(self) -> int:
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        return n


class Default(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        stub = self.env.COUNTER.getByName("demo")
        return Response.json({"n": await stub.increment()})


def counting() -> Simulation:
    """Three clients increment one counter at once, over and over, with an eviction in between."""
    sim = Simulation(Default, durable_objects={"COUNTER": Counter}, seed=7)
    for _ in range(3):
        sim.run(*[sim.client(city).fetch("https://app.example/") for city in ("Tokyo", "Lima", "Paris")])
        sim.run(for_="30s")
    return sim


def tampered(trace: Trace, change: Callable[[RawRecord], Iterable[RawRecord]]) -> Trace:
    """Another trace, in which `change` has replaced every record by any number of them."""
    copy = Trace()
    for raw in trace.raw:
        for t_us, _, kind, actor, request, cause, detail in change(raw):
            copy.emit(t_us, kind, actor, request, cause, detail)
    return copy


def without(kind: str) -> Callable[[RawRecord], Iterator[RawRecord]]:
    """Leaves out every record of a kind."""

    def change(raw: RawRecord) -> Iterator[RawRecord]:
        if raw[2] != kind:
            yield raw

    return change
