"""The segments of a request sum to its latency when the process died while it computed."""

from __future__ import annotations

import asyncio

import pytest

import dosim
from dosim import Simulation
from dosim.trace import segments
from dosim.workers import DurableObject, Response, WorkerEntrypoint


class Busy(DurableObject):
    async def work(self):
        await asyncio.sleep(1)
        dosim.cpu("5s")
        await asyncio.sleep(10)


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        await self.env.BUSY.getByName("x").work()
        return Response("ok")


@pytest.mark.parametrize("network", [None, "earth"])
@pytest.mark.parametrize("seconds", [2, 3.5, 5.9])
def test_a_process_that_dies_in_the_middle_of_cpu_time(seconds, network):
    """What it would have computed after that is no part of the request."""
    sim = Simulation(Default, durable_objects={"BUSY": Busy}, network=network, show_output=False)
    call = sim.client().fetch("https://a/")
    sim.run(asyncio.sleep(seconds))
    sim.restart()
    assert sim.run(call).status == 500
    [end_us] = [record[0] for record in sim.trace.raw if record[2] == "turn_away"]
    assert end_us == seconds * 1_000_000
    for request in {record[4] for record in sim.trace.raw if record[4]}:
        parts = segments(sim.trace, request)
        told = sim.explain(request)
        assert sum(part.duration_us for part in parts) == told.latency_us
        assert sum(told.parts_us.values()) == told.latency_us
        [computed] = [part for part in parts if part.state == "running"]
        assert computed.end_us == end_us
