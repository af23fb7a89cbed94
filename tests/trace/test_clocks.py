"""Vector clocks: who can have heard of what, from the trace alone."""

from __future__ import annotations

from typing import Any

from dosim import Simulation
from dosim.trace import Trace
from dosim.trace.clocks import Clocked, arrived, events, vector_clocks
from dosim.trace.messages import messages
from dosim.workers import DurableObject, Response, WorkerEntrypoint


class Counter(DurableObject):
    async def increment(self) -> int:
        n: int = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        return n


class Door(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        stub = self.env.COUNTER.getByName(request.url.rpartition("/")[2])
        return Response.json(await stub.increment())


def world(**options: Any) -> Simulation:
    return Simulation(Door, durable_objects={"COUNTER": Counter}, seed=3, **options)


def before(first: Clocked, second: Clocked) -> bool:
    """Whether the first can have influenced the second: its clock is nowhere larger."""
    return all(count <= second.clock.get(host, 0) for host, count in first.clock.items())


def one(told: list[Clocked], host: str, text: str) -> Clocked:
    return next(clocked for clocked in told if clocked.host == host and clocked.text == text)


def test_a_request_there_and_back_told_by_hand() -> None:
    """
    Each actor counts its own events, and whoever receives knows what the sender knew.
    """
    sim = world()
    sim.run(sim.client("Tokyo").fetch("https://a.example/a"))
    worker, counter = "worker@NRT", "Counter('a')"

    assert [
        Clocked(1, "Tokyo", {"Tokyo": 1}, "sends GET /a"),
        Clocked(2, worker, {"Tokyo": 1, worker: 1}, "receives GET /a"),
        Clocked(6, worker, {"Tokyo": 1, worker: 2}, "sends increment"),
        Clocked(7, counter, {"Tokyo": 1, worker: 2, counter: 1}, "receives increment"),
        Clocked(8, counter, {"Tokyo": 1, worker: 2, counter: 2}, "starts instance 1"),
        Clocked(14, counter, {"Tokyo": 1, worker: 2, counter: 3}, "commits 1 write"),
        Clocked(16, counter, {"Tokyo": 1, worker: 2, counter: 4}, "sends answer to increment"),
        Clocked(17, worker, {"Tokyo": 1, worker: 3, counter: 4}, "receives answer to increment"),
        Clocked(20, worker, {"Tokyo": 1, worker: 4, counter: 4}, "sends 200"),
        Clocked(21, "Tokyo", {"Tokyo": 2, worker: 4, counter: 4}, "receives 200"),
    ] == vector_clocks(sim.trace)


def test_what_never_met_is_concurrent() -> None:
    """
    Two cities that use two objects: neither can have heard of the other, whichever was first on the wall clock.
    """
    sim = world()
    sim.run(sim.client("Tokyo").fetch("https://a.example/a"))
    sim.run(sim.client("Paris").fetch("https://a.example/b"))
    told = vector_clocks(sim.trace)
    tokyo, paris = one(told, "Tokyo", "receives 200"), one(told, "Paris", "sends GET /b")

    assert (False, False) == (before(tokyo, paris), before(paris, tokyo))


def test_an_object_carries_news_from_one_client_to_the_next() -> None:
    """
    Who asks the same object later learns of the earlier request; the earlier one knows nothing of the later.
    """
    sim = world()
    sim.run(sim.client("Tokyo").fetch("https://a.example/a"))
    sim.run(sim.client("Paris").fetch("https://a.example/a"))
    told = vector_clocks(sim.trace)
    tokyo, paris = one(told, "Tokyo", "sends GET /a"), one(told, "Paris", "receives 200")

    assert (True, False) == (before(tokyo, paris), before(paris, tokyo))


def test_every_message_is_sent_before_it_is_received() -> None:
    """
    Ten requests at once, with and without a network: each arrival knows its sending, each actor counts by one.
    """
    for options in ({}, {"network": None}):
        sim = world(**options)
        sim.run(*[sim.client(city).fetch("https://a.example/a") for city in ("Tokyo", "Paris", "Lagos") * 3])
        sent: dict[object, Clocked] = {}
        counts: dict[str, int] = {}
        for event, clocked in zip(events(sim.trace), vector_clocks(sim.trace), strict=True):
            counts[event.host] = counts.get(event.host, 0) + 1
            assert counts[event.host] == clocked.clock[event.host]
            if event.side == "send":
                sent[event.message] = clocked
            elif event.side == "receive":
                assert before(sent[event.message], clocked) and not before(clocked, sent[event.message])
        assert len(sent) == len(messages(sim.trace)) == 9 * 4


def test_a_lost_message_tells_nobody() -> None:
    """
    A reply that is lost has a sending and no receiving, and says why.
    """
    sim = world(network=None)
    call = sim.env.COUNTER.getByName("a").increment()
    sim.run(call)
    sim.lose("reply", of="a")
    sim.client("Tokyo").fetch("https://a.example/a")
    sim.run(for_="1m")
    lost = [event for event in events(sim.trace) if event.message is not None and event.message.lost]

    assert [("Counter('a')", "send")] == [(event.host, event.side) for event in lost]
    assert "(lost: " in lost[0].text and not arrived(lost[0].message)  # type: ignore[arg-type]


def test_nothing_happened_in_an_empty_trace() -> None:
    """
    No record, no event; and of a trace whose beginning is gone, what is left is told.
    """
    sim = world(retention="last=9")
    sim.run(sim.client("Tokyo").fetch("https://a.example/a"))

    assert [] == vector_clocks(Trace())
    assert [Clocked(14, "Counter('a')", {"Counter('a')": 1}, "commits 1 write")] == vector_clocks(sim.trace)
