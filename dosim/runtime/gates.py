"""Input gates: who is delivered to an object, and when.

While a gate is *locked*, no event is delivered through it; used so that code between two awaits on the outside world
runs alone. If the object breaks, whatever still waits is dropped: its callers have been told already.

Recorded rules (workerd): the lock goes from holder to holder in this order: a critical section that waits to start,
else the event that waited longest. A section holds its parent's lock for as long as it runs and gates its own events;
when it ends, the lock passes to the code that awaited it, before anything that queued. Timers of one gate run strictly
one after another: one that is stuck holds back all later ones, which queue anew behind whatever arrived meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dosim.kernel.loop import Timer
from dosim.runtime.calls import Event, Flow, settle

if TYPE_CHECKING:
    from dosim.runtime.instance import Instance


class InputGate:
    """The input gate of an instance, and the base of a critical section's own gate."""

    __slots__ = ("_due", "holder", "instance", "locked", "parent", "sections", "timer_waits", "waiters")

    def __init__(self, instance: Instance, parent: InputGate | None = None) -> None:
        self.instance = instance
        self.parent = parent
        self.locked = False
        self.holder = ""
        self.sections: deque[CriticalSection] | None = None
        self.timer_waits = False
        self.waiters: deque[Event] | None = None
        self._due: deque[tuple[Timer, Flow]] | None = None

    @property
    def waiting(self) -> int:
        """How many events wait here."""
        return len(self.waiters) if self.waiters is not None else 0

    def live(self) -> InputGate:
        """The gate that events of this one go through now: an ended section's go through its parent."""
        return self

    def deliver(self, event: Event) -> None:
        """Run the event's turn now, or when the gate is free."""
        gate = self if self.parent is None else self.live()
        instance = gate.instance
        if instance.broken is not None:
            instance.bury(event)
            return
        if instance.cut and event.flow.call in instance.cut:
            instance.bury(event)
            instance.touch()
            return
        event.ready_us = instance.loop.now_us
        if gate.locked:
            event.held_by = gate.who_holds()
            if gate.waiters is None:
                gate.waiters = instance.world.new_line()
            gate.waiters.append(event)
        else:
            gate.locked = True
            instance.begin_turn(gate, event)

    def who_holds(self) -> str:
        """Whoever holds the lock, for the one who waits."""
        if self.holder:
            return self.holder
        call = self.instance.turn_call
        return repr(call) if call is not None else self.instance.label

    def timer_due(self, timer: Timer, flow: Flow) -> None:
        """A timer is due: it goes through the gate after every timer that was due before it."""
        gate = self.live()
        if gate.instance.broken is not None:
            gate.instance.bury(timer)
        elif gate.instance.cut and flow.call in gate.instance.cut:
            timer.cancel()
            gate.instance.bury(timer)
            gate.instance.touch()
        elif gate.timer_waits:
            if gate._due is None:
                gate._due = deque()
            gate._due.append((timer, flow))
        else:
            gate.timer_waits = True
            gate.deliver(Event(self._run_timer, (timer, gate), flow, "timer"))

    @staticmethod
    def _run_timer(due: tuple[Timer, InputGate]) -> None:
        timer, gate = due
        gate.timer_waits = False
        if gate._due:
            following, flow = gate._due.popleft()
            gate.instance.loop.after(0, _due_again, (gate, following, flow))
        timer.run()

    def release(self) -> None:
        """The holder's turn is over: the next section or event gets the lock."""
        instance = self.instance
        self.locked = False
        self.holder = ""
        if instance.broken is not None:
            return
        if self.sections:
            self.locked = True
            self.sections.popleft().start()
        elif self.waiters:
            self.locked = True
            instance.begin_turn(self, self.waiters.popleft())
        elif self.parent is None:
            instance.check_idle()

    def add_section(self, section: CriticalSection) -> None:
        """Queue a section: it starts when the current turn ends, before any event that waits."""
        if self.sections is None:
            self.sections = deque()
        self.sections.append(section)
        if not self.locked:
            self.locked = True
            self.sections.popleft().start()

    def hand_over(self, heir: InputGate) -> None:
        """Everything that still waits here waits at `heir` from now on, in the same order."""
        for event in self.waiters or ():
            heir.deliver(event)
        if self.sections:
            for section in self.sections:
                section.parent = heir
                heir.add_section(section)
        for timer, flow in self._due or ():
            heir.timer_due(timer, flow)
        self.waiters = self._due = self.sections = None


class CriticalSection(InputGate):
    """`blockConcurrencyWhile` and `storage.transaction`: a callback that holds the object's lock until it ends."""

    __slots__ = ("_callback", "_finish", "_limit", "call", "done", "ended", "flow", "kind", "started_us")

    def __init__(
        self,
        parent: InputGate,
        flow: Flow,
        kind: str,
        callback: Callable[[], Any],
        done: asyncio.Future[Any],
        finish: Callable[[CriticalSection, Any, BaseException | None], BaseException | None],
    ) -> None:
        super().__init__(parent.instance, parent)
        self.flow = flow
        self.call = flow.call
        self.kind = kind
        self.done = done
        self.ended = False
        self.started_us = 0
        self._callback = callback
        self._finish = finish
        self._limit: Timer | None = None

    @property
    def depth(self) -> int:
        gate: InputGate | None = self.parent
        depth = 1
        while isinstance(gate, CriticalSection):
            depth += 1
            gate = gate.parent
        return depth

    def live(self) -> InputGate:
        gate: InputGate = self
        while isinstance(gate, CriticalSection) and gate.ended:
            assert gate.parent is not None
            gate = gate.parent
        return gate

    def start(self) -> None:
        """Run the callback in a turn of its own; the parent's lock is held from here to the end."""
        assert self.parent is not None
        instance = self.instance
        instance.section_started(self)
        self.started_us = instance.loop.now_us
        self.parent.holder = f"{self.kind} of {self.call!r}" if self.call is not None else self.kind
        self.locked = True
        inner = Flow(self, self.call)
        instance.begin_turn(self, Event(self._run, None, inner, self.kind, user_code=True))
        self._limit = instance.start_block_limit(self)

    def _run(self, _: None) -> None:
        self.instance.run_callback(self._callback, self._callback_ended)

    def _callback_ended(self, value: Any, error: BaseException | None) -> None:
        """The callback has ended, in a turn of the section; what follows happens when that turn is over."""
        if error is not None and self.kind == "blockConcurrencyWhile":
            self._end(value, error)  # resets before this turn is committed: what it wrote is lost (recorded)
        else:
            self.instance.after_turn(lambda: self._end(value, error))

    def _end(self, value: Any, error: BaseException | None) -> None:
        if self._limit is not None:
            self._limit.cancel()
        failure = self._finish(self, value, error)
        if self.instance.broken is not None:
            return
        assert self.parent is not None
        self.ended = True
        self.locked = False
        parent = self.parent.live()
        self.instance.section_ended(self, ok=failure is None)
        self.hand_over(parent)
        parent.holder = ""
        continuation = Event(settle, (self.done, value, failure), self.flow, self.kind)
        continuation.ready_us = self.instance.loop.now_us
        self.instance.begin_turn(parent, continuation)


def _due_again(due: tuple[InputGate, Timer, Flow]) -> None:
    gate, timer, flow = due
    gate.timer_due(timer, flow)
