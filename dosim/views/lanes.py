"""The timeline as data: a lane of bars for every request and every object, without any drawing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from dosim.explain import Story
from dosim.trace import Segment, partition
from dosim.views.figures import checked_requests, trace_of
from dosim.views.frames import check_window

#: More requests than this do not fit a picture that can be read.
MOST_REQUESTS: Final = 60
#: More objects than this neither.
MOST_OBJECTS: Final = 16

#: How a segment's state is drawn.
LOOKS: Final[dict[str, str]] = {
    **dict.fromkeys(
        ("client link", "edge routing", "placement lookup", "hop", "hop back", "client link back"), "travelling"
    ),
    **dict.fromkeys(("worker start", "constructor"), "starting"),
    "one at a time": "queued",
    "input gate": "gate",
    "thread": "gate",
    "running": "running",
    "service": "service",
    "lost": "lost",
    "awaiting": "awaiting",
    "output gate": "output gate",
}

#: Looks of marks.
MARKS: Final = ("alarm", "frame in", "frame out")
#: Ways of calls that are marked where they come in.
_MARKED: Final = {"alarm": "alarm", "websocket": "frame in", "listener": "frame in"}
#: Of events of WebSockets those that are frames: the others tell of an end.
_FRAMES: Final = ("webSocketMessage", "message listener")


#: The number of a call in a text of the runtime.
_NUMBER: Final = re.compile(r"#\d+ ")


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of a lane: `look` is one of the values of `LOOKS`, "closed" (a critical section holds the gate), or
    "visit": somebody was inside for no time at all, so that start and end are one moment. `text` says of an object who
    is inside, of a request what it awaits or behind whom it waits."""

    start_us: int
    end_us: int
    look: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment in an object's lane: `look` is "alarm" (it rings), "frame in" or "frame out" (of a WebSocket)."""

    at_us: int
    look: str


@dataclass(frozen=True, slots=True)
class Lane:
    """A request (`kind` "request") with when it was sent and answered, or an object (`kind` "object")."""

    kind: str
    label: str
    bars: tuple[Bar, ...]
    request: int = 0
    sent_us: int | None = None
    answered_us: int | None = None
    failed: bool = False
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Lanes:
    """All lanes of a picture; the counts say what did not fit."""

    requests: tuple[Lane, ...]
    objects: tuple[Lane, ...]
    requests_left_out: int = 0
    objects_left_out: int = 0

    @property
    def all(self) -> tuple[Lane, ...]:
        return (*self.requests, *self.objects)

    @property
    def span_us(self) -> tuple[int, int]:
        """From the first thing drawn to the last; (0, 0) when there is nothing."""
        times = [t for lane in self.requests for t in (lane.sent_us, lane.answered_us) if t is not None]
        times += [t for lane in self.all for bar in lane.bars for t in (bar.start_us, bar.end_us)]
        return (min(times), max(times)) if times else (0, 0)

    @property
    def looks(self) -> list[str]:
        """The looks in use, in the order of `LOOKS`."""
        used = {bar.look for lane in self.all for bar in lane.bars}
        return [look for look in dict.fromkeys([*LOOKS.values(), "visit", "closed"]) if look in used]

    @property
    def marks(self) -> list[str]:
        """The looks of marks in use, in the order of `MARKS`."""
        used = {mark.look for lane in self.all for mark in lane.marks}
        return [look for look in MARKS if look in used]

    @property
    def ends_us(self) -> int:
        """When the last request was answered (or sent, if none was answered later); else the last thing drawn."""
        answers = [lane.answered_us for lane in self.requests if lane.answered_us is not None]
        sent = [lane.sent_us for lane in self.requests if lane.sent_us is not None]
        return max([*answers, *sent]) if answers else self.span_us[1]


def read_lanes(
    source: object,
    requests: Iterable[object] | None = None,
    names: Mapping[int, str] | None = None,
    window_us: tuple[int | None, int | None] = (None, None),
) -> Lanes:
    """Lanes of these requests (numbers, or what `client.fetch()` returned), or of all that came from outside.

    source: a simulation or a trace. `names` says what a request is called in the picture. Of all requests, those under
    way in the window are meant. Raises ValueError or TypeError that name the argument and the fix.
    """
    story = Story(trace_of(source))
    requests = checked_requests(requests)
    if names is not None and not isinstance(names, Mapping):
        raise TypeError(f"names={names!r} are none: give what requests are called by their numbers, as {{1: 'first'}}.")
    if not isinstance(window_us, tuple) or len(window_us) != 2:
        raise TypeError(f"window_us={window_us!r} is no stretch: give (start_us, end_us), each None unless told.")
    check_window(*window_us)
    if requests is None:
        wanted = [request for request in story.requests if _is_in(story, request, window_us)]
        if story.requests and not wanted:
            ends_us = max(raw[0] for request in story.requests for raw in (story.answer(request),) if raw is not None)
            raise ValueError(
                "start, end: no request is under way then. The last one was answered at"
                f" {ends_us / 1e6:.6f} s: give a stretch before that, counted from the simulation's start."
            )
    else:
        wanted = [_number(request, story) for request in requests]
    shown = wanted[:MOST_REQUESTS]
    given = names or {}
    lanes = tuple(_request_lane(story, request, given) for request in shown)
    family = {member for request in shown for member in story.family(request)}
    calls = {
        member: name
        for request in shown
        for name in [_short(story, request, given)]
        for member in story.family(request)
    }
    objects = _object_lanes(story, family, calls)
    return Lanes(lanes, tuple(objects[:MOST_OBJECTS]), len(wanted) - len(shown), max(0, len(objects) - MOST_OBJECTS))


def _number(request: object, story: Story) -> int:
    number = getattr(request, "request", request)
    if not isinstance(number, int) or number not in story.records:
        raise ValueError(f"requests: {request!r} is no request of this trace, which has {len(story.records)} of them.")
    return number


def _is_in(story: Story, request: int, window_us: tuple[int | None, int | None]) -> bool:
    """Whether a request is under way at some moment of the window."""
    start_us, end_us = window_us
    answer = story.answer(request)
    too_late = end_us is not None and story.records[request][0][0] > end_us
    too_early = start_us is not None and answer is not None and answer[0] < start_us
    return not (too_late or too_early)


def _short(story: Story, request: int, names: Mapping[int, str]) -> str:
    return names.get(request) or story.place(request) or f"#{request}"


def _request_lane(story: Story, request: int, given: Mapping[int, str]) -> Lane:
    name = given.get(request)
    records = story.records[request]
    parts = story.segments(request)
    end = story.answer(request)
    failed = end is not None and (end[2] in ("failed", "throw", "turn_away") or (end[2] == "result" and not end[6][0]))
    return Lane(
        "request",
        f"from {name}" if name else story.name(request),
        tuple(_merged(parts, lambda segment: _why(story, segment, given))),
        request,
        records[0][0],
        None if end is None else end[0],
        failed,
    )


def _why(story: Story, segment: Segment, given: Mapping[int, str]) -> str:
    """Behind whom a request waits, or what its code awaits."""
    look = LOOKS.get(segment.state)
    if look in ("gate", "queued"):
        names = [_short(story, story.root(request), given) for request in story.ahead(segment)]
        more = f", then {len(names) - 1} more" if len(names) > 1 else ""
        return f"behind {names[0]}{more}" if names else ""
    return f"({_NUMBER.sub('', segment.detail)})" if look == "awaiting" and segment.detail else ""


def _merged(parts: Iterable[Segment], why: Callable[[Segment], str]) -> list[Bar]:
    """Bars of one look each: neighbours that look the same are one, with why if that is the same too."""
    bars: list[Bar] = []
    for segment in parts:
        look, text = LOOKS.get(segment.state, "awaiting"), why(segment)
        if bars and bars[-1].look == look and bars[-1].end_us == segment.start_us:
            bars[-1] = Bar(bars[-1].start_us, segment.end_us, look, text if bars[-1].text == text else "")
        else:
            bars.append(Bar(segment.start_us, segment.end_us, look, text))
    return bars


def _object_lanes(story: Story, family: set[int], calls: Mapping[int, str]) -> list[Lane]:
    """A lane for each object that these requests were in, in the order in which they were first entered."""
    visits: dict[str, list[tuple[int, int, int]]] = {}
    last_us = max((raw[0] for member in family for raw in story.records[member]), default=0)
    for label, request, start_us, end_us in story.visits():
        if request in family:
            visits.setdefault(label, []).append((start_us, last_us if end_us is None else end_us, request))
    first = sorted(visits, key=lambda label: min(visits[label]))
    marks = _marks(story, family)
    return [_object_lane(story, label, visits[label], calls, marks.get(label, ())) for label in first]


def _marks(story: Story, family: set[int]) -> dict[str, list[Mark]]:
    """Object -> its alarms that ring and the WebSocket frames that it gets and that these requests send, in order."""
    found: dict[str, list[Mark]] = {}
    senders = {raw[1] for request in family for raw in story.records[request]}
    for request in sorted(family):
        records = story.records[request]
        head = records[0]
        look = _MARKED.get(str(head[6][1]), "") if head[2] == "call" else ""
        if look == "alarm" or (look and head[6][3] in _FRAMES):
            come = next((raw for raw in records if raw[2] == "arrive"), head)
            found.setdefault(head[3], []).append(Mark(come[0], look))
    for raw in story.trace.raw:
        if raw[2] == "frame" and raw[6][1] == "message" and (not raw[5] or raw[5] in senders):
            found.setdefault(raw[3], []).append(Mark(raw[0], "frame out"))
    for label, marks in found.items():
        found[label] = sorted(marks, key=lambda mark: (mark.at_us, mark.look))
    return found


def _object_lane(
    story: Story, label: str, visits: list[tuple[int, int, int]], calls: Mapping[int, str], marks: Iterable[Mark]
) -> Lane:
    colo = story.colo(label)
    bars = list(_inside(story, label, visits, calls))
    for _, _, request in visits:
        for _, start_us, end_us in story.sections(request):
            if end_us is not None and end_us > start_us:
                bars.append(Bar(start_us, end_us, "closed"))
    return Lane("object", f"{label} in {colo}" if colo else label, tuple(bars), marks=tuple(marks))


def _inside(story: Story, label: str, visits: list[tuple[int, int, int]], calls: Mapping[int, str]) -> Iterable[Bar]:
    """Stretches with the same requests inside, saying who or how many, and over them where their code computes."""
    computing = [
        (segment.start_us, segment.end_us)
        for _, _, request in visits
        for segment in partition(story.records[request])
        if segment.state == "running" and segment.actor == label
    ]
    for start_us, end_us in pairwise(sorted({t for begun, ended, _ in visits for t in (begun, ended)})):
        inside = [request for begun, ended, request in visits if begun <= start_us and ended >= end_us]
        if inside:
            text = calls.get(inside[0], f"#{inside[0]}") if len(inside) == 1 else f"{len(inside)} at once"
            covered = any(begun <= start_us and ended >= end_us for begun, ended in computing)
            yield Bar(start_us, end_us, "running" if covered else "awaiting", text)
    for start_us, end_us in computing:
        yield Bar(start_us, end_us, "running")
    moments: dict[int, list[str]] = {}
    for begun, ended, request in visits:
        if begun == ended:
            moments.setdefault(begun, []).append(calls.get(request, f"#{request}"))
    for at_us, who in sorted(moments.items()):
        yield Bar(at_us, at_us, "visit", _listed(list(dict.fromkeys(who))))


def _listed(names: list[str]) -> str:
    """ "Tokyo", "Tokyo and Lagos", "Tokyo, Lagos and 5 more"."""
    last = names[2:] and f"{len(names) - 2} more" if len(names) > 3 else names[-1]
    first = names[:2] if len(names) > 3 else names[:-1]
    return f"{', '.join(first)} and {last}" if first else str(last)
