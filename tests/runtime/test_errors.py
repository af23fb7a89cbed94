"""Errors over RPC and fetch, as a Python caller sees them (rules 5.1–5.4; RULES-python 27)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dosim.web.errors import AbortError, JsException
from tests.runtime.stories import Story, seen


class OutOfStock(Exception):
    """An error class of one's own."""


def _raising(error: BaseException) -> Any:
    async def program(o: Any) -> None:
        raise error

    return program


def _caught(story: Story, target: str, program: Any) -> BaseException:
    with pytest.raises((JsException, AbortError)) as caught:
        story.sim.run(story.call(target, program))
    return caught.value


@pytest.mark.parametrize("error", [ValueError("bad"), TypeError("type"), KeyError("k"), RuntimeError("")])
def test_an_uncaught_error_arrives_with_its_class_and_text(error: Exception) -> None:
    """A JsException named PythonError, a traceback, class and message in the last line, `remote` [er-01]."""
    caught = _caught(Story(), "A:x", _raising(error))
    assert isinstance(caught, JsException) and caught.name == "PythonError"
    lines = str(caught).strip().splitlines()
    assert lines[0] == "PythonError: Traceback (most recent call last):"
    assert lines[-1] == (f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    assert caught.flags == {"remote": True}


def test_a_class_of_one_s_own_carries_its_module() -> None:
    """`module.Class: text` in the last line (RULES-python 27)."""
    last, flags = seen(_caught(Story(), "A:x", _raising(OutOfStock("none left"))))
    assert (last, flags) == (f"{OutOfStock.__module__}.OutOfStock: none left", "remote")


def test_own_attributes_and_cause_are_dropped() -> None:
    """Neither an attribute nor `raise ... from` crosses; the cause's traceback is not even in the text [er-01]."""
    error = ValueError("outer")
    error.code = 42  # type: ignore[attr-defined]

    async def program(o: Any) -> None:
        raise error

    caught = _caught(Story(), "A:x", program)
    assert not hasattr(caught, "code") and caught.__cause__ is None


@pytest.mark.parametrize("flag", ["retryable", "overloaded"])
def test_the_flags_a_user_may_set(flag: str) -> None:
    """`retryable` and `overloaded` set on an error cross beside `remote` [er-09]."""
    error = ValueError("x")
    setattr(error, flag, True)
    assert seen(_caught(Story(), "A:x", _raising(error))) == ("ValueError: x", f"remote {flag}")


@pytest.mark.parametrize("date", ["2026-04-01", "2026-11-01"])
def test_a_user_set_reset_flag_does_not_cross(date: str) -> None:
    """`durableObjectReset` and `remote` are the runtime's own; a PythonError carries no others [er-09]."""
    error = ValueError("x")
    error.durableObjectReset = True  # type: ignore[attr-defined]
    assert seen(_caught(Story(compatibility_date=date), "A:x", _raising(error))) == ("ValueError: x", "remote")


def test_two_hops_leave_the_last_line_and_one_remote() -> None:
    """An error that passes through another object keeps its last line [er-03]."""
    story = Story()

    async def middle(o: Any) -> None:
        await o.call("B:y", _raising(ValueError("deep")))

    assert seen(_caught(story, "A:x", middle)) == ("ValueError: deep", "remote")


def test_a_javascript_error_passing_through_reads_js_exception() -> None:
    """A DataCloneError that an object does not catch ends in `pyodide.ffi.JsException: ...` (RULES-python 27)."""
    story = Story()

    async def middle(o: Any) -> None:
        await o.call("B:y", _raising(ValueError("never")), object())

    last, flags = seen(_caught(story, "A:x", middle))
    assert last.startswith("pyodide.ffi.JsException: DataCloneError: ") and flags == "remote"


def test_a_reset_is_seen_by_the_direct_caller_alone() -> None:
    """The direct caller sees durableObjectReset; rethrown one hop further it is a `remote` PythonError [er-05]."""
    story = Story()

    async def aborts(o: Any) -> None:
        o.ctx.abort("gone")

    async def middle(o: Any) -> None:
        try:
            await o.call("B:y", aborts)
        except Exception as error:
            o.log(seen(error))
            raise

    last = seen(_caught(story, "A:x", middle))
    assert story.events() == [("Error: gone", "durableObjectReset")]
    assert last == ("pyodide.ffi.JsException: Error: gone", "remote")


def test_an_error_of_a_callback_comes_to_the_object_that_called_it() -> None:
    """The object sees a remote PythonError and may handle it [er-07]."""
    story = Story()

    async def each(o: Any, callback: Any) -> str:
        try:
            await callback(1)
        except Exception as error:
            o.log(seen(error))
        return "handled"

    def broken(n: int) -> None:
        raise TypeError(f"cb {n}")

    assert story.sim.run(story.call("A:x", each, broken)) == "handled"
    assert story.events() == [("TypeError: cb 1", "remote")]


def test_an_error_of_fetch_is_an_abort_error_with_the_last_line() -> None:
    """stub.fetch raises AbortError: the last line of the traceback alone, and the flags [er-04 er-08]."""
    story = Story()

    async def broken(o: Any, request: Any) -> None:
        raise ValueError("in fetch")

    story.fetches["A"] = broken
    with pytest.raises(AbortError) as caught:
        story.sim.run(story.stub("A:x").fetch("https://a/"))
    assert str(caught.value) == "ValueError: in fetch"
    assert caught.value.remote is True  # type: ignore[attr-defined]


def test_an_error_of_fetch_leaves_the_object_working() -> None:
    """After it the same stub and memory answer [er-04]."""
    story = Story()

    async def broken(o: Any, request: Any) -> None:
        o.n = 6
        raise ValueError("in fetch")

    async def read(o: Any) -> int:
        return o.n

    story.fetches["A"] = broken
    stub = story.stub("A:x")
    with pytest.raises(AbortError):
        story.sim.run(stub.fetch("https://a/"))
    assert story.sim.run(story.on(stub, read)) == 6


def test_an_error_as_a_value_is_a_plain_exception() -> None:
    """Returned or passed, an exception arrives as `Exception("Error: text")`, without `remote` [er-06]."""

    async def echo(o: Any, value: Any) -> Any:
        return value

    story = Story()
    back = story.sim.run(story.call("A:x", echo, ValueError("v")))
    assert type(back) is Exception and str(back) == "Error: Error: v" and not hasattr(back, "remote")


def test_every_caller_gets_an_error_object_of_its_own() -> None:
    """Two callers of one reset do not share an exception."""
    story = Story()

    async def waits(o: Any) -> None:
        await asyncio.sleep(1)

    async def aborts(o: Any) -> None:
        o.ctx.abort("gone")

    async def one(program: Any) -> BaseException | None:
        try:
            await story.call("A:x", program)
        except Exception as error:
            return error
        return None

    first, second = story.sim.run(one(waits), one(aborts))
    assert str(first) == str(second) == "Error: gone" and first is not second


def test_a_traceback_names_module_and_line_and_no_path() -> None:
    """Frames of user code read `module:line`; no absolute path, no frame of dosim."""
    text = str(_caught(Story(), "A:x", _raising(ValueError("bad"))))
    assert f'File "{__name__}:' in text and "/" not in text and "dosim." not in text.replace("tests.", "")


def test_asyncio_cancelled_error_crosses_as_an_error() -> None:
    """A handler whose own task is cancelled answers with CancelledError."""

    async def program(o: Any) -> None:
        task = asyncio.create_task(asyncio.sleep(10))
        await asyncio.sleep(0)
        task.cancel()
        await task

    assert seen(_caught(Story(), "A:x", program))[0].endswith("CancelledError")


def test_base_exceptions_of_user_code_do_not_escape_the_simulation() -> None:
    """SystemExit in a handler is an error of that call; the world goes on."""

    async def program(o: Any) -> None:
        raise SystemExit(3)

    async def fine(o: Any) -> str:
        return "fine"

    results = Story().play((0, "A:x", program), (1, "A:x", fine))
    assert results[0][0].startswith("SystemExit") and results[1] == "fine"
