"""Messages: what travelled from one place to another, and when, read from a trace.

A client's request and its response, a call to an object or a service and its answer, a frame of a WebSocket. An
alarm, a cron event and a queue's batch travel nowhere: they are no messages.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dosim.trace.kinds import ONE_WAY
from dosim.trace.records import RawRecord, Trace
from dosim.trace.words import counted

#: Who calls when no request does: the program around the simulation.
OUTSIDE: Final = "the outside"

_FRAMES: Final = {"lost": "connection lost"}
_BACK: Final = {"request": "response", "call": "answer"}


@dataclass(frozen=True, slots=True)
class Message:
    """Something that travelled from one place to another.

    `kind` is "request" or "response" (between a client and the edge), "call" or "answer" (to objects and services),
    "frame" (of a WebSocket). Times are microseconds from the simulation's start; a lost one ends when it was sent, and
    one still under way when the trace ends. `source` and `target` are actors, the places a city's name, a colo's code,
    or "" without a network. `seq` and `end_seq` number the records where it left and arrived (0: it never did, or
    nothing but its sender's record tells).
    """

    start_us: int
    end_us: int
    source: str
    target: str
    source_place: str
    target_place: str
    kind: str
    label: str
    request: int
    failed: bool = False
    lost: str = ""
    seq: int = 0
    end_seq: int = 0

    @property
    def duration_us(self) -> int:
        return self.end_us - self.start_us


def messages(trace: Trace) -> list[Message]:
    """Every message of the kept records, in the order in which they left."""
    reader = _Reader()
    for raw in trace.raw:
        reader.take(raw)
    return reader.finish()


@dataclass(slots=True)
class _Way:
    """A request or call: who asked whom, and what of it is under way at the moment."""

    asker: str
    asked: str
    kind: str
    label: str
    #: When it left, its record, whether it is the answer, from where to where; None: nothing is under way.
    leg: tuple[int, int, bool, str, str] | None = None
    #: Where the asker and the asked are.
    home: str = ""
    there: str = ""


class _Reader:
    """Follows every request from record to record."""

    def __init__(self) -> None:
        self.found: list[Message] = []
        self._last_us = 0
        self._ways: dict[int, _Way] = {}
        #: Whose code works on a request or event, by its number.
        self._at_work: dict[int, str] = {}
        self._places: dict[str, str] = {}
        #: The two ends of each socket.
        self._ends: dict[int, list[str]] = {}
        self._handlers: dict[str, Callable[[RawRecord], None]] = {
            "send": self._send, "edge": self._edge, "response": self._response, "failed": self._failed,
            "call": self._call, "leave": self._leave, "arrive": self._arrive, "reply": self._reply,
            "result": self._result, "lost": self._lost, "socket": self._socket, "frame": self._frame,
        }  # fmt: skip

    def take(self, raw: RawRecord) -> None:
        self._last_us = max(self._last_us, raw[0])
        handler = self._handlers.get(raw[2])
        if handler is not None:
            handler(raw)

    def finish(self) -> list[Message]:
        """What is still under way ends with the trace."""
        for request, way in self._ways.items():
            self._land(request, way, max(self._last_us, way.leg[0] if way.leg else 0), 0)
        return sorted(self.found, key=lambda message: (message.start_us, message.seq))

    def _land(
        self,
        request: int,
        way: _Way,
        end_us: int,
        end_seq: int,
        *,
        label: str = "",
        failed: bool = False,
        lost: str = "",
    ) -> None:
        """What was under way has come, or is lost."""
        if way.leg is None:
            return
        start_us, seq, back, start, end = way.leg
        way.leg = None
        source, target = (way.asked, way.asker) if back else (way.asker, way.asked)
        kind = _BACK[way.kind] if back else way.kind
        text = label or way.label
        self.found.append(
            Message(start_us, end_us, source, target, start, end, kind, text, request, failed, lost, seq, end_seq)
        )

    # -- a client's request

    def _send(self, raw: RawRecord) -> None:
        method, url, place = raw[6]
        self._places[raw[3]] = where = str(place or "")
        way = _Way(raw[3], "edge", "request", f"{method} {_path(str(url))}", (raw[0], raw[1], False, where, ""), where)
        self._ways[raw[4]] = way

    def _edge(self, raw: RawRecord) -> None:
        way = self._ways.get(raw[4])
        if way is None or way.leg is None:
            return
        way.there = str(raw[6][0] or "")
        way.asked = self._at_work[raw[4]] = f"worker@{way.there}" if way.there else "worker"
        self._places[way.asked] = way.there
        way.leg = (*way.leg[:4], way.there)
        self._land(raw[4], way, raw[0], raw[1])

    def _response(self, raw: RawRecord) -> None:
        status = raw[6][0]
        self._end(raw, str(status), isinstance(status, int) and status >= 500)

    def _failed(self, raw: RawRecord) -> None:
        self._end(raw, "failed", True)

    def _result(self, raw: RawRecord) -> None:
        self._end(raw, "", not raw[6][0])

    def _end(self, raw: RawRecord, label: str, failed: bool) -> None:
        way = self._ways.pop(raw[4], None)
        if way is not None:
            self._land(raw[4], way, raw[0], raw[1], label=label, failed=failed)

    # -- a call

    def _call(self, raw: RawRecord) -> None:
        caller, via, target, method = raw[6]
        asked = self._at_work[raw[4]] = str(target)
        if via not in ONE_WAY:
            asker = self._at_work.get(caller, OUTSIDE) if isinstance(caller, int) else OUTSIDE
            self._ways[raw[4]] = _Way(asker, asked, "call", str(method or via))

    def _leave(self, raw: RawRecord) -> None:
        way = self._ways.get(raw[4])
        if way is None:
            return
        start, end, lookup_us = raw[6][:3]
        way.home, way.there = str(start or ""), str(end or "")
        left_us = raw[0] + (lookup_us if isinstance(lookup_us, int) else 0)
        way.leg = left_us, raw[1], False, way.home, way.there
        for actor, place in ((way.asker, way.home), (way.asked, way.there)):
            if place:
                self._places[actor] = place

    def _arrive(self, raw: RawRecord) -> None:
        way = self._ways.get(raw[4])
        if way is not None:
            self._land(raw[4], way, raw[0], raw[1])

    def _reply(self, raw: RawRecord) -> None:
        way = self._ways.get(raw[4])
        if way is not None:
            way.leg = raw[0], raw[1], True, way.there, way.home

    def _lost(self, raw: RawRecord) -> None:
        way = self._ways.get(raw[4])
        if way is None:
            return
        what, why = raw[6]
        if way.leg is None:
            way.leg = (
                raw[0],
                raw[1],
                what == "reply",
                *((way.there, way.home) if what == "reply" else (way.home, way.there)),
            )
        self._land(raw[4], way, max(raw[0], way.leg[0]), 0, lost=str(why or "lost on its way"))

    # -- a WebSocket

    def _socket(self, raw: RawRecord) -> None:
        number = raw[6][0]
        if isinstance(number, int):
            ends = self._ends.setdefault(number, [])
            if raw[3] not in ends:
                ends.append(raw[3])

    def _frame(self, raw: RawRecord) -> None:
        number, what, size_bytes, arrive_us = (*raw[6], None)[:4]
        ends = self._ends.get(number, []) if isinstance(number, int) else []
        others = [end for end in ends if end != raw[3]]
        source, target = self._holder(raw[3]), self._holder(others[0]) if others else OUTSIDE
        places = self._places.get(source, ""), self._places.get(target, "")
        text = _FRAMES.get(str(what), str(what))
        if what == "message" and isinstance(size_bytes, int):
            text = f"{text}, {counted(size_bytes, 'byte')}"
        end_us, lost = (arrive_us, "") if isinstance(arrive_us, int) else (raw[0], "the connection is cut")
        self.found.append(Message(raw[0], end_us, source, target, *places, "frame", text, 0, False, lost, raw[1], 0))

    def _holder(self, end: str) -> str:
        """Who holds an end: a client's sockets are "Tokyo 1", "Tokyo 2"; the client is Tokyo."""
        name, _, number = end.rpartition(" ")
        return name if number.isdigit() and name in self._places else end


def _path(url: str) -> str:
    """What follows the host in a URL."""
    rest = url.partition("://")[2] or url
    return "/" + rest.partition("/")[2]
