"""One database per object: call order, turns, what is lost and what stays (RULES 1)."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from dosim.web.errors import JsException
from dosim.workers import DurableObject
from tests.storage.stories import INTERNAL_ERROR, inside, rows, seen_by_caller, world


def test_keys_sql_and_alarm_are_one_database() -> None:
    """KV writes make the hidden table _cf_KV, an alarm _cf_METADATA; both are visible in SQL's schema."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        await storage.put("k", 1)
        await storage.setAlarm(1_900_000_000_000)
        return rows(storage.sql, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")

    assert inside(story) == [["_cf_KV"], ["_cf_METADATA"]]


def test_hidden_tables_come_with_the_first_write() -> None:
    """Reading keys, reading the alarm and deleting an alarm that is not set make no table."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        await storage.get("k")
        await storage.list()
        await storage.getAlarm()
        await storage.deleteAlarm()
        return rows(storage.sql, "SELECT name FROM sqlite_master")

    assert inside(story) == []


def test_a_read_sees_a_write_that_is_not_awaited() -> None:
    """Storage acts at the call: promises only report."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        writing = asyncio.ensure_future(storage.put("k", 1))
        found = await storage.get("k")
        await writing
        return found

    assert inside(story) == 1


def test_the_order_of_calls_wins_not_the_order_of_awaits() -> None:
    """Two writes awaited in reverse end with the one that was called last."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        first, second = storage.put("k", "first"), storage.put("k", "second")
        await second
        await first
        return await storage.get("k")

    assert inside(story) == "second"


def test_an_unfinished_event_is_seen_by_another() -> None:
    """There is no isolation between events."""

    class A(DurableObject):
        async def write(self) -> None:
            await self.ctx.storage.put("k", 1)
            await asyncio.sleep(1)
            await self.ctx.storage.put("k", 2)

        async def read(self) -> Any:
            return await self.ctx.storage.get("k")

    sim = world(A)
    stub = sim.env.A.getByName("x")

    assert sim.run(stub.write(), stub.read())[1] == 1


ENDS_A_TURN = {
    "a timer": lambda o: asyncio.sleep(0.001),
    "sync()": lambda o: o.ctx.storage.sync(),
    "transaction()": lambda o: o.ctx.storage.transaction(_nothing),
    "an empty blockConcurrencyWhile": lambda o: o.ctx.blockConcurrencyWhile(_nothing),
    "getCurrentBookmark()": lambda o: o.ctx.storage.getCurrentBookmark(),
}
KEEPS_THE_TURN = {
    "get": lambda o: o.ctx.storage.get("other"),
    "put": lambda o: o.ctx.storage.put("other", 1),
    "delete": lambda o: o.ctx.storage.delete("other"),
    "list": lambda o: o.ctx.storage.list(),
    "getAlarm": lambda o: o.ctx.storage.getAlarm(),
    "setAlarm": lambda o: o.ctx.storage.setAlarm(1_900_000_000_000),
    "deleteAlarm": lambda o: o.ctx.storage.deleteAlarm(),
    "asyncio.sleep(0)": lambda o: asyncio.sleep(0),
}


async def _nothing(*_: Any) -> None:
    pass


class Aborter(DurableObject):
    """Writes, waits for something, aborts; a later call looks."""

    async def run(self, what: str) -> None:
        await self.ctx.storage.put("k", 1)
        await (ENDS_A_TURN | KEEPS_THE_TURN)[what](self)
        self.ctx.abort("stop")

    async def look(self) -> Any:
        return await self.ctx.storage.get("k")

    async def alarm(self, info: Any = None) -> None:
        pass


def _kept(what: str) -> Any:
    sim = world(Aborter)
    assert seen_by_caller(sim, sim.env.A.getByName("x").run(what)) == ("Error: stop", {"durableObjectReset": True})
    return sim.run(sim.env.A.getByName("x").look())


@pytest.mark.parametrize("what", ENDS_A_TURN)
def test_what_ends_a_turn_commits_it(what: str) -> None:
    """A write before a timer, sync, transaction, section or bookmark survives an abort after it."""
    assert _kept(what) == 1


@pytest.mark.parametrize("what", KEEPS_THE_TURN)
def test_awaiting_a_storage_call_does_not_end_the_turn(what: str) -> None:
    """A write and an abort with only storage calls between them: the write is lost."""
    assert _kept(what) is None


def test_a_turn_is_atomic_over_keys_sql_and_alarm() -> None:
    """Everything written since the last turn boundary vanishes together; what came before it stays."""

    class A(DurableObject):
        async def run(self) -> None:
            storage = self.ctx.storage
            storage.sql.exec("CREATE TABLE t (a)")
            storage.kv.put("early", 1)
            await asyncio.sleep(0.01)
            storage.kv.put("late", 1)
            storage.sql.exec("INSERT INTO t VALUES (1)")
            await storage.setAlarm(1_900_000_000_000)
            self.ctx.abort()

        async def look(self) -> Any:
            storage = self.ctx.storage
            keys = [key for key, _ in storage.kv.list()]
            return [keys, rows(storage.sql, "SELECT * FROM t"), await storage.getAlarm()]

        async def alarm(self, info: Any = None) -> None:
            pass

    sim = world(A)
    text, flags = seen_by_caller(sim, sim.env.A.getByName("x").run())

    assert text == "Error: Application called abort() to reset Durable Object."
    assert flags == {"durableObjectReset": True}
    assert sim.run(sim.env.A.getByName("x").look()) == [["early"], [], None]


def test_an_unawaited_write_survives_the_return() -> None:
    """The end of the handler ends the turn: a put nobody awaited is committed."""

    class A(DurableObject):
        async def write(self) -> str:
            self._put = asyncio.ensure_future(self.ctx.storage.put("k", 1))
            return "done"

        async def look(self) -> Any:
            return await self.ctx.storage.get("k")

    sim = world(A)
    stub = sim.env.A.getByName("x")

    assert sim.run(stub.write()) == "done"
    sim.restart()
    assert sim.run(sim.env.A.getByName("x").look()) == 1


def test_an_exception_undoes_nothing() -> None:
    """Keys, SQL, un-awaited puts, the alarm and attributes all stay when a handler raises; the object is not reset."""

    class A(DurableObject):
        def __init__(self, ctx: Any, env: Any) -> None:
            super().__init__(ctx, env)
            self.calls = 0

        async def fail(self) -> None:
            self.calls += 1
            storage = self.ctx.storage
            storage.kv.put("k", 1)
            storage.sql.exec("CREATE TABLE t (a)")
            await storage.setAlarm(1_900_000_000_000)
            self._put = asyncio.ensure_future(storage.put("late", 2))
            raise ValueError("bad")

        async def look(self) -> Any:
            storage = self.ctx.storage
            return [dict(storage.kv.list()), rows(storage.sql, "SELECT * FROM t"), await storage.getAlarm(), self.calls]

        async def alarm(self, info: Any = None) -> None:
            pass

    sim = world(A)
    stub = sim.env.A.getByName("x")
    text, flags = seen_by_caller(sim, stub.fail())

    assert text.startswith("PythonError: Traceback")
    assert text.rstrip().endswith("ValueError: bad")
    assert flags == {"remote": True}
    assert sim.run(stub.look()) == [{"k": 1, "late": 2}, [], 1_900_000_000_000, 1]


FOREIGN_KEY_TEXT = (
    "Error: Durable Object was reset and rolled back to its last known good state because the application left the"
    " database in a state where constraints were violated: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended:"
    " SQLITE_CONSTRAINT_FOREIGNKEY)"
)


class CommitFails(DurableObject):
    """Leaves its turn in a state that cannot be committed."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.calls = 0
        ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS p (id INTEGER PRIMARY KEY)")
        ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS c (p REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)")

    def _break(self, how: str) -> None:
        storage = self.ctx.storage
        storage.kv.put("lost", 1)
        if how == "foreign key":
            storage.sql.exec("INSERT INTO c VALUES (7)")
        elif how == "pragma":
            storage.sql.exec("PRAGMA defer_foreign_keys = ON")
            storage.sql.exec("INSERT INTO c VALUES (7)")
        elif how == "unread":
            storage.sql.exec("INSERT INTO p VALUES (1) RETURNING id")
        elif how == "rollback":
            storage.sql.exec("INSERT INTO p VALUES (1)")
            try:
                storage.sql.exec("INSERT OR ROLLBACK INTO p VALUES (1)")
            except JsException as error:
                self.own = str(error)
            assert storage.kv.get("lost") is None

    async def run(self, how: str) -> str:
        self.calls += 1
        self._break(how)
        return "never seen"

    async def slow(self) -> None:
        await asyncio.sleep(1)

    async def in_transaction(self, how: str) -> str:
        async def callback(_: Any) -> None:
            self._break(how)

        await self.ctx.storage.transaction(callback)
        return "never seen"

    async def look(self) -> Any:
        return [await self.ctx.storage.get("lost"), rows(self.ctx.storage.sql, "SELECT * FROM c"), self.calls]


@pytest.mark.parametrize("how", ["foreign key", "pragma"])
def test_a_violated_deferred_foreign_key_resets_the_object(how: str) -> None:
    """The caller gets the platform's text without flags, the turn is lost, the next call finds a new instance."""
    sim = world(CommitFails)

    assert seen_by_caller(sim, sim.env.A.getByName("x").run(how)) == (FOREIGN_KEY_TEXT, {})
    assert sim.run(sim.env.A.getByName("x").look()) == [None, [], 0]


def test_returning_rows_left_unread_break_the_commit() -> None:
    """INSERT ... RETURNING whose cursor is not read to the end: internal error, even if Python dropped the cursor."""
    sim = world(CommitFails)
    text, _ = seen_by_caller(sim, sim.env.A.getByName("x").run("unread"))

    assert re.fullmatch(INTERNAL_ERROR, text)
    assert sim.run(sim.env.A.getByName("x").look()) == [None, [], 0]


def test_insert_or_rollback_ends_the_transaction() -> None:
    """The conflict undoes the turn's earlier writes at once, then the commit fails with the internal error."""
    sim = world(CommitFails)
    text, _ = seen_by_caller(sim, sim.env.A.getByName("x").run("rollback"))

    assert re.fullmatch(INTERNAL_ERROR, text)


def test_a_failed_commit_fails_every_event_in_progress() -> None:
    """Calls that only wait in the object get the same error."""
    sim = world(CommitFails)
    slow = sim.env.A.getByName("x").slow()
    stub = sim.env.A.getByName("x")

    async def both() -> list[str]:
        answers = await asyncio.gather(slow, stub.run("foreign key"), return_exceptions=True)
        return [str(answer) for answer in answers]

    assert sim.run(both()) == [FOREIGN_KEY_TEXT, FOREIGN_KEY_TEXT]


@pytest.mark.parametrize("how", ["foreign key", "unread"])
def test_a_transaction_that_cannot_commit_resets_with_the_internal_error(how: str) -> None:
    """The platform names the violated constraint only for the implicit transaction (workerd actor-sqlite.c++)."""
    sim = world(CommitFails)
    text, _ = seen_by_caller(sim, sim.env.A.getByName("x").in_transaction(how))

    assert re.fullmatch(INTERNAL_ERROR, text)
    assert sim.run(sim.env.A.getByName("x").look()) == [None, [], 0]


def test_abort_fails_every_event_in_progress() -> None:
    """All callers get an Error with the reason and durableObjectReset."""

    class A(DurableObject):
        async def slow(self) -> None:
            await asyncio.sleep(10)

        async def stop(self) -> None:
            self.ctx.abort("enough")

    sim = world(A)
    first, second = sim.env.A.getByName("x"), sim.env.A.getByName("x")

    async def both() -> list[Any]:
        answers = await asyncio.gather(first.slow(), second.stop(), return_exceptions=True)
        return [[str(answer), answer.flags] for answer in answers if isinstance(answer, JsException)]

    assert sim.run(both()) == [["Error: enough", {"durableObjectReset": True}]] * 2


def test_storage_survives_eviction_memory_does_not() -> None:
    """Idle for 10 s the instance is dropped: the next call constructs; keys, SQL and alarm are there."""

    class A(DurableObject):
        def __init__(self, ctx: Any, env: Any) -> None:
            super().__init__(ctx, env)
            self.seen = 0

        async def write(self) -> None:
            self.seen = 1
            self.ctx.storage.kv.put("k", [1])
            self.ctx.storage.sql.exec("CREATE TABLE t (a)")
            self.ctx.storage.sql.exec("INSERT INTO t VALUES (?)", "row")

        async def look(self) -> Any:
            return [self.seen, self.ctx.storage.kv.get("k"), rows(self.ctx.storage.sql, "SELECT * FROM t")]

    sim = world(A)
    stub = sim.env.A.getByName("x")
    sim.run(stub.write())

    sim.run(for_="9s")
    assert sim.run(stub.look()) == [1, [1], [["row"]]]
    sim.run(for_="11s")
    assert sim.run(stub.look()) == [0, [1], [["row"]]]


def test_the_open_turn_is_lost_with_the_process() -> None:
    """A process killed while a handler waits keeps the turns that have ended."""

    class A(DurableObject):
        async def write(self) -> None:
            await self.ctx.storage.put("k", 1)
            await asyncio.sleep(100)
            await self.ctx.storage.put("k", 2)

        async def look(self) -> Any:
            return await self.ctx.storage.get("k")

    sim = world(A)

    async def start() -> None:
        self_keeping.append(asyncio.ensure_future(sim.env.A.getByName("x").write()))
        await asyncio.sleep(1)

    self_keeping: list[Any] = []
    sim.run(start())
    sim.restart()

    assert sim.run(sim.env.A.getByName("x").look()) == 1


def test_without_a_gap_no_update_is_lost() -> None:
    """Ten parallel read-modify-writes over storage awaits count to ten; with a timer in the gap nine are lost."""

    class A(DurableObject):
        async def bump(self, pause: float) -> None:
            n = await self.ctx.storage.get("n") or 0
            if pause:
                await asyncio.sleep(pause)
            await self.ctx.storage.put("n", n + 1)

        async def bump_alone(self, how: str) -> None:
            async def callback(*_: Any) -> None:
                await self.bump(0.01)

            run = self.ctx.storage.transaction if how == "tx" else self.ctx.blockConcurrencyWhile
            await run(callback)

        async def look(self) -> Any:
            return await self.ctx.storage.get("n")

    counts = []
    for name, args in (("bump", (0,)), ("bump", (0.01,)), ("bump_alone", ("tx",)), ("bump_alone", ("block",))):
        sim = world(A)
        stub = sim.env.A.getByName("x")
        sim.run(*[getattr(stub, name)(*args) for _ in range(10)])
        counts.append(sim.run(stub.look()))

    assert counts == [10, 1, 10, 10]


def test_writes_of_a_constructor_are_one_turn_with_nothing_lost() -> None:
    """What `__init__` writes is there for the first call."""

    class A(DurableObject):
        def __init__(self, ctx: Any, env: Any) -> None:
            super().__init__(ctx, env)
            ctx.storage.kv.put("born", ctx.storage.kv.get("born") or 0)

        async def look(self) -> Any:
            return dict(self.ctx.storage.kv.list())

    sim = world(A)

    assert sim.run(sim.env.A.getByName("x").look()) == {"born": 0}


def test_a_failed_section_loses_the_open_turn() -> None:
    """blockConcurrencyWhile whose callback raises resets the object; the caller gets the callback's error."""

    class A(DurableObject):
        async def run(self, pause: bool) -> None:
            await self.ctx.storage.put("before", 1)

            async def callback() -> None:
                await self.ctx.storage.put("within", 1)
                if pause:
                    await asyncio.sleep(0.01)
                raise ValueError("bad")

            await self.ctx.blockConcurrencyWhile(callback)

        async def look(self) -> Any:
            return sorted(await self.ctx.storage.list())

    for pause, kept in ((False, ["before"]), (True, ["before", "within"])):
        sim = world(A)
        text, flags = seen_by_caller(sim, sim.env.A.getByName("x").run(pause))
        assert text.rstrip().endswith("ValueError: bad")
        assert flags == {"durableObjectReset": True}
        assert sim.run(sim.env.A.getByName("x").look()) == kept
