"""Scenarios that sweeps run, in a module that worker processes can import."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dosim
from dosim import Simulation
from dosim.testing.exploring import explore
from dosim.workers import DurableObject, Response, WorkerEntrypoint


class Desk(DurableObject):
    async def serve(self) -> str:
        dosim.cpu("1ms")
        await self.ctx.storage.put("n", 1)
        print("served")
        return "served"


class Default(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        return Response(await self.env.DESK.getByName("a").serve())


def queue(load: float, requests: int = 12, seed: int | str = 0) -> Simulation:
    """Requests at random moments of the virtual hour, so many; the Simulation is returned."""
    sim = Simulation(Default, durable_objects={"DESK": Desk}, seed=seed, network=None)
    client, chance = sim.client(), random.Random(f"{seed} arrivals")

    async def come() -> None:
        calls = []
        for _ in range(requests):
            await asyncio.sleep(chance.expovariate(load * 1_000))
            calls.append(client.fetch("https://desk.example/"))
        for call in calls:
            await call

    sim.run(come())
    return sim


@dataclass
class Wait:
    mean_ms: float
    objects: int


def waits(load: float, seed: int) -> Wait:
    sim = queue(load, seed=seed)
    served = [record.t_us for record in sim.trace.of_kind("response")]
    return Wait(sum(served) / len(served) / 1000, len(sim.objects))


def outside_random(load: float, seed: int) -> float:
    """Draws from the module `random` outside of any simulation."""
    return random.random() * load + seed


def fails_above(load: float, seed: int) -> dict[str, float]:
    sim = queue(load, seed=seed)
    if load > 0.8:
        raise Broken(f"too much: {load}")
    return {"records": sim.trace.count}


class Broken(AssertionError):
    """An error as `explore` raises one: it has a token; and it cannot be pickled as it is."""

    def __init__(self, text: str) -> None:
        super().__init__(text, "not what __init__ takes")
        self.token = "o17=1"

    def __str__(self) -> str:
        return str(self.args[0])


def dies(load: float, seed: int, marks: str, times: int) -> dict[str, float]:
    """At load 0.5 and seed 1 it kills its process, the first so many times; `marks` is a folder for it to count in."""
    if load == 0.5 and seed == 1:
        deaths = len([*Path(marks).iterdir()])
        if deaths < times:
            (Path(marks) / f"death-{deaths}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return {"records": queue(load, seed=seed).trace.count}


def square(number: int) -> int:
    return number * number


def square_or_die(number: int) -> int:
    if number == 3:
        os._exit(9)
    return number * number


def raises(number: int) -> int:
    if number == 2:
        raise Broken("of its own")
    return number


def two_simulations(load: float) -> dict[str, float]:
    return {"records": queue(load).trace.count + queue(load, seed=1).trace.count}


def changes_its_list(numbers: list[int], seed: int) -> int:
    numbers.append(seed)
    return len(numbers)


def keeps_nothing(load: float) -> Simulation:
    sim = Simulation(Default, durable_objects={"DESK": Desk}, retention="none")
    sim.run(sim.client("Oslo").fetch("https://desk.example/"))
    return sim


def order_of_a_set(load: float) -> dict[str, str]:
    """What a set of strings iterates as: PYTHONHASHSEED decides."""
    return {"names": " ".join({"ann", "ben", "cem", "dan", "eve", "fay", "gus", "hal"})}


class Note(DurableObject):
    text = ""

    async def write(self, text: str) -> None:
        self.text = text  # in memory: an eviction wipes it

    async def read(self) -> str:
        return self.text


def remembers() -> None:
    """A test for `explore`, which breaks when the object is evicted in between."""
    sim = Simulation(durable_objects={"NOTE": Note}, network=None)
    note = sim.env.NOTE.getByName("a")
    sim.run(note.write("milk"))
    sim.run(for_="1s")
    read = sim.run(note.read())

    assert read == "milk"


def searched(runs: int, seed: int) -> int:
    """A search as a scenario: fails where it finds something."""
    exploration = explore(remembers, runs=runs, faults=("evict",), seed=seed)
    exploration.check()
    return exploration.runs
