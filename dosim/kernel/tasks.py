"""Tasks and futures whose order in a set does not depend on their address.

CPython keeps tasks in sets (in `wait`, `as_completed`, `TaskGroup`), and a set iterates by hash. Stock tasks hash by
address, so every run of every asyncio simulator measured takes another order. These hash by a counter of their loop.
"""

from __future__ import annotations

import asyncio
from asyncio import tasks
from collections.abc import Awaitable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import Future as CFuture
    from asyncio import Task as CTask
else:
    # nest_asyncio replaces asyncio.Task and asyncio.Future by slow pure-Python ones: take the C classes at their source.
    try:
        from _asyncio import Future as CFuture
        from _asyncio import Task as CTask
    except ImportError:  # no C accelerator: other Pythons
        from asyncio import Future as CFuture
        from asyncio import Task as CTask

try:
    from _asyncio import _swap_current_task as swap_current_task  # type: ignore[import-not-found,unused-ignore]
except ImportError:  # before 3.12

    def swap_current_task(loop: object, task: Any) -> Any:
        """Make `task` the current task of `loop`; returns the one before."""
        current: dict[object, Any] = tasks._current_tasks  # type: ignore[attr-defined]
        before = current.pop(loop, None)
        if task is not None:
            current[loop] = task
        return before


_stock_as_completed = asyncio.as_completed


class _OrderedHash:
    __slots__ = ()

    _order: int

    def __hash__(self) -> int:
        order = self._order
        if not order:
            loop: Any = self.get_loop()  # type: ignore[attr-defined]
            self._order = order = loop.next_hash()
        return order


class Future(CFuture):  # type: ignore[type-arg]
    """asyncio's C future, hashed by need."""

    _order = 0
    __hash__ = _OrderedHash.__hash__

    if TYPE_CHECKING:

        def __class_getitem__(cls, item: Any) -> Any: ...


class Task(CTask):  # type: ignore[type-arg]
    """asyncio's C task, hashed by need."""

    _order = 0
    __hash__ = _OrderedHash.__hash__

    if TYPE_CHECKING:

        def __class_getitem__(cls, item: Any) -> Any: ...


def ordered_as_completed(fs: Iterable[Awaitable[Any]], *, timeout: float | None = None) -> Iterator[Any]:
    """`asyncio.as_completed` in call order: the stock one puts coroutines in a set, hashed by address."""
    loop = asyncio.get_running_loop()
    unique = {id(f): f for f in fs}
    return _stock_as_completed([asyncio.ensure_future(f, loop=loop) for f in unique.values()], timeout=timeout)
