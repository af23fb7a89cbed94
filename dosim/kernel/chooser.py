"""`Chooser` and `Schedule`: who decides what a run leaves open, and the list of those decisions that differ.

Most of a run follows from the program. What is left open (which of two events of one instant comes first, how long a
message takes, whether an object crashes now) is a *decision*: of a kind, with a number among those of its kind, and a
choice, 0 unless somebody says otherwise. Choice 0 is always the plain one: first come, first served; no fault.

A schedule holds the choices that are not 0. It is sparse: a run of ten thousand decisions that breaks on two of them is
written `delay12=100ms,object203=crash`. Each kind counts its own decisions, so that one choice shifts as few others as
can be, and a schedule means the same whichever kinds somebody explores.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

#: A decision: its kind, and its number among those of its kind, from 1 on.
Decision = tuple[str, int]

#: How much longer a message takes, microseconds, by the name of the choice.
DELAYS_US: Final = MappingProxyType({"1ms": 1_000, "10ms": 10_000, "100ms": 100_000, "1s": 1_000_000})

#: Kinds of decisions about an order -> the names of their choices; (): the choice is the place in the line.
ORDERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "event": (),  # events of the same instant: which comes first
        "waiter": (),  # who waits at an input gate: who goes first
        "ready": (),  # tasks of one turn that are ready: which runs first
        "delay": tuple(DELAYS_US),  # a message on its way: how much longer it takes
        "retry": ("never",),  # a request that never arrived: whether it is sent again
    }
)
#: Kinds of places where a fault may come -> the faults that may come there.
FAULTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "object": ("evict", "crash", "reset", "deploy"),  # before each event of an object in memory
        "message": ("request_lost", "reply_lost"),
        "commit": ("disk_fails",),
        "alarm": ("alarm_late", "alarm_twice"),
    }
)
#: Fault -> the kind of its decisions.
KIND_OF: Final = MappingProxyType({fault: kind for kind, faults in FAULTS.items() for fault in faults})
_KINDS: Final = MappingProxyType({**ORDERS, **FAULTS})
#: Orders that are explored unless told: the platform promises that ready tasks run in the order they became ready.
OPEN_ORDERS: Final = ("event", "waiter", "delay", "retry")

#: Events of one run under exploration, unless told: far more than a test needs, and over within seconds.
MOST_EVENTS: Final = 200_000

_EXAMPLE = "delay12=100ms,object203=crash"
_TERM = re.compile(r"([a-z]+)(\d+)=([a-z0-9_]+)")


class Schedule(Mapping[Decision, int]):
    """The decisions that differ from the plain ones: {("delay", 12): 3}, also written `delay12=100ms`.

    `Schedule.parse(text)` reads what `str(schedule)` writes. Two schedules are joined by `|`. Raises ValueError for a
    kind or choice that does not exist.
    """

    __slots__ = ("_choices",)

    def __init__(self, choices: Mapping[Decision, int] | Iterable[tuple[Decision, int]] = ()) -> None:
        given: dict[Decision, int] = dict(choices)
        for (kind, number), choice in given.items():
            _check(kind, number, choice)
        order = list(_KINDS)
        kept = [(decision, choice) for decision, choice in given.items() if choice]
        self._choices: dict[Decision, int] = dict(sorted(kept, key=lambda item: (order.index(item[0][0]), item[0][1])))

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """The schedule that is written so. Raises ValueError that names the part that cannot be read."""
        choices: dict[Decision, int] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            term = _TERM.fullmatch(part)
            if term is None:
                raise ValueError(f"schedule: {part!r} is no decision; write them as in {_EXAMPLE!r}.")
            kind, number, name = term[1], int(term[2]), term[3]
            if kind not in _KINDS:
                raise ValueError(f"schedule: {part!r} is of no kind there is ({', '.join(_KINDS)}).")
            names = _KINDS[kind]
            if names and name not in names:
                raise ValueError(f"schedule: {part!r} names no choice; {kind} has {', '.join(names)}.")
            if not names and not name.isdecimal():
                raise ValueError(
                    f"schedule: {part!r} names no place in a line: write a number, as in {kind}{number}=1."
                )
            choices[kind, number] = names.index(name) + 1 if names else int(name)
        return cls(choices)

    @classmethod
    def of(cls, schedule: object) -> Schedule:
        """A schedule as it is given: itself, its text, a mapping, or None for the plain one. Raises TypeError."""
        if schedule is None:
            return PLAIN
        if isinstance(schedule, Schedule):
            return schedule
        if isinstance(schedule, str):
            return cls.parse(schedule)
        if isinstance(schedule, Mapping):
            return cls(schedule)
        raise TypeError(f"schedule={schedule!r} is none: give a text such as {_EXAMPLE!r}, or a dosim Schedule.")

    def without(self, decision: Decision) -> Schedule:
        """The same but for one decision, which is plain."""
        return Schedule({other: choice for other, choice in self._choices.items() if other != decision})

    def __getitem__(self, decision: Decision) -> int:
        return self._choices[decision]

    def __iter__(self) -> Iterator[Decision]:
        return iter(self._choices)

    def __len__(self) -> int:
        return len(self._choices)

    def __or__(self, other: Mapping[Decision, int]) -> Schedule:
        return Schedule({**self._choices, **other})

    def __hash__(self) -> int:
        return hash(tuple(self._choices.items()))

    def __str__(self) -> str:
        return ",".join(said(decision, choice) for decision, choice in self._choices.items())

    def __repr__(self) -> str:
        return f"Schedule.parse({str(self)!r})" if self._choices else "Schedule()"


def said(decision: Decision, choice: int) -> str:
    """One choice as it is written in a schedule."""
    kind, number = decision
    return f"{kind}{number}={name_of(kind, choice)}"


def name_of(kind: str, choice: int) -> str:
    """The name of a choice that is not the plain one."""
    names = _KINDS[kind]
    return names[choice - 1] if names else str(choice)


def choice_of(fault: str) -> int:
    """The choice that brings a fault."""
    return FAULTS[KIND_OF[fault]].index(fault) + 1


def _check(kind: object, number: object, choice: object) -> None:
    names = _KINDS.get(kind) if isinstance(kind, str) else None
    if names is None:
        raise ValueError(f"schedule: {kind!r} is no kind of decision; there are {', '.join(_KINDS)}.")
    if not isinstance(number, int) or number < 1:
        raise ValueError(f"schedule: {kind} {number!r} is no number of a decision; they are counted from 1 on.")
    if not isinstance(choice, int) or choice < 0 or (names and choice > len(names)):
        raise ValueError(f"schedule: {choice!r} is no choice for {kind}{number}: it has {len(names) or 'many'}.")


#: First come, first served, and no fault.
PLAIN: Final = Schedule()


class Met(NamedTuple):
    """A decision that a run came to: which choices it had besides the plain one."""

    kind: str
    number: int
    #: The numbers of its choices; the plain one, 0, is not among them.
    choices: Sequence[int]


@dataclass(frozen=True, slots=True)
class Deviation:
    """A choice that was not the plain one: what it was, when, and in words."""

    decision: Decision
    choice: int
    at_us: int
    text: str

    def __str__(self) -> str:
        return f"{said(self.decision, self.choice)} at t={self.at_us / 1e6:.6f}s: {self.text}"


#: Decides one decision: (kind, number, choices, lanes) -> 0 or one of the choices. A lane is a text that stays the same
#: for everything that belongs together: lanes[0] is what the plain choice prefers, lanes[n] what the n-th choice does.
Policy = Callable[[str, int, Sequence[int], Sequence[str]], int]


class Chooser:
    """Decides for one run, by a schedule or by a policy, and keeps what it met and where it deviated."""

    def __init__(
        self,
        schedule: Schedule = PLAIN,
        *,
        policy: Policy | None = None,
        ready: bool = False,
        counts: Mapping[str, int] | None = None,
        most_events: int = MOST_EVENTS,
    ) -> None:
        self.schedule = schedule
        self._policy = policy
        #: A run that handles more events, or takes more steps within one event, is ended as endless.
        self.most_events = most_events
        #: Whether the order of ready tasks is open too.
        self.ready = ready or any(kind == "ready" for kind, _ in schedule)
        #: Kind -> how many decisions of that kind have been met.
        self.counts = dict.fromkeys(_KINDS, 0) | dict(counts or {})
        self.met: list[Met] = []
        self.deviations: list[Deviation] = []

    @property
    def lanes_matter(self) -> bool:
        """Whether somebody looks at the lanes of a decision; else none need be made."""
        return self._policy is not None

    def choose(self, kind: str, choices: Sequence[int], lanes: Sequence[str] = ()) -> int:
        """Decide: 0, or one of `choices`."""
        number = self.counts[kind] = self.counts[kind] + 1
        self.met.append(Met(kind, number, choices))
        if self._policy is not None:
            return self._policy(kind, number, choices, lanes)
        choice = self.schedule._choices.get((kind, number), 0)
        if choice and choice not in choices:
            # A place behind the end of the line is its end; a fault that cannot come there does not come.
            return choices[-1] if not _KINDS[kind] else 0
        return choice

    def deviated(self, kind: str, choice: int, at_us: int, text: str) -> str:
        """The last decision of this kind was not the plain one: keep it, in words. Returns how it is written."""
        decision = kind, self.counts[kind]
        self.deviations.append(Deviation(decision, choice, at_us, text))
        return said(decision, choice)

    @property
    def taken(self) -> Schedule:
        """The schedule of this run so far: what leads to the same choices again."""
        return Schedule({deviation.decision: deviation.choice for deviation in self.deviations})

    def again(self, counts: Mapping[str, int]) -> Chooser:
        """A chooser that begins after so many decisions, decides as this one has, and then by its schedule."""
        return Chooser(self.schedule | self.taken, ready=self.ready, counts=counts, most_events=self.most_events)


#: The choosers of the explorations that run now, innermost last: simulations made meanwhile are decided by it.
exploring: list[Chooser] = []
