"""transactionSync, transaction and its handle, sync, bookmarks (RULES 5)."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from dosim.web.errors import JsException
from dosim.workers import DurableObject
from tests.storage.stories import INTERNAL_ERROR, inside, refused, rows, seen_by_caller, world

ALARM_MS = 1_900_000_000_000
COMMITTED = (
    "Error: Cannot call {}() on transaction that has already committed: did you move `txn` outside of the closure?"
)


class Own(Exception):
    """An exception of the test's own."""


def test_sync_returns_the_callback_s_own_value() -> None:
    """transactionSync(cb) is cb's value, the same Python object."""
    marker = object()

    async def story(self: Any) -> Any:
        return self.ctx.storage.transactionSync(lambda: marker) is marker

    assert inside(story) is True


def test_sync_rolls_back_and_raises_the_same_exception() -> None:
    """Keys, SQL and alarm go back; the exception is the very one that was raised; earlier writes stay."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        storage.sql.exec("CREATE TABLE t (a)")
        storage.kv.put("before", 1)
        error = Own("x")

        def callback() -> None:
            storage.kv.put("k", 1)
            storage.kv.delete("before")
            storage.sql.exec("INSERT INTO t VALUES (1)")
            self._setting = asyncio.ensure_future(storage.setAlarm(ALARM_MS))
            raise error

        with pytest.raises(Own) as caught:
            storage.transactionSync(callback)
        return [
            caught.value is error,
            dict(storage.kv.list()),
            rows(storage.sql, "SELECT * FROM t"),
            await storage.getAlarm(),
        ]

    assert inside(story) == [True, {"before": 1}, [], None]


def test_sync_nests() -> None:
    """An inner one rolls back alone; an outer exception undoes an inner one that had finished."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage

        def failing() -> None:
            storage.kv.put("inner", 1)
            raise Own

        def outer() -> None:
            storage.kv.put("outer", 1)
            with pytest.raises(Own):
                storage.transactionSync(failing)
            storage.transactionSync(lambda: storage.kv.put("second", 1))

        def outer_fails() -> None:
            storage.transactionSync(lambda: storage.kv.put("third", 1))
            raise Own

        storage.transactionSync(outer)
        with pytest.raises(Own):
            storage.transactionSync(outer_fails)
        return dict(storage.kv.list())

    assert inside(story) == {"outer": 1, "second": 1}


def test_sync_with_an_async_callback() -> None:
    """The coroutine comes back; what it does later is outside, and its exception undoes nothing."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage

        async def callback() -> None:
            storage.kv.put("k", 1)
            raise Own

        value = storage.transactionSync(callback)
        assert asyncio.iscoroutine(value)
        nothing_yet = storage.kv.get("k")
        with pytest.raises(Own):
            await value
        return [nothing_yet, storage.kv.get("k")]

    assert inside(story) == [None, 1]


def test_delete_all_within_a_sync_transaction() -> None:
    """It wipes at once, then transactionSync raises the internal error; the object is not reset."""

    class A(DurableObject):
        def __init__(self, ctx: Any, env: Any) -> None:
            super().__init__(ctx, env)
            self.calls = 0

        async def run(self) -> Any:
            self.calls += 1
            storage = self.ctx.storage
            storage.kv.put("k", 1)
            await storage.sync()

            def callback() -> None:
                self._deleting = storage.deleteAll()

            text = await refused(lambda: storage.transactionSync(callback))
            await self._deleting
            storage.kv.put("after", 1)
            return [text, dict(storage.kv.list())]

        async def look(self) -> Any:
            return [self.calls, dict(self.ctx.storage.kv.list())]

    sim = world(A)
    stub = sim.env.A.getByName("x")
    text, left = sim.run(stub.run())

    assert re.fullmatch(INTERNAL_ERROR, text)
    assert left == {"after": 1}
    assert sim.run(stub.look()) == [1, {"after": 1}]


def test_unread_returning_rows_break_a_sync_transaction() -> None:
    """The savepoint cannot be released: the internal error, and the turn is lost."""

    class A(DurableObject):
        async def run(self) -> Any:
            sql = self.ctx.storage.sql
            sql.exec("CREATE TABLE IF NOT EXISTS t (a)")
            await self.ctx.storage.sync()
            self.text = await refused(
                lambda: self.ctx.storage.transactionSync(lambda: sql.exec("INSERT INTO t VALUES (1), (2) RETURNING a"))
            )
            return self.text

        async def look(self) -> Any:
            return rows(self.ctx.storage.sql, "SELECT * FROM t")

    sim = world(A)
    text, _ = seen_by_caller(sim, sim.env.A.getByName("x").run())

    assert re.fullmatch(INTERNAL_ERROR, text)
    assert sim.run(sim.env.A.getByName("x").look()) == []


def test_a_rolled_back_sync_transaction_leaves_no_hidden_table() -> None:
    """The first put of an object, rolled back, takes _cf_KV with it; the next put works."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage

        def callback() -> None:
            storage.kv.put("k", 1)
            raise Own

        with pytest.raises(Own):
            storage.transactionSync(callback)
        names = rows(storage.sql, "SELECT name FROM sqlite_master")
        storage.kv.put("k", 2)
        return [names, rows(storage.sql, "SELECT name FROM sqlite_master"), storage.kv.get("k")]

    assert inside(story) == [[], [["_cf_KV"]], 2]


def test_transaction_commits_and_returns_the_value() -> None:
    """The callback's value is the result: the same Python object. A sync callback does too."""
    marker = ("own", "tuple")

    async def story(self: Any) -> Any:
        storage = self.ctx.storage

        async def callback(_: Any) -> Any:
            await storage.put("k", 1)
            return marker

        return [await storage.transaction(callback) == marker, await storage.get("k")]

    assert inside(story) == [True, 1]


def test_transaction_rolls_everything_back() -> None:
    """Keys of both APIs, SQL and alarm, written past `txn` too; the caller gets the error, the object is not reset."""

    class A(DurableObject):
        def __init__(self, ctx: Any, env: Any) -> None:
            super().__init__(ctx, env)
            self.calls = 0

        async def run(self) -> Any:
            self.calls += 1
            storage = self.ctx.storage
            storage.sql.exec("CREATE TABLE t (a)")
            await storage.put("before", 1)

            async def callback(txn: Any) -> None:
                await txn.put("a", 1)
                await storage.put("b", 1)
                storage.kv.put("c", 1)
                storage.sql.exec("INSERT INTO t VALUES (1)")
                await storage.setAlarm(ALARM_MS)
                await asyncio.sleep(0.01)
                await storage.put("d", 1)
                raise Own("bad")

            text = await refused(lambda: storage.transaction(callback))
            return [
                text.splitlines()[-1].split(".")[-1],
                dict(storage.kv.list()),
                rows(storage.sql, "SELECT * FROM t"),
                await storage.getAlarm(),
                self.calls,
            ]

        async def alarm(self, info: Any = None) -> None:
            pass

    sim = world(A)

    assert sim.run(sim.env.A.getByName("x").run()) == ["Own: bad", {"before": 1}, [], None, 1]


def test_transaction_keeps_others_out() -> None:
    """Other events wait while it sleeps."""

    class A(DurableObject):
        async def hold(self) -> None:
            async def callback(_: Any) -> None:
                await self.ctx.storage.put("k", 1)
                await asyncio.sleep(5)
                await self.ctx.storage.put("k", 2)

            await self.ctx.storage.transaction(callback)

        async def look(self) -> Any:
            return await self.ctx.storage.get("k")

    sim = world(A)
    stub = sim.env.A.getByName("x")

    assert sim.run(stub.hold(), stub.look())[1] == 2
    assert sim.now.us == 5_000_000


def test_transactions_nest() -> None:
    """An inner one rolls back alone; an outer failure undoes a finished inner one; transactionSync fits in too."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage

        async def fail(_: Any) -> None:
            await storage.put("inner", 1)
            raise Own

        async def fine(_: Any) -> None:
            await storage.put("second", 1)
            storage.transactionSync(lambda: storage.kv.put("sync", 1))

        async def outer(_: Any) -> None:
            await storage.put("outer", 1)
            with pytest.raises(JsException):
                await storage.transaction(fail)
            await storage.transaction(fine)

        async def outer_fails(_: Any) -> None:
            await storage.transaction(fine)
            await storage.put("third", 1)
            raise Own

        with pytest.raises(JsException):
            await storage.transaction(outer_fails)
        nothing = dict(storage.kv.list())
        await storage.transaction(outer)
        return [nothing, dict(storage.kv.list())]

    assert inside(story) == [{}, {"outer": 1, "second": 1, "sync": 1}]


def test_rollback() -> None:
    """It undoes what was written so far; the callback goes on, further txn calls fail, its value is the result."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        await storage.put("before", 1)

        async def callback(txn: Any) -> Any:
            await txn.put("k", 1)
            storage.kv.put("l", 1)
            txn.rollback()
            seen = [dict(storage.kv.list())]
            calls = (
                lambda: txn.get("k"),
                lambda: txn.put("k", 1),
                lambda: txn.delete("k"),
                txn.list,
                txn.getAlarm,
                lambda: txn.setAlarm(ALARM_MS),
                txn.deleteAlarm,
            )
            seen += [await refused(call) for call in calls]
            txn.rollback()
            await storage.put("after", 1)
            return seen

        return [await storage.transaction(callback), dict(storage.kv.list())]

    operations = ["get", "put", "delete", "list", "getAlarm", "setAlarm", "deleteAlarm"]
    texts = [f"Error: Cannot {operation}() on rolled back transaction" for operation in operations]
    assert inside(story) == [[{"before": 1}, *texts], {"before": 1, "after": 1}]


def test_what_follows_a_rollback_is_in_no_transaction() -> None:
    """Writes after rollback() stay even when the callback then raises (workerd: nothing is left to roll back)."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage

        async def callback(txn: Any) -> None:
            await storage.put("before", 1)
            txn.rollback()
            await storage.put("after", 1)
            raise Own

        with pytest.raises(JsException):
            await storage.transaction(callback)
        return dict(storage.kv.list())

    assert inside(story) == {"after": 1}


def test_the_handle_after_the_end() -> None:
    """After a commit every call says so; after a failure it says "rolled back", and rollback() is fine."""

    async def story(self: Any) -> Any:
        storage, kept = self.ctx.storage, []

        async def commit(txn: Any) -> None:
            kept.append(txn)

        async def fail(txn: Any) -> None:
            kept.append(txn)
            raise Own

        await storage.transaction(commit)
        with pytest.raises(JsException):
            await storage.transaction(fail)
        done, failed = kept
        return [
            await refused(lambda: done.put("k", 1)),
            await refused(lambda: done.get("k")),
            await refused(done.rollback),
            await refused(lambda: failed.put("k", 1)),
            failed.rollback(),
        ]

    assert inside(story) == [
        COMMITTED.format("put"),
        COMMITTED.format("get"),
        COMMITTED.format("rollback"),
        "Error: Cannot put() on rolled back transaction",
        None,
    ]


def test_an_outer_rollback_while_an_inner_one_runs() -> None:
    """The outer handle cannot roll back before the nested transaction has ended."""

    async def story(self: Any) -> Any:
        async def outer(txn: Any) -> Any:
            async def inner(_: Any) -> Any:
                return await refused(txn.rollback)

            return await self.ctx.storage.transaction(inner)

        return await self.ctx.storage.transaction(outer)

    assert inside(story) == "Error: Cannot roll back an outer transaction while a nested transaction is still running."


def test_delete_all_within_a_transaction() -> None:
    """txn.deleteAll() and ctx.storage.deleteAll() are refused; the transaction goes on and commits."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        await storage.put("before", 1)

        async def callback(txn: Any) -> Any:
            await storage.put("k", 1)
            texts = [await refused(txn.deleteAll), await refused(storage.deleteAll)]
            texts.append(await refused(lambda: storage.transactionSync(storage.deleteAll)))
            return texts

        return [await storage.transaction(callback), dict(storage.kv.list())]

    text = "Error: Cannot call deleteAll() within a transaction"
    assert inside(story) == [[text] * 3, {"before": 1, "k": 1}]


def test_delete_all_within_a_section_is_allowed() -> None:
    """blockConcurrencyWhile is no transaction."""

    async def story(self: Any) -> Any:
        await self.ctx.storage.put("k", 1)

        async def callback() -> Any:
            await self.ctx.storage.deleteAll()
            return len(await self.ctx.storage.list())

        return await self.ctx.blockConcurrencyWhile(callback)

    assert inside(story) == 0


def test_a_transaction_nobody_awaits_starts_after_the_turn() -> None:
    """Plain writes of the same turn come before it and are not rolled back with it."""

    async def story(self: Any) -> Any:
        storage, order = self.ctx.storage, []

        async def callback(_: Any) -> None:
            order.append("transaction")
            await storage.put("within", 1)
            raise Own

        running = asyncio.ensure_future(storage.transaction(callback))
        await storage.put("plain", 1)
        order.append("plain")
        with pytest.raises(JsException):
            await running
        return [order, dict(storage.kv.list())]

    assert inside(story) == [["plain", "transaction"], {"plain": 1}]


def test_abort_within_a_transaction() -> None:
    """All of it is lost, what it wrote before a timer too."""

    class A(DurableObject):
        async def run(self) -> None:
            await self.ctx.storage.put("before", 1)

            async def callback(_: Any) -> None:
                await self.ctx.storage.put("within", 1)
                await asyncio.sleep(0.01)
                self.ctx.abort("stop")

            await self.ctx.storage.transaction(callback)

        async def look(self) -> Any:
            return dict(self.ctx.storage.kv.list())

    sim = world(A)

    assert seen_by_caller(sim, sim.env.A.getByName("x").run())[0] == "Error: stop"
    assert sim.run(sim.env.A.getByName("x").look()) == {"before": 1}


def test_the_handle_is_raw() -> None:
    """txn is not converted: a dict is a DataCloneError, a missing key jsnull's sibling, text and numbers are fine."""

    async def story(self: Any) -> Any:
        async def callback(txn: Any) -> Any:
            await txn.put("n", 5)
            await txn.put("s", "text")
            text = await refused(lambda: txn.put("d", {"a": 1}))
            return [
                await txn.get("n"),
                await txn.get("s"),
                text.split(":")[0],
                await txn.delete("n"),
                await txn.delete("n"),
            ]

        return await self.ctx.storage.transaction(callback)

    assert inside(story) == [5, "text", "DataCloneError", True, False]


def test_results_of_the_handle_are_raw() -> None:
    """A stored dict is an object with attributes, a stored None is jsnull, a missing key None."""

    async def story(self: Any) -> Any:
        await self.ctx.storage.put({"d": {"a": 1}, "null": None})

        async def callback(txn: Any) -> Any:
            null = await txn.get("null")
            return [(await txn.get("d")).a, null is None, bool(null), await txn.get("missing")]

        return await self.ctx.storage.transaction(callback)

    assert inside(story) == [1, False, False, None]


def test_refusals_of_the_handle_name_the_transaction() -> None:
    """The binding layer names DurableObjectTransaction."""

    async def story(self: Any) -> Any:
        async def callback(txn: Any) -> Any:
            return [await refused(txn.get), await refused(lambda: txn.put("k", 1, 5)), await refused(txn.put)]

        return await self.ctx.storage.transaction(callback)

    where = "on 'DurableObjectTransaction': parameter"
    assert inside(story) == [
        f"TypeError: Failed to execute 'get' {where} 1 is not of type 'string or Array'.",
        f"TypeError: Failed to execute 'put' {where} 3 is not of type 'PutOptions'.",
        f"TypeError: Failed to execute 'put' {where} 1 is not of type 'string or object'.",
    ]


def test_the_alarm_through_the_handle() -> None:
    """txn.setAlarm, getAlarm and deleteAlarm belong to the transaction; wrong times name the transaction."""

    async def story(self: Any) -> Any:
        async def callback(txn: Any) -> Any:
            await txn.setAlarm(ALARM_MS)
            seen = [await txn.getAlarm(), await self.ctx.storage.getAlarm()]
            await txn.deleteAlarm()
            return [*seen, await self.ctx.storage.getAlarm(), await refused(lambda: txn.setAlarm("x"))]

        return await self.ctx.storage.transaction(callback)

    assert inside(story) == [
        ALARM_MS,
        ALARM_MS,
        None,
        "TypeError: Failed to execute 'setAlarm' on 'DurableObjectTransaction': parameter 1 is not of type 'date'.",
    ]


def test_a_transaction_survives_a_caught_sql_error() -> None:
    """A statement that fails inside undoes only itself."""

    async def story(self: Any) -> Any:
        storage = self.ctx.storage
        storage.sql.exec("CREATE TABLE t (id INTEGER PRIMARY KEY)")

        async def callback(_: Any) -> None:
            storage.sql.exec("INSERT INTO t VALUES (1)")
            await refused(lambda: storage.sql.exec("INSERT INTO t VALUES (1)"))
            storage.sql.exec("INSERT INTO t VALUES (2)")

        await storage.transaction(callback)
        return rows(storage.sql, "SELECT id FROM t")

    assert inside(story) == [[1], [2]]


def test_sync_resolves_to_none() -> None:
    """sync() is None, with and without writes."""

    async def story(self: Any) -> Any:
        empty = await self.ctx.storage.sync()
        self.ctx.storage.kv.put("k", 1)
        return [empty, await self.ctx.storage.sync()]

    assert inside(story) == [None, None]


def test_bookmarks_of_the_local_runtime() -> None:
    """getCurrentBookmark counts from 0, kept over instances; the other calls are not implemented."""

    class A(DurableObject):
        async def run(self) -> Any:
            storage = self.ctx.storage
            return [
                await storage.getCurrentBookmark(),
                await storage.getCurrentBookmark(),
                await refused(lambda: storage.getBookmarkForTime(1)),
                await refused(lambda: storage.onNextSessionRestoreBookmark("x")),
            ]

    sim = world(A)
    stub = sim.env.A.getByName("x")
    missing = "Error: This Durable Object's storage back-end does not implement point-in-time recovery."

    def bookmark(n: int) -> str:
        return f"00000000-{n:08x}-00000000-{'0' * 32}"

    assert sim.run(stub.run()) == [bookmark(0), bookmark(1), missing, missing]
    sim.run(for_="11s")
    assert sim.run(stub.run())[:2] == [bookmark(2), bookmark(3)]
