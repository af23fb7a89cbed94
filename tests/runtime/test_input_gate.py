"""What opens the input gate and what keeps it closed (rules 1.3–1.5; RULES-python 5, 6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dosim import Simulation
from dosim.workers import Response, js
from tests.runtime.stories import Story, resting, saying, timeout

Way = Callable[[Any], Any]

CLOSED: dict[str, Way] = {
    "get": lambda o: o.storage.get("k"),
    "get of several": lambda o: o.storage.get(["a", "b"]),
    "get with allowConcurrency": lambda o: o.storage.get("k", allowConcurrency=True),
    "put": lambda o: o.storage.put("k", 1),
    "put with allowUnconfirmed": lambda o: o.storage.put("k", 1, allowUnconfirmed=True),
    "delete": lambda o: o.storage.delete("k"),
    "list": lambda o: o.storage.list(),
    "setAlarm": lambda o: o.storage.setAlarm(4_000_000_000_000),
    "getAlarm": lambda o: o.storage.getAlarm(),
    "deleteAlarm": lambda o: o.storage.deleteAlarm(),
    "deleteAll": lambda o: o.storage.deleteAll(),
    "gather of gets": lambda o: asyncio.gather(o.storage.get("a"), o.storage.get("b")),
    "a task that gets": lambda o: asyncio.create_task(o.storage.get("a")),
    "own helper": lambda o: _nothing(),
    "sleep(0), ten times": lambda o: _ticks(),
    "Lock nobody has": lambda o: _lock(),
    "Future that is done": lambda o: _done(),
    "js.Promise.resolve": lambda o: js.Promise.resolve(1),
    "queueMicrotask": lambda o: _microtask(),
    "transaction": lambda o: o.storage.transaction(lambda txn: o.storage.get("k")),
    "sql": lambda o: _sql(o),  # noqa: PLW0108
    "kv": lambda o: _kv(o),  # noqa: PLW0108
    "a section that gets": lambda o: o.block(lambda: o.storage.get("k")),
}
OPEN: dict[str, Way] = {
    "storage.sync": lambda o: o.storage.sync(),
    "asyncio.sleep": lambda o: asyncio.sleep(0.1),
    "setTimeout(0)": lambda o: timeout(0),
    "scheduler.wait": lambda o: js.scheduler.wait(10),
    "RPC to another object": lambda o: o.call("B:y", resting, 10),
    "RPC to itself": lambda o: o.call("A:x", saying("self")),
    "fetch of another object": lambda o: o.env.B.getByName("y").fetch("https://b/"),
    "reading a body": lambda o: Response("x").text(),
}


async def _nothing() -> None:
    return None


async def _ticks() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def _lock() -> None:
    async with asyncio.Lock():
        pass


def _done() -> asyncio.Future[int]:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_result(1)
    return future


async def _microtask() -> None:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    js.queueMicrotask(lambda: done.set_result(None))
    await done


async def _sql(o: Any) -> None:
    o.storage.sql.exec("CREATE TABLE IF NOT EXISTS t (a)")
    await _nothing()


async def _kv(o: Any) -> None:
    o.storage.kv.put("k", 1)
    await _nothing()


async def _ok(o: Any, request: Any) -> Response:
    return Response("ok")


def _between(way: Way) -> list[str]:
    """The log of a request that awaits `way` while a second one waits to start."""
    story = Story()
    story.fetches["B"] = _ok

    async def first(o: Any) -> None:
        o.log("first before")
        await way(o)
        o.log("first after")

    story.play((0, "A:x", first), (0, "A:x", saying("second")))
    return [event for event in story.events() if event != "self"]


@pytest.mark.parametrize("name", CLOSED)
def test_this_await_keeps_the_gate_closed(name: str) -> None:
    """Storage, and whatever stays inside the turn, lets no other request in [ig-01 ig-02 ig-11 ig-14 ig-16]."""
    assert _between(CLOSED[name]) == ["first before", "first after", "second"]


@pytest.mark.parametrize("name", OPEN)
def test_this_await_opens_the_gate(name: str) -> None:
    """Timers, calls, bodies and `storage.sync()` let another request in [ig-03 to ig-06, ig-15, ig-18, rp-13]."""
    assert _between(OPEN[name]) == ["first before", "second", "first after"]


async def _add_one(o: Any) -> int:
    n = (await o.storage.get("n") or 0) + 1
    await o.storage.put("n", n)
    return n


def test_get_then_put_with_only_storage_between_is_atomic() -> None:
    """Three callers at once get 1, 2, 3 [ig-08]."""
    assert Story().play(*[(0, "A:x", _add_one)] * 3) == [1, 2, 3]


def test_the_same_without_sqlite(tmp_path: Path) -> None:
    """A class of the older key-value backend behaves alike [ig-19]."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src/entry.py").write_text(
        "from workers import DurableObject, WorkerEntrypoint\n"
        "class Counter(DurableObject):\n"
        "    async def add(self):\n"
        "        n = (await self.ctx.storage.get('n') or 0) + 1\n"
        "        await self.ctx.storage.put('n', n)\n"
        "        return n\n"
        "class Default(WorkerEntrypoint):\n"
        "    pass\n"
    )
    (tmp_path / "wrangler.jsonc").write_text(
        '{"name": "w", "main": "src/entry.py", "compatibility_date": "2026-11-01",'
        ' "compatibility_flags": ["python_workers"],'
        ' "durable_objects": {"bindings": [{"name": "C", "class_name": "Counter"}]},'
        ' "migrations": [{"tag": "v1", "new_classes": ["Counter"]}]}'
    )
    sim = Simulation.from_project(tmp_path, platform="workerd", network=None)
    assert sim.run(*[sim.env.C.getByName("x").add() for _ in range(3)]) == [1, 2, 3]


@pytest.mark.parametrize("name", ["asyncio.sleep", "RPC to another object", "fetch of another object", "storage.sync"])
def test_get_then_outside_then_put_loses_updates(name: str) -> None:
    """Three callers at once all store 1 [ig-07]."""
    story = Story()
    story.fetches["B"] = _ok

    async def add_one(o: Any) -> int:
        n = (await o.storage.get("n") or 0) + 1
        await OPEN[name](o)
        await o.storage.put("n", n)
        return n

    assert story.play(*[(0, "A:x", add_one)] * 3) == [1, 1, 1]


def test_attributes_race_over_a_timer_too() -> None:
    """Read, wait, write on an attribute: five bumps leave 1 [ig-09]."""

    async def bump(o: Any) -> None:
        n = o.n
        await asyncio.sleep(0.05)
        o.n = n + 1

    async def read(o: Any) -> int:
        return o.n

    assert Story().play(*[(0, "A:x", bump)] * 5, (100, "A:x", read))[-1] == 1


def test_a_block_around_it_mends_it() -> None:
    """get, wait, put in blockConcurrencyWhile: 1, 2, 3, one after another [bl-21]."""
    story = Story()

    async def add_one(o: Any) -> int:
        async def work() -> int:
            n = (await o.storage.get("n") or 0) + 1
            await asyncio.sleep(0.1)
            await o.storage.put("n", n)
            o.log(n)
            return n

        return await o.block(work)

    assert story.play(*[(0, "A:x", add_one)] * 3) == [1, 2, 3]
    assert story.timed() == [(100, 1), (200, 2), (300, 3)]


def test_a_flag_set_before_the_await_works_as_a_mutex() -> None:
    """Two of three simultaneous requests see the flag and turn away [ig-25]."""

    async def once(o: Any) -> str:
        if getattr(o, "busy", False):
            return "busy"
        o.busy = True
        await asyncio.sleep(0.1)
        o.busy = False
        return "done"

    assert Story().play(*[(0, "A:x", once)] * 3, (200, "A:x", once)) == ["done", "busy", "busy", "done"]


def test_two_increments_in_one_handler_race_with_storage_alone() -> None:
    """gather of two get-then-put in one turn gives [1, 1] [ig-12]."""

    async def both(o: Any) -> list[int]:
        return await asyncio.gather(_add_one(o), _add_one(o))

    assert Story().play((0, "A:x", both)) == [[1, 1]]


def test_time_sleep_is_refused_with_its_reason() -> None:
    """Python Workers' `time.sleep` is a hidden await; dosim refuses it and names `asyncio.sleep` and `dosim.cpu`."""
    import time

    def sleeps(o: Any) -> None:
        time.sleep(1)

    text = Story().play((0, "A:x", sleeps))[0][0]
    assert "asyncio.sleep" in text and "dosim.cpu" in text


def test_pure_computation_is_never_interleaved() -> None:
    """CPU time of one request holds back the next one of the object; nothing gets in between."""
    import dosim

    story = Story()

    def computes(o: Any) -> None:
        n = o.n
        dosim.cpu("200ms")
        o.n = n + 1
        o.log(o.n)

    story.play(*[(0, "A:x", computes)] * 3)
    assert story.timed() == [(200, 1), (400, 2), (600, 3)]
