"""The event loop of a simulation: virtual time in whole microseconds, one event at a time.

Three rules carry everything above:

1. Time moves only here, and only to the time of the next event in the queue.
2. One iteration drains the ready queue (the microtasks of the code that runs), ends the turns this began, and then
   takes exactly one event from the queue. So whatever runs between two events belongs to one turn.
3. Whatever code waits for from outside itself (a timer, a reply, a body) comes back as an event, handed to the `Scope`
   it was started in. A scope may hold it back: that is what an input gate is.

`Loop` implements `asyncio.AbstractEventLoop` over CPython's own tasks, so `asyncio.sleep`, `gather`, `timeout`,
`TaskGroup`, `Event`, `Lock`, `Queue`, `wait`, `as_completed` are asyncio's own, in virtual time.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from asyncio import events
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from heapq import heappop, heappush
from typing import Any, NoReturn, Protocol, TypeVar

from dosim.kernel.tasks import (
    Future,
    Task,
    leave_tasks_unregistered,
    ordered_as_completed,
    register_tasks_again,
    swap_current_task,
)

T = TypeVar("T")

#: Events between two looks at the outside loop in `arun`: a cell that runs long stays interruptible.
SLICE_EVENTS = 20_000
#: While simulated code runs, cyclic garbage is collected less often (measured 1.36x faster past a million records).
GC_THRESHOLD = 200_000
#: When alarms are all that is left and the awaited result still has not come, give up after this much virtual time.
ONLY_ALARMS_LIMIT_US = 10 * 366 * 86_400 * 1_000_000
#: Or after this many alarms.
ONLY_ALARMS_LIMIT = 100_000
#: Later than everything.
NO_LIMIT = 1 << 62
#: Timers that are set for later, even for infinity, are due then: 29,000 years from now.
_FOREVER_S = 1e12


class Scope(Protocol):
    """Whoever receives the events that some code waits for: an instance's gate, a Worker's request."""

    def timer_due(self, timer: Timer) -> None:
        """A timer started in this scope is due: run it now, or when the gate lets it in."""

    def io_due(self, hop: tuple[asyncio.Future[None], str]) -> None:
        """An I/O completion of this scope is there: complete the future now, or when the gate lets it in."""

    def timers_changed(self, by: int) -> None:
        """The number of timers this scope still waits for changed."""


#: The scope of the code that runs now; None is the outside world.
SCOPE: ContextVar[Scope | None] = ContextVar("dosim_scope", default=None)


class Stuck(Exception):
    """Nothing is left that could complete what the run waits for. The simulation turns it into a `Deadlock`."""


class Handle(list[Any]):
    """A callback in the ready queue, `[callback, args, context]`; as `asyncio.Handle`. A list: no constructor."""

    __slots__ = ()

    def cancel(self) -> None:
        self[0] = None
        self[1] = ()

    def cancelled(self) -> bool:
        return self[0] is None


class Timer(Handle):
    """A callback at a time; as `asyncio.TimerHandle`. Cancelled, it neither runs nor moves the clock."""

    __slots__ = ("first_us", "made_us", "scope", "when_us")

    when_us: int
    made_us: int
    #: When the first of a row of timers was made, each of which makes the next: `setInterval`.
    first_us: int
    scope: Scope | None

    def when(self) -> float:
        return self.when_us / 1_000_000

    def cancel(self) -> None:
        if self[0] is not None and self.scope is not None:
            self.scope.timers_changed(-1)
        super().cancel()

    def run(self) -> None:
        """Run the callback, as the event that the timer is."""
        callback, args, context = self
        if callback is not None:
            if self.scope is not None:
                self.scope.timers_changed(-1)
            self[0] = None
            try:
                context.run(callback, *args)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                loop = events._get_running_loop()
                assert isinstance(loop, Loop)
                loop.on_error(error, context)


class Loop(asyncio.AbstractEventLoop):
    """The clock, the event queue and the ready queue of one simulation.

    `now_us` is the time of the event that is being handled; `cpu_us` the CPU time its turn has used so far. Everything
    the turn emits is stamped with their sum, `time_us()`.
    """

    def __init__(self) -> None:
        self.now_us = 0
        self.cpu_us = 0
        #: Events handled so far: the number of a moment between two events.
        self.events = 0
        self.turn_ends: list[Callable[[], None]] = []
        self.running = False
        self._queue: list[tuple[int, int, Callable[[Any], object], Any]] = []
        self._background: list[tuple[int, int, Callable[[Any], object], Any]] = []
        self._ready: deque[Handle] = deque()
        self._seq = 0
        self._alarms_alone = 0
        self._alarms_until_us = 0
        self._hashes = 0
        self._tasks_made = 0
        #: Tasks in the order of their creation and whether the outside made them; done ones go now and then.
        self._tasks: list[tuple[Task[Any], bool]] = []
        self._prune_at = 50
        #: What a callback raised, with the context it ran in; a callback's error is nobody else's business.
        self.on_error: Callable[[BaseException, Context], None] = _raise
        #: Called around every slice: virtual time and seeded randomness for the code inside.
        self.enter_hooks: list[Callable[[], None]] = []
        self.leave_hooks: list[Callable[[], None]] = []

    # -- the queue: what the platform itself does is a plain event, never a task

    def time_us(self) -> int:
        """Now, as the running code sees it: microseconds since the simulation's start."""
        return self.now_us + self.cpu_us

    def after(self, delay_us: int, fn: Callable[[Any], object], arg: object) -> None:
        """Call `fn(arg)` as an event, `delay_us` from now."""
        self._seq = seq = self._seq + 1
        heappush(self._queue, (self.now_us + self.cpu_us + delay_us, seq, fn, arg))

    def at(self, when_us: int, fn: Callable[[Any], object], arg: object) -> None:
        """Call `fn(arg)` as an event at `when_us`, or now if that has passed."""
        self._seq = seq = self._seq + 1
        now_us = self.now_us
        heappush(self._queue, (when_us if when_us > now_us else now_us, seq, fn, arg))  # noqa: FURB136 (called often)

    def in_background(self, when_us: int, fn: Callable[[Any], object], arg: object) -> None:
        """An event that does not keep `run()` going: an alarm, an eviction."""
        self._seq = seq = self._seq + 1
        heappush(self._background, (max(when_us, self.now_us), seq, fn, arg))

    def timer(self, delay_us: int, fn: Callable[..., object], *args: object) -> Timer:
        """A cancellable event of the platform's own, outside every scope and gate."""
        timer = Timer((fn, args, Context()))
        timer.when_us, timer.scope = self.now_us + self.cpu_us + delay_us, None
        self._seq = seq = self._seq + 1
        heappush(self._queue, (timer.when_us, seq, _run_timer, timer))
        return timer

    def timers_of(self, owner: object) -> list[Timer]:
        """The timers of user code that somebody still waits for, in no particular order."""
        pending = (arg for _, _, fn, arg in self._queue if fn is _fire and arg[0] is not None)
        return [timer for timer in pending if getattr(timer.scope, "owner", None) is owner]

    def io_hop(self, what: str) -> asyncio.Future[None]:
        """A future that one I/O event of the current scope completes: reading a body, `storage.sync()`."""
        future: Future[None] = Future(loop=self)
        scope = SCOPE.get()
        if scope is None:
            self.after(0, complete, future)
        else:
            self.after(0, scope.io_due, (future, what))
        return future

    # -- asyncio.AbstractEventLoop: what tasks, futures and primitives use

    def time(self) -> float:
        return (self.now_us + self.cpu_us) / 1_000_000

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Handle:  # type: ignore[override]
        handle = Handle((callback, args, copy_context() if context is None else context))
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Timer:
        return self._timer_at(round(min(when, _FOREVER_S) * 1_000_000), callback, args, context)

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Timer:
        when_us = self.now_us + self.cpu_us + round(min(max(0, delay), _FOREVER_S) * 1_000_000)
        return self._timer_at(when_us, callback, args, context)

    def _timer_at(
        self, when_us: int, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> Timer:
        scope = SCOPE.get()
        timer = Timer((callback, args, copy_context() if context is None else context))
        timer.when_us, timer.scope = max(when_us, self.now_us), scope
        timer.made_us = timer.first_us = self.now_us
        if scope is not None:
            scope.timers_changed(1)
        self._seq = seq = self._seq + 1
        heappush(self._queue, (timer.when_us, seq, _fire, timer))
        return timer

    def create_future(self) -> Future[Any]:
        return Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: Context | None = None, **options: Any
    ) -> Task[T]:
        self._tasks_made += 1
        task = Task(coro, loop=self, name=name or f"Task-{self._tasks_made}", context=context, **options)
        self._tasks.append((task, SCOPE.get() is None))
        if len(self._tasks) > self._prune_at:
            self._prune()
        return task

    def start(self, coro: Coroutine[Any, Any, Any]) -> Task[Any]:
        """`create_task` for the platform's own use, in the current context: a handler's task."""
        task: Task[Any] = Task(coro, loop=self, name="handler")
        self._tasks.append((task, False))
        if len(self._tasks) > self._prune_at:
            self._prune()
        return task

    def _prune(self) -> None:
        self._tasks = [known for known in self._tasks if not known[0].done()]
        self._prune_at = 2 * len(self._tasks) + 50

    def unfinished(self) -> list[Task[Any]]:
        """Every task that is not done, in the order of creation."""
        return [task for task, _ in self._tasks if not task.done()]

    def all_tasks(self, loop: object = None) -> set[Task[Any]]:
        """`asyncio.all_tasks`: tasks that are not done; to code inside, those of the outside world do not exist."""
        outside_too = SCOPE.get() is None
        return {task for task, outside in self._tasks if not task.done() and (outside_too or not outside)}

    def next_hash(self) -> int:
        """The hash of the next task or future that is put in a set: a counter, never the address."""
        self._hashes += 1
        return self._hashes

    #: Always False, and said by a type in C: asyncio asks for each task and future it makes.
    get_debug = staticmethod(bool)

    def get_task_factory(self) -> None:
        """None: tasks are the loop's own (anyio asks)."""

    def set_debug(self, enabled: bool) -> None:
        """Accepted and without effect: a simulated run is deterministic, debug mode would change its order."""

    def is_running(self) -> bool:
        return self.running

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Ignored: asyncio reports here when garbage is collected, at a time that no replay could repeat.

        What a task of simulated code raised is in the trace, where it was raised.
        """

    default_exception_handler = call_exception_handler

    def run_in_executor(self, executor: object, func: Callable[..., object], *args: Any) -> NoReturn:  # type: ignore[override]
        raise RuntimeError(
            "threads do not exist in a Worker, so run_in_executor and asyncio.to_thread do not work in simulated code:"
            " call the function directly, and model the time it takes with dosim.cpu."
        )

    # -- running

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Make this the running loop of the thread, whatever loop or task runs outside, and undo it after."""
        outer = events._get_running_loop()
        outer_task = swap_current_task(outer, None) if outer is not None else None
        hooks = sys.get_asyncgen_hooks()
        threshold = gc.get_threshold()
        as_completed = asyncio.as_completed, asyncio.tasks.as_completed
        all_tasks = asyncio.all_tasks, asyncio.tasks.all_tasks
        try:
            self.running = True
            events._set_running_loop(None)
            events._set_running_loop(self)
            sys.set_asyncgen_hooks(firstiter=None, finalizer=self._close_generator)
            if threshold[0]:
                gc.set_threshold(max(threshold[0], GC_THRESHOLD), *threshold[1:])
            asyncio.as_completed = asyncio.tasks.as_completed = ordered_as_completed  # type: ignore[assignment]
            asyncio.all_tasks = asyncio.tasks.all_tasks = self.all_tasks  # type: ignore[assignment]
            leave_tasks_unregistered()
            for hook in self.enter_hooks:
                hook()
            yield
        finally:
            for hook in reversed(self.leave_hooks):
                hook()
            register_tasks_again()
            self._prune()
            asyncio.all_tasks, asyncio.tasks.all_tasks = all_tasks
            asyncio.as_completed, asyncio.tasks.as_completed = as_completed
            gc.set_threshold(*threshold)
            sys.set_asyncgen_hooks(*hooks)
            events._set_running_loop(None)
            self.running = False
            if outer is not None:
                events._set_running_loop(outer)
                swap_current_task(outer, outer_task)

    def _close_generator(self, generator: AsyncGenerator[object, object]) -> None:
        self.create_task(generator.aclose())

    def run_slice(  # noqa: C901 (the loop itself: one place, read whole)
        self, done: Callable[[], bool], *, until_us: int = NO_LIMIT, budget: int = NO_LIMIT, drain: bool = False
    ) -> bool:
        """Handle events until `done()`, or `until_us` is over, or, with `drain`, until only background is left.

        Returns False when the budget of events ran out before. Raises `Stuck` when nothing is left that could make
        `done()` true. Call it inside `entered()`.
        """
        queue, background, ready, ends = self._queue, self._background, self._ready, self.turn_ends
        take = ready.popleft
        left = budget
        while True:
            # 1. Microtasks, then the ends of the turns they ran in; an end may begin another turn.
            while ready or ends:
                while ready:
                    callback, args, context = take()
                    if callback is not None:
                        try:
                            context.run(callback, *args)
                        except KeyboardInterrupt:
                            raise
                        except BaseException as error:
                            self.on_error(error, context)
                if ends:
                    ends.pop(0)()
            # 2. Between two events: is this run over?
            if done():
                return True
            if left <= 0:
                return False
            # 3. The next event, of the two queues the earlier one. A cancelled timer does not move the clock.
            if queue and not (background and background[0] < queue[0]):
                event = heappop(queue)
                when, _, fn, arg = event
                if when > until_us:
                    heappush(queue, event)
                    return self.stop_at(until_us)
                if (fn is _fire or fn is _run_timer) and arg[0] is None:
                    continue
            elif queue and queue[0][2] in (_fire, _run_timer) and queue[0][3][0] is None:
                heappop(queue)  # a cancelled timer keeps no run going either
                continue
            elif drain and not queue:
                return True
            elif background:
                event = heappop(background)
                when, _, fn, arg = event
                if when > until_us:
                    heappush(background, event)
                    return self.stop_at(until_us)
                if not queue and until_us == NO_LIMIT and self._only_alarms(when):
                    heappush(background, event)
                    raise Stuck
            elif until_us < NO_LIMIT:
                return self.stop_at(until_us)
            else:
                raise Stuck
            # 4. Time moves here, and nowhere else.
            self.now_us = when
            self.cpu_us = 0
            left -= 1
            self.events += 1
            fn(arg)

    def begin_run(self) -> None:
        """A run starts, of one slice or of many: what it allows alarms that run alone is counted from here."""
        self._alarms_alone = self._alarms_until_us = 0

    def _only_alarms(self, when_us: int) -> bool:
        """Nothing but alarms is left, again: True when a run that waits for a result should give up."""
        self._alarms_alone += 1
        self._alarms_until_us = self._alarms_until_us or when_us + ONLY_ALARMS_LIMIT_US
        return when_us > self._alarms_until_us or self._alarms_alone > ONLY_ALARMS_LIMIT

    def stop_at(self, when_us: int) -> bool:
        if when_us > self.now_us:  # never back: another run may have gone further; a turn may compute beyond it
            self.now_us = when_us
            self.cpu_us = 0
        return True


def _raise(error: BaseException, _: Context) -> None:
    raise error


def _fire(timer: Timer) -> None:
    """A timer of user code is due: its scope decides when it runs."""
    if timer.scope is None:
        timer.run()
    else:
        timer.scope.timer_due(timer)


def _run_timer(timer: Timer) -> None:
    timer.run()


def complete(future: asyncio.Future[None]) -> None:
    """Complete a future that may have been cancelled meanwhile."""
    if not future.done():
        future.set_result(None)
