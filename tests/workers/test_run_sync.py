"""`run_sync`: synchronous code of a WSGI application that waits for a promise."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from greenlet import greenlet

from dosim import Simulation
from dosim.workers import DurableObject, Response, WorkerEntrypoint, wsgi
from dosim.workers.ffi import can_run_sync, run_sync

LOG: list[Any] = []


class Counter(DurableObject):
    async def add(self, more: int) -> int:
        total = (await self.ctx.storage.get("total") or 0) + more
        await self.ctx.storage.put("total", total)
        return total

    async def fail(self) -> None:
        raise ValueError("no")


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Adds to a counter, sleeps, reads D1, in plain synchronous code."""
    env, path = environ["workers.env"], environ["PATH_INFO"]
    counter = env.COUNTER.getByName("a")
    LOG.append(f"{path} begins")
    try:
        if path == "/fails":
            run_sync(counter.fail())
        total = run_sync(counter.add(1))
        run_sync(asyncio.sleep(2 if path == "/slow" else 1))
        row = run_sync(env.DB.prepare("SELECT 40 + 2 AS answer").first())
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{total} {row['answer']} {can_run_sync()}".encode()]
    except Exception as error:
        start_response("500 No", [])
        return [type(error).__name__.encode()]
    finally:
        LOG.append(f"{path} ends")


class Default(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Any:
        if request.url.endswith("/outside"):
            return Response(f"{can_run_sync()} {run_sync(asyncio.sleep(1))}")
        return await wsgi.fetch(application, request, self.env)


def world() -> Simulation:
    LOG.clear()
    return Simulation(Default, durable_objects={"COUNTER": Counter}, d1_databases=["DB"], network=None)


def texts(sim: Simulation, *paths: str) -> list[str]:
    calls = [sim.client().fetch(f"https://app.example{path}") for path in paths]
    return [sim.run(call.text()) for call in [sim.run(call) for call in calls]]


def test_synchronous_code_waits_for_objects_timers_and_databases() -> None:
    """Each wait gives back the promise's value, and takes its time."""
    sim = world()

    assert ["1 42 True"] == texts(sim, "/one")
    assert 1_000_000 <= sim.trace[-1].t_us


def test_other_requests_run_while_it_waits() -> None:
    """Two applications stand in the middle of synchronous code at once; the shorter wait ends first."""
    sim = world()

    assert ["1 42 True", "2 42 True"] == texts(sim, "/slow", "/quick")
    assert ["/slow begins", "/quick begins", "/quick ends", "/slow ends"] == LOG


def test_an_error_is_raised_where_it_waits() -> None:
    """The application can catch what the promise throws."""
    assert ["JsException"] == texts(world(), "/fails")


def test_elsewhere_it_is_refused_with_the_way_out() -> None:
    """In an async handler the error says what to write instead."""
    sim = world()
    call = sim.client().fetch("https://app.example/outside")

    assert 500 == sim.run(call).status
    assert "make the function async and await the promise" in str(call.error).lower()


def test_outside_a_simulation_it_is_refused() -> None:
    """Plain Python has no promise to wait for."""
    assert not can_run_sync()
    with pytest.raises(RuntimeError, match="run_sync waits here only in what a WSGI application calls"):
        run_sync(asyncio.sleep(1))


def test_a_greenlet_of_somebody_else_is_no_application() -> None:
    """Where the whole program runs on one, as under gevent, an async handler is refused as ever."""
    sim = world()
    call = sim.client().fetch("https://app.example/outside")
    status = greenlet(lambda: sim.run(call).status).switch()

    assert 500 == status
    assert "make the function async and await the promise" in str(call.error).lower()


def test_a_world_that_is_dropped_leaves_the_next_alone() -> None:
    """Its application stands in the middle of synchronous code for ever; a new world begins at its own start."""
    sim = world()
    sim.client().fetch("https://app.example/slow")
    sim.run(for_="1s")
    assert ["/slow begins"] == LOG
    del sim
    gc.collect()
    sim = world()

    assert ["1 42 True"] == texts(sim, "/quick")
    assert ["/quick begins", "/quick ends"] == LOG
