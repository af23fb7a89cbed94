"""deleteAll: what it takes, when, and the alarm (RULES 6)."""

from __future__ import annotations

from typing import Any

import pytest

from dosim.workers import DurableObject
from tests.storage.stories import inside, rows, seen_by_caller, world


def test_it_takes_everything() -> None:
    """Keys, tables and the alarm are gone; it is None; the store is usable at once; attributes stay."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        self.mark = 1
        await storage.put("k", 1)
        storage.sql.exec("CREATE TABLE t (a)")
        await storage.setAlarm(1_900_000_000_000)
        value = await storage.deleteAll()
        left = [
            len(await storage.list()),
            rows(storage.sql, "SELECT name FROM sqlite_master"),
            await storage.getAlarm(),
        ]
        size = storage.sql._binding.databaseSize
        storage.sql.exec("CREATE TABLE t (b)")
        await storage.put("new", 1)
        return [value, left, size, self.mark, dict(storage.kv.list()), rows(storage.sql, "SELECT b FROM t")]

    assert inside(story) == [None, [0, [], None], 4096, 1, {"new": 1}, []]


def test_twice_and_on_an_empty_object() -> None:
    """Deleting nothing is fine."""

    async def story(self: Any) -> Any:
        return [await self.ctx.storage.deleteAll(), await self.ctx.storage.deleteAll()]

    assert inside(story) == [None, None]


class Aborting(DurableObject):
    """deleteAll between writes, then an abort in the same turn."""

    async def prepare(self) -> None:
        await self.ctx.storage.put("old", 1)
        self.ctx.storage.sql.exec("CREATE TABLE t (a)")

    async def run(self) -> None:
        await self.ctx.storage.put("before", 1)
        await self.ctx.storage.deleteAll()
        await self.ctx.storage.put("after", 1)
        self.ctx.abort("stop")

    async def look(self) -> Any:
        return [dict(self.ctx.storage.kv.list()), rows(self.ctx.storage.sql, "SELECT name FROM sqlite_master")]


def test_it_is_not_part_of_the_turn() -> None:
    """The wipe survives an abort in the same turn; what was written before and after it in the turn is lost."""
    sim = world(Aborting)
    sim.run(sim.env.A.getByName("x").prepare())

    assert seen_by_caller(sim, sim.env.A.getByName("x").run())[0] == "Error: stop"
    assert sim.run(sim.env.A.getByName("x").look()) == [{}, []]


class Ringing(DurableObject):
    """Sets an alarm, deletes everything, notes in a module-like list what rang."""

    rang: list[int]

    async def run(self, wait: bool) -> Any:
        storage = self.ctx.storage
        await storage.put("k", 1)
        await storage.setAlarm(1_796_083_260_000)
        if wait:
            await storage.sync()
        await storage.deleteAll()
        return await storage.getAlarm()

    async def alarm(self, info: Any = None) -> None:
        type(self).rang.append(len(await self.ctx.storage.list()))


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, False),
        ({"compatibility_date": "2026-02-24"}, False),
        ({"compatibility_date": "2026-02-23"}, True),
        ({"compatibility_date": "2026-02-23", "compatibility_flags": ["delete_all_deletes_alarm"]}, False),
        ({"compatibility_date": "2026-11-01", "compatibility_flags": ["delete_all_preserves_alarm"]}, True),
    ],
    ids=str,
)
@pytest.mark.parametrize("wait", [False, True])
def test_the_alarm(options: dict[str, Any], kept: bool, wait: bool) -> None:
    """From 2026-02-24 on (or by flag) the alarm is deleted too and never fires; earlier it fires on the empty store."""
    Ringing.rang = []
    sim = world(Ringing, **options)
    alarm_ms = sim.run(sim.env.A.getByName("x").run(wait))
    sim.run(for_="2min")

    assert alarm_ms == (1_796_083_260_000 if kept else None)
    assert Ringing.rang == ([0] if kept else [])


def test_keys_come_back_after_eviction_only_if_new() -> None:
    """What deleteAll took does not come back with the next instance."""

    class A(DurableObject):
        async def run(self) -> None:
            self.ctx.storage.kv.put("old", 1)
            self.ctx.storage.sql.exec("CREATE TABLE t (a)")
            await self.ctx.storage.sync()
            await self.ctx.storage.deleteAll()
            self.ctx.storage.kv.put("new", 1)

        async def look(self) -> Any:
            storage = self.ctx.storage
            return [dict(storage.kv.list()), rows(storage.sql, "SELECT name FROM sqlite_master")]

    sim = world(A)
    stub = sim.env.A.getByName("x")
    sim.run(stub.run())
    sim.run(for_="11s")

    assert sim.run(stub.look()) == [{"new": 1}, [["_cf_KV"]]]
