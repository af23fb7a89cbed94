"""`ObjectMachine`: Hypothesis calls rules in any order, and the platform does what it may in between."""

from __future__ import annotations

import asyncio
import unittest
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from dosim import Simulation
from dosim.kernel.choosing import Endless
from dosim.testing import BadTest, ObjectMachine, rule
from dosim.testing.invariants import fifo_per_stub, one_instance_per_id, turns_never_overlap
from dosim.web.errors import JsException
from dosim.workers import DurableObject, js
from tests.testing.explored import Counter

SHORT = settings(
    max_examples=1_000, stateful_step_count=12, derandomize=True, deadline=None, database=None, print_blob=False,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip


class Counters(ObjectMachine):
    """A world of counters; subclasses say what is promised of them."""

    durable_objects: ClassVar = {"COUNTER": Counter}
    options: ClassVar = {"network": None}

    @property
    def counter(self) -> Any:
        return self.sim.env.COUNTER.getByName("a")


class OnDisk(Counters):
    """Evictions and deploys do no harm to what is stored."""

    strikes = ("evict", "deploy", "reset")
    promises = (one_instance_per_id, turns_never_overlap, fifo_per_stub)

    def start(self) -> None:
        self.total = 0

    @rule(amount=st.integers(1, 9))
    async def add(self, amount: int) -> None:
        self.total += amount
        assert self.total == await self.counter.add(amount)

    @rule()
    def value(self) -> None:
        assert self.total == self.sim.run(self.counter.value())


TestOnDisk = OnDisk.TestCase
TestOnDisk.settings = settings(SHORT, max_examples=40)


class InMemory(Counters):
    """Breaks when anything takes the object out of memory."""

    def start(self) -> None:
        self.total = 0

    @rule()
    async def remember(self) -> None:
        self.total += 1
        assert self.total == await self.counter.remember()


def steps(machine: type[ObjectMachine]) -> str:
    """The steps that break a machine, as Hypothesis prints them."""
    with pytest.raises(AssertionError) as raised:
        run_state_machine_as_test(machine, settings=SHORT)  # type: ignore[no-untyped-call]
    return "\n".join(raised.value.__notes__)


@pytest.mark.parametrize("strike", ["evict", "crash", "reset", "deploy"])
def test_a_strike_between_two_rules_is_found(strike: str) -> None:
    """Shrunk: one request, the strike, one request."""
    machine = type("Struck", (InMemory,), {"strikes": (strike,)})
    told = steps(machine)

    assert 2 == told.count("state.remember()")
    assert 1 == told.count("state.platform_strikes(") + told.count("state.time_passes(")
    assert "promises_are_kept" not in told  # it has none


def test_time_that_passes_takes_an_idle_object_out_of_memory() -> None:
    """Without any strike: ten idle seconds do it."""
    machine = type("Idle", (InMemory,), {"strikes": ()})
    told = steps(machine)

    assert "platform_strikes" not in told
    assert 2 == told.count("state.remember()") and 1 == told.count("state.time_passes(jump='11s')")


class Till(DurableObject):
    async def sell(self) -> None:
        await self.ctx.storage.put("open", 1)
        await asyncio.sleep(60)
        await self.ctx.storage.put("open", 0)  # planted: a crash before it leaves the till open

    async def is_open(self) -> bool:
        return await self.ctx.storage.get("open") == 1


class Sales(ObjectMachine):
    """A sale is begun, and left under way."""

    durable_objects: ClassVar = {"TILL": Till}
    options: ClassVar = {"network": None}
    strikes = ("crash",)

    @rule()
    def sale(self) -> None:
        self.begin(self.sim.env.TILL.getByName("a").sell())

    @rule()
    def close(self) -> None:
        for call in self.calls:
            try:
                self.sim.run(call)
            except JsException:
                continue
        assert not self.sim.run(self.sim.env.TILL.getByName("a").is_open())


@pytest.mark.slow
def test_a_call_under_way_is_struck_in_the_middle() -> None:
    """It is begun, it writes, the machine is gone; then nobody closes the till."""
    told = steps(Sales)

    assert 1 == told.count("state.sale()") and 1 == told.count("state.close()")
    assert "state.platform_strikes(" in told
    assert "state.events_happen(" in told or "state.time_passes(" in told


def test_calls_that_nobody_waits_for_leave_nothing_behind() -> None:
    """What they raise is nobody's business; the world ends with the machine."""

    class Quiet(Sales):
        strikes = ("crash", "evict", "deploy")

        @rule()
        def close(self) -> None:
            """Not checked."""

    run_state_machine_as_test(Quiet, settings=settings(SHORT, max_examples=30))  # type: ignore[no-untyped-call]


def test_a_promise_is_checked_after_each_step() -> None:
    """It is an invariant of the simulation; one that is broken itself is named."""

    def never_two(sim: Simulation) -> None:
        assert len(sim.objects) < 2

    def misspelt(sim: Simulation) -> None:
        sim.object  # type: ignore[attr-defined]  # noqa: B018

    class Many(Counters):
        promises = (never_two,)

        @rule(name=st.sampled_from("abc"))
        async def add(self, name: str) -> None:
            await self.sim.env.COUNTER.getByName(name).add()

    class Broken(Many):
        promises = (misspelt,)

    assert 2 == steps(Many).count("state.add(")
    with pytest.raises(BadTest, match="the invariant misspelt raised AttributeError"):
        run_state_machine_as_test(Broken, settings=SHORT)  # type: ignore[no-untyped-call]


def test_it_runs_as_a_unittest() -> None:
    """`YourMachine.TestCase` is one."""
    InMemory.TestCase.settings = SHORT
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(InMemory.TestCase).run(result)

    assert (1, 1, []) == (result.testsRun, len(result.failures), result.errors)


def test_a_project_is_a_machine_too(tmp_path: Path) -> None:
    """project: its folder."""
    (tmp_path / "wrangler.jsonc").write_text(
        '{"name": "p", "main": "entry.py", "compatibility_date": "2026-11-01",'
        ' "compatibility_flags": ["python_workers"],'
        ' "durable_objects": {"bindings": [{"name": "MEMO", "class_name": "Memo"}]},'
        ' "migrations": [{"tag": "v1", "new_sqlite_classes": ["Memo"]}]}'
    )
    (tmp_path / "entry.py").write_text(
        "from workers import DurableObject\n"
        "class Memo(DurableObject):\n"
        "    seen = 0\n"
        "    async def see(self):\n"
        "        self.seen += 1\n"
        "        return self.seen\n"
    )

    class Memos(ObjectMachine):
        project = tmp_path
        options: ClassVar = {"network": None}
        strikes = ("deploy",)

        def start(self) -> None:
            self.seen = 0

        @rule()
        async def see(self) -> None:
            self.seen += 1
            assert self.seen == await self.sim.env.MEMO.getByName("a").see()

    assert 2 == steps(Memos).count("state.see()")


class Loop(DurableObject):
    async def start(self) -> None:
        await self.ctx.storage.setAlarm(js.Date.now() + 1)

    async def alarm(self, info: Any = None) -> None:
        await self.start()


def test_a_machine_that_goes_round_for_ever_is_ended() -> None:
    """Thirty days of an alarm each moment are millions of events: it is said where."""

    class Loops(ObjectMachine):
        durable_objects: ClassVar = {"LOOP": Loop}
        options: ClassVar = {"network": None}
        strikes = ()
        most_events = 300

        @rule()
        async def begin_it(self) -> None:
            await self.sim.env.LOOP.getByName("a").start()

    with pytest.raises(Endless, match="the run did not end within 300 events, at t="):
        run_state_machine_as_test(Loops, settings=settings(SHORT, phases=[Phase.generate]))  # type: ignore[no-untyped-call]


def test_an_unknown_strike_is_named() -> None:
    """With those there are."""
    machine = type("Wrong", (InMemory,), {"strikes": ("burn",)})
    with pytest.raises(ValueError, match="strikes has 'burn', which is none: use evict, crash, reset, deploy"):
        run_state_machine_as_test(machine, settings=SHORT)  # type: ignore[no-untyped-call]
