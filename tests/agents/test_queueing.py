"""Queued work: first in, first out, one at a time, at least once; dropped after the last attempt."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dosim.agents import Agent, RetryOptions, get_current_agent
from tests.agents.talk import logged, room, world


class Desk(Agent):
    """Works on what is queued, and keeps a diary in a table."""

    async def on_start(self):
        self.sql("CREATE TABLE IF NOT EXISTS diary (line TEXT)")

    def note(self, line):
        self.sql("INSERT INTO diary VALUES (?)", line)

    async def work(self, payload, item):
        self.note(f"{payload} begins")
        await asyncio.sleep(5)
        self.note(f"{payload} ends")

    async def quick(self, payload, item):
        self.note(f"{payload}")

    async def fails(self, payload):
        self.note(f"{payload} fails")
        raise ValueError(f"no {payload}")

    async def breeds(self, payload):
        self.note(f"{payload}")
        if payload < 3:
            await self.queue(self.breeds, payload + 1)

    async def who(self):
        self.note(str(get_current_agent().agent is self))

    async def put(self, payloads, callback="work", item_id=None, attempts=None):
        retry = None if attempts is None else RetryOptions(max_attempts=attempts)
        return [await self.queue(callback, payload, id=item_id, retry=retry) for payload in payloads]

    async def diary(self):
        return [row["line"] for row in self.sql("SELECT line FROM diary ORDER BY rowid")]

    async def waiting(self, callback=None):
        return [item.payload for item in await self.queue_items(callback)]

    async def take_out(self, which, what=None):
        if which == "one":
            return await self.dequeue(what)
        return await (self.dequeue_all() if which == "all" else self.dequeue_all_by_callback(what))

    async def look(self, item_id):
        item = await self.get_queue(item_id)
        return None if item is None else [item.id, item.callback, item.payload, item.created_at.isoformat()]


def diary(sim: Any) -> list[str]:
    return list(sim.run(room(sim).diary()))


def test_one_at_a_time_in_the_order_of_the_queue() -> None:
    """The next begins when the one before has ended."""
    sim = world(Desk)
    sim.run(room(sim).put(["a", "b", "c"]))
    sim.run(for_="1m")

    assert ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"] == diary(sim)
    assert [] == list(sim.run(room(sim).waiting()))


def test_what_is_queued_while_others_run_comes_after_them() -> None:
    """Also when a callback queues it."""
    sim = world(Desk)
    sim.run(room(sim).put([0], "breeds"), room(sim).put(["x"], "quick"))
    sim.run(for_="1m")

    assert ["0", "x", "1", "2", "3"] == diary(sim)


def test_the_caller_does_not_wait_for_it() -> None:
    """`queue` answers when the item is kept; it runs from the alarm."""
    sim = world(Desk)
    sim.run(room(sim).put(["a"]))

    assert ["a"] == list(sim.run(room(sim).waiting()))


def test_a_crash_keeps_the_order() -> None:
    """What was cut off runs again first, then the rest, when the alarm that stands 30 s later rings."""
    sim = world(Desk)
    sim.run(room(sim).put(["a", "b", "c"]))
    sim.run(for_="7s")
    sim.crash("a")
    sim.run(for_="1m")

    lines = ["a begins", "a ends", "b begins", "b begins", "b ends", "c begins", "c ends"]
    assert lines == diary(sim)


def test_an_item_that_fails_is_dropped_after_its_last_attempt() -> None:
    """Three attempts unless told; `on_error` is told; the next item runs."""
    sim = world(Desk)
    sim.run(room(sim).put(["a"], "fails"))
    sim.run(room(sim).put(["b"], "fails", None, 1))
    sim.run(room(sim).put(["c"], "quick"))
    sim.run(for_="1m")

    assert ["a fails", "a fails", "a fails", "b fails", "c"] == diary(sim)
    assert 'queue callback "fails" failed after 3 attempts ValueError: no a' in logged(sim)
    assert "Error on server: ValueError: no b" in logged(sim)


def test_items_are_found_by_id_and_by_callback() -> None:
    """With what they were queued with; one that has run is gone."""
    sim = world(Desk)
    ids = list(sim.run(room(sim).put(["a", "b"])))
    sim.run(room(sim).put(["c"], "quick"))

    assert [ids[0], "work", "a", "2026-12-01T00:00:00+00:00"] == list(sim.run(room(sim).look(ids[0])))
    assert ["c"] == list(sim.run(room(sim).waiting("quick")))

    sim.run(for_="1m")
    assert sim.run(room(sim).look(ids[0])) is None


def test_items_can_be_taken_out() -> None:
    """One, those of a callback, all; how many there were."""
    sim = world(Desk)
    ids = list(sim.run(room(sim).put(["a", "b", "c"])))
    sim.run(room(sim).put(["q", "r"], "quick"))

    assert [True, False] == [sim.run(room(sim).take_out("one", ids[1])) for _ in range(2)]
    assert 2 == sim.run(room(sim).take_out("callback", "quick"))
    assert 0 == sim.run(room(sim).take_out("callback", "gone"))
    assert ["a", "c"] == list(sim.run(room(sim).waiting()))
    assert 2 == sim.run(room(sim).take_out("all"))

    sim.run(for_="1m")
    assert "b begins" not in diary(sim)
    assert "c begins" not in diary(sim)


def test_an_item_with_an_id_that_is_there_is_replaced_and_keeps_its_place() -> None:
    """A stable id makes it one piece of work, however often it is queued."""
    sim = world(Desk)
    queued = [(["busy"],), (["old"], "quick", "one"), (["next"], "quick"), (["new"], "quick", "one")]
    assert ["one"] == list(sim.run(*[room(sim).put(*args) for args in queued])[-1])

    sim.run(for_="1m")
    assert ["busy begins", "busy ends", "new", "next"] == diary(sim)


def test_the_callback_runs_as_the_current_agent() -> None:
    """And takes as many arguments as it likes."""
    sim = world(Desk)
    sim.run(room(sim).put([1], "who"))
    sim.run(for_="1m")

    assert ["True"] == diary(sim)


def test_ten_items_due_at_once_are_warned_of() -> None:
    """As the npm package does."""
    sim = world(Desk)
    sim.run(room(sim).put([*range(12)], "quick"))
    sim.run(for_="1m")

    assert [str(n) for n in range(12)] == diary(sim)


class Careless(Desk):
    async def wrong(self, which):
        mistakes = {
            "no method": lambda: self.queue("nap"),
            "no text": lambda: self.queue(None),
            "bytes": lambda: self.queue("quick", b"x"),
            "empty id": lambda: self.queue("quick", 1, id=" "),
            "retry": lambda: self.queue("quick", 1, retry={"max_attempts": 3}),
        }
        await mistakes[which]()

    async def taken(self):
        schedule = await self.schedule(60, self.quick)
        await self.queue("quick", 1, id=schedule.id)


@pytest.mark.parametrize(
    ("which", "why"),
    [
        ("no method", "ValueError: queue.*: unknown callback 'nap', Careless has no such method"),
        ("no text", "TypeError: queue.*must be a method of the agent or its name, not None"),
        ("bytes", "TypeError: the payload of quick cannot be serialised as JSON"),
        ("empty id", "ValueError: queue.id=' '"),
        ("retry", "TypeError: retry=.*give RetryOptions"),
    ],
)
def test_bad_items_are_refused_when_they_are_queued(which: str, why: str) -> None:
    """Each names what is wrong; nothing is kept."""
    sim = world(Careless)

    with pytest.raises(Exception, match=why):
        sim.run(room(sim).wrong(which))

    assert [] == list(sim.run(room(sim).waiting()))


def test_an_id_is_not_taken_from_a_schedule() -> None:
    """Schedules and queued work lie in one table; neither takes the other's row."""
    sim = world(Careless)

    with pytest.raises(Exception, match="already belongs to 'scheduler'"):
        sim.run(room(sim).taken())


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"max_attempts": 0}, "retry.max_attempts must be >= 1"),
        ({"max_attempts": 1.5}, "retry.max_attempts must be an integer"),
        ({"max_attempts": True}, "retry.max_attempts must be an integer"),
        ({"base_delay": 0}, "retry.base_delay must be > 0"),
        ({"max_delay": -1}, "retry.max_delay must be > 0"),
        ({"base_delay": 5}, "retry.base_delay must be <= retry.max_delay"),
        ({"base_delay": "1s"}, "retry.base_delay must be a timedelta or a number of seconds"),
        ({"max_delay": float("inf")}, "retry.max_delay must be finite"),
    ],
)
def test_retry_options_that_mean_nothing(options: dict[str, Any], why: str) -> None:
    """Refused when they are made, with the names of the npm package."""
    with pytest.raises((TypeError, ValueError), match=why):
        RetryOptions(**options)
