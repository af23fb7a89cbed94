"""Failed alarms: how often, when, and what cancels a retry (RULES 7)."""

from __future__ import annotations

import asyncio
import re
from itertools import pairwise
from typing import Any

import pytest

from tests.storage.stories import seen_by_caller
from tests.storage.test_alarms import START_MS, Clock, clock

BACKOFF_S = [2, 4, 8, 16, 32, 64]


class Failing(Clock):
    """Raises as often as `failures` says, and notes each run."""

    failures = 99
    made = 0

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        type(self).made += 1

    async def alarm(self, info: Any = None) -> None:
        self.calls += 1
        self.note(info.retryCount, info.isRetry, info.scheduledTime - START_MS, self.made)
        self.ctx.storage.kv.put("runs", len(self.log))
        await self.during()
        if len(self.log) <= self.failures:
            raise ValueError("bad")

    async def during(self) -> None:
        """What else the handler does."""


def failing(cls: type[Failing] = Failing, failures: int = 99) -> Any:
    """A world where the alarm fails, and a stub in it."""
    cls.failures, cls.made = failures, 0
    return clock(cls)


def waits(log: list[Any]) -> list[float]:
    """Seconds from each run to the next."""
    return [round(later[0] - earlier[0], 3) for earlier, later in pairwise(log)]


def test_six_retries_then_it_is_gone() -> None:
    """2, 4, 8, 16, 32, 64 s after the failed run, each up to a quarter later; seven runs; then getAlarm is None."""
    sim, stub = failing()
    sim.run(stub.set(10))
    sim.run(for_="10min")

    assert [(entry[1], entry[2]) for entry in Failing.log] == [(k, k > 0) for k in range(7)]
    assert {entry[3] for entry in Failing.log} == {10_000}
    for waited, base in zip(waits(Failing.log), BACKOFF_S, strict=True):
        assert base <= waited <= 1.25 * base
    assert sim.run(stub.get()) is None
    sim.run(for_="1h")
    assert len(Failing.log) == 7


def test_short_waits_keep_the_instance() -> None:
    """The first three retries find the same instance; from 16 s on it was evicted, a new one is constructed."""
    sim, stub = failing()
    sim.run(stub.set(1))
    sim.run(for_="10min")

    assert [entry[4] for entry in Failing.log] == [1, 1, 1, 1, 2, 3, 4]


def test_writes_of_failed_runs_stay() -> None:
    """A failing alarm() rolls nothing back."""

    class A(Failing):
        async def look(self) -> Any:
            return await self.ctx.storage.get("runs")

    sim, stub = failing(A)
    sim.run(stub.set(1))
    sim.run(for_="5s")

    assert sim.run(stub.look()) == len(A.log) == 2


def test_a_success_ends_it_and_resets_the_count() -> None:
    """After a run that returned there is no retry, and the next alarm starts at 0."""
    sim, stub = failing(failures=2)
    sim.run(stub.set(1))
    sim.run(for_="5min")
    assert [entry[1] for entry in Failing.log] == [0, 1, 2]

    Failing.failures = 4
    sim.run(stub.set(600))
    sim.run(for_="10min")
    assert [entry[1] for entry in Failing.log] == [0, 1, 2, 0, 1]


def test_the_wait_counts_from_the_end_of_the_failed_run() -> None:
    """A long run delays its retry."""

    class A(Failing):
        async def during(self) -> None:
            if len(self.log) == 1:
                await asyncio.sleep(30)

    sim, stub = failing(A, failures=1)
    sim.run(stub.set(1))
    sim.run(for_="5min")

    assert 32 <= waits(A.log)[0] <= 32.5


def test_jitter_follows_the_seed() -> None:
    """The same seed gives the same retries, another seed others; no two are exactly on the base."""

    def times(seed: int) -> list[Any]:
        Failing.failures, Failing.made, Failing.log = 99, 0, []
        sim, stub = clock(Failing, seed=seed)
        sim.run(stub.set(1))
        sim.run(for_="10min")
        return waits(Failing.log)

    assert times(1) == times(1)
    assert times(1) != times(2)


def test_between_retries_get_alarm_is_the_original_time() -> None:
    """It is in the past then; within alarm() it is None; other events run normally."""

    class A(Failing):
        async def during(self) -> None:
            self.inside = await self.get()

        async def look(self) -> Any:
            return [await self.get(), self.inside]

    sim, stub = failing(A)
    sim.run(stub.set(1))
    sim.run(for_="2s")

    assert sim.run(stub.look()) == [START_MS + 1000, None]


def test_delete_alarm_between_retries_cancels() -> None:
    """No retry after it."""
    sim, stub = failing()
    sim.run(stub.set(1))
    sim.run(for_="2s")
    sim.run(stub.cancel())
    sim.run(for_="10min")

    assert len(Failing.log) == 1
    assert sim.run(stub.get()) is None


def test_a_later_alarm_between_retries_replaces_the_retry() -> None:
    """setAlarm later than the pending retry: only the new time runs, fresh."""
    sim, stub = failing(failures=1)
    sim.run(stub.set(1))
    sim.run(for_="2s")
    sim.run(stub.set(60))
    sim.run(for_="10min")

    assert [entry[:3] for entry in Failing.log] == [(1.0, 0, False), (60.0, 0, False)]


def test_an_earlier_alarm_between_retries_does_not_cut_the_wait() -> None:
    """setAlarm earlier than the retry: one run, at the retry's time, reported as that retry (recorded quirk)."""
    sim, stub = failing(failures=1)
    sim.run(stub.set(1))
    sim.run(for_="2s")
    sim.run(stub.set(2.5))
    sim.run(for_="10min")

    assert [entry[1:3] for entry in Failing.log] == [(0, False), (1, True)]
    assert 2 <= waits(Failing.log)[0] <= 2.5
    assert sim.run(stub.get()) is None


@pytest.mark.parametrize("when_s", [0, 60])
def test_a_new_alarm_set_during_the_run_replaces_the_retry(when_s: float) -> None:
    """setAlarm inside, then an exception: no retry, only the new alarm, fresh, without back-off."""

    class A(Failing):
        async def during(self) -> None:
            if len(self.log) < 3:
                await self.ctx.storage.setAlarm(START_MS + max(when_s, 0.001) * 1000 + len(self.log))

    sim, stub = failing(A, failures=2)
    sim.run(stub.set(10))
    sim.run(for_="10min")

    assert [entry[1:3] for entry in A.log] == [(0, False)] * 3
    assert [round(entry[0]) for entry in A.log] == ([10, 10, 10] if when_s == 0 else [10, 60, 60])


@pytest.mark.parametrize("how", ["deleteAlarm", "deleteAll"])
def test_deleting_during_the_run_cancels_the_retry(how: str) -> None:
    """deleteAlarm or deleteAll inside, then an exception: no retry at all."""

    class A(Failing):
        async def during(self) -> None:
            await getattr(self.ctx.storage, how)()

    sim, stub = failing(A)
    sim.run(stub.set(1))
    sim.run(for_="10min")

    assert len(A.log) == 1
    assert sim.run(stub.get()) is None


def test_delete_all_of_the_old_date_keeps_the_retries() -> None:
    """With a compatibility date before 2026-02-24 deleteAll inside does not touch the alarm: it is retried."""

    class A(Failing):
        async def during(self) -> None:
            await self.ctx.storage.deleteAll()

    A.failures, A.made, A.log = 1, 0, []
    sim, stub = clock(A, compatibility_date="2026-01-01")
    sim.run(stub.set(1))
    sim.run(for_="10min")

    assert [entry[1] for entry in A.log] == [0, 1]
    assert sim.run(stub.get()) is None


def test_another_event_may_delete_or_replace_it_during_the_run() -> None:
    """What counts is whether anybody touched the alarm while alarm() ran."""

    class A(Failing):
        async def during(self) -> None:
            await asyncio.sleep(5)

    for touch, expected in (("cancel", [(0, False)]), ("set", [(0, False), (0, False)])):
        sim, stub = failing(A, failures=1)

        async def outside(stub: Any = stub, touch: str = touch) -> None:
            await stub.set(1)
            await asyncio.sleep(2)
            await (stub.set(60) if touch == "set" else stub.cancel())

        sim.run(outside())
        sim.run(for_="10min")
        assert [entry[1:3] for entry in A.log] == expected


def test_abort_in_the_handler_counts_as_a_failure() -> None:
    """The turn is lost; it is retried after 2 s on a new instance with retryCount 1."""

    class A(Failing):
        async def during(self) -> None:
            if len(self.log) == 1:
                self.ctx.storage.kv.put("lost", 1)
                self.ctx.abort("stop")

        async def look(self) -> Any:
            return [await self.ctx.storage.get("lost"), await self.ctx.storage.get("runs")]

    sim, stub = failing(A, failures=0)
    sim.run(stub.set(1))
    sim.run(for_="10min")

    assert [entry[1:3] + entry[4:] for entry in A.log] == [(0, False, 1), (1, True, 2)]
    assert 2 <= waits(A.log)[0] <= 2.5
    assert sim.run(sim.env.A.getByName("x").look()) == [None, 2]


def test_seven_aborts_and_it_is_gone() -> None:
    """Aborts count like exceptions."""

    class A(Failing):
        async def during(self) -> None:
            self.ctx.abort("stop")

    sim, stub = failing(A)
    sim.run(stub.set(1))
    sim.run(for_="1h")

    assert [entry[1] for entry in A.log] == list(range(7))


def test_an_abort_by_another_event_counts_too() -> None:
    """The object is reset while alarm() waits: the run has failed."""

    class A(Failing):
        async def during(self) -> None:
            await asyncio.sleep(5)

        async def stop(self) -> None:
            self.ctx.abort("stop")

    sim, stub = failing(A, failures=0)

    async def outside() -> None:
        await stub.set(1)
        await asyncio.sleep(2)
        await asyncio.gather(stub.stop(), return_exceptions=True)

    sim.run(outside())
    sim.run(for_="10min")

    assert [entry[1] for entry in A.log] == [0, 1]


def test_a_new_alarm_set_before_an_abort_in_an_earlier_turn_stays() -> None:
    """setAlarm, a timer, then abort: the new alarm was committed, so it replaces the retry."""

    class A(Failing):
        async def during(self) -> None:
            if len(self.log) == 1:
                await self.set(60)
                await asyncio.sleep(1)
                self.ctx.abort("stop")

    sim, stub = failing(A, failures=0)
    sim.run(stub.set(1))
    sim.run(for_="10min")

    assert [entry[:3] for entry in A.log] == [(1.0, 0, False), (60.0, 0, False)]


@pytest.mark.parametrize("wait", [True, False])
def test_a_commit_that_fails_counts_as_a_failure(wait: bool) -> None:
    """A violated deferred key, while alarm() waits or right after it returned: retried on a new instance."""

    class A(Failing):
        async def during(self) -> None:
            sql = self.ctx.storage.sql
            sql.exec("CREATE TABLE IF NOT EXISTS p (id INTEGER PRIMARY KEY)")
            sql.exec("CREATE TABLE IF NOT EXISTS c (p REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)")
            if len(self.log) == 1:
                sql.exec("INSERT INTO c VALUES (7)")
                if wait:
                    await asyncio.sleep(1)

    sim, stub = failing(A, failures=0)
    sim.run(stub.set(1))
    sim.run(for_="10min")

    assert [entry[1:3] + entry[4:] for entry in A.log] == [(0, False, 1), (1, True, 2)]
    assert sim.run(sim.env.A.getByName("x").get()) is None


def test_a_failed_section_in_the_handler_counts_as_a_failure() -> None:
    """blockConcurrencyWhile that raises resets the object: retried on a new instance."""

    class A(Failing):
        async def during(self) -> None:
            async def callback() -> None:
                raise ValueError("bad")

            if len(self.log) == 1:
                await self.ctx.blockConcurrencyWhile(callback)

    sim, stub = failing(A, failures=0)
    sim.run(stub.set(1))
    sim.run(for_="10min")

    assert [entry[1:3] + entry[4:] for entry in A.log] == [(0, False, 1), (1, True, 2)]


def test_a_failing_alarm_harms_nobody() -> None:
    """Other callers are answered as ever, before, between and after the retries."""
    sim, stub = failing()
    sim.run(stub.set(1))
    sim.run(for_="3s")

    assert sim.run(stub.get()) == START_MS + 1000


def test_a_constructor_that_fails_fails_the_run() -> None:
    """The alarm is retried when its instance could not be made."""

    class A(Failing):
        def __init__(self, ctx: Any, env: Any) -> None:
            super().__init__(ctx, env)
            if self.made == 2:

                async def broken() -> None:
                    raise ValueError("bad")

                ctx.blockConcurrencyWhile(broken)

    sim, stub = failing(A, failures=0)
    sim.run(stub.set(60))
    sim.run(for_="10min")

    assert [entry[1:3] + entry[4:] for entry in A.log] == [(1, True, 3)]


def test_a_lost_caller_of_a_reset_object() -> None:
    """Whoever waits in the object while its alarm aborts gets the abort's error."""

    class A(Failing):
        async def during(self) -> None:
            self.ctx.abort("stop")

        async def wait(self) -> None:
            await asyncio.sleep(60)

    sim, stub = failing(A)
    sim.run(stub.set(1))
    text, flags = seen_by_caller(sim, stub.wait())

    assert re.fullmatch("Error: stop", text)
    assert flags == {"durableObjectReset": True}
