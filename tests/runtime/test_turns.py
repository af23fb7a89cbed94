"""The unit of execution is the turn: one event, then code until it waits for something outside (rules 1.1–1.7)."""

from __future__ import annotations

import asyncio
from typing import Any

from dosim.workers import js
from tests.runtime.stories import Story, resting, saying, timeout


def test_any_number_of_microtask_awaits_stays_in_one_turn() -> None:
    """Fifty `sleep(0)` in one request let no second request in [ig-10]."""
    story = Story()

    async def ticks(o: Any, name: str) -> None:
        o.log(f"{name} starts")
        for _ in range(50):
            await asyncio.sleep(0)
        o.log(f"{name} ends")

    story.play((0, "A:x", ticks, "r1"), (0, "A:x", ticks, "r2"))
    assert story.events() == ["r1 starts", "r1 ends", "r2 starts", "r2 ends"]


def test_on_release_a_waiting_section_goes_before_every_waiting_event() -> None:
    """A call, a timer and a second section queue behind a section; the section goes first [ig-21 bl-09]."""
    story = Story()

    async def first(o: Any) -> None:
        async def section() -> None:
            await o.call("B:y", resting, 300)
            o.log("section 1 ends")

        await o.block(section)
        o.log("after section 1")

    async def waits(o: Any) -> None:
        await asyncio.sleep(0.2)
        o.log("timer")

    async def second(o: Any) -> None:
        o.log("second starts")

        async def section() -> None:
            o.log("section 2 starts")
            await o.call("B:z", resting, 100)
            o.log("section 2 ends")

        await o.block(section)

    story.play((0, "A:x", waits), (50, "A:x", first), (100, "A:x", second), (150, "A:x", saying("call")))
    assert story.timed() == [
        (350, "section 1 ends"),
        (350, "after section 1"),
        (350, "second starts"),
        (350, "section 2 starts"),
        (450, "section 2 ends"),
        (450, "call"),
        (450, "timer"),
    ]


def test_waiting_events_are_let_in_in_the_order_in_which_they_came() -> None:
    """Calls and replies that wait for a section are delivered FIFO, one at each release [ig-21]."""
    story = Story()

    async def asks(o: Any) -> None:
        await o.call("B:y", resting, 200)
        o.log("reply@200")

    async def section(o: Any) -> None:
        await o.block(lambda: o.call("B:z", resting, 500))

    story.play(
        (0, "A:x", asks),
        (10, "A:x", section),
        (100, "A:x", saying("call@100")),
        (300, "A:x", saying("call@300")),
    )
    assert story.timed() == [(510, "call@100"), (510, "reply@200"), (510, "call@300")]


def test_gates_are_per_object() -> None:
    """A section of one object holds back nobody else [ig-17]."""
    story = Story()

    async def section(o: Any) -> None:
        await o.block(lambda: asyncio.sleep(0.5))
        o.log("section over")

    story.play((0, "A:x", section), (100, "A:y", saying("other")), (100, "A:x", saying("same")))
    assert story.timed() == [(100, "other"), (500, "section over"), (500, "same")]


def test_a_promise_of_one_request_may_be_resolved_in_another() -> None:
    """All requests of an object share one I/O context: an Event set by one wakes the other [ig-18]."""
    story = Story()

    async def waits(o: Any) -> None:
        o.event = asyncio.Event()
        await o.event.wait()
        o.log("woken")

    async def sets(o: Any) -> None:
        o.event.set()
        o.log("set")

    story.play((0, "A:x", waits), (200, "A:x", sets))
    assert story.log == [(200, "A:x", "set"), (200, "A:x", "woken")]


def _contended(story: Story, *programs: Any) -> list[Any]:
    """Programs that wait for something due at 200 ms, while a section holds the gate from 100 to 400 ms."""

    async def section(o: Any) -> None:
        await o.block(lambda: o.call("B:y", resting, 300))

    story.play(*[(0, "A:x", program) for program in programs], (100, "A:x", section), (300, "A:x", saying("call@300")))
    return story.events()


def test_a_timer_callback_is_one_hop() -> None:
    """A setTimeout that waited at the gate runs before a call that came later [ig-23]."""

    async def waits(o: Any) -> None:
        await timeout(200)
        o.log("timer")

    assert _contended(Story(), waits) == ["timer", "call@300"]


def test_scheduler_wait_is_two_hops() -> None:
    """The timer's turn comes first, then its promise queues again behind the call [ig-23]."""

    async def waits(o: Any) -> None:
        await js.scheduler.wait(200)
        o.log("scheduler.wait")

    assert _contended(Story(), waits) == ["call@300", "scheduler.wait"]


def test_an_rpc_result_is_one_hop() -> None:
    """The answer of an RPC that waited at the gate comes before a call that came later [ig-24]."""

    async def waits(o: Any) -> None:
        await o.call("B:z", resting, 200)
        o.log("rpc")

    assert _contended(Story(), waits) == ["rpc", "call@300"]


def test_fetch_and_its_body_are_two_hops() -> None:
    """The response comes before a call that came later, its text behind it [ig-24]."""
    from dosim.workers import Response

    story = Story()

    async def answer(o: Any, request: Any) -> Any:
        await asyncio.sleep(0.2)
        return Response("ok")

    async def waits(o: Any) -> None:
        response = await o.env.B.getByName("z").fetch("https://b/")
        o.log("response")
        await response.text()
        o.log("text")

    story.fetches["B"] = answer
    assert _contended(story, waits) == ["response", "call@300", "text"]
