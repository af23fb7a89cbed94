"""The order of records: that in which they were told."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

import dosim
from dosim import Simulation
from dosim.export import to_chrome
from dosim.trace import Trace, lives
from dosim.trace.clocks import events
from dosim.views.player.data import player_data
from dosim.views.stays import read_stays
from dosim.workers import DurableObject, Response, WorkerEntrypoint
from dosim.workers.js import Date

TURN_US = 4_000


class Desk(DurableObject):
    async def serve(self) -> None:
        dosim.cpu("1ms")
        await self.ctx.storage.put("n", 1)
        await self.ctx.storage.setAlarm(Date.now())
        dosim.cpu("3ms")
        await asyncio.sleep(0.001)
        dosim.cpu("2ms")

    async def alarm(self, info: Any = None) -> None:
        dosim.cpu("4ms")


class Default(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Response:
        dosim.cpu("2ms")
        await self.env.DESK.getByName(request.url[-1]).serve()
        return Response("served")


@pytest.fixture(scope="module")
def busy() -> Simulation:
    """Three desks and their clients, all computing at the same time."""
    sim = Simulation(Default, durable_objects={"DESK": Desk}, seed=3)
    sim.run(*[sim.client(city).fetch(f"https://a.example/{n % 3}") for n in range(9) for city in ("Paris", "London")])
    sim.run(for_="1m")
    return sim


def test_numbers_rise_and_times_step_back_by_a_turn_at_most(busy: Simulation) -> None:
    """What a turn tells is ahead by what it has computed; no turn here computes longer than 4 ms."""
    records = list(busy.trace)
    back_us = [before.t_us - after.t_us for before, after in pairwise(records) if after.t_us < before.t_us]

    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    assert back_us and max(back_us) <= TURN_US


def test_a_turns_cpu_follows_what_it_told(busy: Simulation) -> None:
    """After its `return` too, with the turn's beginning for its time; the rest of a request is in order of time."""
    returned: dict[int, int] = {}
    times: dict[int, list[int]] = {}
    behind = 0
    for record in busy.trace:
        if record.kind == "return":
            returned[record.request] = record.t_us
        elif record.kind == "cpu" and record.request in returned:
            behind += record.t_us + record.detail["cpu_us"] == returned[record.request]
        if record.request and record.kind != "cpu":
            times.setdefault(record.request, []).append(record.t_us)

    assert behind
    assert all(sorted(of_one) == of_one for of_one in times.values())


def told_ahead() -> Trace:
    """Two objects: what the first tells at the end of its turn is later than what the second tells next."""
    trace = Trace()
    for label, at_us in (("Desk('a')", 9_000), ("Desk('b')", 5_000), ("Desk('a')", 7_000)):
        request = trace.emit(at_us, "call", label, at_us, 0, (0, "alarm", label, "alarm"))
        trace.emit(at_us, "construct", label, at_us, request, (2,))
        trace.emit(at_us, "alarm_set", label, at_us, request, (60_000_000,))
        trace.emit(at_us, "fault", "the outside", 0, 0, ("deploy", ""))
        trace.emit(at_us, "commit", label, at_us, request, (1, 0))
    return trace


def test_readers_that_need_time_sort_by_it(busy: Simulation) -> None:
    """Lives, the page that plays a run, clocks and Perfetto's counters."""
    for trace in (busy.trace, told_ahead()):
        data = player_data(trace)
        stays = read_stays(trace)

        assert all(step >= 0 for what in ("alarms", "faults") for step in data[what]["at"][1:])
        assert sorted(stays.deploys) == stays.deploys
        for stay in stays.objects:
            for moments in (stay.visits, stay.writes, [mark.at_us for mark in stay.marks]):
                assert sorted(moments) == moments
        for life in lives(trace).values():
            assert all(a.end_us <= b.start_us for a, b in pairwise(life.stretches))
        assert all(a.t_us <= b.t_us for a, b in pairwise(events(trace)))
    counted = [entry for entry in to_chrome(busy)["traceEvents"] if entry["ph"] == "C"]
    assert counted and all(a["ts"] <= b["ts"] for a, b in pairwise(counted) if a["name"] == b["name"])
