"""Stubs: they bind to an instance at first use (rule 4.5; RULES-python 14)."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from typing import Any

import pytest

from tests.runtime.stories import Story, resting, saying, seen

GONE = ("Error: gone", "durableObjectReset")


async def _abort(o: Any) -> None:
    o.ctx.abort("gone")


def _result(story: Story, stub: Any, program: Any, *args: Any) -> Any:
    try:
        return story.sim.run(story.on(stub, program, *args))
    except Exception as error:
        return seen(error)


def test_after_a_reset_a_used_stub_fails_for_ever_with_the_same_error() -> None:
    """The stub stays dead although the object lives again; a new stub works [lc-11]."""
    story = Story()
    stub = story.stub("A:x")
    assert _result(story, stub, saying("first")) == "first"
    assert _result(story, stub, _abort) == GONE
    assert [_result(story, stub, saying("again")) for _ in range(3)] == [GONE] * 3
    assert _result(story, story.stub("A:x"), saying("new stub")) == "new stub"
    story.sim.run(until="1h")
    assert _result(story, stub, saying("later")) == GONE


def test_a_stub_not_used_before_the_reset_reaches_the_fresh_object() -> None:
    """Making a stub binds nothing [lc-12]."""
    story = Story()
    used, unused = story.stub("A:x"), story.stub("A:x")
    assert _result(story, used, _abort) == GONE
    assert _result(story, unused, saying("fresh")) == "fresh"


def test_another_stub_that_was_used_breaks_as_well() -> None:
    """Every stub bound to the old life is dead, whoever caused the reset [lc-11]."""
    story = Story()
    one, two = story.stub("A:x"), story.stub("A:x")
    _result(story, two, saying("bound"))
    _result(story, one, _abort)
    assert _result(story, two, saying("x")) == GONE


def test_a_stub_held_by_another_object_breaks_as_well() -> None:
    """A stub kept as an attribute is bound when that object uses it [lc-11]."""
    story = Story()

    async def uses(o: Any) -> Any:
        if not hasattr(o, "held"):
            o.held = o.env.A.getByName("x")
        try:
            return await story.on(o.held, saying("ok"))
        except Exception as error:
            return list(seen(error))

    results = story.play((0, "B:y", uses), (1, "A:x", _abort), (2, "B:y", uses), (3, "C:z", uses))
    assert results == ["ok", GONE, list(GONE), "ok"]


def test_an_ordinary_exception_leaves_stub_and_instance_working() -> None:
    """The next call over the same stub finds the same memory [lc-13 er-04]."""
    story = Story()
    stub = story.stub("A:x")

    async def fails(o: Any) -> None:
        o.n = 3
        raise ValueError("no")

    async def read(o: Any) -> int:
        return o.n

    assert _result(story, stub, fails) == ("ValueError: no", "remote")
    assert _result(story, stub, read) == 3


def test_idle_eviction_does_not_break_stubs() -> None:
    """After 10 s the object leaves memory; the old stub reaches the next instance [lc-27]."""
    story = Story()
    stub = story.stub("A:x")

    async def add(o: Any) -> int:
        o.n += 1
        return o.n

    assert _result(story, stub, add) == 1
    story.sim.run(for_="20s")
    assert _result(story, stub, add) == 1
    assert story.sim.objects["x"].instance == 2


def test_a_stub_bound_before_an_eviction_breaks_with_a_later_life() -> None:
    """It is bound to the object's channel: a reset after the eviction kills it too [lc-27 lc-11]."""
    story = Story()
    stub = story.stub("A:x")
    _result(story, stub, saying("bound"))
    story.sim.run(for_="20s")
    _result(story, story.stub("A:x"), _abort)
    assert _result(story, stub, saying("x")) == GONE


def test_fetch_fails_on_a_broken_stub_too() -> None:
    """A broken stub's fetch raises AbortError with the same text and flag."""
    story = Story()
    stub = story.stub("A:x")
    _result(story, stub, _abort)
    with pytest.raises(OSError, match="gone") as caught:
        story.sim.run(stub.fetch("https://a/"))
    assert (
        str(caught.value) == "gone"
        and type(caught.value).__name__ == "AbortError"
        and caught.value.durableObjectReset is True
    )  # type: ignore[attr-defined]


def test_a_call_acts_when_it_is_made() -> None:
    """Two calls that nobody awaits start in order [gate_calls_start_in_order]."""
    story = Story()

    async def caller(o: Any) -> None:
        stub = o.env.B.getByName("y")
        calls = [story.on(stub, saying(n)) for n in (1, 2)]
        await asyncio.sleep(0.1)
        for call in calls:
            call.close()

    story.play((0, "A:x", caller))
    assert story.timed() == [(0, 1), (0, 2)]


def test_the_error_of_an_unawaited_call_vanishes() -> None:
    """The callee's work is done all the same [err_call_without_await_still_runs]."""
    story = Story()

    async def fails(o: Any) -> None:
        o.log("ran")
        raise ValueError("nobody hears")

    async def caller(o: Any) -> str:
        o.call("B:y", fails)
        await asyncio.sleep(0.1)
        return "fine"

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # "coroutine was never awaited": as in Python Workers
        assert story.play((0, "A:x", caller)) == ["fine"]
    assert story.events() == ["ran"]


def test_a_stub_may_be_an_argument_and_a_result() -> None:
    """A stub crosses as a new stub of the same object [rp-19, new runtime]."""
    story = Story()

    async def uses(o: Any, stub: Any) -> Any:
        return [await story.on(stub, saying("hello")), stub.name]

    async def caller(o: Any) -> Any:
        return await o.call("B:y", uses, o.env.C.getByName("z"))

    async def gives(o: Any) -> Any:
        return o.env.C.getByName("q")

    async def takes(o: Any) -> Any:
        stub = await o.call("B:y", gives)
        return [await story.on(stub, saying("hello")), stub.name]

    assert story.play((0, "A:x", caller), (1, "A:x", takes)) == [["hello", "z"], ["hello", "q"]]


def test_a_stub_has_id_and_name_and_no_id_method_is_called() -> None:
    """stub.id and stub.name are local properties [id-06]."""
    story = Story()
    stub = story.stub("A:x")
    assert stub.name == "x" and str(stub.id) == str(story.sim.env.A.idFromName("x"))
    assert len(story.sim.objects) == 0


def test_a_reset_between_call_and_arrival_is_seen_by_a_bound_stub() -> None:
    """A call that is under way when the object resets fails; nothing of it runs [lc-26]."""
    story = Story()
    stub = story.stub("A:x")
    _result(story, stub, saying("bound"))

    async def kill_and_call(o: Any) -> Any:
        async def kill() -> None:
            with contextlib.suppress(Exception):
                await story.on(stub, _abort)

        async def late() -> Any:
            try:
                return await story.on(stub, saying("late"))
            except Exception as error:
                return list(seen(error))

        return (await asyncio.gather(kill(), late()))[1]

    assert story.play((0, "B:y", kill_and_call)) == [list(GONE)]
    assert story.events() == ["bound"]


def test_resting_objects_answer_in_the_order_of_completion() -> None:
    """Two calls over one stub: the quicker answers first [or-04]."""
    story = Story()
    stub = story.stub("A:x")

    async def one(ms: int) -> int:
        await story.on(stub, resting, ms)
        story.log.append((ms, "outside", ms))
        return ms

    story.sim.run(one(200), one(100))
    assert story.events() == [100, 200]
