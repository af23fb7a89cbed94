"""Entering a simulation from a program with an event loop and a Ctrl-C of its own: a notebook cell, a server, a script.

Ctrl-C while events run: the run ends at once with KeyboardInterrupt, also in a handler that never awaits. Where the
outer loop answers Ctrl-C by cancelling the current task (`asyncio.run`; a Jupyter cell with `await`), it is told so,
and the run ends with CancelledError: a KeyboardInterrupt inside a task would end that loop, and with it a Jupyter
kernel. Such a loop looks at Ctrl-C only between two of its own steps, so without this a busy handler could never be
stopped.

Ctrl-C while the simulation is entered or left, or while it loads modules, waits until that is done: half undone, the
session would keep the simulation's clock or its event loop. A second Ctrl-C does not wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import threading
import warnings
from asyncio import events
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from dosim.kernel.choosing import ChoosingLoop
from dosim.kernel.loop import Loop

#: Modules whose handler of Ctrl-C cancels the current task: `asyncio.run`, and ipykernel for a cell that awaits.
_CANCELLERS = ("asyncio.runners", "ipykernel.ipkernel")
#: Where Ctrl-C is let through: user code, and whatever else handles events.
_EVENTS_CODE = (Loop.run_slice.__code__, ChoosingLoop.run_slice.__code__)

#: Files that a warning does not point at.
_OURS = (str(Path(__file__).parents[1]), contextlib.__file__)

_warned: set[str] = set()


@contextmanager
def nested(entered: AbstractContextManager[None]) -> Iterator[None]:
    """Hold `entered` (a `Loop.entered()`) safe against Ctrl-C; see the module.

    Warns, once in a process, when the running loop has been patched by nest_asyncio 1.6.
    """
    _warn_of_nest_asyncio(events._get_running_loop())
    interrupt = _Interrupt()
    try:
        with entered:
            yield
    except KeyboardInterrupt:
        if interrupt.cancels:
            raise asyncio.CancelledError("interrupted by Ctrl-C") from None
        raise
    finally:
        interrupt.undo()
        interrupt.raise_held()


class _Interrupt:
    """The handler of Ctrl-C while a simulation is entered. It stands aside for a handler it does not know."""

    def __init__(self) -> None:
        self.cancels = False
        self._held = False
        self._before: Any = None
        if sys.platform == "emscripten" or threading.current_thread() is not threading.main_thread():
            return
        before = signal.getsignal(signal.SIGINT)
        cancels = getattr(getattr(before, "func", before), "__module__", None) in _CANCELLERS
        if cancels or before is signal.default_int_handler:
            self.cancels = cancels
            self._before = before
            signal.signal(signal.SIGINT, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._held and not _handles_events(frame):
            self._held = True
            return
        if self.cancels:
            self._before(number, frame)
        raise KeyboardInterrupt

    def undo(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def raise_held(self) -> None:
        """Ctrl-C came while the simulation was entered or left: pass it on now."""
        if self._held:
            self._before(signal.SIGINT, None)
            if self.cancels:
                raise asyncio.CancelledError("interrupted by Ctrl-C")


def _handles_events(frame: FrameType | None) -> bool:
    """Whether Ctrl-C may be raised here. Not in a destructor: Python would ignore it there."""
    while frame is not None and frame.f_code.co_name != "__del__":
        if frame.f_code in _EVENTS_CODE:
            return True
        frame = frame.f_back
    return False


def _warn_of_nest_asyncio(outer: asyncio.AbstractEventLoop | None) -> None:
    """nest_asyncio2 marks a loop as nest_asyncio does, and adds a mark of its own."""
    if (
        "nest_asyncio" in sys.modules
        and getattr(outer, "_nest_patched", False)
        and not hasattr(outer, "_nest_asyncio2")
        and not _warned
    ):
        _warned.add("nest_asyncio")
        warnings.warn(
            "the running event loop has been patched by nest_asyncio 1.6, the last release of an archived project: with"
            " ipykernel 7, 'Run All' then loses the cells that are queued. Restart the kernel and use its maintained"
            " continuation, which has the same API and is installed with dosim: import nest_asyncio2;"
            " nest_asyncio2.apply(). dosim itself needs neither: sim.run() and await sim.arun() work in any cell.",
            RuntimeWarning,
            stacklevel=level_outside(),
        )


def level_outside() -> int:
    """The `stacklevel` with which `warnings.warn` in the caller points at the line of user code that led there."""
    level, frame = 1, sys._getframe(1)
    while frame.f_code.co_filename.startswith(_OURS) and frame.f_back is not None:
        level, frame = level + 1, frame.f_back
    return level
