"""Functions that travel as stubs, self-calls, and A → B → A (rules 6.5, 6.6; RULES-python 28)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from dosim.web.errors import JsException
from tests.runtime.stories import Story, saying, seen

DISPOSED = ("Error: RPC stub used after being disposed.", "")


def test_a_function_argument_runs_in_its_owner() -> None:
    """The callback reads and writes the caller's attributes, sync or async [rp-08]."""
    story = Story()

    async def each(o: Any, callback: Any) -> list[Any]:
        o.log("calls")
        return [await callback(n) for n in (1, 2)]

    async def caller(o: Any) -> Any:
        async def add(n: int) -> int:
            await asyncio.sleep(0.1)
            o.n += n
            o.log(f"add {n}")
            return o.n

        return [await o.call("B:y", each, add), o.n]

    assert story.play((0, "A:x", caller)) == [[[1, 3], 3]]
    assert story.log == [(0, "B:y", "calls"), (100, "A:x", "add 1"), (200, "A:x", "add 2")]


def test_calling_a_function_stub_without_await_gives_a_coroutine_and_runs_it() -> None:
    """`f(5)` acts at once; awaiting gives the result [topo_returned_function_keeps_state]."""

    async def gives(o: Any) -> Any:
        return lambda n: 2 * n

    async def caller(o: Any) -> Any:
        double = await o.call("B:y", gives)
        pending = double(21)
        return [type(pending).__name__, await pending]

    assert Story().play((0, "A:x", caller)) == [["coroutine", 42]]


def test_a_returned_closure_keeps_its_state() -> None:
    """Each returned closure has its own, and it lives on in its owner [rp-09]."""

    async def counter(o: Any, start: int) -> Any:
        n = start

        def bump(by: int = 1) -> int:
            nonlocal n
            n += by
            o.n += 1
            return n

        return bump

    async def caller(o: Any) -> Any:
        one, two = await o.call("B:y", counter, 10), await o.call("B:y", counter, 100)
        return [await one(), await one(5), await two(), await one()]

    async def read(o: Any) -> int:
        return o.n

    assert Story().play((0, "A:x", caller), (1, "B:y", read)) == [[11, 16, 101, 17], 4]


def test_functions_inside_containers() -> None:
    """In a dict or a list, in both directions (RULES-python 28)."""

    async def tools(o: Any, given: Any) -> Any:
        return {"double": lambda n: 2 * n, "sum": [await given["f"](1), await given["list"][0](2)], "name": "tools"}

    async def caller(o: Any) -> Any:
        got = await o.call("B:y", tools, {"f": lambda n: n + 10, "list": [lambda n: n + 20]})
        return [got["name"], got["sum"], await got["double"](21), await got.double(2)]

    assert Story().play((0, "A:x", caller)) == [["tools", [11, 22], 42, 4]]


def test_an_argument_stub_is_disposed_when_the_call_ends() -> None:
    """Kept and used later it raises, without flags [rp-12 rp-21]."""
    story = Story()

    async def keeps(o: Any, callback: Any) -> Any:
        o.callback = callback
        return await callback()

    async def again(o: Any) -> Any:
        try:
            return await o.callback()
        except Exception as error:
            return list(seen(error))

    async def caller(o: Any) -> Any:
        return [await o.call("B:y", keeps, lambda: "called"), await o.call("B:y", again)]

    assert story.play((0, "A:x", caller)) == [["called", list(DISPOSED)]]


def test_background_work_cannot_use_an_argument_stub_after_the_call() -> None:
    """A task that outlives the call finds the stub disposed [rp-12]."""
    story = Story()

    async def starts(o: Any, callback: Any) -> None:
        async def later() -> None:
            await asyncio.sleep(0.1)
            try:
                await callback()
            except Exception as error:
                o.log(seen(error))

        o.task = asyncio.create_task(later())

    async def caller(o: Any) -> None:
        await o.call("B:y", starts, lambda: None)

    story.play((0, "A:x", caller))
    story.sim.run(until="1s")
    assert story.timed() == [(100, DISPOSED)]


def test_a_call_made_before_the_end_still_answers() -> None:
    """A callback that is under way when the call ends is not cut off [rp-12]."""
    story = Story()

    async def starts(o: Any, callback: Any) -> None:
        async def later() -> None:
            o.log(await callback())

        o.task = asyncio.create_task(later())
        await asyncio.sleep(0)

    async def slow() -> str:
        await asyncio.sleep(0.2)
        return "answer"

    story.sim.run(story.call("A:x", starts, slow))
    story.sim.run(until="1s")
    assert story.timed() == [(200, "answer")]


def test_a_returned_stub_can_be_disposed_by_hand() -> None:
    """After dispose() it raises the same error; a second dispose() is fine [rp-12]."""

    async def gives(o: Any) -> Any:
        return lambda: 1

    async def caller(o: Any) -> Any:
        function = await o.call("B:y", gives)
        first = await function()
        function.dispose()
        function.dispose()
        try:
            await function()
        except JsException as error:
            return [first, str(error)]
        return []

    assert Story().play((0, "A:x", caller)) == [[1, DISPOSED[0]]]


def test_a_stub_may_be_passed_on() -> None:
    """A received function given to a third object runs in its first owner."""
    story = Story()

    async def uses(o: Any, callback: Any) -> Any:
        return await callback("from C")

    async def passes(o: Any, callback: Any) -> Any:
        return await o.call("C:z", uses, callback)

    async def caller(o: Any) -> Any:
        def callback(word: str) -> str:
            o.log(word)
            return "done"

        return await o.call("B:y", passes, callback)

    assert story.play((0, "A:x", caller)) == ["done"]
    assert story.log == [(0, "A:x", "from C")]


def test_a_stub_that_was_passed_on_is_disposed_with_that_call() -> None:
    """The third object's copy ends with its own call, like any argument [rp-12]."""

    async def keeps(o: Any, callback: Any) -> Any:
        o.callback = callback
        return await callback()

    async def again(o: Any) -> Any:
        try:
            return await o.callback()
        except Exception as error:
            return list(seen(error))

    async def passes(o: Any, callback: Any) -> Any:
        return [await o.call("C:z", keeps, callback), await o.call("C:z", again)]

    async def caller(o: Any) -> Any:
        return await o.call("B:y", passes, lambda: "called")

    assert Story().play((0, "A:x", caller)) == [["called", list(DISPOSED)]]


def test_a_returned_bound_method_runs_in_its_owner() -> None:
    """Methods are functions too."""

    async def gives(o: Any) -> Any:
        return o.storage.get

    async def puts(o: Any) -> None:
        await o.storage.put("k", 7)

    async def caller(o: Any) -> Any:
        await o.call("B:y", puts)
        get = await o.call("B:y", gives)
        return await get("k")

    assert Story().play((0, "A:x", caller)) == [7]


def test_a_function_of_a_reset_object_fails_with_its_error() -> None:
    """Its owner's life is over: the reset's error, `durableObjectReset`."""

    async def gives(o: Any) -> Any:
        return lambda: 1

    async def aborts(o: Any) -> None:
        o.ctx.abort("gone")

    async def caller(o: Any) -> Any:
        function = await o.call("B:y", gives)
        with contextlib.suppress(JsException):
            await o.call("B:y", aborts)
        try:
            return await function()
        except JsException as error:
            return list(seen(error))

    assert Story().play((0, "A:x", caller)) == [["Error: gone", "durableObjectReset"]]


def test_a_function_of_the_outside_runs_outside() -> None:
    """A callback passed by the test itself runs in the test."""
    story = Story()
    heard: list[int] = []

    async def each(o: Any, callback: Any) -> int:
        for n in (1, 2):
            await callback(n)
        return 2

    assert story.sim.run(story.call("A:x", each, heard.append)) == 2
    assert heard == [1, 2]


def test_callbacks_into_an_object_wait_at_its_gate() -> None:
    """A callback is an event of its owner: it waits for a section there."""
    story = Story()

    async def calls_back(o: Any, callback: Any) -> None:
        await asyncio.sleep(0.1)
        await callback()

    async def caller(o: Any) -> None:
        await o.call("B:y", calls_back, lambda: o.log("callback"))

    async def blocks(o: Any) -> None:
        await o.block(lambda: asyncio.sleep(0.3))

    story.play((0, "A:x", caller), (50, "A:x", blocks))
    assert story.timed() == [(350, "callback")]


def test_a_self_call_works_while_awaiting() -> None:
    """An object may call its own stub outside a section [rp-13]."""
    story = Story()

    async def caller(o: Any) -> Any:
        o.log("before")
        answer = await o.call("A:x", saying("self"))
        o.log("after")
        return answer

    assert story.play((0, "A:x", caller)) == ["self"]
    assert story.events() == ["before", "self", "after"]


def test_a_call_that_comes_back_works() -> None:
    """A → B → A, each awaiting [rp-14]."""
    story = Story()

    async def back(o: Any) -> Any:
        return ["B", await o.call("A:x", saying("inner"))]

    async def caller(o: Any) -> Any:
        return ["A", await o.call("B:y", back)]

    assert story.play((0, "A:x", caller)) == [["A", ["B", "inner"]]]
    assert story.log == [(0, "A:x", "inner")]


def test_cancelling_the_caller_s_wait_does_not_cancel_the_callee() -> None:
    """asyncio.timeout gives up; the called method runs to its end [async_task_group]."""
    story = Story()

    async def caller(o: Any) -> str:
        try:
            async with asyncio.timeout(0.1):
                await o.call("B:y", saying("callee done", 300))
        except TimeoutError:
            o.log("gave up")
        return "ok"

    assert story.play((0, "A:x", caller)) == ["ok"]
    story.sim.run()
    assert story.log == [(100, "A:x", "gave up"), (300, "B:y", "callee done")]


@pytest.mark.parametrize("where", ["argument", "result"])
def test_classes_are_not_functions(where: str) -> None:
    """A class is no RPC value."""

    async def takes(o: Any, value: Any) -> None: ...

    async def gives(o: Any) -> Any:
        return ValueError

    async def caller(o: Any) -> Any:
        try:
            await (o.call("B:y", takes, ValueError) if where == "argument" else o.call("B:y", gives))
        except JsException as error:
            return error.name
        return "crossed"

    assert Story().play((0, "A:x", caller)) == ["DataCloneError"]
