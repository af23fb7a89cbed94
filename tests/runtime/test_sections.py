"""`blockConcurrencyWhile` and `storage.transaction`: critical sections (rules 2.1–2.10)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dosim.workers import Response, js
from tests.runtime.stories import TIMED_OUT, Story, resting, saying


def _section(o: Any, ms: int, name: str) -> Any:
    """A section that waits for another object, and logs its start and end."""

    async def work() -> None:
        o.log(f"{name} starts")
        await o.call("B:y", resting, ms)
        o.log(f"{name} ends")

    return o.ctx.blockConcurrencyWhile(work)


def test_the_call_does_not_run_the_callback_now() -> None:
    """The section starts when the current turn ends, not inside the call [bl-10]."""
    story = Story()

    async def program(o: Any) -> None:
        done = o.ctx.blockConcurrencyWhile(lambda: o.log("inside"))
        o.log("after the call")
        await asyncio.sleep(0)
        o.log("still the same turn")
        await done
        o.log("over")

    story.play((0, "A:x", program))
    assert story.events() == ["after the call", "still the same turn", "inside", "over"]


def test_it_starts_before_any_ordinary_event_that_waits() -> None:
    """Requests that had queued before the call run after the section [bl-09]."""
    story = Story()

    async def blocks(o: Any) -> None:
        o.log("r1")
        await _section(o, 100, "section")

    story.play((0, "A:x", blocks), (0, "A:x", saying("r2")), (0, "A:x", saying("r3")))
    assert story.events() == ["r1", "section starts", "section ends", "r2", "r3"]


def test_what_is_started_inside_is_delivered_inside() -> None:
    """Timers, tasks, RPC, fetch and storage of the section go on while it runs [bl-05 bl-24]."""
    story = Story()

    async def answer(o: Any, request: Any) -> Response:
        await asyncio.sleep(0.1)
        return Response("fetched")

    story.fetches["B"] = answer

    async def program(o: Any) -> None:
        async def work() -> None:
            js.setTimeout(lambda: o.log("timer"), 50)
            await asyncio.sleep(0.1)
            o.log("slept")
            await o.call("B:y", resting, 100)
            o.log("called")
            o.log(await (await o.env.B.getByName("y").fetch("https://b/")).text())
            await o.storage.put("k", 1)
            o.log("stored")

        await o.block(work)

    story.play((0, "A:x", program))
    assert story.timed() == [(50, "timer"), (100, "slept"), (200, "called"), (300, "fetched"), (300, "stored")]


def test_siblings_inside_a_section_interleave_among_themselves() -> None:
    """A section's own gate has the same rules: two tasks in it race over a timer [bl-05]."""

    async def program(o: Any) -> int:
        async def bump() -> None:
            n = o.n
            await asyncio.sleep(0.1)
            o.n = n + 1

        await o.block(lambda: asyncio.gather(bump(), bump()))
        return o.n

    assert Story().play((0, "A:x", program)) == [1]


def test_everything_else_waits() -> None:
    """New requests, other handlers' timers, RPC and fetch answers, and alarms wait for the end [bl-02 bl-04 bl-19]."""
    story = Story()

    async def answer(o: Any, request: Any) -> Response:
        await asyncio.sleep(0.1)
        return Response("ok")

    async def on_alarm(o: Any, info: Any) -> None:
        o.log("alarm")

    story.fetches["B"] = answer
    story.alarms["A"] = on_alarm

    async def sets_alarm(o: Any) -> None:
        await o.storage.setAlarm(int(js.Date.now()) + 150)

    async def rpc(o: Any) -> None:
        await o.call("B:z", resting, 110)
        o.log("rpc@110")

    async def fetch(o: Any) -> None:
        await o.env.B.getByName("z").fetch("https://b/")
        o.log("fetch@100")

    async def blocks(o: Any) -> None:
        await _section(o, 400, "section")

    story.play(
        (0, "A:x", sets_alarm),
        (0, "A:x", saying("timer@120", 120)),
        (0, "A:x", rpc),
        (0, "A:x", fetch),
        (50, "A:x", blocks),
        (200, "A:x", saying("request@200")),
    )
    assert story.timed() == [
        (50, "section starts"),
        (450, "section ends"),
        (450, "fetch@100"),
        (450, "rpc@110"),
        (450, "timer@120"),
        (450, "alarm"),
        (450, "request@200"),
    ]


def test_the_awaiting_code_goes_on_before_anything_that_queued() -> None:
    """After the section its caller continues first, then the queue [bl-06]."""
    story = Story()

    async def blocks(o: Any) -> None:
        await _section(o, 200, "section")
        o.log("continuation")
        await o.storage.get("k")
        o.log("same turn")

    story.play((0, "A:x", blocks), (100, "A:x", saying("queued")))
    assert story.events() == ["section starts", "section ends", "continuation", "same turn", "queued"]


def test_its_result_is_the_callback_s_own_value() -> None:
    """The awaiting code gets the very object the callback returned, sync or async [gate_block_result_and_nesting]."""
    thing = (1, object())

    async def program(o: Any) -> list[bool]:
        async def work() -> Any:
            return thing

        return [await o.block(work) is thing, await o.block(lambda: thing) is thing]

    assert Story().play((0, "A:x", program)) == [[True, True]]


def test_sections_of_one_handler_run_one_after_another() -> None:
    """Two sections started together, then a third: in the order of their starts [bl-08 bl-20]."""
    story = Story()

    async def program(o: Any) -> None:
        await asyncio.gather(_section(o, 200, "1"), _section(o, 100, "2"))
        await _section(o, 50, "3")

    story.play((0, "A:x", program))
    assert story.timed() == [
        (0, "1 starts"), (200, "1 ends"), (200, "2 starts"), (300, "2 ends"), (300, "3 starts"), (350, "3 ends"),
    ]  # fmt: skip


def test_sections_of_several_requests_run_in_the_order_of_their_requests() -> None:
    """Three requests, each with a section of 100 ms: 100, 200, 300 [bl-01]."""
    story = Story()

    async def program(o: Any, name: str) -> None:
        await _section(o, 100, name)

    story.play(*[(0, "A:x", program, name) for name in "123"])
    assert story.timed() == [
        (0, "1 starts"), (100, "1 ends"), (100, "2 starts"), (200, "2 ends"), (200, "3 starts"), (300, "3 ends"),
    ]  # fmt: skip


def test_a_nested_section_gates_its_siblings_inside_the_outer_one() -> None:
    """While the inner one runs, a task of the outer waits; a request waits for both [bl-07 bl-12]."""
    story = Story()

    async def program(o: Any) -> None:
        async def sibling() -> None:
            await o.call("B:s", resting, 50)
            o.log("sibling")

        async def inner() -> None:
            o.log("inner starts")
            await o.call("B:y", resting, 200)
            o.log("inner ends")

        async def outer() -> None:
            task = asyncio.create_task(sibling())
            await asyncio.sleep(0)
            await o.ctx.blockConcurrencyWhile(inner)
            o.log("outer goes on")
            await task
            o.log("outer ends")

        await o.block(outer)
        o.log("over")

    story.play((0, "A:x", program), (10, "A:x", saying("request")))
    assert story.timed() == [
        (0, "inner starts"),
        (200, "inner ends"),
        (200, "outer goes on"),
        (200, "sibling"),
        (200, "outer ends"),
        (200, "over"),
        (200, "request"),
    ]


@pytest.mark.parametrize(("depth", "expected"), [(64, 64), (65, None)])
def test_sections_nest_64_deep_and_no_deeper(depth: int, expected: int | None) -> None:
    """The 65th resets the object with its own text [bl-16, new runtime]."""

    async def program(o: Any) -> int:
        reached = 0

        async def nested(left: int) -> None:
            nonlocal reached
            if left:
                reached += 1
                await o.block(lambda: nested(left - 1))

        await o.block(lambda: nested(depth - 1))
        return reached + 1

    error = ("Error: blockConcurrencyWhile() calls are nested too deeply.", "durableObjectReset")
    assert Story().play((0, "A:x", program)) == [expected or error]


def test_work_left_running_goes_on_outside_and_waits_for_later_sections() -> None:
    """A call started in a section and answered after it is delivered when the next section has ended [bl-11]."""
    story = Story()

    async def program(o: Any) -> None:
        async def straggler() -> None:
            await o.call("B:s", resting, 200)
            o.log("straggler")

        async def first() -> None:
            o.task = asyncio.create_task(straggler())
            await o.call("B:y", resting, 100)
            o.log("1 ends")

        await o.block(first)
        o.log("between")
        await _section(o, 300, "2")
        o.log("end")

    story.play((0, "A:x", program))
    assert story.timed() == [
        (100, "1 ends"), (100, "between"), (100, "2 starts"), (400, "2 ends"), (400, "end"), (400, "straggler"),
    ]  # fmt: skip


def test_timers_left_behind_go_on_outside_too() -> None:
    """A timer set in a section and due after it fires; due during a later section, it waits [bl-11]."""
    story = Story()

    async def program(o: Any) -> None:
        def first() -> None:
            js.setTimeout(lambda: o.log("timer@50"), 50)
            js.setTimeout(lambda: o.log("timer@150"), 150)

        await o.block(first)
        await asyncio.sleep(0.1)
        await _section(o, 200, "2")

    story.play((0, "A:x", program))
    assert story.timed() == [(50, "timer@50"), (100, "2 starts"), (300, "2 ends"), (300, "timer@150")]


def test_a_section_that_is_not_awaited_does_not_delay_the_answer() -> None:
    """The response leaves at once, the next request still waits for the section [bl-17]."""
    story = Story()

    async def program(o: Any) -> int:
        o.pending = _section(o, 200, "section")
        return 1

    async def caller(o: Any) -> None:
        await o.call("A:x", program)
        o.log("answered")
        await o.call("A:x", saying("next"))

    story.play((0, "C:c", caller))
    assert story.timed() == [(0, "section starts"), (0, "answered"), (200, "section ends"), (200, "next")]


def test_a_transaction_is_a_section() -> None:
    """Other requests wait even across a timer inside storage.transaction [bl-18]."""
    story = Story()

    async def program(o: Any) -> None:
        async def work(txn: Any) -> None:
            await txn.put("k", 1)
            await asyncio.sleep(0.2)
            o.log("inside")

        await o.storage.transaction(work)
        o.log("over")

    story.play((0, "A:x", program), (100, "A:x", saying("request")))
    assert story.timed() == [(200, "inside"), (200, "over"), (200, "request")]


def test_a_throw_in_a_transaction_rolls_back_and_resets_nothing() -> None:
    """The error comes to the handler, which can catch it; memory stays [og-13]."""

    async def program(o: Any) -> list[Any]:
        async def work(txn: Any) -> None:
            await o.storage.put("k", "new")
            raise ValueError("no")

        o.n = 7
        await o.storage.put("k", "old")
        try:
            await o.storage.transaction(work)
        except Exception as error:
            last = str(error).strip().splitlines()[-1]
        return [last, await o.storage.get("k"), o.n]

    async def read(o: Any) -> int:
        return o.n

    assert Story().play((0, "A:x", program), (1, "A:x", read)) == [["ValueError: no", "old", 7], 7]


def test_a_failing_section_cannot_be_caught() -> None:
    """try around `await block(...)` never runs on: neither except nor the code after; the object is reset [lc-06]."""
    story = Story()

    async def program(o: Any) -> str:
        o.n = 5

        async def work() -> None:
            raise ValueError("in the section")

        try:
            await o.block(work)
        except BaseException:
            o.log("caught")
            return "caught"
        o.log("went on")
        return "went on"

    async def read(o: Any) -> int:
        return o.n

    assert story.play((0, "A:x", program), (1, "A:x", read)) == [
        ("ValueError: in the section", "durableObjectReset"), 0,
    ]  # fmt: skip
    assert story.log == []


def test_an_error_caught_inside_the_section_is_harmless() -> None:
    """A section that handles its own error ends well [lc-07]."""

    async def program(o: Any) -> list[Any]:
        async def work() -> str:
            try:
                raise ValueError("x")
            except ValueError:
                return "handled"

        o.n = 3
        return [await o.block(work), o.n]

    assert Story().play((0, "A:x", program)) == [["handled", 3]]


def test_30_seconds_from_the_start_of_the_callback() -> None:
    """A section of 30 s that waited 20 s for its start ends well; one of 30.1 s resets the object."""
    story = Story()

    async def program(o: Any, seconds: float) -> str:
        await o.block(lambda: o.call("B:y", resting, round(seconds * 1000)))
        return "ok"

    results = story.play((0, "A:x", program, 20), (0, "A:x", program, 29.9), (60_000, "A:z", program, 30.1))
    assert results == ["ok", "ok", TIMED_OUT]


def test_the_limit_resets_everyone_in_flight_and_queued() -> None:
    """The same error with `overloaded` and `durableObjectReset` goes to every caller; a fresh object follows (2.8)."""
    story = Story()

    async def stuck(o: Any) -> None:
        await o.block(lambda: asyncio.Event().wait())

    async def waits(o: Any) -> None:
        await asyncio.sleep(60)

    results = story.play(
        (0, "A:x", waits), (1000, "A:x", stuck), (2000, "A:x", saying("queued")), (31_500, "A:x", saying("fresh"))
    )
    assert results == [TIMED_OUT, TIMED_OUT, TIMED_OUT, "fresh"]
    assert story.timed() == [(31_500, "fresh")]


def test_awaiting_inside_what_is_completed_outside_ends_after_30_seconds() -> None:
    """A deadlock: the section waits for an Event that another request would set [bl-13]."""
    story = Story()

    async def program(o: Any) -> None:
        o.event = asyncio.Event()
        await o.block(o.event.wait)

    async def sets(o: Any) -> None:
        o.event.set()

    assert story.play((0, "A:x", program), (100, "A:x", sets)) == [TIMED_OUT, TIMED_OUT]


def test_awaiting_inside_a_task_that_runs_outside_ends_after_30_seconds() -> None:
    """A deadlock: the section awaits a task of its own handler whose timer waits for the section [bl-13]."""
    story = Story()

    async def program(o: Any) -> None:
        async def outside() -> None:
            await o.call("B:y", resting, 100)

        task = asyncio.create_task(outside())
        await asyncio.sleep(0)

        async def work() -> None:
            await task

        await o.block(work)

    assert story.play((0, "A:x", program)) == [TIMED_OUT]


def test_calling_the_own_stub_inside_a_section_ends_after_30_seconds() -> None:
    """The call to itself queues behind the section that awaits it [bl-14]."""
    story = Story()

    async def program(o: Any) -> None:
        await o.block(lambda: o.call("A:x", saying("never")))

    assert story.play((0, "A:x", program), (30_500, "A:x", saying("fresh"))) == [TIMED_OUT, "fresh"]
    assert story.events() == ["fresh"]


def test_calling_back_through_another_object_gives_it_the_same_error() -> None:
    """A in a section calls B, B calls A: after 30 s B's own call fails with the limit's error [bl-15]."""
    story = Story()

    async def back(o: Any) -> None:
        from tests.runtime.stories import seen

        try:
            await o.call("A:x", saying("never"))
        except Exception as error:
            o.log(seen(error))

    async def program(o: Any) -> None:
        await o.block(lambda: o.call("B:y", back))

    assert story.play((0, "A:x", program)) == [TIMED_OUT]
    story.sim.run()
    assert story.log == [(30_000, "B:y", TIMED_OUT)]


def test_a_section_of_the_constructor_delays_the_first_request_and_all_others() -> None:
    """Order kept: constructor, its section, then the requests as they came [lc-02 or-05]."""
    story = Story()

    def construct(o: Any) -> None:
        o.log("constructor starts")

        async def load() -> None:
            o.log("load starts")
            await o.call("B:y", resting, 100)
            o.value = await o.storage.get("k")
            o.log("load ends")

        o.ctx.blockConcurrencyWhile(load)
        o.log("constructor ends")

    story.constructors["A"] = construct
    story.play(*[(0, "A:x", saying(f"r{n}")) for n in (1, 2, 3)], (50, "A:x", saying("r4")))
    assert story.timed() == [
        (0, "constructor starts"),
        (0, "constructor ends"),
        (0, "load starts"),
        (100, "load ends"),
        (100, "r1"),
        (100, "r2"),
        (100, "r3"),
        (100, "r4"),
    ]


def test_two_sections_of_the_constructor_run_in_order() -> None:
    """Each waits for the one before; the first request comes after both [lc-02]."""
    story = Story()

    def construct(o: Any) -> None:
        _section(o, 100, "1")
        _section(o, 50, "2")

    story.constructors["A"] = construct
    story.play((0, "A:x", saying("request")))
    assert story.timed() == [(0, "1 starts"), (100, "1 ends"), (100, "2 starts"), (150, "2 ends"), (150, "request")]


def test_it_works_as_a_decorator() -> None:
    """`@ctx.blockConcurrencyWhile` over an async function in the constructor: the idiom of public projects."""
    story = Story()

    def construct(o: Any) -> None:
        @o.ctx.blockConcurrencyWhile
        async def load() -> None:
            await asyncio.sleep(0.1)
            o.n = 42

    async def read(o: Any) -> int:
        return o.n

    story.constructors["A"] = construct
    assert story.play((0, "A:x", read)) == [42]


def test_a_coroutine_instead_of_the_function_is_refused_with_both_spellings() -> None:
    """`blockConcurrencyWhile(load())` is a mistake; the error shows the right line."""

    async def program(o: Any) -> None:
        await o.ctx.blockConcurrencyWhile(resting(o, 1))

    text = Story().play((0, "A:x", program))[0][0]
    assert text.startswith("TypeError: blockConcurrencyWhile(callback) takes the function itself")


def test_storage_alone_in_sections_costs_no_time() -> None:
    """Two sections with get and put, then a get: 1, 2, 2 at time 0 [bl-23]."""
    story = Story()

    async def add(o: Any) -> int:
        async def work() -> int:
            n = (await o.storage.get("n") or 0) + 1
            await o.storage.put("n", n)
            return n

        return await o.block(work)

    async def read(o: Any) -> int:
        return await o.storage.get("n")

    assert story.play((0, "A:x", add), (0, "A:x", add), (0, "A:x", read)) == [1, 2, 2]
    assert story.sim.now.us == 0
