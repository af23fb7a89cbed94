"""Tasks and futures whose order in a set does not depend on their address.

CPython keeps tasks in sets (in `wait`, `as_completed`, `TaskGroup`), and a set iterates by hash. Stock tasks hash by
address, so every run of every asyncio simulator measured takes another order. These hash by a counter of their loop.
"""

from __future__ import annotations

import asyncio
from asyncio import tasks
from collections.abc import Awaitable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

T = TypeVar("T")

if TYPE_CHECKING:

    class Future(asyncio.Future[T]):
        """asyncio's C future, hashed by need."""

    class Task(asyncio.Task[T]):
        """asyncio's C task, hashed by need."""

    def swap_current_task(loop: object, task: Any) -> Any:
        """Make `task` the current task of `loop`; returns the one before."""

else:
    # nest_asyncio replaces asyncio.Task and asyncio.Future by slow pure-Python ones: take the C classes instead.
    try:
        from _asyncio import Future as _Future
        from _asyncio import Task as _Task
    except ImportError:  # no C accelerator: other Pythons
        from asyncio import Future as _Future
        from asyncio import Task as _Task

    def _ordered_hash(self):
        order = self._order
        if not order:
            self._order = order = self.get_loop().next_hash()
        return order

    class Future(_Future):
        """asyncio's C future, hashed by need."""

        _order = 0
        __hash__ = _ordered_hash

    class Task(_Task):
        """asyncio's C task, hashed by need."""

        _order = 0
        __hash__ = _ordered_hash

    try:
        from _asyncio import _swap_current_task as swap_current_task
    except ImportError:  # before 3.12

        def swap_current_task(loop, task):
            """Make `task` the current task of `loop`; returns the one before."""
            current = tasks._current_tasks
            before = current.pop(loop, None)
            if task is not None:
                current[loop] = task
            return before


#: Where CPython before 3.14 registers every task it makes: a WeakSet in Python, which costs more than the task itself.
_registry: Any = getattr(tasks, "_scheduled_tasks", getattr(tasks, "_all_tasks", None))


def leave_tasks_unregistered() -> None:
    """Tasks made from now on are the loop's own to list; see `Loop.all_tasks`."""
    if hasattr(_registry, "__dict__"):
        _registry.add = id


def register_tasks_again() -> None:
    """Undo `leave_tasks_unregistered`."""
    if hasattr(_registry, "__dict__"):
        _registry.__dict__.pop("add", None)


_stock_as_completed = asyncio.as_completed


def ordered_as_completed(fs: Iterable[Awaitable[Any]], *, timeout: float | None = None) -> Iterator[Any]:
    """`asyncio.as_completed` in call order: the stock one puts coroutines in a set, hashed by address."""
    loop = asyncio.get_running_loop()
    unique = {id(f): f for f in fs}
    return _stock_as_completed([asyncio.ensure_future(f, loop=loop) for f in unique.values()], timeout=timeout)
