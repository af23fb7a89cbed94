"""What a Worker does not have, refused while simulated code runs: threads, sockets, processes, a blocking sleep.

Each refusal is a RuntimeError that says what was called and what to write instead. It meets the simulation's thread
alone: the other threads of the process (a notebook's own, say) go on as before.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache, wraps
from importlib import import_module
from types import MethodType
from typing import ParamSpec, TypeVar

from dosim.kernel.names import Patch

P = ParamSpec("P")
T = TypeVar("T")

_SLEEP = (
    "{what} is refused inside a simulation. On Python Workers it does not block: it suspends the call there and lets"
    " other events in, a hidden await in the middle of synchronous code, and dosim cannot suspend synchronous code."
    " Write `await asyncio.sleep(seconds)` to wait, which lets other events in visibly, or"
    ' `dosim.cpu("50ms")` for work that keeps the object busy and lets nothing in.'
)
_THREADS = (
    "{what} is refused inside a simulation: a Worker has one thread, and a second one would make the run"
    " unrepeatable. Call the function directly, run coroutines side by side with asyncio.gather or"
    ' asyncio.TaskGroup, and model the time that work takes with `dosim.cpu("50ms")`.'
)
_SOCKETS = (
    "{what} is refused inside a simulation: real network traffic would make the run unrepeatable. Use `fetch`, a"
    " binding or a stub, which the simulated network carries; what must come from the real network, load before the"
    " simulation runs."
)
_PROCESSES = (
    "{what} is refused inside a simulation: a Worker cannot start processes, and another process would make the run"
    " unrepeatable. Run it before or after the simulation, outside simulated code."
)

#: Modules that are only looked at when the program has loaded them.
_OPTIONAL = ("concurrent.futures.thread", "concurrent.futures.process", "multiprocessing.process")
#: `module:name`, what is refused, and why. Who calls one of these ends in the refusal too: `subprocess.run` in Popen,
#: `os.spawnl` in fork, `http.client` in create_connection. What a system or a process does not have is passed over.
_REFUSED: tuple[tuple[str, str], ...] = (
    ("time:sleep", _SLEEP),
    ("_thread:start_new_thread", _THREADS),
    ("threading:Thread.start", _THREADS),
    ("concurrent.futures.thread:ThreadPoolExecutor.submit", _THREADS),
    ("socket:socket.__init__", _SOCKETS),
    ("socket:socket.connect", _SOCKETS),
    ("socket:socket.connect_ex", _SOCKETS),
    ("socket:socketpair", _SOCKETS),
    ("socket:fromfd", _SOCKETS),
    ("socket:create_connection", _SOCKETS),
    ("socket:getaddrinfo", _SOCKETS),
    ("socket:gethostbyname", _SOCKETS),
    ("socket:gethostbyname_ex", _SOCKETS),
    ("socket:gethostbyaddr", _SOCKETS),
    ("subprocess:Popen.__init__", _PROCESSES),
    ("multiprocessing.process:BaseProcess.start", _PROCESSES),
    ("concurrent.futures.process:ProcessPoolExecutor.submit", _PROCESSES),
    ("os:system", _PROCESSES),
    ("os:fork", _PROCESSES),
    ("os:forkpty", _PROCESSES),
    ("os:posix_spawn", _PROCESSES),
    ("os:posix_spawnp", _PROCESSES),
    ("os:execv", _PROCESSES),
    ("os:execve", _PROCESSES),
    ("os:startfile", _PROCESSES),
    ("_posixsubprocess:fork_exec", _PROCESSES),
    ("_winapi:CreateProcess", _PROCESSES),
)


def loaded() -> tuple[bool, ...]:
    """Which of the optional modules exist now: the refusals are others when this is another value."""
    return tuple(name in sys.modules for name in _OPTIONAL)


def refusals(inside: Callable[[], bool]) -> Iterator[Patch]:
    """The refusals of what is loaded now; `inside()` says whether the calling thread runs simulated code."""
    for place, text in _REFUSED:
        module, _, name = place.partition(":")
        if module not in _OPTIONAL or module in sys.modules:
            with suppress(ImportError, AttributeError):  # another system's module or function
                yield _refusal(module, name, text, inside)


@cache
def _refusal(module: str, name: str, text: str, inside: Callable[[], bool]) -> Patch:
    owner: object = import_module(module)
    *classes, name = name.split(".")
    for part in classes:
        owner = getattr(owner, part)
    real = getattr(owner, name)
    what = ".".join([module, *classes, name]).removesuffix(".__init__")
    make = _method if classes else _function
    return Patch(owner, name, real, make(real, inside, text.format(what=what)))


def _method(real: Callable[P, T], inside: Callable[[], bool], text: str) -> Callable[P, T]:
    @wraps(real)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        if inside():
            raise RuntimeError(text)
        return real(*args, **kwargs)

    return call


def _function(real: Callable[P, T], inside: Callable[[], bool], text: str) -> Callable[P, T]:
    """A bound method, because a class that holds a plain function would pass it `self`."""

    def call(_: object, *args: P.args, **kwargs: P.kwargs) -> T:
        if inside():
            raise RuntimeError(text)
        return real(*args, **kwargs)

    return MethodType(call, real)
