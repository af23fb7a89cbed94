"""`ChoosingLoop`: the event loop while somebody explores: the orders it leaves open are decisions of a `Chooser`.

The plain choice at every decision makes the same run as `Loop` does, event by event. It is a class of its own so that
a run that nobody explores pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Protocol

from dosim.kernel.loop import NO_LIMIT, Handle, Loop, Stuck, _fire, _run_timer
from dosim.kernel.tasks import Task

if TYPE_CHECKING:
    from dosim.kernel.chooser import Chooser

_Entry = tuple[int, int, Callable[[Any], object], Any]


class Sight(Protocol):
    """What an event is to whoever decides."""

    @property
    def lane(self) -> object:
        """Events of one lane (the same object) never overtake each other. None: nothing overtakes this event."""

    def thread(self) -> str:
        """The request that it belongs to, for a policy."""

    def __str__(self) -> str: ...


class Endless(RuntimeError):
    """A run under exploration handled more events than it may: it goes round for ever, or its budget is too small."""


class ChoosingLoop(Loop):
    """A loop whose open orders are decided. The runtime says what an event is (`sight`), and may act before it."""

    def __init__(self, chooser: Chooser) -> None:
        super().__init__()
        self.chooser = chooser
        #: What an event is; these three are set by the runtime.
        self.sight: Callable[[Callable[[Any], object], Any], Sight]
        #: Called before each event: where faults come.
        self.before: Callable[[Callable[[Any], object], Any], None]
        #: Called with the kind of a decision, its choice and a sentence.
        self.told: Callable[[str, int, str], None]

    def run_slice(
        self, done: Callable[[], bool], *, until_us: int = NO_LIMIT, budget: int = NO_LIMIT, drain: bool = False
    ) -> bool:
        """As `Loop.run_slice`, with a decision wherever more than one thing could come next."""
        queue, background, ready, ends = self._queue, self._background, self._ready, self.turn_ends
        left = budget
        while True:
            while ready or ends:
                while ready:
                    callback, args, context = self._next_ready()
                    if callback is not None:
                        try:
                            context.run(callback, *args)
                        except KeyboardInterrupt:
                            raise
                        except BaseException as error:
                            self.on_error(error, context)
                if ends:
                    ends.pop(0)()
            if done():
                return True
            if left <= 0:
                return False
            self._drop_cancelled(queue)
            if drain and not queue:
                return True
            source = self._source(queue, background)
            if source is None:
                if until_us < NO_LIMIT:
                    return self.stop_at(until_us)
                raise Stuck
            when = source[0][0]
            if when > until_us:
                return self.stop_at(until_us)
            if source is background and not queue and until_us == NO_LIMIT and self._only_alarms(when):
                raise Stuck
            fn, arg = self._take(source)
            self.now_us = when
            self.cpu_us = 0
            left -= 1
            self._count(when)
            self.before(fn, arg)
            fn(arg)

    def _count(self, when: int) -> None:
        """One more event. Raises Endless when that is one too many."""
        self.events += 1
        if self.events > self.chooser.most_events:
            raise Endless(
                f"the run did not end within {self.chooser.most_events} events, at t={when / 1e6:.6f}s of simulated"
                " time: something goes round for ever, or give explore(..., most_events=) more."
            )

    @staticmethod
    def _drop_cancelled(queue: list[_Entry]) -> None:
        """Cancelled timers neither run nor move the clock, and keep no run going."""
        while queue and queue[0][2] in (_fire, _run_timer) and queue[0][3][0] is None:
            heappop(queue)

    @staticmethod
    def _source(queue: list[_Entry], background: list[_Entry]) -> list[_Entry] | None:
        """The queue whose first event comes first."""
        if queue and not (background and background[0] < queue[0]):
            return queue
        return background or None

    def _take(self, source: list[_Entry]) -> tuple[Callable[[Any], object], Any]:
        """The next event: the first, or one of the same instant that may come before it."""
        first = heappop(source)
        when, _, fn, arg = first
        others = self._background if source is self._queue else self._queue
        if not ((source and source[0][0] == when) or (others and others[0][0] == when)):
            return fn, arg
        sight = self.sight(fn, arg)
        if sight.lane is None:
            return fn, arg
        candidates = [(first, source, sight)]
        passed = self._gather(when, source, others, candidates)
        choice = 0
        if len(candidates) > 1:
            lanes = [each.thread() for _, _, each in candidates] if self.chooser.lanes_matter else ()
            choice = self.chooser.choose("event", range(1, len(candidates)), lanes)
        for index, (entry, home, _) in enumerate(candidates):
            if index != choice:
                heappush(home, entry)
        for entry, home in passed:
            heappush(home, entry)
        chosen, _, its = candidates[choice]
        if choice:
            self.now_us, self.cpu_us = when, 0
            self.told("event", choice, f"{its} comes before {sight}")
        return chosen[2], chosen[3]

    def _gather(
        self,
        when: int,
        source: list[_Entry],
        others: list[_Entry],
        candidates: list[tuple[_Entry, list[_Entry], Sight]],
    ) -> list[tuple[_Entry, list[_Entry]]]:
        """Take what else is due now, up to what nothing overtakes; the first of each lane becomes a candidate."""
        passed: list[tuple[_Entry, list[_Entry]]] = []
        while True:
            heads = [home for home in (source, others) if home and home[0][0] == when]
            if not heads:
                return passed
            home = min(heads, key=lambda one: one[0][1])
            entry = heappop(home)
            _, _, fn, arg = entry
            if fn in (_fire, _run_timer) and arg[0] is None:
                continue
            sight = self.sight(fn, arg)
            if sight.lane is None:
                passed.append((entry, home))
                return passed
            if any(sight.lane is known.lane for _, _, known in candidates):
                passed.append((entry, home))
            else:
                candidates.append((entry, home, sight))

    def _next_ready(self) -> Handle:
        """The next callback: the one that became ready first, or, when that is open, another task's."""
        ready = self._ready
        if not self.chooser.ready or len(ready) < 2:
            return ready.popleft()
        tasks: list[Any] = []
        places: list[int] = []
        for place, handle in enumerate(ready):
            task = getattr(handle[0], "__self__", None)
            if not isinstance(task, Task):
                break  # what is no step of a task keeps its place
            if not any(task is known for known in tasks):
                tasks.append(task)
                places.append(place)
        if len(places) < 2:
            return ready.popleft()
        names = [task.get_name() for task in tasks]
        choice = self.chooser.choose("ready", range(1, len(places)), names)
        if not choice:
            return ready.popleft()
        handle = ready[places[choice]]
        del ready[places[choice]]
        self.told("ready", choice, f"{names[choice]} runs before {names[0]}")
        return handle
