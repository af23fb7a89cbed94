"""Invariants as an exploration uses them: given to `@simulated`, they find the run that breaks them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from dosim import Simulation
from dosim.testing import explore, simulated
from dosim.testing.invariants import (
    Counter,
    History,
    InvariantViolated,
    cost_below,
    eventually,
    exactly_once_effect,
    fifo_per_stub,
    linearizable,
    never_wakes_only_itself,
    no_unconfirmed_output,
    one_instance_per_id,
    segments_sum_to_latency,
    tuned,
    turns_never_overlap,
)
from dosim.workers import DurableObject, fetch

MAIL = "https://mail.example"
ALL = (
    one_instance_per_id,
    turns_never_overlap,
    fifo_per_stub,
    segments_sum_to_latency,
    no_unconfirmed_output,
    tuned(never_wakes_only_itself, alarms=50),
    cost_below(usd=1, per="run"),
)


class Bill(DurableObject):
    async def remind(self) -> None:
        await self.ctx.storage.setAlarm(int(time.time() * 1000) + 5_000)

    async def alarm(self, info: Any = None) -> None:
        await self.send()
        await self.ctx.storage.put("sent", True)

    async def send(self, **headers: str) -> None:
        await fetch(f"{MAIL}/send", method="POST", body="your bill", headers=headers)


class Keyed(Bill):
    async def send(self, **headers: str) -> None:
        await super().send(**{"Idempotency-Key": "bill 1"})


class GivesUp(Bill):
    async def alarm(self, info: Any = None) -> None:
        try:
            await self.send()
        except Exception:
            return
        await self.ctx.storage.put("sent", True)


def sent(sim: Simulation) -> bool:
    return "sent" in sim.objects["ann"].storage


def reminding(cls: type, *faults: str) -> Any:
    """A test of one reminder, with the faults that may come."""
    told = (*ALL, exactly_once_effect(MAIL), eventually(sent, within="3m"))

    @simulated(durable_objects={"BILL": cls}, faults=faults, invariants=told)
    def test(sim: Simulation) -> None:
        sim.external(MAIL, lambda request: "ok")
        call = sim.env.BILL.getByName("ann").remind()
        sim.run(for_="20s")
        call.exception()  # whoever asked may not have been told

    return test


def test_exploring_finds_the_fault_that_an_effect_does_not_survive() -> None:
    """
    An alarm that runs once more, and nothing else, is what is left of the schedule; with a key there is nothing.
    """
    found = explore(reminding(Bill, "alarm_twice", "alarm_late"), runs=200)

    assert found.failure is not None
    assert isinstance(found.failure.error, InvariantViolated)
    assert f"exactly_once_effect('{MAIL}')" == found.failure.error.invariant
    assert "alarm1=alarm_twice" == str(found.failure.schedule)
    assert explore(reminding(Keyed, "alarm_twice", "alarm_late"), runs=200).failure is None


def test_exploring_finds_what_never_comes_back() -> None:
    """
    The answer of the mail service is lost, the error swallowed: after the last fault nothing sends the letter.
    """
    found = explore(reminding(GivesUp, "reply_lost"), runs=300)

    assert found.failure is not None
    assert "eventually(sent)" == getattr(found.failure.error, "invariant", found.failure.error)
    assert "The last fault, the reply of #" in str(found.failure.error)


class LostUpdate(DurableObject):
    async def increment(self) -> int:
        n = (await self.ctx.storage.get("n") or 0) + 1
        await asyncio.sleep(0.01)
        await self.ctx.storage.put("n", n)
        return n


def test_exploring_finds_the_order_that_is_not_linearizable() -> None:
    """
    Two calls that do not overlap in a plain run do when the first is late: one deviation.
    """

    @simulated(durable_objects={"COUNTER": LostUpdate})
    async def test(sim: Simulation) -> None:
        stub, history = sim.env.COUNTER.getByName("a"), History()

        async def client(number: int) -> None:
            await asyncio.sleep(number * 0.011)
            await history.of(stub, f"client {number}").increment()

        await asyncio.gather(client(0), client(1))
        linearizable(history, Counter())

    found = explore(test, runs=300)

    assert found.failure is not None
    assert isinstance(found.failure.error, InvariantViolated)
    assert 1 == len(found.failure.schedule)
    assert "client 0  |-" in found.failure.story


def test_every_invariant_of_an_exploration_has_a_name() -> None:
    """
    The one that a report prints.
    """
    names = [one.__name__ for one in (*ALL, eventually(sent), exactly_once_effect(MAIL))]

    assert [
        "one_instance_per_id", "turns_never_overlap", "fifo_per_stub", "segments_sum_to_latency",
        "no_unconfirmed_output", "never_wakes_only_itself(alarms=50)", "cost_below(usd=1, per='run')",
        "eventually(sent)", f"exactly_once_effect('{MAIL}')",
    ] == names  # fmt: skip
    with pytest.raises(TypeError, match="cannot be called"):
        simulated(invariants=["a name"])  # type: ignore[list-item]
