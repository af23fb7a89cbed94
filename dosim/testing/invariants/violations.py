"""`InvariantViolated`, and what every invariant's story has in common: who, when, which request, and the replay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from dosim.kernel.chooser import PLAIN
from dosim.simulation import Simulation
from dosim.trace.records import RawRecord, Trace, trace_of

#: What is checked: called with a simulation or a trace, it raises `InvariantViolated` or returns None.
Invariant = Callable[[Any], None]


class InvariantViolated(AssertionError):
    """Something that must always hold did not. The text is the story: who, what, when, in which request.

    `invariant` is its name, `at_us` when it was violated (microseconds of virtual time), `request` the number of the
    request in the trace (0: none). The notes say how to come to the same run again.
    """

    def __init__(self, invariant: str, story: str, *, at_us: int = 0, request: int = 0) -> None:
        super().__init__(f"{invariant}: {story}")
        self.invariant = invariant
        self.story = story
        self.at_us = at_us
        self.request = request

    def __reduce__(self) -> tuple[Any, ...]:
        return _violation, (self.invariant, self.story, self.at_us, self.request), {"__notes__": _notes(self)}


def _violation(invariant: str, story: str, at_us: int, request: int) -> InvariantViolated:
    """One that was sent to another process."""
    return InvariantViolated(invariant, story, at_us=at_us, request=request)


def _notes(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", ()))


def violated(source: object, invariant: str, story: str, *, at_us: int = 0, request: int = 0) -> InvariantViolated:
    """The error to raise, with the line that leads to the same run again, where the source is a simulation."""
    error = InvariantViolated(invariant, story, at_us=at_us, request=request)
    if isinstance(source, Simulation):
        error.add_note(f"replay: {source.world.replay}")
        if request:
            error.add_note(f"look closer: sim.explain({request})")
    return error


def kept_trace(source: object, invariant: str) -> Trace:
    """The trace to read. Raises TypeError for what is none, ValueError for one that keeps no record."""
    trace = trace_of(source, "source")
    if trace.retention == "none":
        raise ValueError(
            f"{invariant} reads records, and this trace keeps none (retention='none'): use 'full' or 'last=N'."
        )
    return trace


def simulation_of(source: object, invariant: str, why: str) -> Simulation:
    """The simulation that an invariant needs. Raises TypeError that says what for."""
    if not isinstance(source, Simulation):
        raise TypeError(f"{invariant} {why}: give it the simulation, not {source!r}.")
    return source


def named(invariant: Invariant, name: str, said: str | None = None) -> Invariant:
    """A function with the name under which it is reported, such as "cost_below(usd=5)"."""
    invariant.__name__ = invariant.__qualname__ = name
    invariant.__doc__ = said
    return invariant


def tuned(invariant: Callable[..., None], **options: object) -> Invariant:
    """An invariant with other options than its own: `tuned(never_wakes_only_itself, alarms=100)`.

    Raises TypeError for an option that it does not have.
    """
    known = getattr(invariant, "__kwdefaults__", None) or {}
    unknown = sorted(set(options) - set(known))
    if unknown:
        has = ", ".join(known) or "none"
        raise TypeError(f"{invariant.__name__} has no option {unknown[0]!r}; its options: {has}.")

    @wraps(invariant)
    def check(source: Any) -> None:
        invariant(source, **options)

    said = ", ".join(f"{name}={value!r}" for name, value in options.items())
    return named(check, f"{invariant.__name__}({said})", invariant.__doc__)


@contextmanager
def plainly(sim: Simulation) -> Iterator[None]:
    """For a stretch of running on, nobody decides otherwise than plainly: no more faults, no unusual orders."""
    chooser = sim.world.chooser
    if chooser is None:
        yield
        return
    policy, schedule = chooser._policy, chooser.schedule
    chooser._policy, chooser.schedule = None, PLAIN
    try:
        yield
    finally:
        chooser._policy, chooser.schedule = policy, schedule


def at(t_us: int) -> str:
    """A moment as errors of dosim tell it."""
    return f"t={t_us / 1e6:.6f}s"


def told(trace: Trace, request: int) -> str:
    """A request for people: "#1 GET https://app.example/ from Tokyo", "#3 Counter('demo').increment"."""
    raw = next((raw for raw in trace.raw if raw[4] == request and raw[2] in ("send", "call")), None)
    return f"#{request}" if raw is None else said_of(raw)


def said_of(raw: RawRecord) -> str:
    """The request that a "send" or "call" record begins."""
    if raw[2] == "send":
        return f"#{raw[4]} {raw[6][0]} {raw[6][1]} from {raw[3]}"
    return f"#{raw[4]} {raw[6][2]}.{raw[6][3]}"


def of_kinds(trace: Trace, *kinds: str) -> Iterator[RawRecord]:
    """The kept records of these kinds as plain tuples."""
    return (raw for raw in trace.raw if raw[2] in kinds)
