"""Work after the answer: waitUntil, wait_until, detached tasks (rule 4.6; FACTS 1.4 no. 6)."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

import pytest

from dosim import workers
from dosim.simulation.errors import PortabilityError, PortabilityWarning
from dosim.workers import ffi
from tests.runtime.stories import Story, resting, saying


def test_background_work_runs_on_after_the_response() -> None:
    """wait_until, a task, and a call nobody awaits go on [lc-14]."""
    story = Story()

    async def program(o: Any) -> str:
        workers.wait_until(saying("wait_until", 100)(o))
        o.task = asyncio.create_task(saying("task", 200)(o))
        return "early"

    async def caller(o: Any) -> None:
        o.log(await o.call("A:x", program))

    story.play((0, "B:y", caller))
    story.sim.run(until="1s")
    assert story.timed() == [(0, "early"), (100, "wait_until"), (200, "task")]


def test_its_failure_is_harmless() -> None:
    """A rejected waitUntil promise or task neither resets the object nor reaches anyone [lc-16]."""

    async def fails(o: Any) -> None:
        await asyncio.sleep(0.1)
        raise ValueError("nobody hears")

    async def program(o: Any) -> str:
        o.n = 3
        workers.wait_until(fails(o))
        o.task = asyncio.create_task(fails(o))
        return "ok"

    async def read(o: Any) -> int:
        return o.n

    assert Story().play((0, "A:x", program), (500, "A:x", read)) == ["ok", 3]


def test_wait_until_takes_coroutine_task_and_future() -> None:
    """`workers.wait_until` and `workers.waitUntil` are one function and take any awaitable."""
    story = Story()

    async def program(o: Any) -> None:
        workers.waitUntil(saying("coroutine", 100)(o))
        workers.wait_until(asyncio.ensure_future(saying("task", 100)(o)))

    story.play((0, "A:x", program))
    story.sim.run(until="1s")
    assert story.timed() == [(100, "coroutine"), (100, "task")]


def test_ctx_wait_until_takes_a_proxied_future() -> None:
    """`ctx.waitUntil(create_proxy(ensure_future(...)))` is the raw spelling that works."""
    story = Story()

    async def program(o: Any) -> None:
        o.ctx.waitUntil(ffi.create_proxy(asyncio.ensure_future(saying("done", 100)(o))))

    story.play((0, "A:x", program))
    story.sim.run(until="1s")
    assert story.timed() == [(100, "done")]


def test_ctx_wait_until_of_a_coroutine_never_runs_it_and_warns() -> None:
    """As on the platform the coroutine is lost; the warning names `workers.wait_until`."""
    story = Story()

    async def program(o: Any) -> str:
        o.ctx.waitUntil(saying("lost", 100)(o))
        return "ok"

    with pytest.warns(PortabilityWarning, match=r"workers\.wait_until"):
        assert story.play((0, "A:x", program)) == ["ok"]
    story.sim.run(until="1s")
    assert story.log == []


def test_portability_error_raises_it() -> None:
    """portability="error" turns the silent trap into an error at the call."""
    story = Story(portability="error")
    seen: list[str] = []

    async def program(o: Any) -> None:
        try:
            o.ctx.waitUntil(saying("lost", 100)(o))
        except PortabilityError as error:
            seen.append(str(error))

    story.play((0, "A:x", program))
    assert len(seen) == 1 and "workers.wait_until" in seen[0]


def test_portability_friendly_runs_it_and_warns() -> None:
    """portability="friendly" accepts the coroutine."""
    story = Story(portability="friendly")

    async def program(o: Any) -> None:
        o.ctx.waitUntil(saying("done", 100)(o))

    with pytest.warns(PortabilityWarning):
        story.play((0, "A:x", program))
    story.sim.run(until="1s")
    assert story.timed() == [(100, "done")]


def test_background_work_is_gated_like_everything_else() -> None:
    """Its timers wait for a section of a later request."""
    story = Story()

    async def program(o: Any) -> None:
        workers.wait_until(saying("background", 100)(o))

    async def blocks(o: Any) -> None:
        await o.block(lambda: o.call("B:y", resting, 200))

    story.play((0, "A:x", program), (50, "A:x", blocks))
    story.sim.run(until="1s")
    assert story.timed() == [(250, "background")]


def test_run_without_awaitables_waits_for_background_work() -> None:
    """`sim.run()` goes on until nothing but alarms is left: background work included."""
    story = Story()

    async def program(o: Any) -> None:
        workers.wait_until(saying("background", 60_000)(o))

    story.play((0, "A:x", program))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        story.sim.run()
    assert story.timed() == [(60_000, "background")]
