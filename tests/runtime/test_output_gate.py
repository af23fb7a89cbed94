"""Writes of a turn, when they are durable, and what waits for that (rules 3.1–3.5)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dosim.workers import Response
from tests.runtime.stories import Story, resting, saying, timeout

FOREIGN_KEY = (
    (
        "Error: Durable Object was reset and rolled back to its last known good state because the application left the"
        " database in a state where constraints were violated: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT"
        " (extended: SQLITE_CONSTRAINT_FOREIGNKEY)"
    ),
    "",
)
ABORTED = ("Error: gone", "durableObjectReset")


def _tables(o: Any) -> None:
    o.storage.sql.exec("CREATE TABLE IF NOT EXISTS p (id INTEGER PRIMARY KEY)")
    o.storage.sql.exec("CREATE TABLE IF NOT EXISTS c (pid INTEGER REFERENCES p (id))")


def _violate(o: Any) -> None:
    """Leave the database in a state whose commit fails."""
    o.storage.sql.exec("PRAGMA defer_foreign_keys = ON")
    o.storage.sql.exec("INSERT INTO c VALUES (42)")


async def _read(o: Any) -> Any:
    return dict(await o.storage.list())


async def _answer(o: Any, request: Any) -> Response:
    o.log(f"fetch {request.url}")
    return Response("ok")


def _world() -> Story:
    story = Story()
    story.fetches["B"] = _answer
    return story


def test_all_writes_of_a_turn_are_one_transaction() -> None:
    """Three puts, the last not awaited, then abort in the same turn: none is kept [og-01]."""

    async def program(o: Any) -> None:
        await o.storage.put("a", 1)
        await o.storage.put("b", 2)
        pending = o.storage.put("c", 3)
        pending.close()
        o.ctx.abort("gone")

    assert Story().play((0, "A:x", program), (1, "A:x", _read)) == [ABORTED, {}]


def test_each_turn_is_its_own_transaction() -> None:
    """Writes before a timer are kept, those after it lost by an abort [og-01]."""

    async def program(o: Any) -> None:
        await o.storage.put("a", 1)
        await asyncio.sleep(0.1)
        await o.storage.put("b", 2)
        o.ctx.abort("gone")

    assert Story().play((0, "A:x", program), (200, "A:x", _read)) == [ABORTED, {"a": 1}]


def test_the_commit_comes_before_the_next_queued_event() -> None:
    """r1 puts, the queued r2 aborts at once: what r1 wrote is kept, and r1 has its answer [og-17]."""

    async def puts(o: Any) -> str:
        await o.storage.put("a", 1)
        return "put"

    async def aborts(o: Any) -> None:
        o.ctx.abort("gone")

    results = Story().play((0, "A:x", puts), (0, "A:x", aborts), (1, "A:x", _read))
    assert results == ["put", ABORTED, {"a": 1}]


@pytest.mark.parametrize("ticks", [0, 1, 20])
def test_an_awaited_put_is_not_durable_yet(ticks: int) -> None:
    """put, await, get sees it, some microtasks, abort: the write is lost [og-02 og-03 og-14]."""
    story = Story()

    async def program(o: Any) -> None:
        await o.storage.put("a", 1)
        o.log(await o.storage.get("a"))
        for _ in range(ticks):
            await asyncio.sleep(0)
        o.ctx.abort("gone")

    assert story.play((0, "A:x", program), (1, "A:x", _read)) == [ABORTED, {}]
    assert story.events() == [1]


@pytest.mark.parametrize("name", ["timer", "sync"])
def test_after_a_timer_or_sync_it_is_durable(name: str) -> None:
    """put, then timeout(0) or sync(), then abort: the write stays [og-04 og-05], a fresh alarm too."""

    async def program(o: Any) -> None:
        await o.storage.put("a", 1)
        await o.storage.setAlarm(4_000_000_000_000)
        await (timeout(0) if name == "timer" else o.storage.sync())
        o.ctx.abort("gone")

    async def read(o: Any) -> list[Any]:
        return [await _read(o), await o.storage.getAlarm()]

    assert Story().play((0, "A:x", program), (1, "A:x", read)) == [ABORTED, [{"a": 1}, 4_000_000_000_000]]


def test_a_fresh_alarm_is_lost_with_the_turn() -> None:
    """setAlarm, abort in the same turn: there is no alarm [err_abort_drops_fresh_writes]."""

    async def program(o: Any) -> None:
        await o.storage.setAlarm(4_000_000_000_000)
        o.ctx.abort("gone")

    async def read(o: Any) -> Any:
        return await o.storage.getAlarm()

    assert Story().play((0, "A:x", program), (1, "A:x", read)) == [ABORTED, None]


def test_an_uncaught_exception_rolls_nothing_back_and_resets_nothing() -> None:
    """put then raise: the value is stored, memory and stub live on [og-06]."""

    async def program(o: Any) -> None:
        o.n = 4
        await o.storage.put("a", 1)
        raise ValueError("after the put")

    async def read(o: Any) -> list[Any]:
        return [o.n, await _read(o)]

    assert Story().play((0, "A:x", program), (1, "A:x", read)) == [
        ("ValueError: after the put", "remote"), [4, {"a": 1}],
    ]  # fmt: skip


def test_transaction_sync_rolls_back_and_raises_the_error_itself() -> None:
    """transactionSync undoes its writes and re-raises the original Python exception."""

    async def program(o: Any) -> list[Any]:
        problem = ValueError("no")

        def work() -> None:
            o.storage.kv.put("a", 2)
            raise problem

        await o.storage.put("a", 1)
        try:
            o.storage.transactionSync(work)
        except ValueError as error:
            return [error is problem, await o.storage.get("a")]
        return []

    assert Story().play((0, "A:x", program)) == [[True, 1]]


def test_a_failed_commit_answers_with_an_error_instead_of_the_value() -> None:
    """A deferred foreign key violation fails the commit: the caller gets its text, no flags at all [og-09]."""

    def program(o: Any) -> str:
        _tables(o)
        _violate(o)
        return "value"

    assert Story().play((0, "A:x", program)) == [FOREIGN_KEY]


def test_what_the_failed_turn_emitted_after_the_write_never_leaves() -> None:
    """Issued after the write: neither fetch nor RPC is sent. Before it: the fetch is, the RPC is not [og-10]."""
    story = _world()

    async def prepare(o: Any) -> None:
        _tables(o)

    async def program(o: Any) -> None:
        b = o.env.B.getByName("y")
        o.tasks = [
            asyncio.ensure_future(b.fetch("https://b/before")),
            asyncio.ensure_future(o.call("B:y", saying("rpc"))),
        ]
        await asyncio.sleep(0)
        _violate(o)
        o.tasks += [
            asyncio.ensure_future(b.fetch("https://b/after")),
            asyncio.ensure_future(o.call("B:y", saying("rpc2"))),
        ]
        await asyncio.sleep(0.1)
        o.log("later")

    assert story.play((0, "A:x", prepare), (100, "A:x", program)) == [None, FOREIGN_KEY]
    story.sim.run()
    assert story.log == [(100, "B:y", "fetch https://b/before")]


def test_a_failed_commit_fails_every_request_in_flight_and_queued() -> None:
    """All callers get the same error, a new call reaches a fresh object without the write [og-11]."""

    async def prepare(o: Any) -> None:
        _tables(o)
        await o.storage.put("before", 1)
        o.n = 9

    async def program(o: Any) -> None:
        await o.storage.put("k", 1)
        _violate(o)

    async def read(o: Any) -> list[Any]:
        return [o.n, await _read(o), o.storage.sql.exec("SELECT count(*) AS n FROM c").one()["n"]]

    results = Story().play(
        (0, "A:x", prepare), (10, "A:x", resting, 100), (50, "A:x", program), (50, "A:x", resting, 1), (60, "A:x", read)
    )
    assert results == [None, FOREIGN_KEY, FOREIGN_KEY, FOREIGN_KEY, [0, {"before": 1}, 0]]


def test_later_turns_of_the_failed_handler_never_run() -> None:
    """Neither the code after a timer nor after sync() runs; sync() neither resolves nor rejects [og-15 og-16]."""
    story = Story()

    async def program(o: Any, how: str) -> None:
        _tables(o)
        _violate(o)
        try:
            await (timeout(0) if how == "timer" else o.storage.sync())
        except Exception:
            o.log("rejected")
        o.log("went on")

    assert story.play((0, "A:x", program, "timer"), (100, "A:y", program, "sync")) == [FOREIGN_KEY, FOREIGN_KEY]
    story.sim.run()
    assert story.log == []


def test_a_violation_mended_in_the_same_turn_is_fine() -> None:
    """What counts is the state at the end of the turn [og-09]."""

    async def program(o: Any) -> int:
        _tables(o)
        _violate(o)
        await o.storage.get("k")
        o.storage.sql.exec("INSERT INTO p VALUES (42)")
        await timeout(0)
        return o.storage.sql.exec("SELECT count(*) AS n FROM c").one()["n"]

    assert Story().play((0, "A:x", program)) == [1]


@pytest.mark.parametrize("write", ["no write", "put", "allowUnconfirmed"])
def test_abort_in_the_issuing_turn_stops_fetch_and_rpc(write: str) -> None:
    """Neither leaves, whether or not something was written [og-07 og-08]."""
    story = _world()

    async def program(o: Any) -> None:
        if write != "no write":
            await o.storage.put("k", 1, {"allowUnconfirmed": write == "allowUnconfirmed"})
        o.tasks = [
            asyncio.ensure_future(o.env.B.getByName("y").fetch("https://b/")),
            asyncio.ensure_future(o.call("B:y", saying("rpc"))),
        ]
        await asyncio.sleep(0)
        o.ctx.abort("gone")

    assert story.play((0, "A:x", program)) == [ABORTED]
    story.sim.run()
    assert story.log == []


def test_a_call_issued_in_an_earlier_turn_has_left() -> None:
    """An abort one turn later does not call back what was sent [og-07]."""
    story = _world()

    async def program(o: Any) -> None:
        o.task = asyncio.ensure_future(o.call("B:y", saying("rpc", 100)))
        await timeout(0)
        o.ctx.abort("gone")

    assert story.play((0, "A:x", program)) == [ABORTED]
    story.sim.run()
    assert story.log == [(100, "B:y", "rpc")]


def test_the_answer_waits_for_the_commit_on_the_platform_that_needs_time_for_it() -> None:
    """With confirm time the reply and outgoing calls leave later; nothing written, nothing waited."""
    story = Story(platform="cloudflare")

    async def writes(o: Any) -> None:
        await o.storage.put("k", 1)
        o.log("writes")

    async def caller(o: Any) -> None:
        await o.call("A:x", saying("reads"))
        o.log("answered")
        await o.call("A:x", writes)
        o.log("answered later")

    story.play((0, "B:y", caller))
    confirm_ms = story.sim.world.platform.confirm_us // 1000
    assert confirm_ms > 0
    assert story.timed() == [(0, "reads"), (0, "answered"), (0, "writes"), (confirm_ms, "answered later")]


def test_an_error_answer_waits_for_the_commit_as_well() -> None:
    """put, a violation, raise: the caller gets the commit's error, not the handler's (3.4)."""

    async def program(o: Any) -> None:
        _tables(o)
        _violate(o)
        raise ValueError("mine")

    assert Story().play((0, "A:x", program)) == [FOREIGN_KEY]


def test_a_failing_commit_in_a_section_s_turn_resets_too() -> None:
    """Writes inside blockConcurrencyWhile are committed at the end of each turn as well (3.1)."""

    async def program(o: Any) -> None:
        async def work() -> None:
            _tables(o)
            _violate(o)
            await timeout(0)

        await o.block(work)

    async def read(o: Any) -> str:
        return "fresh"

    results = Story().play((0, "A:x", program), (1, "A:x", read))
    assert results == [FOREIGN_KEY, "fresh"]
