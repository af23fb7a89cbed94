"""What a reset does to everyone and everything of the object (rule 4.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from dosim.workers import js, wait_until
from tests.runtime.stories import Story, resting, saying

Cause = Callable[[Any], Any]


async def _abort(o: Any) -> None:
    o.ctx.abort("boom")


async def _section(o: Any) -> None:
    async def work() -> None:
        raise ValueError("boom")

    await o.block(work)


async def _commit(o: Any) -> None:
    o.storage.sql.exec("CREATE TABLE p (id INTEGER PRIMARY KEY)")
    o.storage.sql.exec("CREATE TABLE c (pid INTEGER REFERENCES p (id))")
    o.storage.sql.exec("PRAGMA defer_foreign_keys = ON")
    o.storage.sql.exec("INSERT INTO c VALUES (1)")


CAUSES: dict[str, Cause] = {"abort": _abort, "section": _section, "commit": _commit}


@pytest.mark.parametrize("cause", CAUSES)
def test_all_in_flight_and_queued_fail_with_the_same_error_and_nothing_is_retried(cause: str) -> None:
    """A running and a queued request get the causing error; neither runs again in the next life [lc-05 lc-26]."""
    story = Story()
    story.constructors["A"] = lambda o: o.log("constructor")
    results = story.play(
        (0, "A:x", saying("running", 500)), (100, "A:x", CAUSES[cause]), (100, "A:x", saying("queued")),
        (200, "A:x", saying("new")),
    )  # fmt: skip
    assert results[0] == results[1] == results[2]
    assert "remote" not in results[0][1]
    assert results[3] == "new"
    assert story.timed() == [(0, "constructor"), (200, "constructor"), (200, "new")]


@pytest.mark.parametrize("cause", CAUSES)
def test_timers_wait_until_and_detached_work_are_cancelled(cause: str) -> None:
    """Nothing that the old life had started runs on [lc-15]."""
    story = Story()

    async def starts(o: Any) -> None:
        js.setTimeout(lambda: o.log("timer"), 200)
        js.setInterval(lambda: o.log("interval"), 200)
        wait_until(saying("waitUntil", 200)(o))
        o.task = asyncio.create_task(saying("task", 200)(o))

        async def calls() -> None:
            await o.call("B:y", resting, 200)
            o.log("call answered")

        o.other = asyncio.create_task(calls())

    story.play((0, "A:x", starts), (100, "A:x", CAUSES[cause]))
    story.sim.run(until="1s")
    assert story.log == []


@pytest.mark.parametrize("cause", ["abort", "commit"])
def test_uncommitted_writes_and_memory_are_lost(cause: str) -> None:
    """The causing turn's put is gone, an earlier one stays, attributes start anew."""

    async def prepares(o: Any) -> None:
        o.n = 1
        await o.storage.put("k", "old")

    async def program(o: Any) -> None:
        await o.storage.put("k", "new")
        await CAUSES[cause](o)

    async def read(o: Any) -> list[Any]:
        return [o.n, await o.storage.get("k")]

    assert Story().play((0, "A:x", prepares), (1, "A:x", program), (2, "A:x", read))[-1] == [0, "old"]


@pytest.mark.parametrize("pause", [False, True])
def test_a_failing_section_loses_its_open_turn(pause: bool) -> None:
    """What the section wrote in its last turn is gone, what it wrote before a timer stays [block-throw-resets]."""

    async def program(o: Any) -> None:
        async def work() -> None:
            await o.storage.put("k", "within")
            if pause:
                await asyncio.sleep(0.01)
            raise ValueError("boom")

        await o.block(work)

    async def read(o: Any) -> Any:
        return await o.storage.get("k")

    assert Story().play((0, "A:x", program), (100, "A:x", read))[-1] == ("within" if pause else None)


def test_a_write_before_the_failing_section_stays() -> None:
    """put, then a section that raises: the put was of an earlier turn (RULES-python 9)."""

    async def program(o: Any) -> None:
        await o.storage.put("k", "before")
        await _section(o)

    async def read(o: Any) -> Any:
        return await o.storage.get("k")

    assert Story().play((0, "A:x", program), (1, "A:x", read))[-1] == "before"


def test_the_next_call_on_a_new_stub_runs_the_constructor() -> None:
    """A second instance, and `sim.objects` says so [lc-05 lc-08]."""
    story = Story()
    story.play((0, "A:x", _abort), (1, "A:x", saying("new")))
    assert story.sim.objects["x"].instance == 2


def test_an_error_keeps_its_class_in_the_text() -> None:
    """The error of a failed section is the user's own, not a wrapper's [lc-06]."""

    async def program(o: Any) -> None:
        def work() -> None:
            raise KeyError("which")

        await o.block(work)

    assert Story().play((0, "A:x", program)) == [("KeyError: 'which'", "durableObjectReset")]


def test_outgoing_calls_of_the_old_life_run_to_their_end_elsewhere() -> None:
    """A reset of the caller does not reach an object it had called [er-05 er-08]."""
    story = Story()

    async def calls(o: Any) -> None:
        await o.call("B:y", saying("callee done", 300))

    story.play((0, "A:x", calls), (100, "A:x", _abort))
    story.sim.run()
    assert story.log == [(300, "B:y", "callee done")]


def test_a_callee_s_reset_does_not_reset_the_caller() -> None:
    """The caller may catch the error and goes on with its memory [er-05 er-08]."""

    async def calls(o: Any) -> list[Any]:
        o.n = 8
        try:
            await o.call("B:y", _abort)
        except Exception as error:
            return [str(error), o.n]
        return []

    async def read(o: Any) -> int:
        return o.n

    assert Story().play((0, "A:x", calls), (1, "A:x", read)) == [["Error: boom", 8], 8]


def test_an_alarm_survives_a_reset() -> None:
    """The stored alarm fires in the next life [alarm_survives_abort]."""
    story = Story()

    async def on_alarm(o: Any, info: Any) -> None:
        o.log("alarm")

    async def sets(o: Any) -> None:
        await o.storage.setAlarm(js.Date.now() + 1000)

    story.alarms["A"] = on_alarm
    story.play((0, "A:x", sets), (100, "A:x", _abort))
    story.sim.run(until="2s")
    assert story.timed() == [(1000, "alarm")]
