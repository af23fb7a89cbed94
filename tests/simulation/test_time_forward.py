"""Time never goes backwards."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

import dosim
from dosim import Simulation
from dosim.workers import DurableObject, Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        async def compute():
            await asyncio.sleep(1)
            dosim.cpu("5s")

        self.ctx.waitUntil(compute())
        return Response("ok")


@pytest.fixture
def sim() -> Simulation:
    return Simulation(Default, network=None)


def test_a_run_after_background_work_that_computes(sim):
    """for_ counts from the end of the work."""
    sim.run(sim.client().fetch("https://a/"))
    sim.run()
    assert sim.now.us == 6_000_000
    sim.run(for_="1s")
    assert sim.now.us == 7_000_000


def test_until_may_not_lie_inside_work_that_is_done(sim):
    """The clock stands after the work, not where it began."""
    sim.run(sim.client().fetch("https://a/"))
    sim.run()
    with pytest.raises(ValueError, match="until='3s' has passed"):
        sim.run(until="3s")


def test_two_runs_at_once(sim):
    """The one that ends earlier does not take the other's time back."""
    seen = []

    async def run(until):
        await sim.arun(until=until)
        seen.append(sim.now.us)

    async def both():
        await asyncio.gather(run("20s"), run("10s"))

    asyncio.run(both())
    assert seen == [20_000_000, 20_000_000]
    assert sim.now.us == 20_000_000


@pytest.mark.parametrize("value", ["-5s", " -1h", -5, -0.5, timedelta(seconds=-3), timedelta(microseconds=-1)])
def test_a_negative_duration_is_refused_by_name(sim, value):
    """The clock stays where it is."""
    sim.run(for_="10s")
    with pytest.raises(ValueError, match=r"^for_=.* is negative"):
        sim.run(for_=value)
    assert sim.now.us == 10_000_000


def test_true_is_no_duration(sim):
    """Not a number without a unit either."""
    with pytest.raises(TypeError, match="for_=True is no duration"):
        sim.run(for_=True)


def test_negative_cpu_is_refused_by_name():
    """Code inside cannot turn its clock back."""

    class Clock(DurableObject):
        async def back(self):
            before = time.time()
            try:
                dosim.cpu(timedelta(seconds=-5))
            except ValueError as error:
                return [str(error), time.time() - before]
            return ["not refused", time.time() - before]

    sim = Simulation(durable_objects={"CLOCK": Clock}, network=None)
    said, took = sim.run(sim.env.CLOCK.getByName("x").back())
    assert "is negative" in said
    assert took == 0
