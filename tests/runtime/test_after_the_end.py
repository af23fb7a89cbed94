"""What is left of a life that ended: no code of it touches the disk, and its end comes when it happened."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import Any

import pytest

import dosim
from dosim import Simulation
from dosim.web.errors import JsException
from dosim.workers import DurableObject


def world(**options: Any) -> Simulation:
    return Simulation(durable_objects={"A": Actor}, network=None, show_output=False, **options)


class Actor(DurableObject):
    heard: list[str]
    alarms: list[int]

    async def goes_on(self, what: str) -> None:
        """Abort, catch it, and use the storage all the same."""
        storage = self.ctx.storage
        try:
            self.ctx.abort("over")
        except BaseException:
            await asyncio.sleep(0)
        try:
            done = getattr(self, what)(storage)
            if inspect.isawaitable(done):
                await done
            self.heard.append("not refused")
        except JsException as error:
            self.heard.append(str(error))

    def sets_alarm(self, storage: Any) -> Any:
        return storage.setAlarm(int(time.time() * 1000) + 1000)

    def deletes_alarm(self, storage: Any) -> Any:
        return storage.deleteAlarm()

    def transacts(self, storage: Any) -> Any:
        return storage.transactionSync(lambda: None)

    def bookmarks(self, storage: Any) -> Any:
        return storage.getCurrentBookmark()

    async def wind(self) -> None:
        await self.ctx.storage.setAlarm(int(time.time() * 1000) + 2000)

    async def wakes(self) -> str:
        return "awake"

    async def alarm(self, info: Any = None) -> None:
        self.alarms.append(round(time.time() * 1000))

    async def function(self) -> Any:
        return lambda: 5

    async def use(self, function: Any) -> Any:
        try:
            return await function()
        except JsException as error:
            return ["refused", str(error)]

    async def aborts(self) -> None:
        dosim.cpu("5s")
        self.ctx.abort("over")

    async def fails_blocked(self) -> None:
        async def compute() -> None:
            dosim.cpu("5s")
            raise ValueError("over")

        await self.ctx.blockConcurrencyWhile(compute)

    async def syncs(self) -> float:
        before = asyncio.get_running_loop().time()
        self.ctx.storage.kv.put("a", 1)
        await self.ctx.storage.sync()
        return round((asyncio.get_running_loop().time() - before) * 1000, 3)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Actor, "heard", [], raising=False)
    monkeypatch.setattr(Actor, "alarms", [], raising=False)


@pytest.mark.parametrize("what", ["sets_alarm", "deletes_alarm", "transacts", "bookmarks"])
def test_code_that_catches_abort_has_no_storage_any_more(what: str) -> None:
    """Each is refused, and the next life sees nothing of it."""
    sim = world()
    sim.run(sim.env.A.getByName("x").wind())
    with pytest.raises(JsException, match="over"):
        sim.run(sim.env.A.getByName("x").goes_on(what))
    sim.run(sim.env.A.getByName("x").wakes())
    sim.run(for_="10s")
    assert Actor.heard == ["Error: This instance has left memory: its storage cannot be used any more."]
    assert len(Actor.alarms) == 1


def test_an_alarm_that_is_set_after_the_end_never_comes() -> None:
    """There was none before."""
    sim = world()
    with pytest.raises(JsException, match="over"):
        sim.run(sim.env.A.getByName("x").goes_on("sets_alarm"))
    sim.run(sim.env.A.getByName("x").wakes())
    sim.run(for_="10s")
    assert Actor.alarms == []


def test_a_function_whose_owner_was_killed_is_refused_when_called() -> None:
    """It may be passed on; calling it is an error of that call and of nothing else."""
    sim = world()
    function = sim.run(sim.env.A.getByName("owner").function())
    sim.restart()
    answer = sim.run(sim.env.A.getByName("user").use(function))
    assert answer[0] == "refused"
    assert sim.run(sim.env.A.getByName("user").wakes()) == "awake"


@pytest.mark.parametrize("method", ["aborts", "fails_blocked"])
def test_the_error_comes_after_the_cpu_time_before_it(method: str) -> None:
    """Five seconds of CPU, then the end: not at the time at which the turn began."""
    sim = world(platform="workerd")
    with pytest.raises(JsException, match="over"):
        sim.run(getattr(sim.env.A.getByName("x"), method)())
    assert sim.now.us == 5_000_000
    [reset] = [record for record in sim.trace.raw if record[2] == "reset"]
    assert reset[0] == 5_000_000


@pytest.mark.parametrize(("platform", "took_ms"), [("cloudflare", 5), ("workerd", 0)])
def test_sync_waits_for_the_confirmation(platform: str, took_ms: float) -> None:
    """As long as a write takes to be confirmed there."""
    sim = world(platform=platform)
    assert sim.run(sim.env.A.getByName("x").syncs()) == took_ms
