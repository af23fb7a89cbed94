"""Running a world from outside: from a script, from a test, from a cell with a loop of its own."""

from __future__ import annotations

import asyncio
import builtins
import inspect
from asyncio import events
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import Context
from typing import TYPE_CHECKING, Any

from dosim.bindings.stubs import RemoteMethod
from dosim.kernel.loop import NO_LIMIT, SLICE_EVENTS, Loop, Stuck
from dosim.kernel.nesting import nested
from dosim.runtime.calls import OutsideCall
from dosim.runtime.promises import awaited
from dosim.simulation.errors import Deadlock
from dosim.workers.console import simulated_print

if TYPE_CHECKING:
    from dosim.kernel.entropy import Entropy
    from dosim.runtime.world import World


#: Worlds that were dropped while another one ran; they end before the next run.
_dropped: list[Runner] = []


class Runner:
    """Enters the world's loop with its virtual clock and randomness, and leaves everything as it was."""

    def __init__(self, world: World, entropy: Entropy) -> None:
        self._world = world
        self._loop = loop = world.loop
        self._print: Any = None
        #: When Ctrl-C cut an event short, microseconds; such a world cannot go on.
        self.interrupted_us: int | None = None
        #: Runs the loop's slices instead of the loop itself, and may end them at a moment: see `simulation.fork`.
        self.halt: Callable[[Loop, Callable[[], bool], int, int, bool], bool] | None = None
        loop.enter_hooks += [entropy.enter, self._take_print]
        loop.leave_hooks += [entropy.leave, self._give_print]

    def _take_print(self) -> None:
        self._print, builtins.print = builtins.print, simulated_print

    def _give_print(self) -> None:
        if self._print is not None:
            builtins.print, self._print = self._print, None

    def close(self) -> None:
        """The simulation is gone: what never ended ends now, and says nothing; not inside the run of another one."""
        if events is None:  # the interpreter ends, and has taken this module apart
            return
        if isinstance(events._get_running_loop(), Loop):
            _dropped.append(self)
            return
        said = builtins.print
        builtins.print = lambda *_, **__: None
        try:
            self._world.close_unfinished()
        finally:
            builtins.print = said

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The world's clock and randomness for a stretch of code that is no event: loading modules."""
        if self._loop.running:  # a verb, called by a coroutine of the outside during a run
            yield
            return
        with nested(self._loop.entered()):
            yield

    def step(self, events: int) -> bool:
        """See `Simulation.step`."""
        self._begin("sim.step()")
        with self._entered([]):
            return not self._slice(lambda: False, budget=events, drain=True)

    def run(self, awaitables: Sequence[Awaitable[Any]], stop_us: int | None) -> Any:
        """See `Simulation.run`."""
        self._begin("sim.run()")
        futures = self._futures(awaitables)
        done = self._done(futures)
        with self._entered(futures):
            self._slice(done, until_us=_limit(stop_us), drain=not futures and stop_us is None)
        return self._results(futures, stop_us)

    async def arun(self, awaitables: Sequence[Awaitable[Any]], stop_us: int | None) -> Any:
        """See `Simulation.arun`."""
        self._begin("sim.arun()")
        futures = self._futures(awaitables)
        done = self._done(futures)
        until_us = _limit(stop_us)
        while True:
            await asyncio.sleep(0)  # also before a short run: the outer loop looks at Ctrl-C only here
            with self._entered(futures):
                drain = not futures and stop_us is None
                finished = self._slice(done, until_us=until_us, budget=SLICE_EVENTS, drain=drain)
            if finished:
                return self._results(futures, stop_us)

    @contextmanager
    def _entered(self, futures: list[asyncio.Future[Any]]) -> Iterator[None]:
        """The loop for a stretch of running, which is noted when it has ended, however it ends."""
        try:
            with nested(self._loop.entered()), self._explained(futures):
                yield
        finally:
            if self._world.journal is not None:
                self._world.journal.ran()

    def _slice(
        self, done: Callable[[], bool], *, until_us: int = NO_LIMIT, budget: int = NO_LIMIT, drain: bool = False
    ) -> bool:
        """`Loop.run_slice`, which stops for good, with `Halted`, at the moment where a fork is to stand."""
        if self.halt is None:
            return self._loop.run_slice(done, until_us=until_us, budget=budget, drain=drain)
        return self.halt(self._loop, done, until_us, budget, drain)

    def _begin(self, what: str) -> None:
        """Refuse a run that cannot be, and tidy up before one that can."""
        running = events._get_running_loop()
        if isinstance(running, Loop):
            raise RuntimeError(  # noqa: TRY004 (the state is wrong, not a type)
                f"{what} was called from inside simulated code, where the world is running already: await the call"
                " itself (calls on stubs and clients can be awaited)."
            )
        if self.interrupted_us is not None:
            raise RuntimeError(
                f"this simulation was interrupted at t={self.interrupted_us / 1e6:.6f}s in the middle of an event, so"
                " what it holds may be half done: make a new one."
            )
        while _dropped:
            _dropped.pop().close()
        self._loop.begin_run()

    def _futures(self, awaitables: Sequence[Awaitable[Any]]) -> list[asyncio.Future[Any]]:
        return [self._future(awaitable) for awaitable in awaitables]

    def _future(self, awaitable: Any) -> asyncio.Future[Any]:
        if isinstance(awaitable, asyncio.Future):
            if awaitable.get_loop() is not self._loop:
                raise ValueError(
                    f"{awaitable!r} belongs to another "
                    + ("simulation" if isinstance(awaitable.get_loop(), Loop) else "event loop")
                    + ": run it where it was made."
                )
            return awaitable
        if inspect.iscoroutine(awaitable):
            return Context().run(self._loop.create_task, awaitable)
        if isinstance(awaitable, RemoteMethod) or inspect.iscoroutinefunction(awaitable) or callable(awaitable):
            name = getattr(awaitable, "__name__", repr(awaitable))
            raise TypeError(f"{name} was given to sim.run() without being called: write sim.run({name}(...)).")
        if inspect.isawaitable(awaitable):
            return Context().run(self._loop.create_task, awaited(awaitable))
        raise TypeError(f"{awaitable!r} cannot be awaited: sim.run() takes calls of stubs and clients, and coroutines.")

    def _done(self, futures: list[asyncio.Future[Any]]) -> Callable[[], bool]:
        if not futures:
            return lambda: False
        if len(futures) == 1:
            return futures[0].done
        left = [len(futures)]

        def one_less(_: object) -> None:
            left[0] -= 1

        for future in futures:
            future.add_done_callback(one_less)
        return lambda: left[0] == 0

    @contextmanager
    def _explained(self, futures: list[asyncio.Future[Any]]) -> Iterator[None]:
        """Turn a run that is stuck into a `Deadlock` that draws who waits for whom."""
        try:
            yield
        except Stuck:
            raise self._deadlock(futures) from None
        except KeyboardInterrupt:
            self.interrupted_us = self._loop.time_us()
            self._world.emit(self._loop.time_us(), "interrupted", "the outside")
            raise

    def _deadlock(self, futures: list[asyncio.Future[Any]]) -> Deadlock:
        waiting = [repr(future) for future in futures if not future.done()]
        shown = "\n".join(f"  {line}" for line in self._world.waits.drawing())
        if not shown and any(isinstance(future, OutsideCall) for future in futures):
            shown = "  a Worker waits for something in its own code that nobody completes (Event, Lock, Future)"
        return Deadlock(
            f"at t={self._loop.time_us() / 1e6:.6f}s nothing is left that could go on, and"
            f" {len(waiting)} of {len(futures)} results have not come. Who waits for whom:\n"
            + (shown or "  your own coroutine waits for something that no event of this simulation completes")
            + f"\nreplay: {self._world.replay}"
        )

    def _results(self, futures: list[asyncio.Future[Any]], stop_us: int | None) -> Any:
        if not futures:
            return None
        for future in futures:
            if future.done() and not future.cancelled() and future.exception() is not None:
                future.result()
        if stop_us is not None and not all(future.done() for future in futures):
            raise TimeoutError(
                f"at t={self._loop.time_us() / 1e6:.6f}s, where this run was to stop,"
                f" {sum(not future.done() for future in futures)} of {len(futures)} results have not come yet."
            )
        results = [future.result() for future in futures]
        return results[0] if len(results) == 1 else results


def _limit(stop_us: int | None) -> int:
    return NO_LIMIT if stop_us is None else stop_us
