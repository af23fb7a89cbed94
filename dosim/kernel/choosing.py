"""`ChoosingLoop`: the event loop while somebody explores: the orders it leaves open are decisions of a `Chooser`.

The plain choice at every decision makes the same run as `Loop` does, event by event. It is a class of its own so that
a run that nobody explores pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Protocol

from dosim.kernel.loop import NO_LIMIT, SCOPE, Handle, Loop, Stuck, _fire, _run_timer
from dosim.kernel.tasks import Task

if TYPE_CHECKING:
    from dosim.kernel.chooser import Chooser

_Entry = tuple[int, int, Callable[[Any], object], Any]
_number = itemgetter(1)


class Sight(Protocol):
    """What an event is to whoever decides."""

    @property
    def lane(self) -> tuple[str, int] | None:
        """Events of one lane never overtake each other. None: nothing overtakes this event."""

    def thread(self) -> str:
        """The request that it belongs to, for a policy."""

    def __str__(self) -> str: ...


class Endless(RuntimeError):
    """A run under exploration did more than it may: it goes round for ever, or its budget is too small."""


class Unwound(BaseException):
    """Ends code that goes round within one event: no `except Exception` of it holds this back."""


class ChoosingLoop(Loop):
    """A loop whose open orders are decided. The runtime says what an event is (`sight`), and may act before it."""

    def __init__(self, chooser: Chooser) -> None:
        super().__init__()
        self.chooser = chooser
        #: What an event is; these three are set by the runtime.
        self.sight: Callable[[Callable[[Any], object], Any], Sight]
        #: Called with the sight of each event before it is handled: where faults come.
        self.before: Callable[[Any], None]
        #: Called with the kind of a decision, its choice and a sentence.
        self.told: Callable[[str, int, str], None]
        #: Number of an event of this instant that waits -> what it is.
        self._sights: dict[int, Sight] = {}
        #: Callbacks run and records made since the last event began.
        self._steps = 0
        self._endless: Endless | None = None

    def run_slice(
        self, done: Callable[[], bool], *, until_us: int = NO_LIMIT, budget: int = NO_LIMIT, drain: bool = False
    ) -> bool:
        """As `Loop.run_slice`, with a decision wherever more than one thing could come next."""
        queue, background, ready, ends = self._queue, self._background, self._ready, self.turn_ends
        left = budget
        while True:
            if ready or ends:
                self._settle()
            if self._endless is not None:
                raise self._endless
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
            if when != self.now_us:
                self._sights.clear()
            event = self._take(source)
            sight = self._seen(event)
            del self._sights[event[1]]  # nothing lives longer than it would if nobody explored
            self.now_us = when
            self.cpu_us = 0
            left -= 1
            self._steps = 0
            self._count(when)
            self.before(sight)
            event[2](event[3])

    def _settle(self) -> None:
        """Microtasks, then the ends of the turns they ran in; an end may begin another turn.

        Raises Endless when they make each other for ever.
        """
        ready, ends = self._ready, self.turn_ends
        while ready or ends:
            while ready:
                callback, args, context = self._next_ready()
                self._steps += 1
                if self._steps > self.chooser.most_events:
                    raise self._endless or self._round_for_ever(context.get(SCOPE))
                if callback is not None:
                    try:
                        context.run(callback, *args)
                    except KeyboardInterrupt:
                        raise
                    except BaseException as error:
                        self.on_error(error, context)
            if ends:
                ends.pop(0)()

    def _count(self, when: int) -> None:
        """One more event. Raises Endless when that is one too many."""
        self.events += 1
        if self.events > self.chooser.most_events:
            raise Endless(
                f"the run did not end within {self.chooser.most_events:,} events, at t={when / 1e6:.6f}s of simulated"
                " time: something goes round for ever, or give explore(..., most_events=) more."
            )

    def step(self) -> None:
        """Code of this event did something that leaves a record. Raises Unwound when it does so for ever."""
        self._steps += 1
        if self._steps > self.chooser.most_events and self._endless is None:
            self._endless = self._round_for_ever(SCOPE.get())
            raise Unwound

    def _round_for_ever(self, scope: Any) -> Endless:
        """The code of one event never comes to its end."""
        call = getattr(scope, "call", None)
        who = "the test itself" if scope is None else scope.owner.label + (f", in {call!r}," if call else "")
        return Endless(
            f"{who} took more than {self.chooser.most_events:,} steps within one event, at t={self.now_us / 1e6:.6f}s"
            " of simulated time: it goes round without ever waiting for anything, so time stands still for it."
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

    def _take(self, source: list[_Entry]) -> _Entry:
        """The next event: the first, or one of the same instant that may come before it."""
        first = heappop(source)
        due = self._due(first[0])
        if not due:
            return first
        sight = self._seen(first)
        if sight.lane is None:
            return first
        candidates = self._candidates(first, due)
        if len(candidates) == 1:
            return first
        lanes = [self._seen(entry).thread() for entry in candidates] if self.chooser.lanes_matter else ()
        choice = self.chooser.choose("event", range(1, len(candidates)), lanes)
        if not choice:
            return first
        chosen = candidates[choice]
        home = self._queue if chosen in self._queue else self._background
        home.remove(chosen)
        heapify(home)
        heappush(source, first)
        self.now_us, self.cpu_us = first[0], 0
        self.told("event", choice, f"{self._seen(chosen)} comes before {sight}")
        return chosen

    def _due(self, when: int) -> list[_Entry]:
        """What else is due at this instant, first come first; of a heap that is a tree at its root."""
        due: list[_Entry] = []
        for heap in (self._queue, self._background):
            if heap and heap[0][0] == when:
                size, places = len(heap), [0]
                for place in places:
                    if place < size and heap[place][0] == when:
                        due.append(heap[place])
                        places += (2 * place + 1, 2 * place + 2)
        due.sort(key=_number)
        return due

    def _candidates(self, first: _Entry, due: list[_Entry]) -> list[_Entry]:
        """The first event of each lane, up to what nothing overtakes."""
        candidates, sights = [first], self._sights
        lanes = {self._seen(first).lane}
        for entry in due:
            fn = entry[2]
            if (fn is _fire or fn is _run_timer) and entry[3][0] is None:
                continue
            lane = (sights.get(entry[1]) or self._seen(entry)).lane
            if lane is None:
                break
            if lane not in lanes:
                lanes.add(lane)
                candidates.append(entry)
        return candidates

    def _seen(self, entry: _Entry) -> Sight:
        """What an event is; kept while the event waits with others of its instant, since it is asked each time."""
        sight = self._sights.get(entry[1])
        if sight is None:
            sight = self._sights[entry[1]] = self.sight(entry[2], entry[3])
        return sight

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
        self.told("ready", choice, f"{_said(tasks[choice])} runs before {_said(tasks[0])}, which was ready first")
        return handle


def _said(task: Task[Any]) -> str:
    """A task as people know it: its name, and the coroutine that it runs."""
    return f"{task.get_name()} ({getattr(task.get_coro(), '__name__', 'an awaitable')})"
