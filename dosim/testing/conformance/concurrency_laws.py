"""
What the recorded rules promise about the log of a case drawn by `random_concurrency`, as predicates over that log.

Each law is a function of a `Played` answer, whatever runtime gave it, that yields what breaks it. They know the case,
its log and its results, and nothing of dosim's runtime. `LAWS` holds them all; `broken` applies them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Json = Any

#: Operations whose await lets other events in: the turn ends, its writes are committed.
OPENS = frozenset({"wait", "timeout", "ext", "sync", "call", "block", "txn"})
#: Operations that take a time of their own, their second argument (ms).
TIMED = frozenset({"wait", "timeout", "ext"})
SECTIONS = frozenset({"block", "txn"})
#: On a real clock, what happens in one moment may take this long (ms).
SAME_MOMENT_MS = 10
UNCOMMITTED = "Durable Object was reset and rolled back to its last known good state"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log: time (ms), object, request, what, and the number of its operation (0: none)."""

    place: int
    t: float
    who: str
    req: str
    what: str
    n: int
    rest: list[Json]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the case: its name, and the numbers of the sections around it, outermost first."""

    name: str
    inside: tuple[int, ...]


@dataclass(slots=True)
class Played:
    """A case and what was logged, by object too; `received` holds the fetches that arrived outside."""

    case: Json
    results: dict[str, Json]
    entries: list[Entry] = field(default_factory=list)
    received: set[str] = field(default_factory=set)
    operations: dict[int, Operation] = field(default_factory=dict)

    def of_objects(self) -> list[list[Entry]]:
        """The log of each object."""
        objects = sorted({entry.who for entry in self.entries})
        return [[entry for entry in self.entries if entry.who == who] for who in objects]

    def section(self, entry: Entry) -> tuple[int, ...]:
        """The sections that an entry stands in, outermost first; a section's own start and stop are in it."""
        if entry.n not in self.operations:
            return ()
        around = self.operations[entry.n].inside
        return (*around, entry.n) if entry.what in ("start", "stop") else around


def read(case: Json, answer: Json) -> Played:
    """The answer of a runtime, dosim's or a real one's, in the form the laws read."""
    played = Played(case, {result["req"]: result for result in answer["results"]})
    for step in case["steps"]:
        collect(step["do"], (), played.operations)
    for place, (t, who, req, event) in enumerate(answer["log"]):
        if who == "ext":
            played.received.add(req)
        elif isinstance(event, list):
            n = event[1] if len(event) > 1 and event[0] != "leave" else 0
            played.entries.append(Entry(place, t, who, req, event[0], n, [plain(item) for item in event[1:]]))
    return played


def plain(value: Json) -> Json:
    """A logged value; undefined, which Python has not, is None."""
    return None if value == {"$undefined": True} else value


def collect(program: Json, inside: tuple[int, ...], found: dict[int, Operation]) -> None:
    """Every numbered operation of a program."""
    for line in program if isinstance(program, list) else ():
        if not isinstance(line, list):
            continue
        event = line[1] if line[:1] == ["log"] else None
        if isinstance(event, list) and event[0] == "begin":
            found[event[1]] = Operation(event[2], inside)
        elif isinstance(event, list) and event[0] == "start":
            inside = (*inside, event[1])
        elif isinstance(event, list) and event[0] == "stop":
            inside = inside[:-1]
        elif event is None:
            # A call's program runs in another object, outside of the caller's sections.
            for part in line[1:] if line and isinstance(line[0], str) else [line]:
                collect(part, () if line[0] == "call" else inside, found)


def begins_turn(played: Played, entry: Entry) -> bool:
    """Whether an entry may be the first of a turn; every other one belongs to the turn of the entry before it."""
    if entry.what == "end":
        return played.operations[entry.n].name in OPENS
    return entry.what in ("enter", "start")


# ---------------------------------------------------------------- the laws


def turns_never_overlap(played: Played) -> Iterator[str]:
    """Between two points that open the gate nothing else runs at the object: storage awaits let nobody in."""
    for log in played.of_objects():
        for before, entry in itertools.pairwise(log):
            if not begins_turn(played, entry) and entry.req != before.req:
                yield f"{before} came into the turn of {entry}"


def sections_run_alone(played: Played) -> Iterator[str]:
    """From the start to the end of a section only what belongs to it runs at the object."""
    for log in played.of_objects():
        running: list[tuple[int, str]] = []
        for entry in log:
            if entry.what == "enter" and running and entry.req != running[-1][1]:
                yield f"{entry} in section {running[-1][0]}"
            around = played.section(entry)
            for n, _ in running:
                if entry.n and n not in around and not (entry.what == "stop" and entry.n == n):
                    yield f"{entry} in section {n}"
            if entry.what == "start":
                running.append((entry.n, entry.req))
            elif entry.what == "stop":
                running = [one for one in running if one[0] != entry.n]
            elif ends_life(entry):
                running = []


def ends_life(entry: Entry) -> bool:
    """Whether the object is reset in the turn of this entry."""
    return entry.what == "begin" and entry.rest[1] in ("abort", "break")


def sections_in_order(played: Played) -> Iterator[str]:
    """Sections of an object run in the order in which they were asked for."""
    for log in played.of_objects():
        top = [e for e in log if e.n and not played.operations[e.n].inside and played.operations[e.n].name in SECTIONS]
        asked = [entry.n for entry in top if entry.what == "begin"]
        started = [entry.n for entry in top if entry.what == "start"]
        if [n for n in asked if n in started] != started:
            yield f"asked for {asked}, started {started}"


def requests_in_order(played: Played) -> Iterator[str]:
    """Requests enter an object in the order in which they came."""
    came = {step["req"]: step["at"] for step in played.case["steps"]}
    for log in played.of_objects():
        times = [came[entry.req] for entry in log if entry.what == "enter" and entry.req in came]
        if times != sorted(times):
            yield f"{log[0].who}: requests of these times entered in this order: {times}"


def nothing_is_early_or_late(played: Played) -> Iterator[str]:
    """A delay ends when it is due, or as soon after it as no section of others holds the object (virtual time)."""
    for log in played.of_objects():
        begun = {entry.n: entry for entry in log if entry.what == "begin" and entry.rest[1] in TIMED}
        for entry in log:
            if entry.what == "end" and entry.n in begun:
                due = begun[entry.n].t + begun[entry.n].rest[2]
                if entry.t < due:
                    yield f"{entry} came before its time {due}"
                elif entry.t > due and not covered(played, log, entry, due):
                    yield f"{entry} came after its time {due}, and nothing held it"


def covered(played: Played, log: list[Entry], entry: Entry, due: float) -> bool:
    """Whether sections that `entry` is not in held the object from `due` on, until it came."""
    free = due
    for start in log:
        if start.what == "start" and start.n not in played.operations[entry.n].inside:
            stop = next((e.t for e in log if e.what == "stop" and e.n == start.n), entry.t)
            if start.t <= free <= stop:
                free = stop
    return free >= entry.t


def nothing_leaves_before_its_commit(played: Played) -> Iterator[str]:
    """The fetch asked for after a write that cannot be committed never leaves the object."""
    for log in played.of_objects():
        for place, entry in enumerate(log[:-1]):
            if entry.what == "begin" and entry.rest[1] == "break" and str(log[place + 1].n) in played.received:
                yield f"the fetch {log[place + 1].n} left although {entry} was never committed"


def storage_is_what_was_written(played: Played) -> Iterator[str]:
    """Reads see what was written before; a failed transaction undoes its writes, a reset those of the open turn."""
    for log in played.of_objects():
        yield from Replay(played).run(log)


class Replay:
    """The log of one object, applied to two dicts: what reads see, and what a reset goes back to."""

    def __init__(self, played: Played) -> None:
        self.played = played
        self.kv: dict[str, Json] = {}
        self.durable: dict[str, Json] = {}
        self.fields = 0
        self.before: dict[int, dict[str, Json]] = {}
        self.expected: dict[int, Json] = {}
        self.dead: set[str] = set()

    def run(self, log: list[Entry]) -> Iterator[str]:
        """What the log says that the dicts do not."""
        doomed = after = False
        for entry in log:
            if begins_turn(self.played, entry):
                if doomed and not after and in_last_turn(self.played, entry):
                    self.kv, self.before, after = dict(self.durable), {}, True
                elif doomed:
                    self.reset()
                    doomed = after = False
                if not self.before and not doomed:
                    self.durable = dict(self.kv)
            yield from self.entry(entry)
            doomed = doomed or ends_life(entry)

    def reset(self) -> None:
        """Memory and the open turn are lost."""
        self.kv, self.fields, self.before = dict(self.durable), 0, {}

    def entry(self, entry: Entry) -> Iterator[str]:
        """Apply one entry."""
        if entry.what == "begin":
            self.begin(entry)
        elif entry.what == "start" and self.played.operations[entry.n].name == "txn":
            self.before[entry.n] = dict(self.kv)
        elif entry.what == "stop" and entry.n in self.before:
            before = self.before.pop(entry.n)
            if undone(self.played.case, entry.n):
                self.kv = before
        elif entry.what == "end" and entry.n in self.expected and entry.rest[1] != self.expected[entry.n]:
            yield f"{entry} should have given {self.expected[entry.n]!r}"
        elif entry.what == "leave" and entry.rest[0] != self.kv.get("a"):
            yield f"{entry} should have given {self.kv.get('a')!r}"

    def begin(self, entry: Entry) -> None:
        """An operation acts when it is called."""
        name, *args = entry.rest[1:]
        if name == "get":
            self.expected[entry.n] = self.kv.get(args[0])
        elif name == "put":
            self.kv[args[0]] = args[1]
        elif name == "incr":
            self.expected[entry.n] = self.kv[args[0]] = (self.kv.get(args[0]) or 0) + 1
        elif name == "delete":
            self.expected[entry.n] = self.kv.pop(args[0], None) is not None
        elif name == "mem":
            self.fields += 1
            self.expected[entry.n] = self.fields


def in_last_turn(played: Played, entry: Entry) -> bool:
    """
    Whether an entry stands in the turn that still ran after one that could not be committed.

    An event that waited for the lock gets it before the object is reset; what it writes is lost as well.
    """
    error = played.results[entry.req.partition(".")[0]].get("error")
    broke = (e for e in played.entries if e.who == entry.who and e.what == "begin" and e.rest[1] == "break")
    return bool(error) and any(0 <= entry.t - e.t <= SAME_MOMENT_MS and e.place < entry.place for e in broke)


def undone(value: Json, n: int) -> bool:
    """Whether section n of the case throws at its end."""
    if isinstance(value, dict):
        return any(undone(item, n) for item in value.values())
    if not isinstance(value, list):
        return False
    if value and value[-1] == ["throw", "undone"] and value[0] == ["log", ["start", n]]:
        return True
    return any(undone(item, n) for item in value)


def a_reset_fails_what_is_in_flight(played: Played) -> Iterator[str]:
    """Whoever was running or waiting at an object when it was reset gets that error; everybody else an answer."""
    for step in played.case["steps"]:
        req, result = step["req"], played.results[step["req"]]
        own = [entry for entry in played.entries if entry.req == req]
        error = result.get("error")
        if result.get("pending"):
            yield f"{req} never ended"
        elif own and own[-1].what == "leave":
            cut_off = error and says(error, UNCOMMITTED) and in_last_turn(played, own[-1])
            if not cut_off and (error or plain(result.get("value")) != own[-1].rest[0]):
                yield f"{req} left with {own[-1].rest[0]!r} and its caller got {result}"
        elif own and own[-1].what == "begin" and own[-1].rest[1] == "throw":
            if not error or not says(error, "over") or not error.get("remote"):
                yield f"{req} threw and its caller got {result}"
        elif not error or not (says(error, "over") or says(error, UNCOMMITTED)):
            yield f"{req} was reset and its caller got {result}"
        elif not any(ends_life(entry) for entry in played.entries):
            yield f"{req} got {error} and nothing was reset"


def says(error: Json, text: str) -> bool:
    """Whether an error, as JavaScript or as Python tells it, has this text."""
    return text in str(error.get("message", error.get("text", "")))


LAWS: tuple[Callable[[Played], Iterator[str]], ...] = (
    turns_never_overlap,
    sections_run_alone,
    sections_in_order,
    requests_in_order,
    storage_is_what_was_written,
    nothing_is_early_or_late,
    nothing_leaves_before_its_commit,
    a_reset_fails_what_is_in_flight,
)


def broken(case: Json, answer: Json) -> list[str]:
    """What breaks a law in this answer, as "law: what"."""
    played = read(case, answer)
    return [f"{law.__name__}: {what}" for law in LAWS for what in law(played)]
