"""`ObjectMachine`: a rule-based state machine whose rules are requests, time, evictions, deploys and crashes.

Hypothesis calls the rules in any order and shrinks what breaks to the fewest steps. Yours say what users do and what
they were promised; these say what the platform may do meanwhile.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import stateful
from hypothesis import strategies as st

from dosim.kernel.chooser import MOST_EVENTS, Chooser
from dosim.simulation import Simulation
from dosim.simulation.objects import ObjectView
from dosim.testing.invariants.violations import Invariant
from dosim.testing.simulating import check_invariant

#: How far a jump in time goes: from between two messages to past an eviction, an alarm's retries, a month.
JUMPS = ("1ms", "100ms", "1s", "11s", "1m", "1h", "1d", "30d")
#: The faults that a machine's own rules bring, by the names of the simulation's verbs.
STRIKES = ("evict", "crash", "reset", "deploy")
#: Events of one step, at most: few, so that a strike comes in the middle of a call; more steps make more events.
_MOST_EVENTS = 5
#: Hypothesis's own has no types for strategies by name.
_rule: Any = stateful.rule


def rule(**drawn: Any) -> Callable[[Callable[..., Any]], Any]:
    """As Hypothesis's `rule`, for methods that may be async: those are run in the machine's simulation."""

    def decorate(method: Callable[..., Any]) -> Any:
        if not inspect.iscoroutinefunction(method):
            return _rule(**drawn)(method)

        @functools.wraps(method)
        def run(self: ObjectMachine, **kwargs: Any) -> Any:
            return self.sim.run(method(self, **kwargs))

        return _rule(**drawn)(run)

    return decorate


class ObjectMachine(stateful.RuleBasedStateMachine):
    """A world under arbitrary use. Say what it is made of, add rules, and run `YourMachine.TestCase`.

        class Counters(ObjectMachine):
            durable_objects = {"COUNTER": Counter}
            strikes = ("evict", "deploy")

            def start(self):
                self.total = 0

            @rule()
            async def increment(self):
                self.total += 1
                assert await self.sim.env.COUNTER.getByName("a").increment() == self.total

        TestCounters = Counters.TestCase

    `begin(call)` leaves a call under way, so that what the platform does comes in the middle of it; `self.calls` has
    those that are. `promises` are invariants that are checked after each step.
    """

    worker: ClassVar[type | None] = None
    durable_objects: ClassVar[Mapping[str, type]] = {}
    #: A folder with a Python Workers project, instead of the two above.
    project: ClassVar[str | Path | None] = None
    #: Further arguments of `Simulation`.
    options: ClassVar[Mapping[str, Any]] = {}
    #: What may happen to objects that are in memory.
    strikes: ClassVar[Sequence[str]] = STRIKES
    promises: ClassVar[Sequence[Invariant]] = ()
    #: A world that handles more events is ended as endless.
    most_events: ClassVar[int] = MOST_EVENTS

    sim: Simulation

    def __init__(self) -> None:
        super().__init__()
        for strike in self.strikes:
            if strike not in STRIKES:
                raise ValueError(f"strikes has {strike!r}, which is none: use {', '.join(STRIKES)}.")
        options = {"show_output": False, "schedule": Chooser(most_events=self.most_events), **self.options}
        if self.project is not None:
            self.sim = Simulation.from_project(self.project, **options)
        else:
            self.sim = Simulation(self.worker, durable_objects=self.durable_objects, **options)
        #: Calls that were begun, in order.
        self.calls: list[Any] = []
        self.start()

    def start(self) -> None:
        """Called when the world has been made: what your rules need."""

    def begin(self, call: Any) -> Any:
        """Leave a call of a client or stub under way; a later step, or `sim.run(call)`, goes on with it."""
        self.calls.append(call)
        return call

    @property
    def in_memory(self) -> list[ObjectView]:
        """The objects that are in memory now."""
        return [view for view in self.sim.objects if view.state in ("active", "idle")]

    # -- what the platform may do

    @stateful.rule(jump=st.sampled_from(JUMPS))
    def time_passes(self, jump: str) -> None:
        self.sim.run(for_=jump)

    @stateful.precondition(lambda self: any(not call.done() for call in self.calls))
    @stateful.rule(events=st.integers(1, _MOST_EVENTS))
    def events_happen(self, events: int) -> None:
        self.sim.step(events)

    @stateful.precondition(lambda self: self.strikes and self.in_memory)
    @stateful.rule(data=st.data())
    def platform_strikes(self, data: Any) -> None:
        strike = data.draw(st.sampled_from(tuple(self.strikes)), label="strike")
        if strike == "deploy":
            self.sim.deploy()
            return
        view = data.draw(st.sampled_from(self.in_memory), label="object")
        getattr(self.sim, strike)(view)

    @stateful.precondition(lambda self: self.promises)
    @stateful.invariant()
    def promises_are_kept(self) -> None:
        for invariant in self.promises:
            check_invariant(invariant, self.sim)

    def teardown(self) -> None:
        """Let what is under way come to its end, so that nothing is left behind."""
        for call in self.calls:
            if call.done() and not call.cancelled():
                call.exception()
