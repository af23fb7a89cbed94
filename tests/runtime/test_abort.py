"""`ctx.abort(reason)` (rule 4.4)."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.runtime.stories import Story, resting, saying


def test_the_reason_is_the_message() -> None:
    """The caller gets the reason, `durableObjectReset`, no `remote` [lc-08]."""

    async def program(o: Any) -> None:
        o.ctx.abort("go away")

    assert Story().play((0, "A:x", program)) == [("Error: go away", "durableObjectReset")]


def test_without_a_reason_the_platform_has_its_own_text() -> None:
    """Default text of abort() [lc-09]."""

    async def program(o: Any) -> None:
        o.ctx.abort()

    text = "Error: Application called abort() to reset Durable Object."
    assert Story().play((0, "A:x", program)) == [(text, "durableObjectReset")]


def test_it_does_not_return_and_no_except_exception_sees_it() -> None:
    """Code after abort() and `except Exception` never run; `finally` does in Python (DurableObjectAbort)."""
    story = Story()

    async def program(o: Any) -> str:
        try:
            o.ctx.abort("gone")
            o.log("after")
        except Exception:
            o.log("caught")
        finally:
            o.log("finally")
        return "returned"

    assert story.play((0, "A:x", program)) == [("Error: gone", "durableObjectReset")]
    assert story.events() == ["finally"]


def test_everyone_in_flight_and_queued_gets_it() -> None:
    """A running request and one that waits behind a section fail with the reason [lc-05 lc-26]."""
    story = Story()

    async def kills(o: Any) -> None:
        async def work() -> None:
            await asyncio.sleep(0.1)
            o.ctx.abort("gone")

        await o.block(work)

    results = story.play(
        (0, "A:x", saying("running", 500)),
        (10, "A:x", kills),
        (50, "A:x", saying("queued")),
        (200, "A:x", saying("new")),
    )
    assert results == [("Error: gone", "durableObjectReset")] * 3 + ["new"]
    assert story.events() == ["new"]


def test_abort_from_background_work() -> None:
    """A task that aborts after the answer resets the object: others in flight fail, the answered call does not."""
    story = Story()

    async def later(o: Any) -> None:
        await asyncio.sleep(0.1)
        o.ctx.abort("later")

    async def program(o: Any) -> str:
        o.task = asyncio.create_task(later(o))
        return "answered"

    results = story.play((0, "A:x", program), (50, "A:x", resting, 500))
    assert results == ["answered", ("Error: later", "durableObjectReset")]


def test_writes_of_finished_calls_stay() -> None:
    """abort drops the turn's writes alone [err_abort_resets_the_object]."""

    async def puts(o: Any) -> None:
        await o.storage.put("k", "saved")

    async def kills(o: Any) -> None:
        await o.storage.put("k", "lost")
        o.ctx.abort("gone")

    async def read(o: Any) -> Any:
        return await o.storage.get("k")

    assert Story().play((0, "A:x", puts), (1, "A:x", kills), (2, "A:x", read))[-1] == "saved"


def test_a_reason_that_is_no_text_is_made_one() -> None:
    """abort(5) says "5"."""

    async def program(o: Any) -> None:
        o.ctx.abort(5)

    assert Story().play((0, "A:x", program)) == [("Error: 5", "durableObjectReset")]
