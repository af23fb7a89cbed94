"""When a run ends: cancelled timers and alarms keep none going, and a `Deadlock` loses nothing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import pytest

from dosim import Deadlock, Simulation
from dosim.workers import DurableObject

HOUR, DAY = 3600, 86_400


def in_seconds(seconds: float) -> int:
    return int((time.time() + seconds) * 1000)


class Clock(DurableObject):
    """Its alarm comes again after `step` seconds, `most` times; a handler may take time."""

    step = HOUR
    most = 300
    takes = 0.0
    alarms = 0

    async def wind(self):
        await self.ctx.storage.setAlarm(in_seconds(self.step))

    async def never(self):
        await self.wind()
        await asyncio.Event().wait()

    async def times_out(self):
        await self.wind()
        async with asyncio.timeout(60):
            await asyncio.sleep(0.001)

    async def blocks(self):
        await self.wind()
        await self.ctx.blockConcurrencyWhile(lambda: asyncio.sleep(0.001))

    async def alarm(self, info=None):
        cls = type(self)
        cls.alarms += 1
        if self.takes:
            await asyncio.sleep(self.takes)
        if cls.alarms < cls.most:
            await self.wind()


def clock(**traits):
    """A class of its own, its simulation and a stub."""
    cls = type("Clock", (Clock,), traits)
    sim = Simulation(durable_objects={"CLOCK": cls}, network=None, retention="none")
    return cls, sim, sim.env.CLOCK.getByName("x")


@pytest.mark.parametrize("method", ["times_out", "blocks"])
def test_a_cancelled_timer_keeps_no_run_going(method):
    """The alarm comes in 5 s, the timer was for later than that: run() ends before both."""
    cls, sim, stub = clock(step=5)
    sim.run(getattr(stub, method)())
    sim.run()
    assert sim.now.us < 1_000_000
    assert cls.alarms == 0


def test_the_limit_of_an_alarm_that_is_over_keeps_no_run_going():
    """An alarm that sets the next one: run() leaves it to runs with a time."""
    cls, sim, stub = clock(step=60)
    sim.run(stub.wind())
    sim.run()
    assert cls.alarms == 0
    sim.run(for_="90s")
    assert cls.alarms == 1
    sim.run()
    assert cls.alarms == 1
    assert sim.now.us < 91_000_000


@pytest.mark.parametrize("takes", [0, 1.5])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_alarms_alone_do_not_run_for_ever(monkeypatch, takes, asynchronous):
    """What is awaited never comes: Deadlock after so many alarms, in one slice or many, whatever they do."""
    monkeypatch.setattr("dosim.kernel.loop.ONLY_ALARMS_LIMIT", 50)
    monkeypatch.setattr("dosim.simulation.running.SLICE_EVENTS", 10)
    cls, sim, stub = clock(takes=takes)
    run = (lambda call: asyncio.run(sim.arun(call))) if asynchronous else sim.run
    with pytest.raises(Deadlock, match="1 of 1 results have not come"):
        run(stub.never())
    assert 40 <= cls.alarms <= 60


def test_each_run_counts_alarms_anew(monkeypatch):
    """Alarms of runs before do not make a later one give up."""
    monkeypatch.setattr("dosim.kernel.loop.ONLY_ALARMS_LIMIT", 50)
    cls, sim, stub = clock()
    for alarms in (50, 100):
        with pytest.raises(Deadlock):
            sim.run(stub.never())
        assert abs(cls.alarms - alarms) <= 5


def test_the_alarm_is_not_lost_after_a_deadlock(monkeypatch):
    """It comes in the next run."""
    monkeypatch.setattr("dosim.kernel.loop.ONLY_ALARMS_LIMIT_US", 10 * DAY * 1_000_000)
    cls, sim, stub = clock(step=DAY)
    with pytest.raises(Deadlock):
        sim.run(stub.never())
    before = cls.alarms
    sim.run(for_="5d")
    assert cls.alarms - before in (4, 5)


def test_a_run_with_a_time_goes_on_beyond_ten_years_of_alarms():
    """Its end is known, so alarms alone are no reason to give up."""
    cls, sim, stub = clock(step=DAY, most=5000)
    sim.run(stub.wind())
    sim.run(until="4000d")
    assert sim.now.us == 4000 * DAY * 1_000_000
    assert cls.alarms == 4000


def test_a_run_until_a_time_beyond_all_numbers():
    """It ends, and the moment prints without a date."""
    sim = Simulation(durable_objects={"CLOCK": Clock}, network=None)
    sim.run(until="60000000000d")
    assert repr(sim.now).startswith("<t=")
    assert sim.now.us > 2**61


def test_a_moment_after_the_year_9999_prints_without_a_date():
    """Python's datetime ends there, a simulation does not."""
    sim = Simulation(network=None, durable_objects={"CLOCK": Clock})
    sim.run(until="5000000d")
    assert repr(sim.now) == "<t=432000000000.000000s>"


def test_a_timeout_of_infinity():
    """It never comes."""

    class Patient(DurableObject):
        async def wait(self):
            async with asyncio.timeout(float("inf")):
                await asyncio.sleep(1)
            return "done"

    sim = Simulation(durable_objects={"PATIENT": Patient}, network=None)
    assert sim.run(sim.env.PATIENT.getByName("x").wait()) == "done"
    assert sim.now.us < 2_000_000


def test_thirty_idle_days_pass_in_a_millisecond() -> None:
    """The README's claim, on whatever machine this is: the shortest of twenty."""
    took_s = []
    for _ in range(20):
        sim = Simulation(durable_objects={"DESK": Idle}, network=None)
        sim.run(sim.env.DESK.getByName("a").hello())
        began_s = time.perf_counter()
        sim.run(for_="30d")
        took_s.append(time.perf_counter() - began_s)

    assert sim.objects["a"].state == "evicted"
    assert min(took_s) < 0.001


class Idle(DurableObject):
    async def hello(self) -> str:
        return "hello"


def test_a_program_ends_without_a_sound() -> None:
    """Simulations of projects live until the interpreter takes its modules apart; nothing is said of that."""
    program = "from dosim.scenarios import SCENARIOS; kept = SCENARIOS['alarm-loop-bill'].run()"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ("", "") == (ran.stdout, ran.stderr)


KEPT_TO_THE_END = """
import asyncio
import asyncio.events
from dosim import Simulation
from dosim.workers import DurableObject


class Sleeper(DurableObject):
    async def sleep(self):
        await asyncio.sleep(500)


sim = Simulation(durable_objects={"SLEEPER": Sleeper})
sim.env.SLEEPER.getByName("s").sleep()
sim.run(for_="1s")
asyncio.events.kept = sim  # dropped only when Python empties that module, after dosim's own
print("done")
"""


def test_python_exits_without_a_word_of_a_simulation_that_outlived_the_modules() -> None:
    """A simulation that is dropped while Python takes its modules down prints no ignored exception."""
    run = subprocess.run(
        [sys.executable, "-c", KEPT_TO_THE_END], capture_output=True, text=True, check=True, timeout=60
    )

    assert (run.stdout, run.stderr) == ("done\n", "")
