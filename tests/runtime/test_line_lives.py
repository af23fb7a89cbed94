"""concurrency="one-at-a-time" across lives of an object: never two inside."""

from __future__ import annotations

import asyncio

import pytest

import dosim
from dosim import Simulation
from dosim.web.errors import JsException
from dosim.workers import DurableObject

#: Names that came inside and left again, in order.
LOG: list[tuple[str, str]] = []


class Room(DurableObject):
    async def stay(self, name: str, seconds: float = 1) -> str:
        LOG.append(("in", name))
        await asyncio.sleep(seconds)
        LOG.append(("out", name))
        return name

    async def breaks(self) -> None:
        """A commit that fails, after five seconds of CPU."""
        run = self.ctx.storage.sql.exec
        run("create table p(id integer primary key)")
        run("create table c(id integer primary key, p references p(id) deferrable initially deferred)")
        run("insert into c values(1, 99)")
        dosim.cpu("5s")


class Parent(DurableObject):
    async def calls_twice(self) -> None:
        """Two calls of one chain: the first breaks the object, the second comes to its next life."""

        async def first() -> None:
            with pytest.raises(JsException, match="FOREIGNKEY"):
                await self.env.ROOM.getByName("x").breaks()

        async def second() -> None:
            await asyncio.sleep(1)
            await self.env.ROOM.getByName("x").stay("second", 10)

        await asyncio.gather(first(), second())


@pytest.fixture
def sim() -> Simulation:
    LOG.clear()
    classes = {"ROOM": Room, "PARENT": Parent}
    return Simulation(durable_objects=classes, network=None, concurrency="one-at-a-time")


def test_a_call_let_in_before_a_restart_does_not_meet_the_next_one(sim: Simulation) -> None:
    """It was let in from the line and not there yet: its connection is lost, and the others keep their turns."""
    stub = sim.env.ROOM.getByName("x")
    first, second = stub.stay("first"), stub.stay("second")
    sim.run(first)
    sim.restart()
    third, fourth = stub.stay("third"), stub.stay("fourth")
    with pytest.raises(JsException, match=r"Network connection lost\."):
        sim.run(second)
    assert sim.run(third, fourth) == ["third", "fourth"]
    assert LOG == [(way, name) for name in ("first", "third", "fourth") for way in ("in", "out")]


def test_an_answer_of_a_life_that_is_over_lets_nobody_in(sim: Simulation) -> None:
    """The late answer of the broken life does not count as one of the next."""
    parent = sim.env.PARENT.getByName("p").calls_twice()
    sim.run(for_="2s")
    other = sim.env.ROOM.getByName("x").stay("other", 10)
    sim.run(parent, other)
    assert [way for way, _ in LOG] == ["in", "out", "in", "out"]
    assert {name for _, name in LOG} == {"second", "other"}
