"""Schedules: four kinds, one physical alarm, retries, hung runs, what is missed while nobody runs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from dosim.agents import Agent, AgentOptions, RetryOptions
from dosim.workers.js import Date
from tests.agents.talk import logged, room, world

START = datetime(2026, 12, 1, tzinfo=UTC)


def seconds() -> float:
    return (Date.now() - START.timestamp() * 1000) / 1000


class Clock(Agent):
    """Notes when its callbacks run, in a table, so that it survives whatever happens."""

    fails = 0

    async def on_start(self):
        self.sql("CREATE TABLE IF NOT EXISTS runs (at REAL, what TEXT)")

    async def tick(self, payload, schedule):
        self.sql("INSERT INTO runs VALUES (?, ?)", seconds(), str(payload))

    async def flaky(self, payload, schedule):
        self.fails += 1
        self.sql("INSERT INTO runs VALUES (?, ?)", seconds(), f"attempt {self.fails}")
        if self.fails <= payload:
            raise ValueError(f"not yet {self.fails}")

    async def slow(self, payload, schedule):
        self.sql("INSERT INTO runs VALUES (?, ?)", seconds(), "began")
        await asyncio.sleep(payload)
        self.sql("INSERT INTO runs VALUES (?, ?)", seconds(), "ended")

    async def runs(self):
        return [[row["at"], row["what"]] for row in self.sql("SELECT * FROM runs ORDER BY rowid")]

    async def after(self, when, payload="x", callback="tick", idempotent=None, attempts=None):
        retry = None if attempts is None else RetryOptions(max_attempts=attempts)
        return (await self.schedule(when, callback, payload, retry=retry, idempotent=idempotent)).id

    async def at(self, seconds_from_start):
        return (await self.schedule(START + timedelta(seconds=seconds_from_start), self.tick, "date")).id

    async def every(self, interval, payload="x", callback="tick"):
        return (await self.schedule_every(interval, callback, payload)).id

    async def cancel(self, schedule_id):
        return await self.cancel_schedule(schedule_id)

    async def all(self):
        return [[s.type, s.callback, (s.time - START).total_seconds()] for s in await self.list_schedules()]

    async def told(self, schedule_id):
        s = await self.get_schedule_by_id(schedule_id)
        if s is None:
            return None
        spans = [span and span.total_seconds() for span in (s.delay, s.interval)]
        return [s.type, s.payload, *spans, s.cron, s.retry and s.retry.max_attempts, s.time.isoformat()]

    async def alarm_s(self):
        at = await self.ctx.storage.getAlarm()
        return None if at is None else at / 1000 - START.timestamp()


def runs(sim: Any) -> list[list[Any]]:
    return [list(run) for run in sim.run(room(sim).runs())]


# -- the kinds


def test_the_kinds_of_schedules() -> None:
    """A delay, a date, a cron expression, an interval: each says what it was asked for, and when it is due."""
    sim = world(Clock)

    async def story() -> Any:
        stub = room(sim)
        ids = [
            await stub.after(90, {"a": 1}),
            await stub.at(120),
            await stub.after("30 * * * *"),
            await stub.every(60),
        ]
        return [list(await stub.told(one)) for one in ids]

    assert [
        ["delayed", {"a": 1}, 90, None, None, None, "2026-12-01T00:01:30+00:00"],
        ["scheduled", "date", None, None, None, None, "2026-12-01T00:02:00+00:00"],
        ["cron", "x", None, None, "30 * * * *", None, "2026-12-01T00:30:00+00:00"],
        ["interval", "x", None, 60, None, None, "2026-12-01T00:01:00+00:00"],
    ] == sim.run(story())


class Python(Clock):
    """Times and spans as Python has them."""

    async def python_times(self):
        naive = datetime(2026, 12, 1, 0, 2)  # noqa: DTZ001  # UTC, as everything in a Worker
        tokyo = datetime(2026, 12, 1, 9, 3, tzinfo=timezone(timedelta(hours=9)))
        made = [await self.schedule(when, self.tick) for when in (timedelta(minutes=1), naive, tokyo, 240.9)]
        made.append(await self.schedule_every(timedelta(minutes=5), self.tick))
        return [[s.type, s.time.isoformat()] for s in made]


def test_times_and_spans_of_python() -> None:
    """A timedelta is a delay; a datetime without a zone is UTC; one with another zone is the same moment."""
    sim = world(Python)

    assert [
        ["delayed", "2026-12-01T00:01:00+00:00"],
        ["scheduled", "2026-12-01T00:02:00+00:00"],
        ["scheduled", "2026-12-01T00:03:00+00:00"],
        ["delayed", "2026-12-01T00:04:00+00:00"],
        ["interval", "2026-12-01T00:05:00+00:00"],
    ] == [list(made) for made in sim.run(room(sim).python_times())]


def test_each_runs_at_its_time() -> None:
    """One alarm serves them all; one-shots run once and are gone, the others go on."""
    sim = world(Clock)
    sim.run(room(sim).after(90, "delay"))
    sim.run(room(sim).at(120))
    sim.run(room(sim).after("* * * * *", "cron"))
    sim.run(until="2m30s")

    assert [[60, "cron"], [90, "delay"], [120, "cron"], [120, "date"]] == sorted(runs(sim))
    assert [["cron", "tick", 180]] == [list(s) for s in sim.run(room(sim).all())]


def test_the_one_alarm_is_the_next_due_time() -> None:
    """Earlier ones put it forward, cancelling puts it back, and without any there is none."""
    sim = world(Clock)

    async def story() -> Any:
        stub, seen = room(sim), []
        for when in (100, 50, 200):
            last = await stub.after(when)
            seen.append(await stub.alarm_s())
        for s in await stub.ids():
            await stub.cancel(s)
            seen.append(await stub.alarm_s())
        assert await stub.told(last) is None
        return seen

    assert [100, 50, 50, 100, 200, None] == sim.run(story())


async def ids(self: Clock) -> list[str]:
    return [s.id for s in await self.list_schedules()]


Clock.ids = ids  # type: ignore[attr-defined]


def test_times_are_whole_seconds_rounded_down() -> None:
    """A delay of 1.5 s asked for at 0.7 s is due at 2 s, as in the npm package."""
    sim = world(Clock)
    sim.run(until="700ms")
    sim.run(room(sim).after(1.5))
    sim.run(until="3s")

    assert [[2, "x"]] == runs(sim)


def test_an_interval_counts_from_the_end_of_each_run() -> None:
    """Every 60 s, and a run takes 10 s: 60, 130, 200."""
    sim = world(Clock)
    sim.run(room(sim).every(60, 10, "slow"))
    sim.run(until="3m25s")

    assert [60, 130, 200] == [at for at, what in runs(sim) if what == "began"]


def test_cron_fires_at_every_minute_of_a_day() -> None:
    """1,440 times, each at its minute, in and out of memory."""
    sim = world(Clock)
    sim.run(room(sim).after("* * * * *"))
    sim.run(until="1d1s")

    assert [60 * n for n in range(1, 1441)] == [at for at, _ in runs(sim)]


def test_cron_asked_for_twice_is_one() -> None:
    """Cron and intervals are the same when callback, time and payload are; delays only when told."""
    sim = world(Clock)

    async def story() -> Any:
        stub = room(sim)
        cron = {await stub.after("* * * * *", "x"), await stub.after("* * * * *", "x")}
        other = {await stub.after("* * * * *", "y"), await stub.after("0 * * * *", "x")}
        every = {await stub.every(5), await stub.every(5), await stub.every(6)}
        anew = await stub.after("* * * * *", "x", "tick", False)
        delays = {await stub.after(9), await stub.after(9)}
        same = {await stub.after(9, "z", "tick", True), await stub.after(8, "z", "tick", True)}
        return len(cron), len(cron | other), len(every), anew in cron, len(delays), len(same)

    assert (1, 3, 2, False, 2, 1) == sim.run(story())


def test_a_schedule_that_is_cancelled_never_runs() -> None:
    """And a second time there is nothing to cancel."""
    sim = world(Clock)
    schedule = sim.run(room(sim).after(60))

    assert [True, False] == [sim.run(room(sim).cancel(schedule)) for _ in range(2)]

    sim.run(until="5m")
    assert [] == runs(sim)


class Lister(Clock):
    async def ask(self, **criteria):
        for key in ("start", "end"):
            if key in criteria:
                criteria[key] = START + timedelta(seconds=criteria[key])
        return [s.payload for s in await self.list_schedules(**criteria)]

    async def found(self):
        first = await self.after(100, "a")
        await self.after(200, "b")
        await self.after("0 1 * * *", "c")
        return [
            await self.ask(),
            await self.ask(id=first),
            await self.ask(type="cron"),
            await self.ask(start=150),
            await self.ask(start=100, end=200),
            await self.ask(end=99),
        ]


def test_schedules_are_listed_by_id_type_and_time() -> None:
    """In the order in which they are due; both ends of a range count."""
    sim = world(Lister)

    assert [["a", "b", "c"], ["a"], ["c"], ["b", "c"], ["a", "b"], []] == [
        list(found) for found in sim.run(room(sim).found())
    ]


# -- retries


def test_a_callback_that_fails_is_tried_three_times() -> None:
    """With waits that are random and doubling, below 200 and 400 ms; it succeeds at the third attempt."""
    sim = world(Clock)
    sim.run(room(sim).after(60, 2, "flaky"))
    sim.run(until="2m")
    times = [at for at, _ in runs(sim)]

    assert ["attempt 1", "attempt 2", "attempt 3"] == [what for _, what in runs(sim)]
    assert 60 == times[0]
    assert 0 <= times[1] - times[0] < 0.2
    assert 0 <= times[2] - times[1] < 0.4


def test_after_the_last_attempt_a_one_shot_is_dropped_and_on_error_told() -> None:
    """The error is `on_error`'s; no fourth attempt ever comes."""
    sim = world(Clock)
    sim.run(room(sim).after(60, 99, "flaky"))
    sim.run(until="1h")

    assert 3 == len(runs(sim))
    assert [] == sim.run(room(sim).all())
    assert 'error executing callback "flaky" after 3 attempts ValueError: not yet 3' in logged(sim)
    assert "Error on server: ValueError: not yet 3" in logged(sim)


def test_an_error_does_not_stop_cron_nor_an_interval() -> None:
    """They go on at the next time."""
    sim = world(Clock)
    sim.run(room(sim).after("* * * * *", 3, "flaky", None, 1))
    sim.run(until="5m30s")

    assert [60, 120, 180, 240, 300] == [round(at) for at, _ in runs(sim)]


class Patient(Clock):
    options = AgentOptions(retry=RetryOptions(max_attempts=5, base_delay=1, max_delay=2))


def test_retries_are_the_class_options_unless_the_schedule_has_its_own() -> None:
    """`options.retry` for all, `retry=` for one."""
    sim = world(Patient)
    sim.run(room(sim).after(60, 99, "flaky"))
    sim.run(until="2m")
    five = len(runs(sim))
    sim.run(room(sim).after(60, 99, "flaky", None, 2))
    sim.run(until="10m")

    assert (5, 7) == (five, len(runs(sim)))


# -- crashes, hung runs, what was missed


def test_a_one_shot_that_is_cut_off_runs_again() -> None:
    """At least once: the run that a crash ended is begun again by the next life."""
    sim = world(Clock)
    sim.run(room(sim).after(60, 10, "slow"))
    sim.run(until="65s")
    sim.crash("a")
    sim.run(until="5m")

    whats = [what for _, what in runs(sim)]
    assert ["began", "began", "ended"] == whats


def test_an_interval_run_that_is_cut_off_counts_as_hung_after_30_s() -> None:
    """Until then it may be running for all that the table knows: it is skipped; then it is reset, and goes on."""
    sim = world(Clock)
    sim.run(room(sim).every(60, 10, "slow"))
    sim.run(until="65s")
    sim.crash("a")
    sim.run(until="3m")

    assert [60, 90, 160] == [round(at) for at, what in runs(sim) if what == "began"]
    assert any("Forcing reset of hung job" in line for line in logged(sim))


class Hesitant(Clock):
    options = AgentOptions(hung_schedule_timeout=60)


def test_the_hung_timeout_is_an_option() -> None:
    """After 60 s instead of 30: the alarm that stands 30 s later finds it running still, and skips it."""
    sim = world(Hesitant)
    sim.run(room(sim).every(60, 10, "slow"))
    sim.run(until="61s")
    sim.crash("a")
    sim.run(until="125s")

    assert [60, 120] == [round(at) for at, what in runs(sim) if what == "began"]


def test_what_was_missed_while_the_alarm_was_late_runs_once() -> None:
    """A cron of every minute whose alarm comes ten minutes late: one run, then the next minute."""
    sim = world(Clock)
    sim.run(room(sim).after("* * * * *"))
    sim.alarm_late("a", by="10m")
    sim.run(until="12m30s")

    assert [660, 720] == [at for at, _ in runs(sim)]


def test_overdue_one_shots_all_run_in_the_order_of_their_times() -> None:
    """None is lost, none runs twice."""
    sim = world(Clock)
    for when in (30, 10, 20):
        sim.run(room(sim).after(when, when))
    sim.alarm_late("a", by="1m")
    sim.run(until="5m")

    assert ["10", "20", "30"] == [what for _, what in runs(sim)]


class Starter(Clock):
    async def on_start(self):
        await super().on_start()
        await self.schedule(30, self.tick, "start")
        await self.schedule("* * * * *", self.tick, "cron")


def test_a_one_shot_made_in_on_start_is_made_in_every_life_and_warned_of() -> None:
    """The cron is one all the same."""
    sim = world(Starter)
    sim.run(room(sim).runs())
    sim.evict("a")
    sim.run(room(sim).runs())

    assert ["cron", "delayed", "delayed"] == sorted(s[0] for s in sim.run(room(sim).all()))
    assert any('Scheduling "tick" during startup' in line for line in logged(sim))


# -- bad input


class Careless(Clock):
    async def wrong(self, which):
        mistakes = {
            "no method": lambda: self.schedule(60, "tock"),
            "a value": lambda: self.schedule(60, 5),
            "a field": lambda: self.schedule(60, "initial_state"),
            "a bad cron": lambda: self.schedule("61 * * * *", self.tick),
            "no time": lambda: self.schedule(None, self.tick),
            "a list": lambda: self.schedule([1], self.tick),
            "a bool": lambda: self.schedule(True, self.tick),
            "nan": lambda: self.schedule(float("nan"), self.tick),
            "before 1970": lambda: self.schedule(datetime(1969, 1, 1, tzinfo=UTC), self.tick),
            "bytes": lambda: self.schedule(60, self.tick, b"x"),
            "a circle": lambda: self.schedule(60, self.tick, circle()),
            "retry": lambda: self.schedule(60, self.tick, retry=3),
            "interval 0": lambda: self.schedule_every(0, self.tick),
            "interval 31 d": lambda: self.schedule_every(timedelta(days=31), self.tick),
            "interval text": lambda: self.schedule_every("1m", self.tick),
            "type": lambda: self.list_schedules(type="daily"),
        }
        await mistakes[which]()


def circle() -> list[Any]:
    one: list[Any] = []
    one.append(one)
    return one


@pytest.mark.parametrize(
    ("which", "why"),
    [
        ("no method", "ValueError: schedule.*: unknown callback 'tock', Careless has no such method"),
        ("a value", "TypeError: .*must be a method of the agent or its name, not 5"),
        ("a field", "ValueError: .*unknown callback 'initial_state'"),
        ("a bad cron", "minute: '61' is not one of 0 to 59"),
        ("no time", "TypeError: schedule.when.: None is no time"),
        ("a list", r"TypeError: schedule.when.: \[1\] is no time"),
        ("a bool", "TypeError: schedule.when.: True is no time"),
        ("nan", "ValueError: when must be finite"),
        ("before 1970", "ValueError: .*before 1970"),
        ("bytes", "TypeError: the payload of tick cannot be serialised as JSON"),
        ("a circle", "TypeError: the payload of tick cannot be serialised as JSON: Circular"),
        ("retry", "TypeError: retry=3: give RetryOptions"),
        ("interval 0", "ValueError: interval must be positive"),
        ("interval 31 d", "ValueError: interval cannot exceed 30 days"),
        ("interval text", "TypeError: interval must be a timedelta or a number of seconds, not '1m'"),
        ("type", "ValueError: type='daily': a schedule is scheduled, delayed, cron, interval"),
    ],
)
def test_bad_schedules_are_refused_when_they_are_made(which: str, why: str) -> None:
    """Each names what is wrong; nothing is kept."""
    sim = world(Careless)

    with pytest.raises(Exception, match=why):
        sim.run(room(sim).wrong(which))

    assert [] == sim.run(room(sim).all())


def test_a_callback_that_is_gone_with_a_deploy_is_logged_and_dropped() -> None:
    """A schedule outlives the method that it names."""
    sim = world(Clock)
    sim.run(room(sim).after(60, 1, "slow"))
    slow = Clock.slow
    try:
        del Clock.slow
        sim.run(until="2m")
    finally:
        Clock.slow = slow  # type: ignore[method-assign]

    assert "callback slow not found" in logged(sim)
    assert [] == sim.run(room(sim).all())
