"""Alarms: arguments, when they fire, what they see, what cancels them (RULES 7)."""
# ruff: noqa: DTZ001 (Python Workers take datetimes without a zone as UTC)

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from dosim.workers import DurableObject, js
from tests.storage.stories import inside, refused, seen_by_caller, world

START_MS = 1_796_083_200_000
NO_DATE = "TypeError: Failed to execute 'setAlarm' on 'DurableObjectStorage': parameter 1 is not of type 'date'."
NOT_POSITIVE = "TypeError: setAlarm() cannot be called with an alarm time <= 0"
INVALID = "TypeError: The value cannot be converted because it is not a valid Date."
TOO_LATE = "TypeError: This API doesn't support dates after 2189."


class Clock(DurableObject):
    """Notes in `log` (shared by all instances) what happens, in seconds since the start."""

    log: list[Any]

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.calls = 0

    async def set(self, after_s: float) -> None:
        await self.ctx.storage.setAlarm(START_MS + after_s * 1000)

    async def get(self) -> Any:
        return await self.ctx.storage.getAlarm()

    async def cancel(self) -> None:
        await self.ctx.storage.deleteAlarm()

    def note(self, *what: Any) -> None:
        import time

        self.log.append((round(time.time() - START_MS / 1000, 3), *what))

    async def alarm(self, info: Any = None) -> None:
        self.note("alarm", info.retryCount, info.isRetry, info.scheduledTime - START_MS)


def clock(cls: type[Clock] = Clock, **options: Any) -> Any:
    """A world of a fresh Clock, and a stub in it."""
    cls.log = []
    sim = world(cls, **options)
    return sim, sim.env.A.getByName("x")


EAST = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("when", "alarm_ms"),
    [
        (START_MS + 5, START_MS + 5),
        (START_MS + 5.999, START_MS + 5),
        (float(START_MS + 7), START_MS + 7),
        (1, START_MS),
        (1.5, START_MS),
        (START_MS - 1, START_MS),
        (datetime(2026, 12, 2), START_MS + 86_400_000),
        (datetime(2026, 12, 2, 2, tzinfo=EAST), START_MS + 86_400_000),
        (datetime(2026, 12, 2, tzinfo=UTC), START_MS + 86_400_000),
        (datetime(2026, 12, 1, 0, 0, 0, 1999), START_MS + 1),
        (datetime(2000, 1, 1), START_MS),
        (9_223_372_036_854, 9_223_372_036_854),
    ],
    ids=str,
)
def test_times(when: Any, alarm_ms: int) -> None:
    """A number of milliseconds or a datetime; fractions are cut off, past times become now; getAlarm is an int."""

    async def story(self: Any) -> Any:
        value = await self.ctx.storage.setAlarm(when)
        found = await self.ctx.storage.getAlarm()
        await self.ctx.storage.deleteAlarm()
        return [value, found, type(found).__name__]

    if isinstance(when, (int, float)) and when < 10:
        from dosim import PortabilityWarning

        with pytest.warns(PortabilityWarning, match="1970"):
            assert inside(story) == [None, alarm_ms, "int"]
    else:
        assert inside(story) == [None, alarm_ms, "int"]


@pytest.mark.parametrize(
    ("when", "text"),
    [
        (0, NOT_POSITIVE),
        (-1, NOT_POSITIVE),
        (0.9, NOT_POSITIVE),
        (datetime(1970, 1, 1), NOT_POSITIVE),
        (datetime(1969, 1, 1), NOT_POSITIVE),
        (float("nan"), INVALID),
        (float("inf"), INVALID),
        (float("-inf"), INVALID),
        (9_223_372_036_855, TOO_LATE),
        (8_640_000_000_000_000, TOO_LATE),
        (datetime(2300, 1, 1), TOO_LATE),
        (-9_223_372_036_855, "TypeError: This API doesn't support dates before 1687."),
        (2**53, NO_DATE),
        ("2026-12-02", NO_DATE),
        ("1796083200000", NO_DATE),
        (None, NO_DATE),
        ({}, NO_DATE),
        ([], NO_DATE),
        (True, NO_DATE),
        (b"x", NO_DATE),
        (len, NO_DATE),
    ],
    ids=str,
)
def test_refused_times(when: Any, text: str) -> None:
    """Refusals are rejections with the platform's texts, and set nothing."""

    async def story(self: Any) -> Any:
        setting = self.ctx.storage.setAlarm(when)
        return [await refused(lambda: setting), await self.ctx.storage.getAlarm()]

    assert inside(story) == [text, None]


def test_no_time_at_all() -> None:
    """setAlarm() and setAlarm(only=keywords) lack the date."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        return [await refused(storage.setAlarm), await refused(lambda: storage.setAlarm(allowConcurrency=True))]

    assert inside(story) == [NO_DATE, NO_DATE]


def test_an_alarm_fires_at_its_time_once() -> None:
    """Never before its time; the argument tells the scheduled time; afterwards getAlarm is None."""
    sim, stub = clock()
    sim.run(stub.set(60))

    sim.run(for_="59.9s")
    assert Clock.log == []
    sim.run(for_="1s")
    assert Clock.log == [(60.0, "alarm", 0, False, 60_000)]
    assert sim.run(stub.get()) is None
    sim.run(for_="1h")
    assert len(Clock.log) == 1


def test_the_last_call_wins() -> None:
    """One alarm an object: a later setAlarm moves it, forth or back."""
    sim, stub = clock()
    sim.run(stub.set(60))
    sim.run(stub.set(120))
    sim.run(stub.set(30))
    sim.run(for_="5min")

    assert Clock.log == [(30.0, "alarm", 0, False, 30_000)]


def test_a_past_alarm_fires_after_the_turn_that_set_it() -> None:
    """setAlarm in the past counts as now: it fires when the turn is over, scheduled for now."""

    class A(Clock):
        async def run(self) -> None:
            await self.ctx.storage.setAlarm(START_MS - 5000)
            self.note("set")
            await asyncio.sleep(0)
            self.note("still mine")
            await asyncio.sleep(1)
            self.note("end")

    sim, stub = clock(A)
    sim.run(stub.run())

    assert [what[1] for what in A.log] == ["set", "still mine", "alarm", "end"]
    assert A.log[2] == (0.0, "alarm", 0, False, 0)


def test_delete_alarm() -> None:
    """A deleted alarm does not fire; deleting none is fine."""
    sim, stub = clock()
    sim.run(stub.cancel())
    sim.run(stub.set(60))
    assert sim.run(stub.get()) == START_MS + 60_000
    sim.run(stub.cancel())
    assert sim.run(stub.get()) is None
    sim.run(for_="5min")

    assert Clock.log == []


def test_an_alarm_of_an_aborted_turn_is_not_set() -> None:
    """The alarm is part of the turn; so is a deletion of it."""

    class A(Clock):
        async def set_and_abort(self) -> None:
            await self.set(30)
            self.ctx.abort()

        async def cancel_and_abort(self) -> None:
            await self.cancel()
            self.ctx.abort()

    sim, stub = clock(A)
    seen_by_caller(sim, stub.set_and_abort())
    sim.run(sim.env.A.getByName("x").set(60))
    seen_by_caller(sim, sim.env.A.getByName("x").cancel_and_abort())
    assert sim.run(sim.env.A.getByName("x").get()) == START_MS + 60_000
    sim.run(for_="5min")

    assert A.log == [(60.0, "alarm", 0, False, 60_000)]


def test_an_alarm_set_before_an_exception_fires() -> None:
    """A handler that raises keeps its alarm."""

    class A(Clock):
        async def run(self) -> None:
            self._setting = asyncio.ensure_future(self.set(60))
            raise ValueError

    sim, stub = clock(A)
    seen_by_caller(sim, stub.run())
    sim.run(for_="5min")

    assert len(A.log) == 1


def test_an_alarm_in_a_rolled_back_transaction() -> None:
    """A setAlarm that is rolled back leaves the alarm as it was."""

    class A(Clock):
        async def run(self) -> Any:
            await self.set(30)

            async def callback(_: Any) -> None:
                await self.set(60)
                raise ValueError

            def sync_callback() -> None:
                self._setting = asyncio.ensure_future(self.set(90))
                raise ValueError

            await refused(lambda: self.ctx.storage.transaction(callback))
            with pytest.raises(ValueError):  # noqa: PT011
                self.ctx.storage.transactionSync(sync_callback)
            return await self.get()

    sim, stub = clock(A)
    assert sim.run(stub.run()) == START_MS + 30_000


def test_an_alarm_runs_at_an_await_of_another_event() -> None:
    """It is an ordinary event: it gets in while another one waits for a timer, on the same instance."""

    class A(Clock):
        async def run(self) -> None:
            self.calls = 7
            await self.set(1)
            await asyncio.sleep(3)
            self.note("end", self.calls)

        async def alarm(self, info: Any = None) -> None:
            self.note("alarm", self.calls)

    sim, stub = clock(A)
    sim.run(stub.run())

    assert A.log == [(1.0, "alarm", 7), (3.0, "end", 7)]


@pytest.mark.parametrize("how", ["blockConcurrencyWhile", "transaction"])
def test_an_alarm_waits_for_a_section(how: str) -> None:
    """blockConcurrencyWhile and transaction() hold it back."""

    class A(Clock):
        async def run(self) -> None:
            async def callback(*_: Any) -> None:
                await self.set(1)
                await asyncio.sleep(5)
                self.note("section over")

            if how == "transaction":
                await self.set(1)
                await self.ctx.storage.transaction(callback)
            else:
                await self.ctx.blockConcurrencyWhile(callback)

    sim, stub = clock(A)
    sim.run(stub.run())
    sim.run(for_="10s")

    assert [entry[:2] for entry in A.log] == [(5.0, "section over"), (5.0, "alarm")]


def test_the_constructor_runs_first() -> None:
    """After eviction the alarm constructs; there getAlarm still gives the due time, within alarm() it is None."""

    class A(Clock):
        def __init__(self, ctx: Any, env: Any) -> None:
            super().__init__(ctx, env)
            self.note("constructor")

            async def read() -> None:
                self.note("due", (await ctx.storage.getAlarm() or START_MS) - START_MS)

            ctx.blockConcurrencyWhile(read)

        async def alarm(self, info: Any = None) -> None:
            self.note("alarm", await self.get())

    sim, stub = clock(A)
    sim.run(stub.set(60))
    sim.run(for_="2min")

    assert A.log == [
        (0.0, "constructor"),
        (0.0, "due", 0),
        (60.0, "constructor"),
        (60.0, "due", 60_000),
        (60.0, "alarm", None),
    ]


def test_a_constructor_may_move_the_alarm() -> None:
    """setAlarm in the constructor replaces the due one: that run is skipped, the new time runs."""

    class A(Clock):
        made = 0

        def __init__(self, ctx: Any, env: Any) -> None:
            super().__init__(ctx, env)
            type(self).made += 1
            if self.made == 2:
                self._setting = asyncio.ensure_future(self.set(90))

    A.made = 0
    sim, stub = clock(A)
    sim.run(stub.set(60))
    sim.run(for_="5min")

    assert A.log == [(90.0, "alarm", 0, False, 90_000)]


def test_a_constructor_may_delete_the_alarm() -> None:
    """deleteAlarm in the constructor that the alarm caused: alarm() does not run."""

    class A(Clock):
        def __init__(self, ctx: Any, env: Any) -> None:
            super().__init__(ctx, env)
            self._deleting = asyncio.ensure_future(ctx.storage.deleteAlarm())

    sim, stub = clock(A)
    sim.run(stub.set(60))
    sim.run(for_="5min")

    assert A.log == []
    assert sim.run(stub.get()) is None


def test_while_it_runs_get_alarm_is_none_for_everyone() -> None:
    """Until somebody sets a new one; that one never starts before the running handler has ended."""

    class A(Clock):
        async def alarm(self, info: Any = None) -> None:
            self.note("start", info.retryCount)
            if len(self.log) < 3:
                await asyncio.sleep(5)
            self.note("end")

    sim, stub = clock(A)

    async def outside() -> list[Any]:
        await stub.set(1)
        await asyncio.sleep(2)
        seen = [await stub.get()]
        await stub.set(3)
        seen.append(await stub.get())
        return seen

    assert sim.run(outside()) == [None, START_MS + 3000]
    sim.run(for_="1min")
    assert A.log == [(1.0, "start", 0), (6.0, "end"), (6.0, "start", 0), (6.0, "end")]


def test_it_may_set_itself_again() -> None:
    """A handler that sets the next alarm runs every time, fresh; setting it for now runs it again after 1 ms."""

    class A(Clock):
        async def alarm(self, info: Any = None) -> None:
            self.note("alarm", info.retryCount)
            if len(self.log) < 4:
                await self.set(info.scheduledTime / 1000 - START_MS / 1000 + (10 if len(self.log) > 1 else 0))

    sim, stub = clock(A)
    sim.run(stub.set(10))
    sim.run(for_="5min")

    assert A.log == [(10.0, "alarm", 0), (10.001, "alarm", 0), (20.0, "alarm", 0), (30.0, "alarm", 0)]


@pytest.mark.parametrize("network", ["earth", None])
def test_an_alarm_that_always_sets_itself_for_now_lets_time_pass(network: str | None) -> None:
    """A loop of setAlarm(Date.now()) rings at most once a millisecond, so a stretch of time ends."""

    class A(Clock):
        rings = 0

        async def alarm(self, info: Any = None) -> None:
            A.rings += 1
            await self.ctx.storage.setAlarm(js.Date.now())

    sim, stub = clock(A, network=network)
    sim.run(stub.set(1))
    sim.run(for_="2s")

    assert 500 <= A.rings <= 1001


@pytest.mark.parametrize("how", ["set and delete", "rolled back", "delete only"])
def test_it_is_gone_when_nothing_new_was_set(how: str) -> None:
    """Set and deleted inside, or set in a transaction that was rolled back: no alarm is left."""

    class A(Clock):
        async def alarm(self, info: Any = None) -> None:
            self.note("alarm")
            if how != "delete only":

                async def callback(_: Any) -> None:
                    await self.set(60)
                    if how == "rolled back":
                        raise ValueError

                try:
                    await self.ctx.storage.transaction(callback)
                except Exception:
                    self.note("failed", await self.get())
            if how != "rolled back":
                await self.cancel()

    sim, stub = clock(A)
    sim.run(stub.set(10))
    sim.run(for_="5min")

    assert [entry[1] for entry in A.log][:1] == ["alarm"]
    assert len(A.log) == (2 if how == "rolled back" else 1)
    assert A.log[-1][-1] in ("alarm", None)
    assert sim.run(stub.get()) is None


def test_deleting_it_does_not_stop_the_running_handler() -> None:
    """deleteAlarm while alarm() runs: it goes on to its end."""

    class A(Clock):
        async def alarm(self, info: Any = None) -> None:
            await asyncio.sleep(5)
            self.note("end")

    sim, stub = clock(A)

    async def outside() -> None:
        await stub.set(1)
        await asyncio.sleep(2)
        await stub.cancel()

    sim.run(outside())
    sim.run(for_="1min")

    assert A.log == [(6.0, "end")]


def test_it_survives_a_restart() -> None:
    """A killed process: the alarm fires at its time, or at once when that has passed meanwhile."""
    sim, stub = clock()
    sim.run(stub.set(60))
    sim.restart()
    sim.run(for_="2min")

    assert Clock.log == [(60.0, "alarm", 0, False, 60_000)]


def test_a_restart_while_it_runs_runs_it_again() -> None:
    """The stored alarm goes only when its handler has returned: after a restart it runs anew."""

    class A(Clock):
        async def alarm(self, info: Any = None) -> None:
            self.note("start", info.retryCount)
            await asyncio.sleep(30)
            self.note("end")

    sim, stub = clock(A)
    sim.run(stub.set(10))
    sim.run(for_="20s")
    sim.restart()
    sim.run(for_="2min")

    assert [entry[1:] for entry in A.log] == [("start", 0), ("start", 0), ("end",)]


def test_a_class_without_a_handler() -> None:
    """Python accepts setAlarm without alarm(): getAlarm still shows the time later, nothing runs."""

    class A(DurableObject):
        async def set(self) -> Any:
            return await self.ctx.storage.setAlarm(START_MS + 1000)

        async def get(self) -> Any:
            return await self.ctx.storage.getAlarm()

    sim = world(A)
    stub = sim.env.A.getByName("x")

    assert sim.run(stub.set()) is None
    sim.run(for_="1min")
    assert sim.run(stub.get()) == START_MS + 1000


def test_idle_objects_with_an_alarm_leave_memory() -> None:
    """A pending alarm does not keep the object in memory."""
    sim, stub = clock()
    sim.run(stub.set(60))
    sim.run(for_="11s")

    assert sim.objects[0].state == "evicted"
    sim.run(for_="50s")
    assert len(Clock.log) == 1
