"""Promises of calls that have acted already, and only report."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from typing import Any, Final


class _Tick:
    """One step of the ready queue: an awaited storage call lets the turn's other tasks run, and nobody else."""

    def __await__(self) -> Generator[None, None, None]:
        yield


_TICK: Final = _Tick()


async def resolved(value: Any) -> Any:
    """The promise of a call that has already acted."""
    await _TICK
    return value


async def rejected(error: BaseException) -> Any:
    """The promise of a call that was refused: refusals of asynchronous calls are rejections (recorded)."""
    await _TICK
    raise error


async def awaited(value: Awaitable[Any]) -> Any:
    """Anything that can be awaited, as a coroutine."""
    return await value
