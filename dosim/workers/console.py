"""`console` and `print` in simulated code: a record of the trace, shown with virtual time and who said it."""

from __future__ import annotations

import builtins
import sys
from typing import Any

from dosim.kernel.loop import SCOPE

#: The real one; simulated code's own goes through `say` while a simulation runs.
_print = builtins.print


def say(level: str, text: str, end: str = "\n") -> None:
    """Record and show one line of whoever runs now."""
    scope: Any = SCOPE.get()
    if scope is None:
        _print(text, end=end)
        return
    owner = scope.owner
    world, call = owner.world, scope.call
    now_us = world.loop.time_us()
    world.emit(now_us, "log", owner.label, call.id if call else 0, call.last if call else 0, (level, text))
    if world.show_output:
        _print(f"[{now_us / 1e6:.6f}s {owner.label}] {text}", end=end)


def simulated_print(
    *values: Any, sep: str | None = " ", end: str | None = "\n", file: Any = None, flush: bool = False
) -> None:
    """`print` while a simulation runs: of simulated code it is a record, of anybody else the plain one."""
    if SCOPE.get() is None or file not in (None, sys.stdout):
        _print(*values, sep=sep, end=end, file=file, flush=flush)
    else:
        say("log", (" " if sep is None else sep).join(map(str, values)))


class Console:
    """`console.log`, `.info`, `.warn`, `.error`, `.debug`."""

    def log(self, *values: Any) -> None:
        say("log", " ".join(map(str, values)))

    info = debug = log

    def warn(self, *values: Any) -> None:
        say("warn", " ".join(map(str, values)))

    def error(self, *values: Any) -> None:
        say("error", " ".join(map(str, values)))


console = Console()
