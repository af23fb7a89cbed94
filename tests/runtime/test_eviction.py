"""Idle eviction: after 10 s, and everything that prevents it (rule 4.7)."""

from __future__ import annotations

import asyncio
from typing import Any

from dosim import workers
from dosim.workers import js
from tests.runtime.stories import Story, resting, saying


async def mark(o: Any) -> None:
    o.n = 1


async def read(o: Any) -> int:
    return o.n


def _memory_after(seconds: float, program: Any = mark, **options: Any) -> int:
    """Whether the memory that `program` marked is still there `seconds` later: 1 or 0."""
    return Story(**options).play((0, "A:x", program), (round(seconds * 1000), "A:x", read))[1]


def test_memory_is_dropped_ten_seconds_after_the_last_activity() -> None:
    """9.9 s later it is there, 10.1 s later it is gone and the constructor runs again [lc-17 hb-01]."""
    assert (_memory_after(9.9), _memory_after(10.1)) == (1, 0)


def test_each_event_restarts_the_clock() -> None:
    """Calls every 6 s keep the object in memory [lc-17 hb-02]."""
    story = Story()
    steps = [(0, "A:x", mark)] + [(6000 * n, "A:x", read) for n in range(1, 6)]
    assert story.play(*steps)[1:] == [1] * 5
    assert story.sim.objects["x"].instance == 1


def test_the_clock_starts_at_the_end_of_the_activity() -> None:
    """A request of 8 s, then 9 s of nothing: still there; the request itself keeps it [lc-18]."""

    async def long(o: Any) -> None:
        o.n = 1
        await o.call("B:y", resting, 8000)

    assert (_memory_after(17, long), _memory_after(18.5, long)) == (1, 0)


def test_a_request_in_flight_keeps_it() -> None:
    """An awaited answer of 25 s: memory stays [lc-18]."""
    story = Story()

    async def long(o: Any) -> int:
        o.n = 1
        await o.call("B:y", resting, 25_000)
        return o.n

    assert story.play((0, "A:x", long)) == [1]
    assert story.sim.objects["x"].instance == 1


def test_a_pending_timeout_keeps_it() -> None:
    """setTimeout of 15 s, nothing else: there at 24 s, gone at 26 s [lc-19 hb-05]."""

    async def program(o: Any) -> None:
        o.n = 1
        js.setTimeout(lambda: None, 15_000)

    assert (_memory_after(24, program), _memory_after(26, program)) == (1, 0)


def test_a_cleared_timeout_does_not() -> None:
    """clearTimeout lets it go [lc-19]."""

    async def program(o: Any) -> None:
        o.n = 1
        js.clearTimeout(js.setTimeout(lambda: None, 60_000))

    assert (_memory_after(9, program), _memory_after(11, program)) == (1, 0)


def test_an_interval_keeps_it() -> None:
    """setInterval keeps the object for as long as it runs [hb-05]."""

    async def program(o: Any) -> None:
        o.n = 1
        js.setInterval(lambda: None, 7000)

    assert _memory_after(100, program) == 1


def test_a_sleeping_task_keeps_it() -> None:
    """asyncio.sleep in a detached task is a timer [lc-19]."""

    async def program(o: Any) -> None:
        o.n = 1
        o.task = asyncio.create_task(asyncio.sleep(15))

    assert (_memory_after(24, program), _memory_after(26, program)) == (1, 0)


def test_a_pending_outgoing_call_keeps_it() -> None:
    """A detached RPC of 15 s keeps its caller [lc-20]."""

    async def program(o: Any) -> None:
        o.n = 1
        o.task = asyncio.create_task(_call(o))

    async def _call(o: Any) -> None:
        await o.call("B:y", resting, 15_000)

    assert (_memory_after(24, program), _memory_after(26, program)) == (1, 0)


def test_wait_until_keeps_it_even_for_ever() -> None:
    """waitUntil of a promise that never settles keeps the object [lc-20]."""

    async def program(o: Any) -> None:
        o.n = 1
        workers.wait_until(asyncio.Event().wait())

    assert _memory_after(1000, program) == 1


def test_an_unsettled_promise_outside_wait_until_does_not() -> None:
    """A detached task that waits for an Event does not keep it [lc-21]."""

    async def program(o: Any) -> None:
        o.n = 1
        o.task = asyncio.create_task(asyncio.Event().wait())

    assert (_memory_after(9, program), _memory_after(11, program)) == (1, 0)


def test_a_held_plain_stub_does_not() -> None:
    """Another object's stub keeps nobody [lc-27]."""
    story = Story()

    async def holds(o: Any) -> Any:
        if not hasattr(o, "stub"):
            o.stub = o.env.A.getByName("x")
            js.setInterval(lambda: None, 5000)
            return await story.on(o.stub, mark)
        return await story.on(o.stub, read)

    assert story.play((0, "B:y", holds), (11_000, "B:y", holds)) == [None, 0]


def test_a_returned_function_keeps_its_owner_until_it_is_disposed() -> None:
    """A caller that holds it keeps the object in memory; after dispose() and 10 s it is gone [lc-24]."""
    story = Story()

    async def gives(o: Any) -> Any:
        o.n = 1
        return lambda: o.n

    async def holder(o: Any, keep_s: float) -> None:
        function = await o.call("A:x", gives)
        await asyncio.sleep(keep_s)
        assert await function() == 1
        function.dispose()
        await asyncio.sleep(60)

    results = story.play(
        (0, "B:y", holder, 30), (39_000, "A:x", read),
        (100_000, "B:y", holder, 30), (141_000, "A:x", read),
    )  # fmt: skip
    assert results == [None, 1, None, 0]


def test_a_returned_function_keeps_its_owner_until_its_holder_s_request_ends() -> None:
    """Without dispose() it is let go with the holder's memory, not for ever [lc-24]."""
    story = Story()

    async def gives(o: Any) -> Any:
        o.n = 1
        return lambda: o.n

    async def holder(o: Any) -> None:
        o.function = await o.call("A:x", gives)

    results = story.play((0, "B:y", holder), (60_000, "A:x", read))
    assert results == [None, 0]


def test_a_pending_alarm_does_not() -> None:
    """An alarm in 60 s: memory is gone at 11 s; then constructor and alarm({retryCount: 0, isRetry: false}) [lc-22]."""
    story = Story()
    story.constructors["A"] = lambda o: o.log("constructor")

    async def on_alarm(o: Any, info: Any) -> None:
        o.log(["alarm", o.n, info.retryCount, info.isRetry])

    async def sets(o: Any) -> None:
        o.n = 1
        await o.storage.setAlarm(js.Date.now() + 60_000)

    story.alarms["A"] = on_alarm
    story.play((0, "A:x", sets))
    story.sim.run(until="70s")
    assert story.timed() == [(0, "constructor"), (60_000, "constructor"), (60_000, ["alarm", 0, 0, False])]


def test_prevent_eviction_keeps_it_for_ever() -> None:
    """prevent_eviction (miniflare's unsafePreventEviction) [lc-23]."""
    assert _memory_after(1000, mark, prevent_eviction=["A"]) == 1


def test_a_section_keeps_it() -> None:
    """A section of 20 s that nobody awaits: memory is there while it runs and 10 s after."""

    async def program(o: Any) -> None:
        o.n = 1
        o.pending = o.ctx.blockConcurrencyWhile(lambda: o.call("B:y", resting, 20_000))

    assert (_memory_after(29, program), _memory_after(31, program)) == (1, 0)


def test_eviction_runs_no_code_of_the_object() -> None:
    """No `finally` of a waiting task runs when the object is evicted."""
    story = Story()

    async def waits(o: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            story.log.append((-1, "A:x", "finally"))

    async def program(o: Any) -> None:
        o.task = asyncio.create_task(waits(o))

    story.play((0, "A:x", program), (20_000, "A:x", saying("next")))
    assert story.events() == ["next"]


def test_storage_and_alarm_survive() -> None:
    """What is stored is there for the next instance."""

    async def puts(o: Any) -> None:
        await o.storage.put("k", [1, 2])

    async def gets(o: Any) -> Any:
        return await o.storage.get("k")

    assert Story().play((0, "A:x", puts), (20_000, "A:x", gets)) == [None, [1, 2]]


def test_the_evict_verb_does_it_now() -> None:
    """`sim.evict(object)`: as idleness would, without the wait."""
    story = Story()
    story.play((0, "A:x", mark))
    story.sim.evict(story.sim.objects["x"])
    assert story.play((0, "A:x", read)) == [0]
    assert story.sim.objects["x"].instance == 2
