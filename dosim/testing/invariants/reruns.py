"""A test that is run again and again, undisturbed or with something done to its world at one moment."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dosim.kernel.loop import NO_LIMIT, Loop
from dosim.kernel.making import making
from dosim.simulation import Simulation


class Unrepeatable(ValueError):
    """A test that does something else when it is run again."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Just after the event that made a record, in the nth simulation that a test makes."""

    simulation: int
    record: int
    #: Events handled before that one, at most.
    events: int
    t_us: int
    kind: str
    label: str


class Rerun:
    """One run of a test: its answers, and the moments at which records of some kind were made.

    disturb: what is done to the world, and when. Raises whatever the test raises.
    """

    def __init__(
        self,
        test: Callable[..., Any],
        make: Callable[[], Simulation] | None,
        kind: str,
        disturb: tuple[Moment, Callable[[Simulation], None]] | None = None,
    ) -> None:
        self.moments: list[Moment] = []
        self._simulations: list[Simulation] = []
        self._kind = kind
        self._disturb = disturb
        making.append(self._watch)
        try:
            self.answers = self._run(test, make)
        finally:
            making.remove(self._watch)
            for simulation in self._simulations:
                simulation._runner.halt = None

    @property
    def simulation(self) -> Simulation:
        """The one that was disturbed, or the last."""
        return self._simulations[self._disturb[0].simulation if self._disturb is not None else -1]

    @property
    def made(self) -> int:
        """How many simulations the test has made."""
        return len(self._simulations)

    def _run(self, test: Callable[..., Any], make: Callable[[], Simulation] | None) -> Any:
        answers = test() if make is None else test(make())
        if inspect.isawaitable(answers):
            if not self._simulations:
                if inspect.iscoroutine(answers):
                    answers.close()
                raise ValueError(f"{test!r} made no simulation that could run it: make one in it, or give make=.")
            answers = self._simulations[-1].run(answers)
        return answers

    def _watch(self, simulation: Simulation) -> None:
        number = len(self._simulations)
        if simulation.trace.retention != "full":
            raise ValueError(
                f"a test that is disturbed at a record needs every record, and retention is"
                f" {simulation.trace.retention!r}: make its simulation with retention='full'."
            )
        self._simulations.append(simulation)
        loop = simulation.world.loop

        def note(t_us: int, seq: int, kind: str, actor: str, *_: Any) -> None:
            if kind == self._kind:
                self.moments.append(Moment(number, seq, max(0, loop.events - 1), t_us, kind, actor))

        simulation.trace.subscribe(note)
        if self._disturb is not None and self._disturb[0].simulation == number:
            simulation._runner.halt = _Disturbance(simulation, *self._disturb)


class _Disturbance:
    """Runs a simulation's slices; does something to it when the moment has come, once."""

    def __init__(self, simulation: Simulation, moment: Moment, act: Callable[[Simulation], None]) -> None:
        self._simulation = simulation
        self._moment = moment
        self._act = act
        self._done = False

    def __call__(self, loop: Loop, done: Callable[[], bool], until_us: int, budget: int, drain: bool) -> bool:
        moment, trace = self._moment, self._simulation.trace
        left = budget
        while not self._done and trace.count < moment.record:
            events = min(left, max(1, moment.events - loop.events))
            before = loop.events
            if left <= 0 or loop.run_slice(done, until_us=until_us, budget=events, drain=drain):
                return left > 0
            left -= max(1, loop.events - before) if budget != NO_LIMIT else 0
        if not self._done:
            self._done = True
            found = trace[moment.record - 1]
            if (found.t_us, found.kind, found.actor) != (moment.t_us, moment.kind, moment.label):
                raise Unrepeatable(
                    "the test did not do the same thing twice, so it cannot be disturbed at the same moment: record"
                    f" {moment.record} is\n  {str(found).strip()}\nLet it make everything it uses anew."
                )
            self._act(self._simulation)
        return loop.run_slice(done, until_us=until_us, budget=left, drain=drain)
