"""Retrying, staying in memory, and fibers: what is cut off is found and recovered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dosim.agents import Agent, AgentOptions, retry
from tests.agents.talk import logged, room, world


class Worker(Agent):
    """Copies numbers in a fiber, five seconds each, and stashes how far it is."""

    async def on_start(self):
        self.sql("CREATE TABLE IF NOT EXISTS diary (line TEXT)")

    def note(self, line):
        self.sql("INSERT INTO diary VALUES (?)", line)

    async def copy(self, upto, start=0):
        async def steps(fiber):
            for n in range(start, upto):
                await asyncio.sleep(5)
                self.note(f"{n}")
                self.stash({"done": n + 1, "upto": upto})
            return "copied"

        return await self.run_fiber("copy", steps)

    async def on_fiber_recovered(self, fiber):
        self.note(f"recovered {fiber.name} {fiber.snapshot} {fiber.recovery_reason}")
        if fiber.snapshot is not None:
            await self.queue("resume", fiber.snapshot)

    async def resume(self, snapshot):
        await self.copy(snapshot["upto"], snapshot["done"])

    async def begin(self, upto):
        asyncio.ensure_future(self.copy(upto))  # noqa: RUF006  # nobody waits for it: that is the point

    async def diary(self):
        return [row["line"] for row in self.sql("SELECT line FROM diary ORDER BY rowid")]

    async def fibers(self):
        return [row["name"] for row in self.sql("SELECT name FROM cf_agents_runs")]

    async def alarm_ms(self):
        return await self.ctx.storage.getAlarm()

    async def hold(self, seconds):
        self.kept = await self.keep_alive()
        await self.schedule(seconds, self.let_go)

    async def let_go(self):
        self.kept.dispose()
        self.kept.dispose()

    async def wrong(self, which):
        if which == "stash":
            self.stash({})
        elif which == "coroutine":
            await self.run_fiber("x", None)
        elif which == "snapshot":

            async def bad(fiber):
                fiber.stash(b"x")

            await self.run_fiber("x", bad)
        else:

            async def fails(fiber):
                raise ValueError("it went wrong")

            await self.run_fiber("x", fails)


def diary(sim: Any) -> list[str]:
    return list(sim.run(room(sim).diary()))


def test_a_fiber_returns_what_its_function_does() -> None:
    """And leaves nothing behind: no row, no alarm."""
    sim = world(Worker)

    assert "copied" == sim.run(room(sim).copy(2))
    sim.run()
    assert ["0", "1"] == diary(sim)
    assert [] == list(sim.run(room(sim).fibers()))
    assert sim.run(room(sim).alarm_ms()) is None


@pytest.mark.parametrize("verb", ["evict", "crash", "reset"])
def test_a_fiber_that_is_cut_off_is_recovered_with_its_last_stash(verb: str) -> None:
    """The next life, which the heartbeat's alarm begins, goes on where the old one was."""
    sim = world(Worker)
    sim.run(room(sim).begin(4))
    sim.run(for_="12s")
    getattr(sim, verb)("a")
    sim.run(for_="5m")

    assert ["0", "1", "recovered copy {'done': 2, 'upto': 4} interrupted", "2", "3"] == diary(sim)
    assert [] == list(sim.run(room(sim).fibers()))


def test_a_fiber_without_a_stash_is_recovered_too() -> None:
    """Its snapshot is None."""
    sim = world(Worker)
    sim.run(room(sim).begin(4))
    sim.run(for_="2s")
    sim.crash("a")

    assert ["recovered copy None interrupted"] == diary(sim)


class Silent(Worker):
    on_fiber_recovered = Agent.on_fiber_recovered


def test_without_a_hook_it_is_warned_of() -> None:
    """Once."""
    sim = world(Silent)
    sim.run(room(sim).begin(4))
    sim.run(for_="2s")
    sim.crash("a")
    sim.run(for_="10m")

    assert 1 == sum("was interrupted. Override on_fiber_recovered" in line for line in logged(sim))


class Stubborn(Worker):
    """Its recovery fails twice."""

    async def on_fiber_recovered(self, fiber):
        self.note("recovering")
        if len(await self.diary()) < 3:
            raise ValueError("not now")


def test_a_recovery_that_fails_is_tried_again() -> None:
    """By the alarm, after 30 s, then 60: the row stays until the hook succeeds."""
    sim = world(Stubborn)
    sim.run(room(sim).begin(4))
    sim.run(for_="2s")
    sim.crash("a")
    sim.run(for_="10m")

    assert ["recovering"] * 3 == diary(sim)
    assert [] == list(sim.run(room(sim).fibers()))


class Hopeless(Worker):
    """Its recovery never succeeds."""

    options = AgentOptions(fiber_recovery_max_age=600)

    async def on_fiber_recovered(self, fiber):
        self.note("recovering")
        raise ValueError("never")


def test_a_recovery_that_never_succeeds_is_given_up() -> None:
    """After `fiber_recovery_max_age`, here ten minutes: no attempt comes later, and no alarm."""
    sim = world(Hopeless)
    sim.run(room(sim).begin(4))
    sim.run(for_="2s")
    sim.crash("a")
    sim.run(for_="1h")
    tried = len(diary(sim))
    sim.run(for_="1h")

    assert tried == len(diary(sim))
    assert tried > 3
    assert [[], None] == [list(sim.run(room(sim).fibers())), sim.run(room(sim).alarm_ms())]


@pytest.mark.parametrize(("method", "lives"), [("plain", 2), ("held", 1)])
def test_keep_alive_keeps_work_in_memory(method: str, lives: int) -> None:
    """Ten minutes of waiting, by the rules before 2026-10-01: held, it stays; otherwise it is evicted on the way."""
    sim = world(Waiter, compatibility_date="2026-09-01")
    sim.run(room(sim).begin(method))
    sim.run(for_="10m5s")
    told = sim.run(room(sim).ended())

    assert [lives == 1, lives] == [told, len([*sim.trace.of_kind("construct")])]


class Waiter(Agent):
    async def begin(self, method):
        asyncio.ensure_future(getattr(self, method)())  # noqa: RUF006  # nobody waits for it: that is the point

    async def plain(self):
        await asyncio.sleep(600)
        await self.ctx.storage.put("ended", True)

    async def held(self):
        await self.keep_alive_while(self.plain)

    async def ended(self):
        return bool(await self.ctx.storage.get("ended"))


def test_a_hold_that_is_disposed_of_leaves_no_alarm() -> None:
    """A second time is nothing."""
    sim = world(Worker)
    sim.run(room(sim).hold(2))
    beats = sim.run(room(sim).alarm_ms()) is not None
    sim.run(for_="5m")

    assert [True, None] == [beats, sim.run(room(sim).alarm_ms())]


class Quick(Worker):
    options = AgentOptions(keep_alive_interval=5)


def test_the_interval_of_the_heartbeat_is_an_option() -> None:
    """A fiber that is cut off is found so much the sooner."""
    sim = world(Quick)
    sim.run(room(sim).begin(4))
    sim.run(for_="2s")
    sim.crash("a")
    sim.run(for_="4s")

    assert any(record.actor == "Quick('a')" for record in sim.trace.of_kind("crash"))
    assert ["recovered copy None interrupted"] == diary(sim)


@pytest.mark.parametrize(
    ("which", "why"),
    [
        ("stash", r"RuntimeError: stash\(\) called outside a fiber"),
        ("coroutine", "TypeError: run_fiber.*takes an async function, not None"),
        ("snapshot", "TypeError: the stash of x cannot be serialised as JSON"),
        ("error", "ValueError: it went wrong"),
    ],
)
def test_what_goes_wrong_in_a_fiber_is_its_callers(which: str, why: str) -> None:
    """And the fiber is over: it is not recovered."""
    sim = world(Worker)

    with pytest.raises(Exception, match=why):
        sim.run(room(sim).wrong(which))

    assert [] == list(sim.run(room(sim).fibers()))


# -- retry


class Trier(Agent):
    """Counts attempts."""

    async def attempts(self, succeeds_at, most):
        seen = []

        async def attempt(n):
            seen.append(n)
            if n < succeeds_at:
                raise ValueError(f"attempt {n}")
            return "done"

        try:
            said = await self.retry(attempt, max_attempts=most)
        except ValueError as error:
            said = str(error)
        return [seen, said]

    async def gives_up(self):
        async def attempt():
            raise ValueError("for good")

        calls = []
        try:
            await self.retry(attempt, should_retry=lambda error, n: calls.append([str(error), n]))
        except ValueError:
            return calls


def test_retry_tries_until_it_succeeds() -> None:
    """Attempts count from 1; the last error is raised when there are no more."""
    sim = world(Trier)

    assert [[1, 2, 3], "done"] == list(sim.run(room(sim).attempts(3, 5)))
    assert [[1, 2], "attempt 2"] == list(sim.run(room(sim).attempts(3, 2)))


def test_should_retry_ends_it() -> None:
    """It gets the error and the number of the next attempt."""
    sim = world(Trier)

    assert [["for good", 2]] == [list(seen) for seen in sim.run(room(sim).gives_up())]


def test_retry_takes_the_function_itself() -> None:
    """Not its result."""

    async def outside() -> None:
        await retry(5)  # type: ignore[arg-type]

    with pytest.raises(TypeError, match=r"retry\(load\), not retry\(load\(\)\)"):
        asyncio.run(outside())
