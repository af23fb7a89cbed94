"""`run_sync`: synchronous code that waits for a promise, as Pyodide's stack switching lets it.

Code that is called by `suspendable` runs on a stack of its own (a greenlet). Where it calls `run_sync`, that stack is
set aside, the coroutine around it awaits the promise, and other events run meanwhile, as at any await.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar
from weakref import WeakSet

T = TypeVar("T")

#: The stacks that `suspendable` made. The program itself may run on a greenlet too, of somebody else's.
_STACKS: Final[WeakSet[Any]] = WeakSet()

_ELSEWHERE = (
    "run_sync waits here only in what a WSGI application calls: dosim runs on plain Python, which cannot set other"
    " synchronous code aside as Pyodide does. Make the function async and await the promise."
)


async def suspendable(function: Callable[[], T]) -> T:
    """Call a synchronous function that may call `run_sync`. Returns and raises what it does."""
    from greenlet import getcurrent, greenlet

    stack = greenlet(function)
    _STACKS.add(stack)
    stack.gr_context = getcurrent().gr_context  # the same request, and its clock
    waits_for: Any = stack.switch()
    while not stack.dead:
        try:
            value = await waits_for
        except BaseException as error:
            waits_for = stack.throw(error)
        else:
            waits_for = stack.switch(value)
    result: T = waits_for
    return result


def run_sync(promise: Any) -> Any:
    """Wait for a promise or coroutine in synchronous code; returns its value, raises its error.

    Raises RuntimeError where that is impossible.
    """
    stack = _stack()
    if stack is None:
        if asyncio.iscoroutine(promise):
            promise.close()
        raise RuntimeError(_ELSEWHERE)
    return stack.parent.switch(promise)


def can_run_sync() -> bool:
    """Whether `run_sync` would wait here."""
    return _stack() is not None


def _stack() -> Any:
    """The stack that the code around runs on, if `suspendable` made it; None for any other."""
    module = sys.modules.get("greenlet")  # without it, nothing runs on a stack of its own
    current = module.getcurrent() if module is not None else None
    return current if current in _STACKS else None
