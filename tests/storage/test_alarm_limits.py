"""Alarms that fail at their commit or take too long (RULES 7; workerd api/global-scope.c++)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dosim.workers import DurableObject
from tests.storage.stories import seen_by_caller, world
from tests.storage.test_alarm_retries import BACKOFF_S, Failing, failing, waits


class Uncommittable(Failing):
    """Leaves each turn so that it cannot be committed."""

    query = "INSERT INTO c VALUES (7)"

    async def during(self) -> None:
        sql = self.ctx.storage.sql
        sql.exec("CREATE TABLE IF NOT EXISTS p (id INTEGER PRIMARY KEY)")
        sql.exec("CREATE TABLE IF NOT EXISTS c (p REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)")
        sql.exec(self.query)


@pytest.mark.parametrize("failures", [0, 99])
def test_failed_commits_count(failures: int) -> None:
    """A violated key at each commit: seven runs with growing waits, whether or not the handler raised as well."""
    sim, stub = failing(Uncommittable, failures=failures)
    sim.run(stub.set(1))
    sim.run(for_="1h")

    assert [entry[1] for entry in Uncommittable.log] == list(range(7))
    for waited, base in zip(waits(Uncommittable.log), BACKOFF_S, strict=True):
        assert base <= waited <= 1.25 * base
    assert sim.run(sim.env.A.getByName("x").get()) is None


def test_internal_errors_do_not_count() -> None:
    """Unread RETURNING rows break the commit with the internal error: retried for ever, retryCount stays 0."""

    class A(Uncommittable):
        query = "INSERT INTO p (id) VALUES (NULL) RETURNING id"

    sim, stub = failing(A, failures=0)
    sim.run(stub.set(1))
    sim.run(for_="1h")

    assert {entry[1] for entry in A.log} == {0}
    assert len(A.log) > 7
    for waited, base in zip(waits(A.log), [*BACKOFF_S, 128, 256, 512, 1024], strict=False):
        assert base <= waited <= 1.25 * base


def test_fifteen_minutes() -> None:
    """alarm() is stopped after 15 minutes; that resets the object, and counts as a failure."""

    class A(Failing):
        async def during(self) -> None:
            if len(self.log) == 1:
                await asyncio.sleep(20 * 60)

    sim, stub = failing(A, failures=0)
    sim.run(stub.set(1))
    sim.run(for_="1h")

    assert [entry[1:3] + entry[4:] for entry in A.log] == [(0, False, 1), (1, True, 2)]
    assert 902 <= waits(A.log)[0] <= 902.5


def test_thirty_seconds_for_a_transaction() -> None:
    """storage.transaction() has the limit of blockConcurrencyWhile, with its text."""

    class A(DurableObject):
        async def run(self) -> None:
            async def callback(_: Any) -> None:
                await asyncio.sleep(40)

            await self.ctx.storage.transaction(callback)

    sim = world(A)
    text, flags = seen_by_caller(sim, sim.env.A.getByName("x").run())

    assert text.startswith("Error: A call to blockConcurrencyWhile() in a Durable Object waited for too long.")
    assert flags == {"overloaded": True, "durableObjectReset": True}
    assert sim.now.us == 30_000_000
