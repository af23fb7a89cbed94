"""concurrency="one-at-a-time": the next event waits until the previous one has answered (DESIGN 2)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import dosim
from dosim import workers
from dosim.web.errors import JsException
from dosim.workers import Response, js
from tests.runtime.stories import Story, resting, saying


def world(**options: Any) -> Story:
    return Story(concurrency="one-at-a-time", **options)


def _ends(story: Story, program: Any, n: int = 4) -> list[int]:
    story.play(*[(0, "A:x", program)] * n)
    return [ms for ms, _, _ in story.log]


async def _awaits(o: Any) -> None:
    await asyncio.sleep(5)
    o.log("done")


async def _blocks(o: Any) -> None:
    await o.block(lambda: asyncio.sleep(5))
    o.log("done")


def _computes(o: Any) -> None:
    dosim.cpu("5s")
    o.log("done")


@pytest.mark.parametrize(
    ("program", "gates", "one"),
    [
        (_awaits, [5000] * 4, [5000, 10_000, 15_000, 20_000]),
        (_blocks, [5000, 10_000, 15_000, 20_000], [5000, 10_000, 15_000, 20_000]),
        (_computes, [5000, 10_000, 15_000, 20_000], [5000, 10_000, 15_000, 20_000]),
    ],
)
def test_requests_on_a_handler_of_five_seconds(program: Any, gates: list[int], one: list[int]) -> None:
    """Awaiting overlaps under input gates alone; sections and CPU work never do."""
    assert _ends(Story(), program) == gates
    assert _ends(world(), program) == one


def test_nothing_interleaves_inside_a_request() -> None:
    """get, sleep, put: no update is lost."""

    async def add_one(o: Any) -> int:
        n = (await o.storage.get("n") or 0) + 1
        await asyncio.sleep(0.1)
        await o.storage.put("n", n)
        return n

    assert world().play(*[(0, "A:x", add_one)] * 3) == [1, 2, 3]


def test_objects_still_run_side_by_side() -> None:
    """The rule is per object."""
    story = world()
    story.play((0, "A:x", saying("x", 100)), (0, "A:y", saying("y", 100)))
    assert story.timed() == [(100, "x"), (100, "y")]


def test_a_call_of_the_same_chain_is_let_in() -> None:
    """A → B → A works: parent and child may call each other."""
    story = world()

    async def back(o: Any) -> Any:
        return await o.call("A:x", saying("inner", 100))

    async def start(o: Any) -> Any:
        answer = await o.call("B:y", back)
        o.log("outer")
        return answer

    assert story.play((0, "A:x", start), (10, "A:x", saying("stranger"))) == ["inner", "stranger"]
    assert story.timed() == [(100, "inner"), (100, "outer"), (100, "stranger")]


def test_an_object_may_call_itself() -> None:
    """A self-call belongs to the same chain."""

    async def start(o: Any) -> Any:
        return await o.call("A:x", saying("self"))

    assert world().play((0, "A:x", start)) == ["self"]


def test_calls_of_one_chain_interleave_among_themselves() -> None:
    """Two calls that one request makes at once to one object are both let in."""
    story = world()

    async def start(o: Any) -> None:
        await asyncio.gather(o.call("B:y", saying("1", 100)), o.call("B:y", saying("2", 100)))

    story.play((0, "A:x", start))
    assert story.timed() == [(100, "1"), (100, "2")]


def test_the_queue_is_first_in_first_out() -> None:
    """Whoever came first enters first; fetches stand in the same queue."""
    story = world()

    async def answer(o: Any, request: Any) -> Response:
        o.log("fetch")
        return Response("ok")

    async def fetches(o: Any) -> None:
        await o.env.A.getByName("x").fetch("https://a/")

    story.fetches["A"] = answer
    story.play(
        (0, "A:x", saying("first", 500)),
        (100, "A:x", saying("second")),
        (200, "B:y", fetches),
        (300, "A:x", saying("last")),
    )
    assert story.timed() == [(500, "first"), (500, "second"), (500, "fetch"), (500, "last")]


def test_alarms_wait_too() -> None:
    """An alarm due during a request runs after it; a request that comes during an alarm waits for it."""
    story = world()

    async def on_alarm(o: Any, info: Any) -> None:
        o.log("alarm starts")
        await asyncio.sleep(1)
        o.log("alarm ends")

    async def sets(o: Any) -> None:
        await o.storage.setAlarm(js.Date.now() + 100)

    story.alarms["A"] = on_alarm
    story.play((0, "A:x", sets), (50, "A:x", saying("request", 500)), (700, "A:x", saying("late")))
    assert story.timed() == [(550, "request"), (550, "alarm starts"), (1550, "alarm ends"), (1550, "late")]


def test_wait_until_work_does_not_hold_the_next() -> None:
    """What runs on after the answer lets the next request in."""
    story = world()

    async def program(o: Any) -> None:
        workers.wait_until(saying("background", 500)(o))

    story.play((0, "A:x", program), (10, "A:x", saying("next")))
    story.sim.run(until="1s")
    assert story.timed() == [(10, "next"), (500, "background")]


def test_an_error_lets_the_next_in() -> None:
    """An answer is an answer."""

    async def fails(o: Any) -> None:
        await asyncio.sleep(0.1)
        raise ValueError("no")

    story = world()
    assert story.play((0, "A:x", fails), (50, "A:x", saying("next"))) == [("ValueError: no", "remote"), "next"]
    assert story.timed() == [(100, "next")]


def _cycle_of(names: str) -> tuple[Story, list[Any]]:
    """One chain per object; each calls the next object after 100 ms, the last the first."""
    story = world()

    async def calls(o: Any, target: str) -> Any:
        await asyncio.sleep(0.1)
        try:
            return await o.call(target, saying(f"reached {target}"))
        except JsException as error:
            o.log("refused")
            return ["refused", *getattr(error, "__notes__", [])]

    steps = [(0, f"A:{a}", calls, f"A:{b}") for a, b in zip(names, names[1:] + names[0], strict=True)]
    return story, story.play(*steps)


@pytest.mark.parametrize("names", ["xy", "xyz", "vwxyz"])
def test_a_cycle_is_found_when_the_closing_call_would_wait(names: str) -> None:
    """That call alone fails, with the cycle drawn in its notes; the others are answered."""
    story, results = _cycle_of(names)
    assert results[:-1] == [f"reached A:{name}" for name in names[1:]]
    assert results[-1][0] == "refused"
    assert f"reached A:{names[0]}" not in story.events()
    drawn = "\n".join(results[-1][1:])
    assert all(f"A('{name}')" in drawn for name in names)
    assert drawn.count("waits for") == len(names)


def test_after_a_refused_cycle_everything_goes_on() -> None:
    """The same objects serve the next requests."""
    story, _ = _cycle_of("xy")
    assert story.play((1000, "A:x", saying("x")), (1000, "A:y", saying("y"))) == ["x", "y"]
    assert [view.queued for view in story.sim.objects] == [0, 0]


def test_an_uncaught_refusal_fails_the_request_and_frees_the_object() -> None:
    """The chain that closed the cycle ends with the error; the other gets through."""
    story = world()

    async def calls(o: Any, target: str) -> Any:
        await asyncio.sleep(0.1)
        return await o.call(target, saying(target))

    results = story.play((0, "A:x", calls, "A:y"), (0, "A:y", calls, "A:x"), (1000, "A:y", saying("later")))
    assert results[0] == "A:y" and results[2] == "later"
    assert "wait for ever" in results[1][0]


def test_waiting_without_a_cycle_is_no_cycle() -> None:
    """A chain that waits for a busy object waits, however long."""
    story = world()

    async def calls(o: Any) -> Any:
        return await o.call("A:y", saying("y"))

    assert story.play((0, "A:y", resting, 5000), (10, "A:x", calls), (20, "A:x", saying("x"))) == [None, "y", "x"]
    assert story.timed() == [(5000, "y"), (5000, "x")]


def test_a_reset_fails_the_queue_too() -> None:
    """abort: running and waiting calls get its error; the next instance starts free."""
    story = world()

    async def aborts(o: Any) -> None:
        await asyncio.sleep(0.1)
        o.ctx.abort("gone")

    results = story.play((0, "A:x", aborts), (10, "A:x", saying("queued")), (200, "A:x", saying("fresh")))
    assert results == [("Error: gone", "durableObjectReset")] * 2 + ["fresh"]


def test_a_failed_section_fails_the_queue_too() -> None:
    """A section that raises resets the object, and the queue is told (rule 4.3)."""
    story = world()

    async def fails(o: Any) -> None:
        async def work() -> None:
            await asyncio.sleep(0.1)
            raise ValueError("no")

        await o.block(work)

    results = story.play((0, "A:x", fails), (10, "A:x", saying("queued")), (200, "A:x", saying("fresh")))
    assert results == [("ValueError: no", "durableObjectReset")] * 2 + ["fresh"]


def test_the_constructor_s_section_delays_the_first_as_before() -> None:
    """Sections work inside the rule."""
    story = world()
    story.constructors["A"] = lambda o: o.ctx.blockConcurrencyWhile(lambda: asyncio.sleep(0.2))
    story.play((0, "A:x", saying("1", 100)), (0, "A:x", saying("2", 100)))
    assert story.timed() == [(300, "1"), (400, "2")]


def test_a_failed_constructor_lets_the_queue_pass() -> None:
    """Everyone gets the sticky error; nobody waits for ever (RULES-python 1)."""
    story = world()

    def construct(o: Any) -> None:
        raise RuntimeError("no")

    story.constructors["A"] = construct
    results = story.play((0, "A:x", saying("1")), (0, "A:x", saying("2")), (50, "A:x", saying("3")))
    assert [result[0] for result in results] == ["RuntimeError: no"] * 3


def test_a_callback_into_a_waiting_caller_is_let_in() -> None:
    """A function passed along the chain runs in its owner although that owner has not answered."""
    story = world()

    async def each(o: Any, callback: Any) -> Any:
        return await callback(2)

    async def start(o: Any) -> Any:
        return await o.call("B:y", each, lambda n: n * 10)

    assert story.play((0, "A:x", start)) == [20]


def test_a_callback_s_answer_does_not_let_strangers_in() -> None:
    """The request that passed the function still runs: a stranger waits for its own answer."""
    story = world()

    async def each(o: Any, callback: Any) -> Any:
        await callback(1)
        await asyncio.sleep(1)

    async def start(o: Any) -> Any:
        await o.call("B:y", each, lambda n: n)
        o.log("start over")

    story.play((0, "A:x", start), (10, "A:x", saying("stranger")))
    assert story.timed() == [(1000, "start over"), (1000, "stranger")]


def test_a_function_called_by_a_stranger_waits_like_any_event() -> None:
    """A returned function, called from another chain while its owner is busy, waits until the owner has answered."""
    story = world()

    async def gives(o: Any) -> Any:
        return lambda: o.log("function")

    async def calls(o: Any) -> None:
        function = await o.call("A:x", gives)
        await asyncio.sleep(0.1)
        await function()

    story.play((0, "B:y", calls), (50, "A:x", saying("request", 500)))
    assert story.timed() == [(550, "request"), (550, "function")]


def test_an_object_that_waits_is_not_evicted() -> None:
    """A queue keeps the object in memory."""
    story = world()

    async def long(o: Any) -> None:
        o.n = 1
        await o.call("B:y", resting, 30_000)

    async def read(o: Any) -> int:
        return o.n

    assert story.play((0, "A:x", long), (1000, "A:x", read)) == [None, 1]


def test_a_restart_frees_the_objects() -> None:
    """After `sim.restart()` no call of the dead process holds anybody back."""
    story = world()
    story.call("A:x", resting, 60_000)
    story.sim.run(until="1s")
    story.sim.restart()
    assert story.play((1, "A:x", saying("alive"))) == ["alive"]
