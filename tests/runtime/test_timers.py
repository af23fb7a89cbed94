"""Timers: their order, and that they run strictly one after another (rule 1.8, 2.9)."""

from __future__ import annotations

import asyncio
from typing import Any

from dosim.workers import js
from tests.runtime.stories import Story, resting, saying


def test_timers_fire_by_due_time_then_by_creation() -> None:
    """300, 100, 200, 100 ms: the two of 100 first, in the order in which they were made [ig-13]."""
    story = Story()

    async def starts(o: Any) -> None:
        for name, ms in (("a300", 300), ("b100", 100), ("c200", 200), ("d100", 100)):
            js.setTimeout(lambda name=name: o.log(name), ms)
        await asyncio.sleep(0.4)

    story.play((0, "A:x", starts))
    assert story.timed() == [(100, "b100"), (100, "d100"), (200, "c200"), (300, "a300")]


def test_timers_of_two_requests_share_one_order() -> None:
    """The order counts for the whole object, whichever request made the timer [ig-13]."""
    story = Story()
    story.play((0, "A:x", saying("late", 200)), (100, "A:x", saying("early", 50)), (0, "A:x", saying("late too", 200)))
    assert story.timed() == [(150, "early"), (200, "late"), (200, "late too")]


def test_a_timer_stuck_at_the_gate_holds_back_every_later_timer() -> None:
    """Timers due at 200 and 300, a request at 400, the gate opens at 600: 200, request, 300 [ig-22]."""
    story = Story()

    async def section(o: Any) -> None:
        await o.block(lambda: o.call("B:y", resting, 500))
        o.log("section over")

    story.play(
        (0, "A:x", saying("t200", 200)),
        (0, "A:x", saying("t300", 300)),
        (100, "A:x", section),
        (400, "A:x", saying("request@400")),
    )
    assert story.timed() == [(600, "section over"), (600, "t200"), (600, "request@400"), (600, "t300")]


def test_a_section_s_timers_do_not_wait_for_timers_outside() -> None:
    """An earlier timer of another request does not starve the section's own; it runs after it [bl-03, new runtime]."""
    story = Story()

    async def section(o: Any) -> None:
        async def work() -> None:
            await asyncio.sleep(0.3)
            o.log("inside")

        await o.block(work)
        o.log("over")

    story.play((0, "A:x", saying("outside", 200)), (100, "A:x", section))
    assert story.timed() == [(400, "inside"), (400, "over"), (400, "outside")]


def test_the_handler_s_own_earlier_watchdog_does_not_starve_its_section() -> None:
    """A setTimeout made before the section, due during it, runs after it [bl-22, new runtime]."""
    story = Story()

    async def guarded(o: Any) -> None:
        js.setTimeout(lambda: o.log("watchdog"), 100)

        async def work() -> None:
            await asyncio.sleep(0.2)
            o.log("inside")

        await o.block(work)
        o.log("over")

    story.play((0, "A:x", guarded))
    story.sim.run()
    assert story.timed() == [(200, "inside"), (200, "over"), (200, "watchdog")]


def test_a_cleared_timer_never_runs_and_holds_nothing_back() -> None:
    """clearTimeout takes a timer out, also one that waits at the gate."""
    story = Story()

    async def starts(o: Any) -> None:
        number = js.setTimeout(lambda: o.log("cleared"), 100)
        js.setTimeout(lambda: o.log("kept"), 200)
        js.clearTimeout(number)
        await asyncio.sleep(0.3)

    async def cleared_late(o: Any) -> None:
        number = js.setTimeout(lambda: o.log("cleared late"), 100)

        async def work() -> None:
            await asyncio.sleep(0.2)
            js.clearTimeout(number)

        await o.block(work)
        await asyncio.sleep(0.1)
        o.log("over")

    story.play((0, "A:x", starts), (0, "A:y", cleared_late))
    assert story.timed() == [(200, "kept"), (300, "over")]


def test_an_interval_repeats_until_it_is_cleared() -> None:
    """setInterval(100): 100, 200, 300, and no more after clearInterval at 350."""
    story = Story()

    async def starts(o: Any) -> None:
        number = js.setInterval(lambda: o.log("tick"), 100)
        await asyncio.sleep(0.35)
        js.clearInterval(number)
        await asyncio.sleep(0.3)

    story.play((0, "A:x", starts))
    assert story.timed() == [(100, "tick"), (200, "tick"), (300, "tick")]


def test_a_timer_s_arguments_are_passed_on() -> None:
    """setTimeout(callback, ms, *args) calls callback(*args); an async callback runs as a task."""
    story = Story()

    async def starts(o: Any) -> None:
        async def later(word: str) -> None:
            await asyncio.sleep(0.1)
            o.log(word)

        js.setTimeout(o.log, 100, "hello")
        js.setTimeout(later, 100, "async")
        await asyncio.sleep(0.3)

    story.play((0, "A:x", starts))
    assert story.timed() == [(100, "hello"), (200, "async")]
