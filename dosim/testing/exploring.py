"""`explore`: run a test under many schedules until one breaks it; shrink that one; say what happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from typing import Any

from dosim.kernel.chooser import MOST_EVENTS, PLAIN, Chooser, Met, Schedule
from dosim.kernel.choosing import Endless
from dosim.testing.failures import Failure
from dosim.testing.points import Progress, WorkerDied, run_points
from dosim.testing.searching import STRATEGIES, Plan, Search
from dosim.testing.shrinking import Shrinker
from dosim.testing.subjects import BadTest, Outcome, Subject, allowed, checked_faults, checked_orders, quiet
from dosim.testing.tokens import subject_at
from dosim.trace.compare import diff
from dosim.trace.words import counted

#: Runs of one batch: a strategy sees what came of them before it plans the next, whoever runs them.
BATCH = 50
#: Runs, unless told.
RUNS = 1_000


@dataclass
class Exploration:
    """What an exploration tried and found. True in a condition if nothing broke."""

    name: str
    strategy: str
    seed: int
    #: Runs that were tried; shrinking comes on top.
    runs: int = 0
    failure: Failure | None = None
    #: Mark of `sometimes` -> the runs in which it was true.
    sometimes: dict[str, int] = field(default_factory=dict)
    #: Why it ended: "failure", "runs", "seconds", "exhausted" (every schedule that the strategy knows was tried).
    ended: str = ""
    #: Kind of decision -> how many the plain run had.
    decisions: dict[str, int] = field(default_factory=dict)
    #: Every schedule with at most so many deviations was tried (exhaustive).
    complete_to: int = 0

    def __bool__(self) -> bool:
        return self.failure is None

    @property
    def never(self) -> list[str]:
        """The marks of `sometimes` that no run came to."""
        return [mark for mark, count in self.sometimes.items() if not count]

    def check(self) -> None:
        """Raise what broke the test, with its story as a note; nothing if nothing did."""
        if self.failure is not None:
            raise self.failure.told_error()

    @property
    def text(self) -> str:
        """What was tried, in a few lines; the failure's story, if there is one."""
        if self.failure is not None:
            return self.failure.story
        lines = [f"{self.name}: nothing broke in {counted(self.runs, 'run')} ({self.strategy}, seed {self.seed})."]
        if self.ended == "exhausted" or self.complete_to:
            lines.append(
                f"Every schedule with at most {counted(self.complete_to, 'deviation')} was tried."
                if self.complete_to
                else "Every schedule that this strategy knows was tried."
            )
        lines += [f"sometimes: {mark}: in {counted(count, 'run')}" for mark, count in self.sometimes.items() if count]
        lines += [f"never reached: {mark}: what it guards was not tested" for mark in self.never]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        found = "nothing broke" if self.failure is None else f"broken by {self.failure.schedule or 'the plain run'}"
        return f"<exploration of {self.name}: {counted(self.runs, 'run')}, {found}>"

    def _repr_html_(self) -> str:
        if self.failure is not None:
            return self.failure._repr_html_()
        return f"<pre>{escape(self.text)}</pre>"


@quiet()
def explore(
    test: Any,
    *,
    runs: int | None = None,
    seconds: float | None = None,
    strategy: str = "mixed",
    seed: int = 0,
    faults: Any = None,
    orders: Any = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    most_events: int = MOST_EVENTS,
    shrink: bool = True,
) -> Exploration:
    """Run a test under many schedules, each with other orders, delays and faults, until one breaks it.

    test: what `@simulated` made, or a function without arguments that makes its own Simulation. runs, seconds: the
    budget (1,000 runs unless one is given; `seconds` of real time). strategy: "mixed" (every single deviation, then a
    few at random), "random", "exhaustive" or "pct". faults: the kinds that may come ("all", or names of FAULTS), by
    default those of the test; orders likewise ("ready" only when named). seed: of the search. executor: any
    `concurrent.futures.Executor` of processes; the result is the same whoever runs. most_events: what one run may
    handle before it counts as endless (a Python loop without any await or storage operation in it ends only by Ctrl-C).

    Raises BadTest for a test that differs from run to run, never ends, or has an invariant that is broken itself;
    ValueError or TypeError that name the argument.
    """
    subject = Subject.of(test)
    _check(runs, seconds, strategy, seed, most_events)
    given_faults = subject.faults if faults is None else checked_faults(faults)
    given_orders = subject.orders if orders is None else checked_orders(orders)
    exploration = Exploration(subject.name, strategy, seed)
    plain = plain_run(subject, most_events)
    exploration.decisions = {kind: count for kind, count in plain.chooser.counts.items() if count}
    _count(exploration, plain.marks)
    if plain.error is not None:
        return _failed(exploration, subject, plain, {}, shrink=False)
    open_to = allowed(given_faults, given_orders)
    search = STRATEGIES[strategy](open_to, seed, plain.chooser.met)
    worker = _Here(subject, most_events) if executor is None else _There(subject, most_events, executor)
    limit = runs if runs is not None else (None if seconds is not None else RUNS)
    found = _searched(exploration, search, worker, limit, seconds, progress)
    exploration.complete_to = getattr(search, "level", 0)
    return exploration if found is None else _failed(exploration, subject, found, open_to, shrink=shrink)


def _check(runs: Any, seconds: Any, strategy: Any, seed: Any, most_events: Any) -> None:
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy={strategy!r} is not known: use {', '.join(map(repr, STRATEGIES))}.")
    for name, value in (("runs", runs), ("most_events", most_events)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError(f"{name}={value!r}: give a whole number, 1 or more.")
    if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds <= 0):
        raise ValueError(f"seconds={seconds!r}: give a number of seconds of real time, more than 0.")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise TypeError(f"seed={seed!r} is no seed of a search: give a whole number.")


def plain_run(subject: Subject, most_events: int = MOST_EVENTS) -> Outcome:
    """The run without any deviation. Raises BadTest when it is endless, or another one the second time."""
    first = subject.run(Chooser(most_events=most_events))
    if isinstance(first.error, Endless):
        raise BadTest(f"{subject.name}: {first.error}") from first.error
    if first.error is None and not any(sim.world.chooser is first.chooser for sim in first.simulations):
        raise BadTest(
            f"{subject.name} made no Simulation, so there is nothing to explore in it."
            if not first.simulations
            else f"{subject.name} gives its Simulation a schedule of its own, so nothing is left to explore: leave"
            " schedule= out."
        )
    again = subject.run(Chooser(most_events=most_events))
    if (first.signature, first.digest) != (again.signature, again.digest):
        raise BadTest(different(subject, first, again))
    return first


def different(subject: Subject, first: Outcome, again: Outcome) -> str:
    """That two runs of one schedule differ, where, and who names the line."""
    pairs = zip(first.simulations, again.simulations, strict=False)
    where = next((str(found) for found in (diff(one, other) for one, other in pairs) if found), "")
    return (
        f"{subject.name} is not deterministic: the same schedule led to two different runs, so nothing that is found"
        f" can be shrunk or replayed. dosim.testing.check_determinism names the line.\n{where}"
    ).rstrip()


# -- the search


def _searched(
    exploration: Exploration,
    search: Search,
    worker: _Here | _There,
    limit: int | None,
    seconds: float | None,
    progress: Progress | None,
) -> Outcome | None:
    """Try batch after batch; the first outcome that fails, or None when the budget or the strategy has ended."""
    ends = None if seconds is None else time.monotonic() + seconds
    while True:
        left = BATCH if limit is None else min(BATCH, limit - exploration.runs)
        plans = search.batch(left) if left > 0 else []
        if not plans:
            exploration.ended = "runs" if left <= 0 else "exhausted"
            return None
        met: list[Sequence[Met]] = []
        for verdict in worker.verdicts(plans, needs_met=search.needs_met):
            exploration.runs += 1
            _count(exploration, verdict.marks)
            if progress is not None:
                progress.update(1)
            if verdict.failed:
                return worker.outcome(verdict)
            met.append(verdict.met)
            if ends is not None and time.monotonic() > ends:
                exploration.ended = "seconds"
                return None
        search.saw(plans, met)


def _count(exploration: Exploration, marks: dict[str, bool]) -> None:
    for mark, was in marks.items():
        exploration.sometimes[mark] = exploration.sometimes.get(mark, 0) + was


def _failed(
    exploration: Exploration, subject: Subject, outcome: Outcome, open_to: Mapping[str, Sequence[int]], *, shrink: bool
) -> Exploration:
    """Shrink what was found, and be sure that it comes again."""
    exploration.ended = "failure"
    most_events = outcome.chooser.most_events

    def again(schedule: Schedule) -> Outcome:
        return subject.run(Chooser(schedule, most_events=most_events))

    best, steps = outcome, 0
    if shrink:
        shrinker = Shrinker(again, outcome, allowed=open_to)
        best, steps = shrinker.shrink(), shrinker.runs
    last = again(best.schedule)
    if last.signature != best.signature:
        raise BadTest(different(subject, best, last))
    exploration.failure = Failure(
        subject, last, found_after=exploration.runs, first=outcome.schedule, shrink_runs=steps
    )
    return exploration


# -- who runs the plans


@dataclass(frozen=True)
class Verdict:
    """What came of one plan, as plain values: it may have been run in another process."""

    failed: bool
    schedule: Schedule
    marks: dict[str, bool]
    met: Sequence[Met] = ()
    outcome: Outcome | None = None


class _Here:
    """Runs plans in this process."""

    def __init__(self, subject: Subject, most_events: int) -> None:
        self._subject = subject
        self._most_events = most_events

    def verdicts(self, plans: Sequence[Plan], *, needs_met: bool) -> Iterator[Verdict]:
        for plan in plans:
            outcome = self._subject.run(plan.chooser(self._most_events))
            met = outcome.chooser.met if needs_met else ()
            yield Verdict(outcome.error is not None, outcome.schedule, outcome.marks, met, outcome)

    def outcome(self, verdict: Verdict) -> Outcome:
        assert verdict.outcome is not None
        return verdict.outcome


@dataclass(frozen=True)
class Job:
    """A test as another process runs it: `job(plan)`."""

    reference: str
    most_events: int
    needs_met: bool

    def __call__(self, plan: Plan) -> Verdict:
        outcome = _known(self.reference).run(plan.chooser(self.most_events))
        met = tuple(Met(one.kind, one.number, tuple(one.choices)) for one in outcome.chooser.met)
        return Verdict(outcome.error is not None, outcome.schedule, outcome.marks, met if self.needs_met else ())


@lru_cache(maxsize=8)
def _known(reference: str) -> Subject:
    return subject_at(reference)


class _There:
    """Runs plans by an executor; what fails is run once more here, to be looked at."""

    def __init__(self, subject: Subject, most_events: int, executor: Executor) -> None:
        if not subject.reference:
            raise TypeError(
                f"{subject.name} cannot be sent to another process: it has no file and name of its own (a lambda, a"
                " function in a function, a notebook's cell). Put it into a module, or leave executor out."
            )
        self._subject = subject
        self._executor = executor
        self._most_events = most_events

    def verdicts(self, plans: Sequence[Plan], *, needs_met: bool) -> Iterator[Verdict]:
        job: Callable[[Plan], Verdict] = Job(self._subject.reference, self._most_events, needs_met)
        for plan, verdict in zip(plans, run_points(job, plans, self._executor, chunk=10, what="test"), strict=True):
            if isinstance(verdict, WorkerDied):
                raise BadTest(f"{self._subject.name}, schedule {plan.schedule}: {verdict}.")
            yield verdict

    def outcome(self, verdict: Verdict) -> Outcome:
        outcome = self._subject.run(Chooser(verdict.schedule, most_events=self._most_events))
        if outcome.error is None:
            raise BadTest(
                f"{self._subject.name} failed in another process with schedule {verdict.schedule or PLAIN!r}, and does"
                " not here: it depends on something outside the simulation. dosim.testing.check_determinism names it."
            )
        return outcome
