"""The constructor: when it runs, and what its failure does (rules 4.1, 4.2; RULES-python 1, 8)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.runtime.stories import TIMED_OUT, Story, resting, saying


def test_the_first_event_constructs_the_instance() -> None:
    """Making stubs and ids constructs nothing; the first call does, in a turn before the handler [lc-01]."""
    story = Story()
    story.constructors["A"] = lambda o: o.log("constructor")
    stub = story.stub("A:x")
    assert str(stub.id) and len(story.sim.objects) == 0
    story.play((0, "A:x", saying("1")), (0, "A:x", saying("2")), (100, "A:x", saying("3")))
    assert story.events() == ["constructor", "1", "2", "3"]


def test_fields_live_on_and_storage_persists() -> None:
    """Attributes are shared by the calls of one instance and gone after a reset; storage stays [lc-01]."""

    async def add(o: Any) -> list[int]:
        o.n += 1
        stored = (await o.storage.get("n") or 0) + 1
        await o.storage.put("n", stored)
        return [o.n, stored]

    def die(o: Any) -> None:
        o.ctx.abort("gone")

    results = Story().play((0, "A:x", add), (0, "A:x", add), (1, "A:x", die), (2, "A:x", add))
    assert results == [[1, 1], [2, 2], ("Error: gone", "durableObjectReset"), [1, 3]]


def test_delete_all_keeps_the_instance_and_its_memory() -> None:
    """deleteAll empties storage; attributes stay and no constructor runs [lc-25]."""
    story = Story()
    story.constructors["A"] = lambda o: o.log("constructor")

    async def fill(o: Any) -> None:
        o.n = 5
        await o.storage.put("k", 1)

    async def clear(o: Any) -> list[Any]:
        await o.storage.deleteAll()
        return [o.n, dict(await o.storage.list())]

    async def read(o: Any) -> int:
        return o.n

    assert story.play((0, "A:x", fill), (1, "A:x", clear), (2, "A:x", read)) == [None, [5, {}], 5]
    assert story.events() == ["constructor"]


def test_init_raising_is_sticky() -> None:
    """Every later call, same stub or new, gets the first error, `remote`; the constructor ran once (RULES-python 1)."""
    story = Story()
    tries: list[int] = []

    def construct(o: Any) -> None:
        tries.append(1)
        raise RuntimeError(f"try {len(tries)}")

    story.constructors["A"] = construct
    results = story.play((0, "A:x", saying("r1")), (0, "A:x", saying("r2")), (5000, "A:x", saying("r3")))
    assert [text for text, _ in results] == ["RuntimeError: try 1"] * 3
    assert len(tries) == 1


def test_after_ten_idle_seconds_a_failed_constructor_gets_another_try() -> None:
    """Once the failed instance has left memory the next call constructs anew (RULES-python 1)."""
    story = Story()
    tries: list[int] = []

    def construct(o: Any) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("not ready")

    story.constructors["A"] = construct
    results = story.play((0, "A:x", saying("r1")), (9000, "A:x", saying("r2")), (20_000, "A:x", saying("r3")))
    assert [results[0][0], results[1][0], results[2]] == ["RuntimeError: not ready"] * 2 + ["r3"]


def test_a_failing_section_of_the_constructor_resets() -> None:
    """Whoever waits for it gets the error, `durableObjectReset`, no `remote`; the next call constructs anew [lc-04]."""
    story = Story()
    tries: list[int] = []

    def construct(o: Any) -> None:
        tries.append(1)

        async def load() -> None:
            await o.call("B:y", resting, 100)
            if len(tries) < 3:
                raise RangeError(f"try {len(tries)}")

        o.ctx.blockConcurrencyWhile(load)

    story.constructors["A"] = construct
    results = story.play(
        (0, "A:x", saying("r1")), (50, "A:x", saying("r2")), (100, "A:x", saying("r3")), (200, "A:x", saying("r4")),
        (400, "A:x", saying("r5")),
    )  # fmt: skip
    failed = [(text.rpartition(".")[2], flags) for text, flags in results[:4]]
    assert failed[:2] == [("RangeError: try 1", "durableObjectReset")] * 2
    assert failed[3] == ("RangeError: try 2", "durableObjectReset")
    assert results[4] == "r5"


class RangeError(Exception):
    """An error of one's own."""


def test_abort_in_the_constructor() -> None:
    """Every caller that waits gets the reason, `durableObjectReset`; the next call constructs anew [lc-10]."""
    story = Story()
    tries: list[int] = []

    def construct(o: Any) -> None:
        tries.append(1)
        if len(tries) == 1:
            o.ctx.abort("not today")

    story.constructors["A"] = construct
    results = story.play((0, "A:x", saying("r1")), (0, "A:x", saying("r2")), (10, "A:x", saying("r3")))
    assert results == [("Error: not today", "durableObjectReset")] * 2 + ["r3"]


def test_a_section_of_the_constructor_has_30_seconds() -> None:
    """A constructor's section that never ends is reset with the limit's error (2.8)."""
    story = Story()
    story.constructors["A"] = lambda o: o.ctx.blockConcurrencyWhile(lambda: asyncio.Event().wait())
    assert story.play((0, "A:x", saying("r1")), (1000, "A:x", saying("r2"))) == [TIMED_OUT, TIMED_OUT]


def test_storage_in_the_constructor_is_committed_with_its_turn() -> None:
    """Synchronous storage works in the constructor; an exception there keeps nothing from the next life (3.1)."""
    story = Story()

    def construct(o: Any) -> None:
        o.storage.sql.exec("CREATE TABLE IF NOT EXISTS t (a)")
        o.storage.sql.exec("INSERT INTO t VALUES (1)")

    async def count(o: Any) -> int:
        return o.storage.sql.exec("SELECT count(*) AS n FROM t").one()["n"]

    story.constructors["A"] = construct
    assert story.play((0, "A:x", count), (20_000, "A:x", count)) == [1, 2]


@pytest.mark.parametrize("how", ["alarm", "fetch"])
def test_any_event_constructs(how: str) -> None:
    """An alarm or a fetch on an object that is not in memory runs the constructor first [lc-22]."""
    from dosim.workers import Response, js

    story = Story()
    story.constructors["A"] = lambda o: o.log("constructor")

    async def on_alarm(o: Any, info: Any) -> None:
        o.log(["alarm", info.retryCount, info.isRetry])

    async def on_fetch(o: Any, request: Any) -> Response:
        o.log("fetch")
        return Response("ok")

    async def sets_alarm(o: Any) -> None:
        await o.storage.setAlarm(js.Date.now() + 15_000)

    story.alarms["A"], story.fetches["A"] = on_alarm, on_fetch
    if how == "alarm":
        story.play((0, "A:x", sets_alarm))
        story.sim.run(until="16s")
        assert story.timed() == [(0, "constructor"), (15_000, "constructor"), (15_000, ["alarm", 0, False])]
    else:
        story.sim.run(story.stub("A:x").fetch("https://a/"))
        assert story.events() == ["constructor", "fetch"]
