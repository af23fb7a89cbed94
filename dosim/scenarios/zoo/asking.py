"""How the checks ask: whoever calls an object may get an answer, or an error that says nothing of what happened."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, Final

from dosim.web.errors import AbortError, JsException

#: What a caller gets when something went wrong on the way or over there.
_ERRORS: Final = (JsException, AbortError, ConnectionError)
#: How often somebody tries who does not give up at once; a second lies between two tries. An exploration brings four
#: faults into one run, at most.
_TRIES: Final = 6


class NoAnswer(Enum):
    """Stands for the answer that did not come."""

    NO_ANSWER = "no answer"


NO_ANSWER: Final = NoAnswer.NO_ANSWER


async def answer(call: Awaitable[Any]) -> Any:
    """What a call returned, or NO_ANSWER: an error came, and it may have happened or not."""
    try:
        return await call
    except _ERRORS:
        return NO_ANSWER


async def insist(call: Callable[[], Awaitable[Any]]) -> Any:
    """Call until an answer comes, as a user does who presses the button again. Raises AssertionError after six."""
    for _ in range(_TRIES - 1):
        try:
            return await call()
        except _ERRORS:
            await asyncio.sleep(1)
    try:
        return await call()
    except _ERRORS as error:
        last = str(error).strip().splitlines()[-1]
        raise AssertionError(f"{_TRIES} tries, a second apart, and no answer; the last error: {last}") from error
