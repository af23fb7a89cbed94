"""Executors: who runs the points of a sweep or a search, how work is sent there, and what follows when a worker dies.

Work is sent as bytes that are unpacked inside the worker, and results come back so: what cannot be loaded there is then
an error that names the fix, and never a broken pool.
"""

from __future__ import annotations

import importlib
import os
import pickle
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import (
    ALL_COMPLETED,
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    InvalidStateError,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from contextlib import suppress
from functools import lru_cache, partial
from multiprocessing import get_context
from threading import RLock
from typing import Any, Final

#: One simulation runs at a time in a process: the clocks and the randomness that its code sees belong to the process.
#: A dask worker with several threads waits here.
ONE_AT_A_TIME: Final = RLock()
_MANY: Final = 1_000_000
#: How often to look whether a pool broke and forgot what it had taken, seconds.
_LOOK_S: Final = 5
_ELSEWHERE: Final = "Put it at the top level of a module and import it from there, or run it here (executor=None)."


class Unloadable(Exception):
    """A worker that cannot load the work. Its text says why."""


# -- in the worker


def work(packed: bytes, points: bytes) -> bytes:
    """Call the packed function with each point. The results, and the error that ended them or None, packed.

    Raises Unloadable.
    """
    function = _unpacked(packed)
    results: list[Any] = []
    with ONE_AT_A_TIME:
        try:
            for point in pickle.loads(points):
                results.append(function(point))  # noqa: PERF401 (those before an error are kept)
            return pickle.dumps((results, None))
        except Exception as error:
            return pickle.dumps((results, _portable(error)))


def load(packed: bytes) -> None:
    """Load the packed function and do nothing more. Raises Unloadable."""
    _unpacked(packed)


@lru_cache(maxsize=8)
def _unpacked(packed: bytes) -> Callable[[Any], Any]:
    try:
        function: Callable[[Any], Any] = pickle.loads(packed)
    except Exception as error:
        raise Unloadable(f"{type(error).__name__}: {error}") from None
    return function


def _portable(error: Exception) -> Exception:
    """The error with its traceback as a note, or, if it cannot be sent, another with its text."""
    error.add_note("in a worker:\n" + "".join(traceback.format_exception(error)).rstrip())
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever a user's class does when it is loaded
        named = RuntimeError(f"{type(error).__name__}: {error}")
        named.add_note(error.__notes__[-1])
        return named
    return error


# -- the executor


def check_executor(executor: object) -> None:
    """Raise TypeError for what is no executor, and for threads, in which no two simulations can run at once."""
    if executor is None:
        return
    if not isinstance(executor, Executor):
        told = ", and a dask client has one: client.get_executor()" if hasattr(executor, "get_executor") else ""
        raise TypeError(
            f"executor={executor!r} is no executor: give None, a concurrent.futures.ProcessPoolExecutor or another"
            f" Executor{told}."
        )
    if isinstance(executor, ThreadPoolExecutor):
        raise TypeError(
            f"executor={type(executor).__name__} runs threads of one process, and two simulations cannot run in one"
            " process at the same time: while simulated code runs, the process's clocks and random generators are"
            " those of its simulation. Use a ProcessPoolExecutor, or executor=None."
        )


class Crew:
    """An executor with one piece of work: it takes points, and is made anew when its workers have died.

    A ProcessPoolExecutor is renewed with its own settings; dask replaces its workers by itself; any other executor that
    broke is replaced by a pool of processes, with a warning. `close` ends the pools that were made here, and no other.
    what: the argument that errors name. most: so many pieces of work there will be, at most (None: nobody knows).
    Making one raises TypeError when the work cannot be sent, RuntimeError when the workers die before they do anything.
    """

    def __init__(self, executor: Executor, function: Callable[[Any], Any], what: str, most: int | None = None) -> None:
        check_executor(executor)
        self._most = most or _MANY
        self._given = self._now = executor
        self._own: Executor | None = None
        self._named = f"{what}={_name(function)}"
        self._dask = type(executor).__module__.partition(".")[0] == "distributed"
        self._pack = pickle.dumps if isinstance(executor, ProcessPoolExecutor) else _dumps()
        self._packed = self._packed_function(function)
        self.workers = self._count()
        self._start()

    @property
    def window(self) -> int:
        """How many pieces to have under way: enough that nobody waits, few enough that little is lost."""
        return self.workers + 2 if isinstance(self._now, ProcessPoolExecutor) else 4 * self.workers + 16

    def pack(self, points: Sequence[object]) -> bytes:
        """Points as they are sent. Raises TypeError for one that cannot be."""
        try:
            return self._pack(list(points))
        except Exception as error:  # pickle raises what it likes: PicklingError, TypeError, AttributeError
            raise TypeError(
                f"{_short(points[0])} cannot be sent to another process ({error}): give plain values, classes and"
                " functions of a module, or run it here (executor=None)."
            ) from None

    def submit(self, points: bytes) -> Future[bytes]:
        """Begin with these points; a future that has failed already where the pool is broken."""
        try:
            return self._now.submit(work, self._packed, points)
        except BrokenExecutor as error:
            failed: Future[bytes] = Future()
            failed.set_exception(error)
            return failed

    def renew(self, workers: int | None = None) -> None:
        """Go on with a fresh pool, of so many workers (None: as many as before). Nothing may be under way."""
        if self._dask:
            return
        if isinstance(self._now, ProcessPoolExecutor) and self.broken:
            _end(self._now)
        self.close()
        self._own = self._now = self._fresh(workers or self.workers)
        self._start()

    @property
    def broken(self) -> bool:
        """Has the executor found out that a worker died? (Of dask's, none does: it goes on.)"""
        return bool(getattr(self._now, "_broken", False))

    def settle(self, futures: Sequence[Future[Any]], return_when: str = ALL_COMPLETED) -> None:
        """Wait for all of them, or for one. Those that a broken pool has forgotten are failed here."""
        while True:
            done, left = wait(futures, timeout=_LOOK_S, return_when=return_when)
            if not left or (done and return_when == FIRST_COMPLETED):
                return
            for future in left if self.broken else ():
                with suppress(InvalidStateError):  # it was not forgotten, only late
                    future.set_exception(BrokenExecutor("the pool broke while it took this work"))

    def close(self) -> None:
        """End the pool that was made here, if any."""
        if self._own is not None:
            self._own.shutdown(wait=True, cancel_futures=True)
            self._own = None

    def _fresh(self, workers: int) -> ProcessPoolExecutor:
        known = vars(self._given)
        if type(self._given) is ProcessPoolExecutor:
            return ProcessPoolExecutor(
                workers,
                mp_context=known["_mp_context"],
                initializer=known["_initializer"],
                initargs=known["_initargs"],
                max_tasks_per_child=known["_max_tasks_per_child"],
            )
        if self._now is self._given:
            warnings.warn(
                f"{type(self._given).__name__} is broken and cannot be made anew from here: what is left runs in a"
                f" ProcessPoolExecutor of {workers} on this machine.",
                RuntimeWarning,
                stacklevel=2,
            )
        return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))

    def _count(self) -> int:
        if self._dask:
            threads: dict[str, int] = vars(self._given)["_client"].nthreads()
            return max(1, sum(threads.values()))
        count = getattr(self._given, "_max_workers", None)
        return count if isinstance(count, int) and count > 0 else os.cpu_count() or 1

    def _start(self) -> None:
        """Let workers load the work, so that what is wrong with it is told before anything runs.

        So all workers of a pool are there before the first point is: one that is started while another dies is
        overlooked by the pool.
        """
        workers = vars(self._now)["_max_workers"] if isinstance(self._now, ProcessPoolExecutor) else 1
        try:
            loads = [self._now.submit(load, self._packed) for _ in range(min(workers, self._most))]
            self.settle(loads)
            for loaded in loads:
                loaded.result()
        except BrokenExecutor:
            if self._now is self._given:  # it may have broken long ago, under other work
                self.renew()
                return
            raise RuntimeError(
                "the executor's workers die before they do anything. Does the script start its sweep under"
                ' `if __name__ == "__main__":`, as every script that starts processes must? Does its initializer work?'
            ) from None
        except CancelledError:
            raise RuntimeError("the executor dropped the work at once: is it, or its cluster, closed?") from None
        except (Unloadable, ImportError) as error:
            raise TypeError(f"{self._named} cannot be loaded in a worker ({error}). {_ELSEWHERE}") from None

    def _packed_function(self, function: Callable[[Any], Any]) -> bytes:
        if isinstance(self._given, ProcessPoolExecutor) and (why := self._not_there(_inner(function))):
            raise TypeError(f"{self._named} cannot be sent to another process: {why}. {_ELSEWHERE}")
        try:
            return self._pack(function)
        except Exception as error:  # as in `pack`
            raise TypeError(f"{self._named} cannot be sent to another process ({error}). {_ELSEWHERE}") from None

    def _not_there(self, function: object) -> str:
        """Why a process would not find this function, for the cases that are known; "" for all others."""
        name = getattr(function, "__qualname__", "")
        if "<lambda>" in name:
            return "a lambda has no name by which it could be found there"
        if "<locals>" in name:
            return f"it is defined inside a function ({name.partition('.<locals>')[0]}), where no import reaches it"
        method = vars(self._given)["_mp_context"].get_start_method()
        main = sys.modules["__main__"]
        if getattr(function, "__module__", "") == "__main__" and method != "fork" and not hasattr(main, "__file__"):
            return f"it is defined in a notebook or at a prompt, which a process started by {method!r} does not see"
        return ""


def _end(broken: ProcessPoolExecutor) -> None:
    """End a broken pool and its threads. It would wait for ever for a process that it started while it broke."""
    for process in [*(vars(broken)["_processes"] or {}).values()]:
        process.kill()
    broken.shutdown(wait=True)


def died(error: BaseException) -> bool:
    """Does this error say that a worker died? (The class of dask's is known by name: dask may not be there.)"""
    return isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker"


def _dumps() -> Callable[[Any], bytes]:
    """cloudpickle's, which sends lambdas and what a notebook defines too, where it is installed; dask needs it."""
    try:
        dumps: Callable[[Any], bytes] = importlib.import_module("cloudpickle").dumps
    except ImportError:
        return pickle.dumps
    return dumps


def _inner(function: object) -> object:
    """The user's own function: what `partial` or a class of ours calls."""
    while True:
        if isinstance(function, partial):
            function = function.func
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        else:
            return function


def _name(function: object) -> str:
    inner = _inner(function)
    return str(getattr(inner, "__qualname__", type(inner).__name__))


def _short(point: object) -> str:
    text = str(point)
    return text if len(text) <= 200 else f"{text[:199]}…"
