"""Whatever a schedule does to a world, the platform's promises hold in it: faults, losses, delays, orders at random."""

from __future__ import annotations

import asyncio
import random
import time
import warnings
from collections.abc import Awaitable, Sequence
from typing import Any

import pytest

import dosim
from dosim import Simulation
from dosim.kernel.chooser import Chooser
from dosim.testing.invariants import (
    InvariantViolated,
    eventually,
    fifo_per_stub,
    idempotent_alarm,
    no_unconfirmed_output,
    one_instance_per_id,
    segments_sum_to_latency,
    turns_never_overlap,
)
from dosim.workers import DurableObject, Response, WorkerEntrypoint, fetch
from dosim.workers.js import WebSocketPair
from tests.testing.invariants.worlds import Counter, Default

PAY = "https://pay.example/"
OF_ANY_RUN = (
    one_instance_per_id,
    turns_never_overlap,
    fifo_per_stub,
    segments_sum_to_latency,
    no_unconfirmed_output,
)


class Node(DurableObject):
    """Does what a plan says."""

    async def run(self, plan: list[Any]) -> str:
        for step, *rest in plan:
            await getattr(self, f"do_{step}")(*rest)
        return "ok"

    async def do_put(self, key: str) -> None:
        await self.ctx.storage.put(key, 1)

    async def do_sql(self) -> None:
        self.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS t (a)")
        self.ctx.storage.sql.exec("INSERT INTO t VALUES (1)")

    async def do_sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def do_cpu(self, duration: str) -> None:
        dosim.cpu(duration)

    async def do_pay(self) -> None:
        await fetch(PAY, method="POST", body="one")

    async def do_call(self, name: str, *plans: list[Any]) -> None:
        stub = self.env.NODE.getByName(name)
        await asyncio.gather(*[stub.run(plan) for plan in plans], return_exceptions=True)

    async def do_alarm(self, ms: int) -> None:
        await self.ctx.storage.setAlarm(int(time.time() * 1000) + ms)

    async def do_block(self, plan: list[Any]) -> None:
        await self.ctx.blockConcurrencyWhile(lambda: self.run(plan))

    async def alarm(self, info: Any = None) -> None:
        await self.ctx.storage.put("rang", 1)

    async def fetch(self, request: Any) -> Response:
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws: Any, message: str) -> None:
        await self.ctx.storage.put("heard", message)
        ws.send(message)
        await self.do_pay()
        ws.send("again")


class Door(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        node = self.env.NODE.getByName("a")
        if request.url.endswith("socket"):
            return await node.fetch(request)
        return Response(await node.run([["put", "k"], ["pay"]]))


PLANS = (
    [["put", "a"], ["pay"], ["put", "b"]],
    [["call", "b", [["put", "z"]], [["cpu", "10ms"]], [["sleep", 0.1], ["put", "q"]]]],
    [["alarm", 200], ["sleep", 1]],
    [["block", [["put", "x"], ["sleep", 0.2]]], ["put", "y"]],
    [["sql"], ["call", "b", [["put", "c"], ["sleep", 1]]]],
)


async def whatever_comes(call: Awaitable[Any]) -> None:
    try:
        await call
    except Exception:
        return


def lived(seed: int) -> tuple[Simulation, Chooser]:
    """A world in which a policy decides at random, more or less often, what is left open."""
    rng = random.Random(seed)
    rate = rng.choice([0.02, 0.1, 0.3])

    def policy(kind: str, number: int, choices: Sequence[int], lanes: Sequence[str]) -> int:
        return rng.choice(list(choices)) if rng.random() < rate else 0

    chooser = Chooser(policy=policy)
    made: Any = chooser  # the type says a schedule; whoever decides may be given as well
    sim = Simulation(Door, durable_objects={"NODE": Node}, seed=seed, schedule=made, show_output=False)
    sim.external(PAY, lambda request: "ok", latency="30ms")
    stub = sim.env.NODE.getByName("a")

    async def crowd() -> None:
        calls = []
        for _ in range(6):
            calls.append(asyncio.ensure_future(whatever_comes(stub.run(rng.choice(PLANS)))))
            client = sim.client(rng.choice(["Tokyo", "Paris"]))
            calls.append(asyncio.ensure_future(whatever_comes(client.fetch("https://app.example/"))))
            await asyncio.sleep(rng.choice([0, 0.01, 0.5, 15]))
        await asyncio.gather(*calls)

    async def chat() -> None:
        socket = await sim.client("Lima").websocket("wss://app.example/socket")
        for _ in range(3):
            socket.send("hi")
            await asyncio.sleep(0.3)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sim.run(whatever_comes(chat()), crowd())
        sim.run(for_="100s")
    return sim, chooser


def _hold(seeds: range) -> int:
    """Check the invariants in so many worlds; returns how many decisions were not the plain ones."""
    deviations = 0
    for seed in seeds:
        sim, chooser = lived(seed)
        deviations += len(chooser.deviations)
        for invariant in OF_ANY_RUN:
            invariant(sim)
    return deviations


def test_promises_hold_in_random_worlds() -> None:
    """
    A hundred of them, with some thousand faults, losses, delays and orders.
    """
    assert _hold(range(100)) > 1_000


@pytest.mark.slow
def test_promises_hold_in_many_random_worlds() -> None:
    """
    The same with two thousand more.
    """
    assert _hold(range(100, 2_100)) > 20_000


def test_an_object_that_was_reset_waits_for_what_its_last_life_wrote() -> None:
    """
    Read, and told, within the five milliseconds in which a crash would still take the write: the gate holds it.
    """
    sim = Simulation(durable_objects={"NODE": Node}, network=None)
    sim.run(for_="1s")
    first = sim.env.NODE.getByName("a").run([["put", "a"], ["sleep", 1]])
    sim.run(for_="1ms")
    sim.reset("a")
    second = sim.env.NODE.getByName("a").run([])
    sim.run(second)

    assert first.exception() is not None
    assert sim.world.platform.confirm_us == sim.now.us - 1_000_000
    no_unconfirmed_output(sim)


# -- invariants that run on, under a schedule


class Healing(Counter):
    async def alarm(self, info: Any = None) -> None:
        await self.ctx.storage.put("healed", True)

    async def arm(self) -> None:
        await self.ctx.storage.setAlarm(int(time.time() * 1000) + 1_000)


def test_eventually_brings_no_more_faults() -> None:
    """
    A policy that crashes an object before each of its events has had its day when the deadline begins.
    """

    def crashes(kind: str, number: int, choices: Sequence[int], lanes: Sequence[str]) -> int:
        return 2 if kind == "object" and number > 2 else 0

    made: Any = Chooser(policy=crashes)
    sim = Simulation(Default, durable_objects={"COUNTER": Healing}, schedule=made, seed=3)
    stub = sim.env.COUNTER.getByName("demo")
    sim.run(stub.arm())
    sim.run(whatever_comes(stub.increment()))

    def healed(sim: Simulation) -> bool:
        return "healed" in sim.objects["demo"].storage

    assert not healed(sim)
    eventually(healed, within="1m")(sim)


def test_a_fault_of_a_schedule_is_the_last_fault() -> None:
    """
    What the schedule did, in its own words; a delay is no fault.
    """
    sim = Simulation(
        Default, durable_objects={"COUNTER": Counter}, schedule="delay1=10ms,object1=crash,delay9=1s", seed=3
    )
    for _ in range(3):
        sim.run(whatever_comes(sim.client("Tokyo").fetch("https://app.example/")))
    with pytest.raises(InvariantViolated, match=r"The last fault, Counter\('demo'\) crashes before its output gate"):
        eventually(lambda sim: False, within="1s")(sim)


def test_an_alarm_is_run_again_under_the_schedule_that_led_there() -> None:
    """
    The past of the fork has the same deviations; the second run of the alarm has none.
    """
    sim = Simulation(durable_objects={"COUNTER": Healing}, schedule="delay1=10ms,object1=evict", seed=3)
    stub = sim.env.COUNTER.getByName("demo")
    sim.run(stub.arm())
    sim.run(for_="10s")

    idempotent_alarm(sim)
