"""What a run leaves open, as decisions of a `Chooser`: whose each event is, and where faults may come.

Only what the platform leaves open is a decision. Calls on one stub, answers to them, frames of one socket and timers of
one object keep their order (recorded); critical sections go first (recorded); the platform's own business (a turn's
end, the output gate) keeps its place. A message may take longer and may be lost, an object may crash, be reset or be
updated before any event of its own, and leave memory before one when no request is in it (it stays for those); a commit
may fail, an alarm may come late or twice.
"""

from __future__ import annotations

import asyncio
import linecache
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dosim.kernel.chooser import DELAYS_US, FAULTS, Chooser, choice_of, name_of
from dosim.kernel.choosing import ChoosingLoop
from dosim.kernel.loop import _fire
from dosim.platform.facts import FAILOVER_US
from dosim.runtime.alarms import Alarm
from dosim.runtime.calls import Call, Event, Flow
from dosim.runtime.faults import Faults, reset_error
from dosim.runtime.functions import is_instance
from dosim.runtime.instance import Instance
from dosim.runtime.websocket import WebSocketEnd
from dosim.trace.words import file_name

if TYPE_CHECKING:
    from dosim.network import City
    from dosim.runtime.host import ObjectHost
    from dosim.runtime.world import World

#: Events whose argument is a call, or begins with one, by the names of what handles them: the lane is the call's stub
#: where messages keep their order, one lane each way, else the call itself.
_ARRIVALS = frozenset(("arrive", "deliver"))
_ANSWERS = frozenset(("_answer_arrives", "_fail"))
_OF_STUBS = frozenset((*_ARRIVALS, *_ANSWERS, "_again"))
_OF_CALLS = frozenset(("_serve", "_at_edge", "_to_worker", "_arrives", "_gives_up"))
_DELAYS = range(1, len(DELAYS_US) + 1)
_PATIENCE_US = tuple(DELAYS_US.values())
_EVICT = choice_of("evict")
_CRASH = choice_of("crash")
_FAULTY = range(1, len(FAULTS["object"]) + 1)
_FAULTY_BUSY = tuple(choice for choice in _FAULTY if choice != _EVICT)
_DONE_TO = {"evict": "is evicted", "crash": "crashes", "reset": "is reset", "deploy": "is updated by a deploy"}


class EventSight:
    """What an event is: its lane, and the object whose event it is. A lane is a way, and the number of who owns it."""

    __slots__ = ("_call", "_name", "_owner", "arg", "host", "lane")

    def __init__(self, fn: Any, arg: Any) -> None:
        #: What the event was made with.
        self.arg = arg
        self._call: Call | None = None
        #: The object in whose memory the event is handled; None: in none's.
        self.host: ObjectHost | None = None
        #: What keeps its order; None: what nothing overtakes.
        self.lane: tuple[str, int] | None = None
        self._owner: Any = None
        self._name: str = fn.__name__
        name = self._name
        owner: Any = getattr(fn, "__self__", None)
        if fn is _fire:
            self._timer(arg.scope)
        elif name in _OF_STUBS or name in _OF_CALLS:
            call = self._call = arg if isinstance(arg, Call) else arg[0]
            if name in _ANSWERS:
                self.lane, self.host = ("answers", id(call.stub)), _host_calling(call)
            elif name in _OF_STUBS:
                self.lane = "calls", id(call.stub)
                self.host = _host_called(call) if name in _ARRIVALS else None
            else:
                self.lane = "call", id(call)
        elif name == "io_due":
            self.lane, self._call = ("code", id(owner)), owner.call
            self.host = owner.owner.host if isinstance(owner, Flow) else None
        elif isinstance(owner, Alarm) or (isinstance(owner, WebSocketEnd) and name == "_arrive"):
            self.lane, self.host, self._owner = ("events", id(owner)), owner.host, owner
        elif isinstance(owner, Instance):
            self.host = owner.host

    def _timer(self, scope: Any) -> None:
        owner: Any = None if scope is None else scope.owner
        self._call = None if scope is None else scope.call
        self.lane = "timers", 0 if owner is None else id(owner)
        self.host = owner.host if is_instance(owner) else None

    @property
    def is_answer(self) -> bool:
        """Whether it is an answer that arrives."""
        return bool(self._name == "_answer_arrives")

    @property
    def alarm(self) -> Alarm | None:
        """The alarm that is due."""
        return self._owner if isinstance(self._owner, Alarm) else None

    def thread(self) -> str:
        """The request that it belongs to, for a policy."""
        return f"request {self._call.chain}" if self._call is not None else str(self)

    def __str__(self) -> str:
        call, name = self._call, self._name
        if self.lane is not None and self.lane[0] == "timers":
            return "a timer of the outside" if call is None else f"a timer of {call!r}"
        if name in ("_answer_arrives", "_arrives", "_fail"):
            return f"the answer to {call!r}"
        if name == "io_due":
            return f"{self.arg[1]} of {call!r}"
        if call is not None:
            return repr(call)
        if self.alarm is not None:
            return f"the alarm of {self.alarm.host.label}"
        if isinstance(self._owner, WebSocketEnd):
            return f"a frame for {self._owner.label} on socket {self._owner.number}"
        return _OWN.get(name, "its turn ends")


#: What an object's own events are, in words.
_OWN = {"_gate_opens": "its output gate opens", "_sync_due": "its storage.sync() is under way"}


def _host_called(call: Call) -> ObjectHost | None:
    """The object that a call goes to."""
    host: ObjectHost | None = getattr(call.stub, "host", None)
    if host is None and is_instance(getattr(call.stub, "owner", None)):
        host = call.stub.owner.host
    return host


def _host_calling(call: Call) -> ObjectHost | None:
    """The object whose code made a call."""
    return call.owner.host if is_instance(call.owner) else None  # type: ignore[union-attr]


class OpenLine(deque[Event]):
    """Those who wait at an input gate, where who goes first is a decision: any of them, but the first of its lane."""

    def __init__(self, choices: Choices) -> None:
        super().__init__()
        self._choices = choices

    def popleft(self) -> Event:
        if len(self) < 2:
            return super().popleft()
        places: list[int] = []
        lanes: set[int] = set()
        for place, event in enumerate(self):
            its = self._choices.lanes_of(event)
            if lanes.isdisjoint(its):
                places.append(place)
            lanes.update(its)
        if len(places) < 2:
            return super().popleft()
        place = places[self._choices.waiter([self[place] for place in places])]
        event = self[place]
        del self[place]
        return event


class Choices(Faults):
    """The open decisions of one world. It stands where the faults of a world stand, and brings them about."""

    def __init__(self, world: World, chooser: Chooser) -> None:
        super().__init__(world)
        self._chooser = chooser
        #: Deploys a program's code again; set by the simulation.
        self.redeploy: Callable[[str], None] = _nothing
        #: Answers that have come: number of the call -> its stub.
        self._stubs: dict[int, object] = {}

    @classmethod
    def of(cls, world: World, chooser: Chooser) -> Choices:
        """Let a chooser decide what this world leaves open."""
        choices = cls(world, chooser)
        loop = world.loop
        assert isinstance(loop, ChoosingLoop)
        loop.sight, loop.before, loop.told = EventSight, choices.before, choices.told
        world.new_line = lambda: OpenLine(choices)
        world.faults = choices
        emit, step = world.emit, loop.step

        def counted_emit(*record: Any) -> int:
            step()
            return emit(*record)

        world.emit = counted_emit
        return choices

    def told(self, kind: str, choice: int, text: str) -> None:
        """The last decision of a kind was not the plain one: a record of it."""
        world = self._world
        now_us = world.loop.time_us()
        written = self._chooser.deviated(kind, choice, now_us, text)
        world.emit(now_us, "choice", "the chooser", 0, 0, (written, text))

    # -- orders

    def lanes_of(self, event: Event) -> tuple[int, ...]:
        """Where an event that waits at a gate keeps its place: behind those of its code, and of its stub."""
        if event.starts:
            return (id(event.flow.call.stub),) if event.flow.call is not None else (id(event.flow),)
        stub = self._stubs.get(event.child)
        return (id(event.flow),) if stub is None else (id(event.flow), id(stub))

    def waiter(self, events: list[Event]) -> int:
        """Which of those who wait at a gate goes first."""
        threads = [_thread(event) for event in events] if self._chooser.lanes_matter else ()
        choice = self._chooser.choose("waiter", range(1, len(events)), threads)
        if choice:
            self.told("waiter", choice, f"{_waits(events[choice])} goes before {_waits(events[0])}, who waited longer")
        return choice

    def late_us(self, call: Call, what: str) -> int:
        """How much longer a message takes than it would, microseconds."""
        threads = (f"request {call.chain}",) if self._chooser.lanes_matter else ()
        choice = self._chooser.choose("delay", _DELAYS, threads)
        if not choice:
            return 0
        self.told("delay", choice, f"the {what} of {call!r} takes {name_of('delay', choice)} longer")
        return _PATIENCE_US[choice - 1]

    def frame_late_us(self, end: WebSocketEnd) -> int:
        choice = self._chooser.choose("delay", _DELAYS, (end.label,))
        if not choice:
            return 0
        way = f"from {end.label} to {end.peer.label} on socket {end.number}"
        text = f"a frame {way} takes {name_of('delay', choice)} longer"
        self.told("delay", choice, text)
        return _PATIENCE_US[choice - 1]

    def gives_up(self, call: Call) -> bool:
        choice = self._chooser.choose("retry", (1,))
        if choice:
            self.told("retry", choice, f"{call!r} is not sent again")
        return choice > 0

    # -- faults

    def loses(self, call: Call, what: str, a: City | None, b: City | None) -> bool:
        return super().loses(call, what, a, b) or self._lost(call, what)

    def client_loses(self, call: Call, what: str, city: City | None, colo: City | None) -> bool:
        return super().client_loses(call, what, city, colo) or self._lost(call, what)

    def _lost(self, call: Call, what: str) -> bool:
        choice = self._chooser.choose("message", (1,) if what == "request" else (2,))
        if choice:
            self.told("message", choice, f"the {what} of {call!r} is lost")
        return choice > 0

    def disk_fails(self, host: ObjectHost) -> bool:
        if super().disk_fails(host):
            return True
        choice = self._chooser.choose("commit", (1,))
        if choice:
            self.told("commit", choice, f"a commit of {host.label} fails{_meanwhile(host)}")
        return choice > 0

    def before(self, sight: EventSight) -> None:
        """An event is about to be handled: what may happen to its object first."""
        host = sight.host
        if host is None:
            return
        if sight.is_answer:
            call, _, _ = sight.arg
            self._stubs[call.id] = call.stub
        alarm = sight.alarm
        if alarm is not None and alarm.rings(sight.arg):
            self._alarm(alarm)
        faulty = self._may_strike(host)
        if not faulty:
            return
        choice = self._chooser.choose("object", faulty)
        if choice:
            fault = name_of("object", choice)
            self.told("object", choice, f"{host.label} {_DONE_TO[fault]} before {sight}{_meanwhile(host)}")
            self._fault(fault, host)
            self._strike(host, fault)

    def _may_strike(self, host: ObjectHost) -> Sequence[int]:
        """What may happen to an object now: it leaves memory in peace only when no request is in it."""
        instance = host.instance
        if instance is None:
            return (_CRASH,) if host.lingering is not None else ()
        if instance.idle_since_us is not None or (self._world.platform.bounded_holds and instance.held_for_a_time):
            return _FAULTY if not host.binding.prevent_eviction else _FAULTY_BUSY
        return _FAULTY_BUSY

    def _fault(self, verb: str, host: ObjectHost) -> None:
        """The same record as the simulation's verb makes."""
        self._world.emit(self._world.loop.time_us(), "fault", "the outside", 0, 0, (verb, host.label))

    def _strike(self, host: ObjectHost, fault: str) -> None:
        if fault == "evict":
            host.evict()
        elif fault == "crash":
            host.crash()
        elif fault == "deploy":
            self.redeploy(host.binding.program.name)
        elif host.instance is not None:
            host.instance.reset(reset_error())

    def _alarm(self, alarm: Alarm) -> None:
        choice = self._chooser.choose("alarm", (1, 2))
        if choice == 1:
            self.told("alarm", choice, f"the alarm of {alarm.host.label} comes {FAILOVER_US // 1_000_000} s late")
            self._fault("alarm_late", alarm.host)
            alarm.put_off(FAILOVER_US)
        elif choice:
            self.told("alarm", choice, f"the alarm of {alarm.host.label} runs once more although it succeeds")
            self._fault("alarm_twice", alarm.host)
            alarm.repeat()


def _nothing(program: str) -> None:
    return None


def _thread(event: Event) -> str:
    call = event.flow.call
    return f"request {call.chain}" if call is not None else str(event.after)


def _waits(event: Event) -> str:
    """An event that waits at a gate, in words."""
    call = repr(event.flow.call)
    return call if event.starts else f"{event.after or 'an event'} of {call}"


def _meanwhile(host: ObjectHost) -> str:
    """What an object was in the middle of, and where in its code; "" when nothing runs in it."""
    instance = host.instance
    if instance is None:
        return ""
    waiting = [f"{call!r} waits{_at(call)}" for call in instance.in_flight if call.task is not None]
    return f", while {' and '.join(waiting[:_NAMED])}" if waiting else ""


def _at(call: Call) -> str:
    """Where the code of a call stands: file, line, and what is written there; "" when it cannot be seen."""
    assert call.task is not None
    found = None
    inner: Any = call.task.get_coro()
    while inner is not None:
        frame = getattr(inner, "cr_frame", None) or getattr(inner, "gi_frame", None)
        if frame is not None and not _is_library(frame.f_code.co_filename):
            found = frame
        inner = getattr(inner, "cr_await", None) or getattr(inner, "gi_yieldfrom", None)
    if found is None:
        return ""
    code = linecache.getline(found.f_code.co_filename, found.f_lineno).strip()
    return f" at {file_name(found.f_code.co_filename)}:{found.f_lineno} ({code})"


def _is_library(file: str) -> bool:
    """Whether a file is dosim's own or Python's; scenarios are users."""
    return file.startswith(_LIBRARY) or (file.startswith(_DOSIM) and not file.startswith(_SCENARIOS))


_DOSIM = str(Path(__file__).parents[1])
_SCENARIOS = str(Path(_DOSIM) / "scenarios")
_LIBRARY = str(Path(asyncio.__file__).parents[1] / "asyncio")
#: A sentence names at most so many requests.
_NAMED = 2
