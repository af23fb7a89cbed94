"""Random plans of faults: every caller ends with an answer or an error, and nothing that was answered is missing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dosim import Simulation
from dosim.trace import segments
from dosim.trace.segments import by_request
from dosim.workers import DurableObject, Response, WorkerEntrypoint
from dosim.workers.js import Date, WebSocketPair

CITIES = ("Tokyo", "Paris", "New York")


class Till(DurableObject):
    """Counts on disk, asks a vault, writes SQL and KV; has sockets of both kinds."""

    async def add(self, number: int) -> int:
        await self.ctx.storage.put("begun", number)
        await asyncio.sleep(0.05)
        await self.env.VAULT.getByName(f"vault {number % 3}").keep(number)
        self.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS log (n INTEGER)")
        self.ctx.storage.sql.exec("INSERT INTO log VALUES (?)", number)
        await self.env.CACHE.put(f"key {number % 4}", str(number))
        total = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", total)
        return total

    async def fetch(self, request: Any) -> Response:
        client, server = WebSocketPair.new().object_values()
        if "plain" in request.url:
            server.accept()
            server.addEventListener("message", lambda event: server.send(event.data))
        else:
            self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws: Any, message: str) -> None:
        await self.ctx.storage.put("last", message)
        ws.send(message)


class Vault(DurableObject):
    """Works under a critical section, and sets an alarm."""

    async def keep(self, number: int) -> None:
        await self.ctx.storage.put("kept", number)
        if await self.ctx.storage.getAlarm() is None:
            await self.ctx.storage.setAlarm(Date.now() + 500)
        await self.ctx.blockConcurrencyWhile(lambda: asyncio.sleep(0.01))

    async def alarm(self) -> None:
        await asyncio.sleep(0.02)
        await self.ctx.storage.put("rang", 1)


class Door(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        number = int(request.url.rpartition("/")[2])
        till = self.env.TILL.getByName(f"till {number % 2}")
        if "socket" in request.url:
            return await till.fetch(request)
        try:
            return Response.json(await till.add(number))
        except Exception as error:
            return Response(str(error), status=503)


#: A fault at the next moment: (events until then, verb, number that picks whom it meets).
FAULTS = st.tuples(
    st.integers(1, 150),
    st.sampled_from(
        "evict crash reset deploy deferred partition slow lose_request lose_reply alarm_late alarm_twice storage_fails"
        " overload colo_down restart repair relieve colo_up crash_at_commit".split()
    ),
    st.integers(0, 5),
)


def crash_at_commit(sim: Simulation, more: int) -> None:
    """Crash an object right after one of its next commits, while its output gate is closed."""
    commits = len(sim.trace.of_kind("commit")) + more
    while len(sim.trace.of_kind("commit")) <= commits and sim.step():
        pass
    sim.crash(sim.trace.of_kind("commit")[-1].actor)


def strike(sim: Simulation, verb: str, pick: int) -> None:
    """Do one thing to the world."""
    if verb == "crash_at_commit":
        crash_at_commit(sim, pick)
        return
    a, b = CITIES[pick % 3], CITIES[(pick + 1) % 3]
    obj = sim.objects[pick % len(sim.objects)]
    if verb == "deploy":
        sim.deploy(Door, durable_objects={"TILL": Till})
    elif verb == "deferred":
        sim.deploy(durable_objects={"TILL": Till}, strategy="deferred", max_delay="1s")
    elif verb in ("partition", "repair"):
        getattr(sim, verb)(a, b)
    elif verb == "slow":
        sim.slow(a, b, "300ms")
    elif verb in ("lose_request", "lose_reply"):
        sim.lose(verb.removeprefix("lose_"), obj if pick % 2 else None, count=1 + pick)
    elif verb in ("colo_down", "colo_up"):
        getattr(sim, verb)(obj.city)
    elif verb == "restart":
        sim.restart()
    else:
        getattr(sim, verb)(obj)


async def visit(client: Any, number: int, told: dict[int, int]) -> str:
    """A request: what was answered, or the error. `told` is the total that an answer named, by request."""
    await asyncio.sleep(0.13 * number)
    try:
        response = await client.fetch(f"https://x/{number}")
        if response.status == 200:
            told[number] = await response.json()
    except OSError as error:
        return type(error).__name__
    return str(response.status)


async def talk(client: Any, number: int) -> str:
    """A socket: echoes until it ends, or one that never comes is given up."""
    try:
        async with client.websocket(f"https://x/{'plain' if number % 2 else ''}socket/{number}") as ws:
            for _ in range(3):
                ws.send("x")
                async with asyncio.timeout(5):
                    await ws.recv()
                await asyncio.sleep(0.2)
    except (OSError, TimeoutError) as error:
        return type(error).__name__
    return "closed"


@pytest.mark.parametrize("concurrency", ["input-gates", "one-at-a-time"])
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(plan=st.lists(FAULTS, min_size=1, max_size=6), seed=st.integers(0, 1000))
def test_every_caller_ends_and_nothing_that_was_told_is_missing(
    concurrency: str, plan: list[tuple[int, str, int]], seed: int
) -> None:
    """Whatever breaks, whenever: answers and errors, segments that sum, and no answer without its write."""
    sim = Simulation(
        Door, durable_objects={"TILL": Till, "VAULT": Vault}, kv_namespaces=["CACHE"], seed=seed,
        concurrency=concurrency, show_output=False,
    )  # fmt: skip
    clients = [sim.client(city) for city in CITIES]
    told: dict[int, int] = {}
    loop = sim.world.loop
    users = [loop.create_task(visit(clients[n % 3], n, told)) for n in range(10)]
    users += [loop.create_task(talk(clients[n % 3], n)) for n in range(4)]
    for events, verb, pick in plan:
        sim.step(events)
        if sim.trace.of_kind("commit"):
            strike(sim, verb, pick)
    ends = sim.run(*users, for_="5m")
    sim.run(for_="1h")

    assert set(ends) <= {
        "200",
        "500",
        "503",
        "closed",
        "ConnectionError",
        "SocketClosed",
        "HandshakeRefused",
        "TimeoutError",
    }
    for number, total in told.items():
        till = sim.objects[f"till {number % 2}"]
        assert till.storage["n"] >= total
        assert {"n": number} in till.tables["log"]
        assert "kept" in sim.objects[f"vault {number % 3}"].storage
    index = by_request(sim.trace)
    for record in sim.trace.of_kind("response"):
        parts = segments(sim.trace, record.request, index=index)
        assert sum(part.duration_us for part in parts) == record.t_us - index[record.request][0][0]
