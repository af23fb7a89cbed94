"""Search strategies: which schedules an exploration tries, in which order.

- `random`: a few deviations, drawn anew for each run: few are enough for almost every bug, and easy to read.
- `exhaustive`: every schedule with one deviation, then every one with two, and so on (delay-bounded scheduling: Emmi,
  Qadeer, Rakamarić 2011): when it ends, nothing with so few deviations breaks the test.
- `pct`: requests get random priorities, and at a few random places one falls behind (probabilistic concurrency testing:
  Burckhardt, Kothari, Musuvathi, Nagarakatti 2010): finds orders that need many deviations of one kind.
- `mixed`: every single deviation first, then random ones. This is the one to begin with.

A plan is one run to try, as plain values, so that another process can run it. The same seed gives the same plans.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from dosim.kernel.chooser import ORDERS, PLAIN, Chooser, Decision, Met, Schedule

#: Kind of decision -> the choices that may be explored; an order by place has ().
Allowed = Mapping[str, tuple[int, ...]]

#: Deviations of a random run, at most; half of the runs have one, a quarter two, and so on.
DEPTH = 4
#: A run is thought to have so many more decisions than the plain one: a deviation brings new ones.
_MORE = 1.25
#: Kind of decision -> the kind whose deviations bring it.
_BROUGHT_BY = {"retry": "message"}
#: The share of requests that PCT holds back, and places where it changes its mind.
_HELD_BACK = 0.5
_CHANGES = 2


@dataclass(frozen=True)
class Plan:
    """One run to try: by a schedule, or by PCT's priorities beside it."""

    schedule: Schedule = PLAIN
    #: What PCT draws from; None: the schedule alone.
    pct: int | None = None
    #: Kinds that PCT decides, and about how many decisions the run has.
    kinds: tuple[str, ...] = ()
    length: int = 0

    def chooser(self, most_events: int) -> Chooser:
        """Who decides such a run."""
        if self.pct is None:
            return Chooser(self.schedule, most_events=most_events)
        return Chooser(policy=Priorities(self), ready="ready" in self.kinds, most_events=most_events)


class Priorities:
    """PCT's policy: at an open order the request with the highest priority goes first; messages of the others wait."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._random = Random(plan.pct)
        self._priority: dict[str, float] = {}
        self._falls = sorted(self._random.randrange(max(1, plan.length)) for _ in range(_CHANGES))
        self._met = 0
        self._delay = self._random.randint(1, len(ORDERS["delay"]))

    def _of(self, lane: str) -> float:
        if lane not in self._priority:
            self._priority[lane] = self._random.random()
        return self._priority[lane]

    def __call__(self, kind: str, number: int, choices: Sequence[int], lanes: Sequence[str]) -> int:
        planned = self._plan.schedule.get((kind, number), 0)
        if kind not in ORDERS or kind not in self._plan.kinds or not lanes:
            return planned if planned in choices else 0
        self._met += 1
        while self._falls and self._met > self._falls[0]:
            self._falls.pop(0)
            self._priority[lanes[0]] = -len(self._falls) - 1.0
        if kind == "delay":
            return 0 if self._of(lanes[0]) >= _HELD_BACK else self._delay
        return max(range(len(lanes)), key=lambda place: (self._of(lanes[place]), -place))


@dataclass
class Search(ABC):
    """Plans in batches: `batch` says what to try next, `saw` takes what came of it, in the same order."""

    allowed: Allowed
    seed: int
    #: The decisions of the plain run.
    plain: Sequence[Met]
    ended: bool = False
    _random: Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = Random(f"dosim explore {self.seed}")

    #: Whether `saw` needs the decisions that the runs met.
    needs_met = False

    @abstractmethod
    def batch(self, size: int) -> list[Plan]:
        """At most so many plans; none: the search has ended."""

    def saw(self, plans: Sequence[Plan], met: Sequence[Sequence[Met]]) -> None:  # noqa: B027 (most need not know)
        """What the runs of a batch met."""


class RandomSearch(Search):
    """A few deviations a run, of kinds drawn first: a fault is as likely as an order, though they are fewer."""

    def __post_init__(self) -> None:
        super().__post_init__()
        counts: dict[str, int] = {}
        for met in self.plain:
            counts[met.kind] = max(counts.get(met.kind, 0), met.number)
        self._last = {kind: round(counts.get(kind, 0) * _MORE) + 1 for kind in self.allowed}
        # What the plain run never came to, a deviation may bring: a request is sent again when one was lost.
        self._kinds = [kind for kind in self.allowed if counts.get(kind) or (counts.get(_BROUGHT_BY.get(kind, "")))]
        self.ended = not self._kinds  # nothing is open in this test

    def batch(self, size: int) -> list[Plan]:
        return [] if self.ended else [Plan(self.draw()) for _ in range(size)]

    def draw(self) -> Schedule:
        """One schedule with a few deviations."""
        random, choices = self._random, {}
        count = 1
        while count < DEPTH and random.random() < 0.5:
            count += 1
        for _ in range(count):
            decision, choice = self._deviation(random.choice(self._kinds))
            choices[decision] = choice
        return Schedule(choices)

    def _deviation(self, kind: str) -> tuple[Decision, int]:
        names = self.allowed[kind]
        choice = self._random.choice(names) if names else 1 + min(int(self._random.expovariate(0.7)), 9)
        return (kind, self._random.randint(1, self._last[kind])), choice


class ExhaustiveSearch(Search):
    """Breadth first by the number of deviations; each run's own decisions say what may be added behind its last one."""

    needs_met = True
    #: Deviations at most; None: as many as the budget allows.
    bound: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        #: Complete up to so many deviations.
        self.level = 0
        self._this = self._children(PLAIN, self.plain)
        self._next: list[tuple[Schedule, Sequence[Met]]] = []

    def batch(self, size: int) -> list[Plan]:
        plans: list[Plan] = []
        while len(plans) < size:
            schedule = next(self._this, None)
            if schedule is None:
                break
            plans.append(Plan(schedule))
        if not plans and not self.ended:
            return self._deeper(size)
        return plans

    def _deeper(self, size: int) -> list[Plan]:
        self.level += 1
        grown, self._next = self._next, []
        if not grown or self.level == self.bound:
            self.ended = True
            return []
        self._this = (child for schedule, met in grown for child in self._children(schedule, met))
        return self.batch(size)

    def saw(self, plans: Sequence[Plan], met: Sequence[Sequence[Met]]) -> None:
        if self.bound is None or self.level + 1 < self.bound:
            self._next += [(plan.schedule, its) for plan, its in zip(plans, met, strict=True)]

    def _children(self, schedule: Schedule, met: Sequence[Met]) -> Iterator[Schedule]:
        """The schedule with one deviation more, behind all it has."""
        last = max((place for place, one in enumerate(met) if (one.kind, one.number) in schedule), default=-1)
        for one in met[last + 1 :]:
            names = self.allowed.get(one.kind)
            if names is None:
                continue
            for choice in one.choices:
                if not names or choice in names:
                    yield schedule | {(one.kind, one.number): choice}


class PctSearch(RandomSearch):
    """Random priorities of requests, with the faults of a random run."""

    def batch(self, size: int) -> list[Plan]:
        if self.ended:
            return []
        kinds = tuple(kind for kind in self.allowed if kind in ORDERS)
        length = sum(met.kind in kinds for met in self.plain)
        plans = []
        for _ in range(size):
            faults = Schedule({d: choice for d, choice in self.draw().items() if d[0] not in ORDERS})
            plans.append(Plan(faults, pct=self._random.getrandbits(48), kinds=kinds, length=length))
        return plans


class MixedSearch(RandomSearch):
    """Every single deviation, then random ones."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._singles = ExhaustiveSearch(self.allowed, self.seed, self.plain)
        self._singles.bound = 1

    @property
    def level(self) -> int:
        """Complete up to so many deviations."""
        return self._singles.level

    def batch(self, size: int) -> list[Plan]:
        return self._singles.batch(size) or super().batch(size)


STRATEGIES: Mapping[str, Any] = {
    "mixed": MixedSearch,
    "random": RandomSearch,
    "exhaustive": ExhaustiveSearch,
    "pct": PctSearch,
}
