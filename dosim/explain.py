"""`explain`: one request's life in plain sentences: who waited, how long, for what, and held by whom.

Reads records only, so it works on a trace from a file as on a running simulation's. The stretches are those of
`dosim.trace.segments`: they sum to the latency to the microsecond, and so do the sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from html import escape
from typing import Final

from dosim.trace import Segment, Trace, partition, segments
from dosim.trace.kinds import ANSWERS, ENDS, ONE_WAY
from dosim.trace.parts import OPEN, PARTS, STANDING, part_of
from dosim.trace.records import RawRecord
from dosim.trace.segments import by_request, cloudflare_attributes
from dosim.trace.words import capital, counted, exact, last_line

#: A request's number as the runtime writes it, but not inside the quotes of an object's name.
_NUMBER: Final = re.compile(r"(?:\bchain )?(?<!['\"\w])#(\d+)")
#: The detail of a segment that is not over.
_NOT_YET: Final = "something that has not come yet"


class Story:
    """A trace, indexed for telling: which request is whose, where it came from, and who was inside an object."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.records = by_request(trace)
        self._heads: dict[int, RawRecord] = {}
        self._starts: dict[str, list[tuple[int, int]]] = {}
        self._children: dict[int, list[int]] = {}
        self._colos: dict[str, str] = {}
        self._one_at_a_time = False
        #: Who sent requests from outside, by name.
        self.clients: set[str] = set()
        #: Which object's machine crashed, and when, microseconds.
        self.crashes: set[tuple[str, int]] = set()
        for request, records in self.records.items():
            self._heads[request] = records[0]
        self.last_us = 0
        for raw in trace.raw:
            self.last_us = max(self.last_us, raw[0])
            kind, actor, request = raw[2], raw[3], raw[4]
            if kind == "send":
                self.clients.add(actor)
            elif kind == "start":
                self._starts.setdefault(actor, []).append((raw[0], request))
            elif kind == "call" and raw[6][0]:
                self._children.setdefault(int(str(raw[6][0])), []).append(request)
            elif kind == "leave" and raw[6][1]:
                self._colos[actor] = str(raw[6][1])
            elif kind == "crash":
                self.crashes.add((actor, raw[0]))
            elif kind == "queue":
                self._one_at_a_time = True

    def __repr__(self) -> str:
        return f"<story of {len(self.records)} requests and calls, {counted(len(self.trace), 'record')}>"

    @property
    def requests(self) -> list[int]:
        """Requests from outside, and alarms: whatever no other request caused, in order of time."""
        return [request for request, head in self._heads.items() if self.root(request) == request and _opens(head)]

    def root(self, request: int) -> int:
        """The outside request that this call belongs to; itself if it comes from outside."""
        seen = request
        while (head := self._heads.get(seen)) is not None and head[2] == "call" and head[6][0]:
            seen = int(str(head[6][0]))
        return seen

    def family(self, request: int) -> list[int]:
        """The request and every call it caused, in order of their numbers."""
        found, left = {request}, [request]
        while left:
            new = [child for child in self._children.get(left.pop(), ()) if child not in found]
            found.update(new)
            left += new
        return sorted(found)

    @property
    def one_at_a_time(self) -> bool:
        """Whether requests queued for an object until others had answered."""
        return self._one_at_a_time

    def place(self, request: int) -> str:
        """The city that a client's request comes from; "" for others."""
        head = self._heads.get(request)
        return (str(head[6][2]) or head[3]) if head is not None and head[2] == "send" else ""

    def colo(self, label: str) -> str:
        """The colo that an object or a Worker is in; "" without a network."""
        return self._colos.get(label) or label.partition("@")[2]

    def name(self, request: int) -> str:
        """A request for people: "#12 from Tokyo", or "#13 Counter('a').increment (of #12 from Tokyo)"."""
        head = self._heads.get(request)
        if head is None:
            return f"#{request}"
        if head[2] != "call":
            return f"#{request} from {self.place(request)}" if self.place(request) else f"#{request}"
        method = f"#{request} {self.what(request)}"
        root = self.root(request)
        return method if root == request else f"{method} (of {self.name(root)})"

    def what(self, request: int) -> str:
        """What a request asks for: "GET https://…" of a client, "Counter('a').increment" of a call."""
        head = self._heads.get(request)
        if head is None:
            return f"#{request}"
        if head[2] == "send":
            return f"{head[6][0]} {head[6][1]}"
        return f"{head[6][2]}.{head[6][3]}" if head[2] == "call" else head[3]

    def told(self, text: str, mine: int = 0) -> str:
        """A text of the runtime ("chain #3", "blockConcurrencyWhile of #4 …") with every number given its name.

        Calls that belong to the outside request `mine` are called its own.
        """

        def named(match: re.Match[str]) -> str:
            request = int(match[1])
            if match[0].startswith("chain "):
                return self.name(request)
            root = self.root(request)
            if root == request:
                return match[0]
            return "its own call" if root == mine else f"{self.name(root)}:"

        return _NUMBER.sub(named, text).removesuffix(":")

    def holder(self, text: str) -> int:
        """The first request that a text names; 0 if it names none."""
        match = _NUMBER.search(text)
        return int(match[1]) if match else 0

    def let_in(self, label: str, start_us: int, end_us: int) -> list[int]:
        """Requests whose code began in an object from `start_us` on and before `end_us`, in order."""
        return [request for t_us, request in self._starts.get(label, ()) if start_us <= t_us < end_us]

    def ahead(self, segment: Segment) -> list[int]:
        """Whoever was let in while this segment's request waited: the holder first, then the others in order."""
        others = self.let_in(segment.actor, segment.start_us, segment.end_us)
        holder = self.holder(segment.detail)
        known = {self.root(holder)} if holder else set()
        first = [holder] if holder else []
        return first + [r for r in others if r != segment.request and self.root(r) not in known]

    def answer(self, request: int) -> RawRecord | None:
        """The record that ends a request: its response, failure or result; of an event, the end of its handler."""
        records = self.records.get(request, [])
        ends = ENDS if any(_is_event(raw) for raw in records) else ANSWERS
        return next((raw for raw in records if raw[2] in ends), None)

    def segments(self, request: int) -> list[Segment]:
        """The request's life in segments without gaps; of one without an answer, up to the last record of the trace."""
        parts = segments(self.trace, request, index=self.records)
        return parts if self.answer(request) is not None else [*parts, *self._still(request, parts)]

    def _still(self, request: int, parts: list[Segment]) -> Iterator[Segment]:
        """What a request without an answer does since its last mark: its own wait, or its open call's life."""
        records = self.records[request]
        at_us = parts[-1].end_us if parts else records[0][0]
        waited_for = [child for child in self._children.get(request, ()) if self.answer(child) is None]
        if waited_for and OPEN.get(self._last_mark(records)[2]) == "awaiting":
            for part in self.segments(waited_for[-1]):
                if part.end_us > at_us:
                    start_us = max(part.start_us, at_us)
                    yield replace(part, start_us=start_us)
        elif self.last_us > at_us:
            mark = self._last_mark(records)
            yield Segment(OPEN.get(mark[2], "awaiting"), at_us, self.last_us, request, mark[3], _NOT_YET)

    def standing(self, request: int) -> Segment:
        """Where a request without an answer stands at the end of the trace, as a segment that has just begun."""
        mark = self._last_mark(self.records[request])
        state = OPEN.get(mark[2], "awaiting")
        waited_for = [child for child in self._children.get(request, ()) if self.answer(child) is None]
        if waited_for and state == "awaiting":
            return self.standing(waited_for[-1])
        return Segment(state, self.last_us, self.last_us, request, mark[3])

    @staticmethod
    def _last_mark(records: list[RawRecord]) -> RawRecord:
        return next((raw for raw in reversed(records) if raw[2] in OPEN), records[0])

    def sections(self, request: int) -> list[tuple[str, int, int | None]]:
        """(kind, from, to) of the critical sections that a request opened; `to` is None while one is open."""
        found: list[tuple[str, int, int | None]] = []
        for raw in self.records.get(request, ()):
            if raw[2] == "section_start":
                found.append((str(raw[6][0]), raw[0], None))
            elif raw[2] == "section_end":
                at = max((i for i, section in enumerate(found) if section[2] is None), default=-1)
                if at >= 0:
                    found[at] = (*found[at][:2], raw[0])
        return found

    def section_around(self, segment: Segment) -> str:
        """The kind of the critical section that the segment lies in; "" outside."""
        for kind, start_us, end_us in self.sections(segment.request):
            if start_us <= segment.start_us and (end_us is None or segment.end_us <= end_us):
                return kind
        return ""

    def visits(self) -> Iterator[tuple[str, int, int, int | None]]:
        """(object, request, from, to) of every time a request's code was in an object; `to` is None if it still is."""
        for request, records in self.records.items():
            begun: RawRecord | None = None
            for raw in records:
                if raw[2] == "start":
                    begun = raw
                elif begun is not None and raw[2] in ENDS:
                    yield begun[3], request, begun[0], raw[0]
                    begun = None
                    break
            if begun is not None:
                yield begun[3], request, begun[0], None


def _opens(head: RawRecord) -> bool:
    return head[2] in ("send", "call")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One thing told: when it began (microseconds since the simulation's start), how long it took, the words."""

    start_us: int
    duration_us: int
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """Where each microsecond of a request went. `print` it, or look at `sentences`, `segments` and `parts_us`.

    `latency_us` is from the sending to the answer, None while there is no answer or when the sending is not kept;
    `sent_us` counts from the simulation's start.
    """

    request: int
    heading: str
    sent_us: int
    latency_us: int | None
    told: tuple[Sentence, ...]
    segments: tuple[Segment, ...]
    answered: bool

    @property
    def sentences(self) -> tuple[str, ...]:
        """The words alone: the heading, what happened in order, the sum."""
        return (self.heading, *(sentence.text for sentence in self.told), self.sum)

    @property
    def parts_us(self) -> dict[str, int]:
        """Microseconds by part (`PARTS`), those that are not zero; they sum to the latency."""
        totals = dict.fromkeys(PARTS, 0)
        for segment in self.segments:
            part = part_of(segment.state)
            totals[part] = totals.get(part, 0) + segment.duration_us
        return {part: us for part, us in totals.items() if us}

    @property
    def attributes(self) -> dict[str, float]:
        """The waits by the names of Cloudflare's own traces (`queue_time_ms`, ...), milliseconds."""
        return cloudflare_attributes(self.segments)

    @property
    def sum(self) -> str:
        """The parts, and what they sum to."""
        whole_us = sum(self.parts_us.values())
        together = "Together" if self.answered else "So far"
        if self.answered and self.latency_us is None:
            together = "Of what is kept, together"
        if not whole_us:
            return f"{together} no time at all: nothing in it took simulated time."
        parts = ", ".join(f"{exact(us)} {part}" for part, us in self.parts_us.items())
        return f"{together} {exact(whole_us)}: {parts}."

    def __str__(self) -> str:
        offsets = [f"+{exact(sentence.start_us - self.sent_us)}" for sentence in self.told]
        width = max(map(len, offsets), default=0)
        lines = [f"  {offset:>{width}}  {sentence.text}" for offset, sentence in zip(offsets, self.told, strict=True)]
        return "\n".join([self.heading, *lines, self.sum])

    def __repr__(self) -> str:
        took = "its beginning is not kept" if self.answered else "no answer yet"
        if self.latency_us is not None:
            took = exact(self.latency_us)
        return f"<explanation of #{self.request}: {took}, {counted(len(self.segments), 'segment')}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>+{exact(s.start_us - self.sent_us)}</td><td>{exact(s.duration_us) if s.duration_us else ''}</td>"
            f"<td style='text-align:left'>{escape(s.text)}</td></tr>"
            for s in self.told
        )
        head = "<tr><th>after</th><th>took</th><th style='text-align:left'>what happened</th></tr>"
        return f"<p><b>{escape(self.heading)}</b></p><table>{head}{rows}</table><p>{escape(self.sum)}</p>"


def explain(trace: Trace, request: int, *, story: Story | None = None) -> Explanation:
    """The life of one request in sentences. `story` is the trace's own, for whoever explains many.

    Raises ValueError when the trace has no such request.
    """
    known = story if story is not None else Story(trace)
    if request not in known.records:
        raise ValueError(_not_there(known, request))
    parts = known.segments(request)
    teller = _Teller(known, request)
    told = [*teller.of_segments(parts), *teller.of_events()]
    told.sort(key=lambda sentence: (sentence.start_us, sentence.duration_us > 0))
    records = known.records[request]
    end = known.answer(request)
    latency_us = None if end is None or not _opens(records[0]) else end[0] - records[0][0]
    if end is None:
        now = known.standing(request)
        told.append(Sentence(now.start_us, 0, f"Here the trace ends: it is still {STANDING[now.state]} {now.actor}."))
    heading = _heading(known, request, records, end)
    return Explanation(request, heading, records[0][0], latency_us, tuple(told), tuple(parts), end is not None)


def slowest(story: Story) -> int:
    """The request from outside that took longest. Raises ValueError when none has been answered."""
    took = [
        (end[0] - story.records[request][0][0], -request)
        for request in story.requests
        if (end := story.answer(request)) is not None
    ]
    if not took:
        raise ValueError("the trace has no request that was answered: give a request's number.")
    return -max(took)[1]


def _not_there(story: Story, request: int) -> str:
    """Why a request is not in the trace, and which are."""
    numbers = story.requests
    retention = story.trace.retention
    kept, fix = "", "."
    if retention == "none":
        kept = ", which keeps no records"
    elif retention != "full":
        kept = f", which keeps the {retention.replace('=', ' ')} records only"
    if numbers:
        shown = ", ".join(map(str, numbers[:10])) + (", …" if len(numbers) > 10 else "")
        fix = f": give one of {shown}" + (", or make the simulation with retention='full'." if kept else ".")
    elif kept:
        fix = ": make the simulation with retention='full'."
    else:
        fix = ": it has no request at all. Send one first: sim.run(sim.client('Tokyo').fetch(url))."
    return f"request={request} is not in the trace{kept}{fix}"


_EVENTS: Final = {
    "alarm": "an alarm",
    "websocket": "an event of a WebSocket",
    "listener": "an event of a WebSocket",
    "scheduled": "a cron",
    "queue": "a batch of messages",
}


def _is_event(raw: RawRecord) -> bool:
    """Whether it is the beginning of something that nobody waits for: an alarm, a message, a batch, a cron."""
    return raw[2] == "call" and raw[6][1] in ONE_WAY


def _heading(story: Story, request: int, records: list[RawRecord], end: RawRecord | None) -> str:
    if _is_event(records[0]):
        return _event_heading(story, request, records[0], end)
    origin = f" from {story.place(request)}" if story.place(request) else ""
    sent = f"#{request} {story.what(request)}{origin}, sent at t={records[0][0] / 1e6:.6f} s"
    if not _opens(records[0]):
        sent += " or before (its first records are no longer kept)"
    if end is None:
        return f"{sent}, has no answer yet."
    took = f" after {exact(end[0] - records[0][0])}" if _opens(records[0]) else ""
    if end[2] == "response":
        return f"{sent}, was answered {end[6][0]}{took}."
    if end[2] == "failed":
        return f"{sent}, failed with status 500{took}: {last_line(end[6][0])}"
    well = bool(end[6][0]) if end[2] == "result" else end[2] == "return"
    return f"{sent}, {'was answered' if well else 'failed'}{took}."


def _event_heading(story: Story, request: int, first: RawRecord, end: RawRecord | None) -> str:
    kind = _EVENTS[str(first[6][1])]
    began = f"#{request} {story.what(request)}, {kind}, began at t={first[0] / 1e6:.6f} s"
    if end is None:
        return f"{began} and has not ended yet."
    return f"{began} and {'ended' if end[2] == 'return' else 'failed'} after {exact(end[0] - first[0])}."


class _Teller:
    """Words for the segments and the failures of one request."""

    def __init__(self, story: Story, request: int) -> None:
        self.story = story
        self.request = request
        self.root = story.root(request)
        self.family = story.family(request)
        self._partitions: dict[int, list[Segment]] = {}
        self._lives: dict[int, tuple[int, int]] = {}
        for member in self.family:
            end = story.answer(member)
            self._lives[member] = (story.records[member][0][0], story.last_us if end is None else end[0])
        self._left_us = {raw[4]: raw[0] for member in self.family for raw in story.records[member] if raw[2] == "leave"}

    def of_segments(self, parts: Iterable[Segment]) -> Iterator[Sentence]:
        for segment in parts:
            yield Sentence(segment.start_us, segment.duration_us, self._told(segment))

    def of_events(self) -> Iterator[Sentence]:
        """What was thrown or turned away, where, with the text that its caller saw."""
        of_family = (raw for member in self.family for raw in self.story.records[member])
        for raw in sorted(of_family, key=lambda raw: raw[1]):
            if raw[2] == "throw":
                yield Sentence(raw[0], 0, capital(f"{self._code(raw[4], raw[3])} threw: {last_line(raw[6][0])}"))
            elif raw[2] == "turn_away":
                what, why = self.story.what(raw[4]), last_line(raw[6][0])
                begun = any(other[2] == "start" for other in self.story.records[raw[4]])
                ended = "crashed" if (raw[3], raw[0]) in self.story.crashes else "was reset"
                told = f"{raw[3]} {ended} while {what} ran: {why}" if begun else f"{raw[3]} turned {what} away: {why}"
                yield Sentence(raw[0], 0, told)

    def _code(self, request: int, actor: str) -> str:
        """The code that ran: "the Worker in NRT", or "Counter('a').increment"."""
        if actor.startswith("worker"):
            colo = self.story.colo(actor)
            return f"the Worker in {colo}" if colo else "the Worker"
        return self.story.what(request)

    def _told(self, segment: Segment) -> str:
        took = self._took(segment)
        teller = getattr(self, "_" + segment.state.replace(" ", "_"), None)
        if teller is None:
            return f"{took} {segment.state} at {segment.actor}."
        text: str = teller(segment, took)
        return capital(text)

    def _took(self, segment: Segment) -> str:
        """How long a stretch was; of one that began or went on while the request waited for others, the whole too."""
        part_us, whole = segment.duration_us, self._whole(segment)
        if part_us == whole.duration_us:
            return exact(part_us)
        more = "another " if segment.start_us > whole.start_us else ""
        return f"{more}{exact(part_us)} ({exact(whole.duration_us)} in all)"

    def _whole(self, segment: Segment) -> Segment:
        """The stretch of the call's own life that a segment is a part of: the segment itself, if it is all of it."""
        if segment.child:
            return segment
        request = segment.request
        if request not in self._partitions:
            self._partitions[request] = partition(self.story.records.get(request, ()))
        around = (
            whole
            for whole in self._partitions[request]
            if whole.state == segment.state and whole.start_us <= segment.start_us and segment.end_us <= whole.end_us
        )
        return next(around, segment)

    def _answer(self, segment: Segment) -> str:
        """ "the answer", with whose it is where other calls were under way at the same time."""
        whole = self._whole(segment)
        path, above = set(), segment.request
        while above not in path:
            path.add(above)
            head = self.story.records[above][0]
            above = int(str(head[6][0])) if head[2] == "call" and head[6][0] in self._lives else above
        others = any(
            start_us < whole.end_us and whole.start_us < end_us
            for member, (start_us, end_us) in self._lives.items()
            if member not in path
        )
        return f"the answer of {self.story.what(segment.request)}" if others else "the answer"

    def _client_link(self, segment: Segment, took: str) -> str:
        colo = next((str(r[6][0]) for r in self.story.records[segment.request] if r[2] == "edge"), "")
        return f"it travelled {took} from {segment.actor} to the nearest colo{', ' + colo if colo else ''}."

    def _edge_routing(self, _: Segment, took: str) -> str:
        return f"the edge took {took} to find the Worker."

    def _worker_start(self, segment: Segment, took: str) -> str:
        colo = self.story.colo(segment.actor)
        return f"the Worker{' in ' + colo if colo else ''} was cold: it waited {took} until the isolate had started."

    def _placement_lookup(self, segment: Segment, took: str) -> str:
        return f"{segment.actor} was new: looking its name up round the world took {took}."

    def _hop(self, segment: Segment, took: str) -> str:
        return f"the call {self.story.what(segment.request)} travelled {took}{self._way(segment.request)}."

    def _hop_back(self, segment: Segment, took: str) -> str:
        answer = self._answer(segment)
        if self._whole(segment).start_us < segment.start_us:
            return f"{answer} was under way {took}."
        return f"{answer} travelled {took}{self._way(segment.request, back=True)}."

    def _way(self, request: int, *, back: bool = False) -> str:
        for raw in self.story.records[request]:
            if raw[2] == "leave" and raw[6][0] and raw[6][1]:
                start, end = (raw[6][1], raw[6][0]) if back else (raw[6][0], raw[6][1])
                return f" inside {start}" if start == end else f" from {start} to {end}"
        return ""

    def _client_link_back(self, segment: Segment, took: str) -> str:
        return f"the response travelled {took} back to {segment.actor}."

    def _one_at_a_time(self, segment: Segment, took: str) -> str:
        if segment.detail == _NOT_YET:
            return f"it has waited {took} in line at {segment.actor} so far, which serves one request at a time."
        return (
            f"it waited {took} in line at {segment.actor}, which served one request at a time:"
            f" {self._held(segment)}{self._others(segment)}."
        )

    def _held(self, segment: Segment) -> str:
        return f"{self.story.told(segment.detail)} was inside" if segment.detail else "another was inside"

    def _others(self, segment: Segment) -> str:
        others = self.story.ahead(segment)[1:]
        if not others:
            return ""
        roots = [self.story.root(other) for other in others[:12]]
        names = ["a call of its own" if root == self.root else self.story.name(root) for root in roots]
        more = f" and {len(others) - 12} more" if len(others) > 12 else ""
        return f", then {', '.join(names)}{more}"

    def _input_gate(self, segment: Segment, took: str) -> str:
        held = self.story.told(segment.detail, self.root) if segment.detail else "another turn"
        return f"it waited {took} at the input gate of {segment.actor}, held by {held}{self._others(segment)}."

    def _thread(self, segment: Segment, took: str) -> str:
        return f"it waited {took} for the thread of {segment.actor}."

    def _lost(self, segment: Segment, took: str) -> str:
        return f"the {segment.detail} was lost on its way; that was noticed after {took}."

    def _service(self, segment: Segment, took: str) -> str:
        return f"{segment.actor} took {took} for {self.story.what(segment.request)}."

    def _constructor(self, segment: Segment, took: str) -> str:
        return f"the constructor of {segment.actor} took {took}."

    def _running(self, segment: Segment, took: str) -> str:
        return f"{self._code(segment.request, segment.actor)} computed for {took}: nothing can interleave with that."

    def _awaiting(self, segment: Segment, took: str) -> str:
        code = self._code(segment.request, segment.actor)
        section = self.story.section_around(segment)
        awaited = "a timer" if segment.detail == "timer" else self.story.told(segment.detail) or "something"
        if section:
            return f"{code} awaited {awaited} for {took} in its {section}: the input gate was closed to everybody else."
        shut = segment.actor.startswith("worker") or self.story.one_at_a_time
        open_gate = "" if shut else "; the input gate was open meanwhile"
        return f"{code} awaited {awaited} for {took}{open_gate}."

    def _output_gate(self, segment: Segment, took: str) -> str:
        left_us = self._left_us.get(segment.request)
        if left_us is not None and segment.end_us <= left_us:
            call = self.story.what(segment.request)
            return f"the call {call} left {took} later, when its caller's writes were confirmed."
        gate = f"the output gate of {segment.actor}"
        return f"{self._answer(segment)} waited {took} in {gate}, until its writes were confirmed."
