"""Small worlds to explore, in a module of their own: other processes import it. What is wrong in one says "planted"."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from dosim import Simulation
from dosim.testing import simulated, sometimes
from dosim.web.errors import JsException
from dosim.workers import DurableObject, Response, WorkerEntrypoint, js


class Counter(DurableObject):
    """Counts on disk; and in memory, which is a mistake."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.in_memory = 0

    async def add(self, amount: int = 1) -> int:
        count = (await self.ctx.storage.get("count") or 0) + amount
        await self.ctx.storage.put("count", count)
        return count

    async def add_over_a_wait(self) -> None:
        count = await self.ctx.storage.get("count") or 0
        await asyncio.sleep(0.01)
        await self.ctx.storage.put("count", count + 1)  # planted: an update may be lost

    async def remember(self) -> int:
        self.in_memory += 1  # planted: an eviction forgets it
        return self.in_memory

    async def value(self) -> int:
        return await self.ctx.storage.get("count") or 0


def counter(sim: Simulation, name: str = "a") -> Any:
    return sim.env.COUNTER.getByName(name)


@simulated(durable_objects={"COUNTER": Counter}, network=None, faults=("evict",))
async def forgets(sim: Simulation) -> None:
    """One eviction breaks it."""
    for expected in (1, 2, 3):
        assert expected == await counter(sim).remember()


@simulated(durable_objects={"COUNTER": Counter}, network=None, orders=("event",))
async def depends_on_the_order(sim: Simulation) -> None:
    """The other order of two calls that arrive at one instant breaks it."""
    first, second = await asyncio.gather(counter(sim).add(), counter(sim).add())

    assert first < second


@simulated(durable_objects={"COUNTER": Counter}, network=None)
async def loses_an_update(sim: Simulation) -> None:
    """A message that is late breaks it: the two requests are 95 ms apart, and hold a value for 10 ms."""

    async def later() -> None:
        await asyncio.sleep(0.095)
        await counter(sim).add_over_a_wait()

    await asyncio.gather(counter(sim).add_over_a_wait(), later())
    count = await counter(sim).value()

    assert count == 2


async def remembers_somewhere(sim: Simulation, copies: int, rounds: int = 4) -> None:
    """Each copy must be forgotten before anybody notices: so many deviations break it."""
    names = "abc"[:copies]
    for _ in range(rounds):
        for name in names:
            await counter(sim, name).remember()
    found = [await counter(sim, name).remember() for name in names]

    assert rounds + 1 in found


@simulated(durable_objects={"COUNTER": Counter}, network=None, faults=("evict",))
async def one_copy(sim: Simulation) -> None:
    await remembers_somewhere(sim, 1)


@simulated(durable_objects={"COUNTER": Counter}, network=None, faults=("evict",))
async def two_copies(sim: Simulation) -> None:
    await remembers_somewhere(sim, 2)


@simulated(durable_objects={"COUNTER": Counter}, network=None, faults=("evict",))
async def three_copies(sim: Simulation) -> None:
    await remembers_somewhere(sim, 3)


@simulated(durable_objects={"COUNTER": Counter}, network=None, faults="all")
async def holds(sim: Simulation) -> None:
    """Nothing breaks it: it asks for no more than it was told."""
    told = 0
    for _ in range(3):
        try:
            told = await counter(sim).add()
        except JsException:
            sometimes("an addition fails")
    for _ in range(9):
        try:
            count = await counter(sim).value()
        except JsException:
            continue
        sometimes("more was added than was told", count > told)
        sometimes("less was added than was told", count < told)
        assert told <= count <= 3
        return


@simulated(durable_objects={"COUNTER": Counter}, network=None, faults=("evict",))
async def dies_once_in_a_worker(sim: Simulation) -> None:
    """Broken in every process but this one."""
    await counter(sim).add()
    assert os.environ.get("DOSIM_EXPLORED_HERE") == str(os.getpid())


# -- a world with something of everything


class Desk(DurableObject):
    """Writes, reads, waits, blocks, calls others over shared and new stubs, and has an alarm and sockets."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.neighbour = env.DESK.getByName("shared")

    async def note(self, key: str) -> str:
        await self.ctx.storage.put(key, (await self.ctx.storage.get(key) or 0) + 1)
        return key

    async def ask(self, key: str) -> list[str]:
        await self.ctx.storage.put("asks", key)
        both = asyncio.gather(self.neighbour.note(f"{key}1"), self.neighbour.note(f"{key}2"))
        await asyncio.sleep(0.002)
        return [*await both, await self.env.DESK.getByName("new").note(key)]

    async def block(self) -> None:
        async def inside() -> None:
            await asyncio.sleep(0.003)
            await self.ctx.storage.put("blocked", 1)

        await self.ctx.blockConcurrencyWhile(inside)

    async def wake(self) -> None:
        await self.ctx.storage.setAlarm(js.Date.now() + 20)

    async def alarm(self, info: Any = None) -> None:
        await self.note("rang")
        if await self.ctx.storage.get("rang") < 3:
            await self.ctx.storage.setAlarm(js.Date.now() + 20)

    async def fetch(self, request: Any) -> Any:
        mine, theirs = js.WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(theirs)
        return Response(None, status=101, web_socket=mine)

    async def webSocketMessage(self, socket: Any, message: Any) -> None:
        await self.note(f"said {message}")
        socket.send(message)


class Door(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Any:
        if request.headers.get("upgrade"):
            return await self.env.DESK.getByName("room").fetch(request)
        desk = self.env.DESK.getByName("front")
        return Response.json(await asyncio.gather(desk.ask("x"), desk.note("y")))


def mixed(schedule: Any = None, *, network: Any = None, **options: Any) -> Simulation:
    """Everything at once; what fails is not raised."""
    sim = Simulation(
        Door, durable_objects={"DESK": Desk}, network=network, schedule=schedule, show_output=False, **options
    )
    people = [sim.client("Tokyo" if network else None), sim.client("Paris" if network else None)]
    sockets = [person.websocket("wss://desk.example/") for person in people]
    sim.run(until="2s")
    calls: list[Any] = [person.fetch("https://desk.example/") for person in people]
    front = sim.env.DESK.getByName("front")
    calls += [front.ask("a"), front.block(), front.ask("b"), front.wake(), sim.env.DESK.getByName("front").note("c")]
    for handshake in sockets:
        if handshake.done() and handshake.exception() is None and handshake.result().closed is None:
            for text in "pq":
                handshake.result().send(text)
    sim.run(until="3m")
    for call in (*calls, *sockets):
        if call.done():
            call.exception()
    return sim


def explored() -> None:
    """The world, as a function that makes its own simulation."""
    mixed(network="earth")
