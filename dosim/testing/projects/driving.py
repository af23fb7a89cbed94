"""Driving a project through a program: what it answers, what it says to sockets, what it changes, what it throws."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, Final

from dosim.bindings.external import ExternalService
from dosim.bindings.outside import OutsideSocket
from dosim.kernel.chooser import PLAIN, Chooser, Schedule, exploring
from dosim.kernel.choosing import Endless
from dosim.kernel.making import making
from dosim.simulation import Simulation
from dosim.simulation.errors import Deadlock
from dosim.testing.projects.programs import CLOSE, CONNECT, RESTART, SEND, WAIT, Operation, Program, Step

#: Where requests go, and where the two clients are.
ORIGIN: Final = "https://app.example"
CLIENTS: Final = ("Ashburn", "Paris")
#: How long an operation may take before it counts as never answered; what is waited after each step.
PATIENCE: Final = "100s"
GAP: Final = "2s"
_LONG_GAP: Final = "6s"
#: An idle object has left memory by then, whatever held it last (seconds).
EVICTION_S: Final = 150
#: How long the world outside takes for an answer, microseconds.
OUTSIDE_US: Final = 100_000
#: Messages of a run that may be late, in a draw.
_LATE_MESSAGES: Final = 80
#: Events of one run, at most.
MOST_EVENTS: Final = 30_000

_ACCIDENTS: Final = re.compile(
    r"\b((?:Key|Type|Attribute|Index|Name|UnboundLocal|ZeroDivision|Recursion|StopIteration|Unicode\w*|DataClone)Error"
    r"|StopIteration|sqlite3\.\w+): ?(.*)"
)
_READS: Final = frozenset(("get", "head", "list", "getWithMetadata", "first", "all", "raw"))
_STORES: Final = ("KV ", "R2 ", "D1 ", "queue ")


@dataclass(frozen=True)
class Way:
    """How a program is run: the same answers are expected, whichever way, but for what varies by itself."""

    seed: int = 0
    #: Time before the first operation, and after each.
    lead: str = "0s"
    gap: str = GAP
    #: Length of a pause in which idle objects leave memory; or stay there, as do those in `remember`.
    pause_s: float = EVICTION_S
    remember: tuple[str, ...] | None = None
    #: The operations of the step that has several: together (None), or one after the other in this order, some or all.
    order: tuple[int, ...] | None = None
    #: Not 0: the number of a draw of messages that take longer than they would.
    late: int = 0

    @property
    def schedule(self) -> Schedule:
        """The decisions of the draw."""
        random = Random(f"late {self.late}")
        choices = {("delay", number): random.choice((0, 0, 1, 2, 3, 4)) for number in range(1, _LATE_MESSAGES)}
        return Schedule({decision: choice for decision, choice in choices.items() if choice and self.late})

    def on_day_of(self, other: Way) -> Way:
        """The same with the seed, the day and the pauses of another."""
        return replace(self, seed=other.seed, lead=other.lead, gap=other.gap, pause_s=other.pause_s)


PLAIN_WAY: Final = Way()
#: The same program on other days: what differs in its answers varies by itself.
OTHER_WAYS: Final = (
    Way(seed=1, lead="1h3m7.123s"),
    Way(seed=2, lead="5d", gap="3.7s", pause_s=163.7),
)


@dataclass
class Run:
    """What came of a program."""

    simulation: Simulation
    #: (step, place in it) -> what was answered: {"answer": …}, {"status": …, "body": …} or {"raised": text}.
    answers: dict[tuple[int, int], Any] = field(default_factory=dict)
    #: Step -> what the sockets got after it: [socket, message] in the order of the sockets.
    frames: dict[int, list[Any]] = field(default_factory=dict)
    #: Operations that changed something, and the calls to objects that each made (only known one after the other).
    wrote: set[tuple[int, int]] = field(default_factory=set)
    calls: dict[tuple[int, int], int] = field(default_factory=dict)
    #: Step -> object -> its attributes, when a pause began.
    memory: dict[int, dict[str, Any]] = field(default_factory=dict)
    #: Errors that nobody raises on purpose -> the request in which each was thrown first.
    accidents: dict[str, int] = field(default_factory=dict)
    #: Whether an alarm rang, or an object was reset by its own code.
    disturbed: bool = False

    def look_back(self) -> None:
        """Read from the trace what was thrown, and whether anything happened beside the operations."""
        for raw in self.simulation.trace.raw:
            self.disturbed = self.disturbed or raw[2] == "reset" or (raw[2] == "call" and raw[6][1] == "alarm")
            if raw[2] in ("throw", "task_failed"):
                text = accident_in(str(raw[6][0]))
                if text:
                    self.accidents.setdefault(text, raw[4])


def accident_in(text: str) -> str:
    """The error in a text that nobody raises on purpose, such as "KeyError: 'x'"; "" for any other text."""
    found = _ACCIDENTS.findall(text)
    return f"{found[-1][0]}: {found[-1][1]}".strip(": ") if found else ""


class Outside(ExternalService):
    """Everything outside the project: answers any request with status 200 and `{}`, takes any WebSocket."""

    def __init__(self) -> None:
        super().__init__("https://outside.example", lambda request: {}, OUTSIDE_US, None, _listen)

    def answers(self, url: str) -> bool:
        return True


async def _listen(socket: OutsideSocket) -> None:
    async for _ in socket:
        pass


@contextmanager
def aside(schedule: Schedule = PLAIN, most_events: int = MOST_EVENTS) -> Iterator[None]:
    """Run a simulation that is no part of what is explored: decided by a schedule of its own, and kept by nobody."""
    choosers, watchers = exploring[:], making[:]
    exploring[:], making[:] = [Chooser(schedule, most_events=most_events)], []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        exploring[:], making[:] = choosers, watchers


def drive(folder: Path, program: Program, way: Way = PLAIN_WAY) -> Run:
    """Run a program on a project. Raises Endless for one that goes round for ever, ProjectError as `from_project`."""
    return Driver(folder, way).run(program)


class Driver:
    """A project that is being run: steps are done one by one."""

    def __init__(self, folder: Path, way: Way = PLAIN_WAY) -> None:
        self.way = way
        self.simulation = sim = Simulation.from_project(
            folder, seed=way.seed, show_output=False, prevent_eviction=way.remember or ()
        )
        self.outside = Outside()
        sim.world.externals.declare(self.outside)
        self._clients = [sim.client(place) for place in CLIENTS]
        self._sockets: dict[tuple[str, str, str, int], Any] = {}
        self.result = Run(sim)
        if way.lead != "0s":
            sim.run(for_=way.lead)

    def run(self, program: Program) -> Run:
        for place, step in enumerate(program.steps):
            if len(step) > 1 and self.way.order is not None:
                for number in self.way.order:
                    self._one(place, number, step[number])
            elif len(step) > 1:
                self._together(place, step)
            elif step[0].is_pause:
                self._pause(place, step[0])
            else:
                self._one(place, 0, step[0])
            self._collect(place)
        self.result.look_back()
        return self.result

    def _together(self, place: int, step: Step) -> None:
        outcomes: dict[int, Any] = {}
        self._wait([self._answer(operation, number, outcomes, number) for number, operation in enumerate(step)])
        for number in range(len(step)):
            self.result.answers[place, number] = outcomes.get(number, _NEVER)
        self.simulation.run(for_=_LONG_GAP)  # what the operations left to be done may be late too

    def _one(self, place: int, number: int, operation: Operation) -> None:
        outcome, wrote, calls = self.do(operation, number)
        self.result.answers[place, number] = outcome
        self.result.calls[place, number] = calls
        if wrote:
            self.result.wrote.add((place, number))

    def do(self, operation: Operation, client: int = 0) -> tuple[Any, bool, int]:
        """One operation and what follows from it: its answer, whether it changed anything, its calls to objects."""
        trace, before = self.simulation.trace, self._attributes()
        since, asked = trace.count, len(self.outside.requests)
        outcomes: dict[int, Any] = {}
        self._wait([self._answer(operation, client, outcomes, 0)])
        self.settle()
        records = list(trace.raw)[since:] if trace.count > since else []
        posted = any(request.method != "GET" for request in self.outside.requests[asked:])
        wrote = posted or any(map(_changes, records)) or before != self._attributes()
        calls = sum(_is_first_call(raw, records) for raw in records)
        return outcomes.get(0, _NEVER), wrote, calls

    def settle(self) -> None:
        """Let what was begun come to its end, unless that takes long."""
        self.simulation.run(for_=self.way.gap)

    def _wait(self, awaitables: Sequence[Any]) -> None:
        try:
            self.simulation.run(*awaitables, for_=PATIENCE)
        except (TimeoutError, Deadlock):
            return  # who has not answered has not

    async def _answer(self, operation: Operation, client: int, outcomes: dict[int, Any], key: int) -> None:
        try:
            outcomes[key] = await self._called(operation, client)
        except Endless:
            raise
        except Exception as error:
            outcomes[key] = {"raised": _last_line(str(error)) or type(error).__name__}

    async def _called(self, operation: Operation, client: int) -> Any:
        verb, args = operation.verb, operation.args
        if verb == SEND:
            return await self._send(operation, client)
        if verb == CONNECT:
            return await self._connect(operation, client)
        if verb == CLOSE:
            for socket in self._open(operation.args[0]):
                await socket.close()
            return {"answer": None}
        if not operation.is_request:
            return {"answer": plain(await getattr(self._stub(operation), verb)(*args))}
        options: dict[str, Any] = {"method": verb}
        if len(args) > 1:
            options["body"] = args[1]
            options["headers"] = {"content-type": "application/json" if args[1][:1] in "{[" else "text/plain"}
        if operation.binding:
            return await _response(await self._stub(operation).fetch(ORIGIN + args[0], **options))
        call = self._clients[client % len(CLIENTS)].fetch(ORIGIN + args[0], **options)
        response = await call
        return await _response(response) if call.error is None else {"raised": _last_line(str(call.error))}

    def _stub(self, operation: Operation) -> Any:
        namespace = getattr(self.simulation.env, operation.binding, None)
        if namespace is None or not hasattr(namespace, "getByName"):
            raise ValueError(f"the project has no Durable Object binding {operation.binding!r}")
        return namespace.getByName(operation.name)

    async def _connect(self, operation: Operation, client: int) -> Any:
        key = (operation.binding, operation.name, operation.args[0], client)
        number = sum(known[:3] == key[:3] for known in self._sockets)
        handshake = self._clients[client % len(CLIENTS)].websocket(ORIGIN + operation.args[0])
        self._sockets[*key[:3], number] = await handshake
        return {"status": 101}

    async def _send(self, operation: Operation, client: int) -> Any:
        path, text = operation.args
        sockets = self._open(path)
        if not sockets:
            return {"raised": "no socket is open"}
        await sockets[client % len(sockets)].send(text)
        return {"answer": None}

    def _open(self, path: str) -> list[Any]:
        """The sockets of a path that are open."""
        return [socket for key, socket in self._sockets.items() if key[2] == path and socket.closed is None]

    def _collect(self, place: int) -> None:
        got = [
            [f"{key[2]} {key[3] + 1}", _data(message)]
            for key, socket in self._sockets.items()
            for message in socket.unread()
        ]
        if got:
            self.result.frames[place] = got

    # -- pauses

    def _pause(self, place: int, operation: Operation) -> None:
        sim = self.simulation
        self.result.memory[place] = {view.label: _known(view.memory) for view in sim.objects if view.memory}
        if operation.verb == WAIT:
            sim.run(for_=operation.args[0])
            return
        sim.run(for_=f"{self.way.pause_s}s")
        if self.way.remember is not None:
            return
        for view in sim.objects:
            if view.state == "idle":
                sim.evict(view)
        # a process takes the connections of its objects with it, which is no fault of the code
        held = any(socket.closed is None for socket in self._sockets.values())
        if operation.verb == RESTART and not held and not any(view.memory for view in sim.objects):
            sim.restart()

    def _attributes(self) -> str:
        return repr([(view.label, _known(view.memory)) for view in self.simulation.objects])


#: What an operation that has not answered answers.
_NEVER: Final = {"raised": f"no answer within {PATIENCE}"}


def _is_first_call(raw: Any, records: Sequence[Any]) -> bool:
    """Whether somebody outside or a Worker's request has called an object, or sent to its socket."""
    if raw[2] == "frame":
        return str(raw[3]).startswith("worker")
    if raw[2] != "call":
        return False
    caller = int(str(raw[6][0]))
    if raw[6][1] not in ("fetch", "rpc") or "(" not in str(raw[6][2]):
        return False
    return not caller or any(other[2] == "send" and other[4] == caller for other in records)


def _changes(raw: Any) -> bool:
    """Whether a record says that something was changed."""
    kind, detail = raw[2], raw[6]
    if kind in ("commit", "alarm_set", "alarm_cleared", "socket", "frame"):
        return True
    return kind == "call" and str(detail[2]).startswith(_STORES) and detail[3] not in _READS


def _known(memory: dict[str, Any]) -> dict[str, Any]:
    """The attributes that are plain values."""
    return {name: value for name, value in memory.items() if _is_plain(value)}


def _is_plain(value: Any, depth: int = 6) -> bool:
    if isinstance(value, dict):
        return depth > 0 and all(_is_plain(key, 1) and _is_plain(item, depth - 1) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return depth > 0 and all(_is_plain(item, depth - 1) for item in value)
    return value is None or isinstance(value, (bool, int, float, str, bytes))


def plain(value: Any, depth: int = 12) -> Any:
    """An answer as plain data; what is none, by the name of its type."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if depth and isinstance(value, dict):
        return {str(key): plain(item, depth - 1) for key, item in value.items()}
    if depth and isinstance(value, (list, tuple)):
        return [plain(item, depth - 1) for item in value]
    if depth and isinstance(value, (set, frozenset)):
        return sorted((plain(item, depth - 1) for item in value), key=repr)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("latin-1")
    to_py: Callable[[], Any] | None = getattr(value, "to_py", None)
    if depth and callable(to_py):
        return plain(to_py(), depth - 1)
    return f"<{type(value).__name__}>"


async def _response(response: Any) -> Any:
    return {"status": response.status, "body": _data(await response.text())}


def _data(text: str | bytes) -> Any:
    """JSON as data, anything else as it is."""
    said = text if isinstance(text, str) else text.decode("latin-1")
    try:
        return json.loads(said)
    except ValueError:
        return said


def _last_line(text: str) -> str:
    """The last line of an error's text: what a traceback ends in."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
