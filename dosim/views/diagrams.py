"""The space-time diagram as data: an actor a column, a moment a row, a message an arrow, without any drawing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from dosim.explain import Story
from dosim.trace import Life, Message, Trace, lives, messages
from dosim.trace.clocks import Event, arrived, events, vector_clocks
from dosim.views.figures import checked_requests

#: More messages, actors and other events than these do not fit a picture that can be read.
MOST_MESSAGES: Final = 50
MOST_ACTORS: Final = 22
#: With clocks fewer: each has a count for every actor.
MOST_CLOCKED: Final = 10
MOST_EVENTS: Final = 60
#: Events inside an actor that are always drawn; the others count only for clocks, and are drawn with them.
_TOLD: Final = frozenset(("construct", "evict", "crash", "reset", "call", "commit_failed"))


@dataclass(frozen=True, slots=True)
class Dot:
    """An event in a column and a row; `clock` has a count for each column, in their order, or is empty."""

    column: int
    row: int
    event: Event
    clock: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrow:
    """A message between two columns; `end_row` is None for one that never came (lost, or under way at the end)."""

    message: Message
    column: int
    end_column: int
    row: int
    end_row: int | None


@dataclass(slots=True)
class Diagram:
    """All of a picture: actors in the order of their columns, the time of each row, arrows, dots, and what is missing.

    `lives` has those of the columns that are objects. `left_out` counts messages, `others` the actors' events.
    """

    actors: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    dots: list[Dot] = field(default_factory=list)
    lives: dict[str, Life] = field(default_factory=dict)
    left_out: int = 0
    actors_left_out: int = 0
    others: int = 0


def read_diagram(
    trace: Trace,
    *,
    requests: Iterable[object] | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
    clocks: bool = False,
) -> Diagram:
    """The messages that left in a stretch of time, or those of some requests and the calls that they caused.

    At most 50 of them and 22 actors (10 with clocks): the first requests that fit whole, with their calls.

    Raises ValueError for a request that the trace does not have.
    """
    sent = messages(trace)
    family = None if requests is None else _family(trace, requests)
    wanted = [
        message
        for message in sent
        if (start_us is None or message.start_us >= start_us)
        and (end_us is None or message.start_us <= end_us)
        and (family is None or message.request in family)
    ]
    shown = _fitting(trace, wanted, MOST_CLOCKED if clocks else MOST_ACTORS)
    actors = _order(shown)
    everybody = {who for message in wanted for who in (message.source, _end(message)) if who}
    known = lives(trace)
    diagram = Diagram(left_out=len(wanted) - len(shown), actors_left_out=len(everybody) - len(actors))
    diagram.actors = actors
    diagram.places = [_place(actor, shown) for actor in actors]
    diagram.lives = {actor: known[actor] for actor in actors if actor in known}
    last_us = max((m.end_us for m in shown), default=0) if diagram.left_out else end_us
    told = _told(trace, shown, diagram, (start_us, last_us), clocks)
    counts = _counts(trace, sent, actors, told[-1].t_us) if clocks and told else {}
    _lay(diagram, told, counts)
    return diagram


def _family(trace: Trace, requests: Iterable[object]) -> set[int]:
    story = Story(trace)
    family: set[int] = set()
    for request in checked_requests(requests) or ():
        number = getattr(request, "request", request)
        if not isinstance(number, int) or number not in story.records:
            there = len(story.records)
            raise ValueError(f"requests: {request!r} is no request of this trace, which has {there} of them.")
        family.update(story.family(number))
    return family


def _fitting(trace: Trace, wanted: Sequence[Message], most_actors: int) -> list[Message]:
    """As many whole requests with all their calls as fit, in order of time; of one that is too long, its beginning."""
    callers = {raw[4]: raw[6][0] for raw in trace.raw if raw[2] == "call" and isinstance(raw[6][0], int) and raw[6][0]}
    stories: dict[object, list[Message]] = {}
    for number, message in enumerate(wanted):
        request = message.request
        while request in callers:
            request = callers[request]
        stories.setdefault(request or f"message {number}", []).append(message)
    actors: set[str] = set()
    count = 0
    fitting: set[int] = set()
    for story in stories.values():
        new = {who for message in story for who in (message.source, _end(message)) if who}
        if len(actors | new) > most_actors and actors:
            continue
        room = MOST_MESSAGES - count
        if len(story) > room and count:
            break
        fitting.update(message.seq for message in story[:room])
        count += len(story)
        actors |= new
    return [message for message in wanted if message.seq in fitting][:MOST_MESSAGES]


def _end(message: Message) -> str:
    """Who a message goes to; "" for a request that was lost before it reached a Worker."""
    return "" if message.target == "edge" else message.target


def _order(shown: Sequence[Message]) -> list[str]:
    """Actors from left to right: each client with the Worker it reached, whoever calls from outside, then the rest."""
    clients: dict[str, list[str]] = {}
    others: dict[str, None] = {}
    taken: set[str] = set()
    for message in shown:
        if message.kind == "request":
            workers = clients.setdefault(message.source, [])
            taken.add(message.source)
            if _end(message) and message.target not in taken:
                workers.append(message.target)
                taken.add(message.target)
    for message in shown:
        for actor in (message.source, _end(message)):
            if actor and actor not in taken:
                others.setdefault(actor)
    outside = [actor for actor in others if actor == "the outside"]
    first = [actor for client, workers in clients.items() for actor in (client, *workers)]
    return [*first, *outside, *(actor for actor in others if actor not in outside)]


def _place(actor: str, shown: Sequence[Message]) -> str:
    """Where an actor is, as its messages tell; "" if they do not, or if its name says it."""
    for message in shown:
        for who, place in ((message.source, message.source_place), (message.target, message.target_place)):
            if who == actor and place and place not in actor:
                return place
    return ""


def _told(
    trace: Trace, shown: list[Message], diagram: Diagram, window_us: tuple[int | None, int | None], clocks: bool
) -> list[Event]:
    """The events to draw, in order: of the messages all, of the others the first 60 of those within the time shown."""
    inside, found = 0, []
    first_us, last_us = window_us
    if first_us is None:
        first_us = shown[0].start_us if shown else 0
    for event in events(trace, shown):
        if event.host not in diagram.actors:
            continue
        if not event.side:
            late = last_us is not None and event.t_us > last_us
            if late or event.t_us < first_us or not (clocks or event.kind in _TOLD):
                continue
            inside += 1
            if inside > MOST_EVENTS:
                continue
        found.append(event)
    diagram.others = max(0, inside - MOST_EVENTS)
    return found


def _counts(
    trace: Trace, sent: list[Message], actors: Sequence[str], until_us: int
) -> dict[tuple[int, str, str], tuple[int, ...]]:
    """(record, host, text) of every event -> its clock, for these actors in their order."""
    return {
        (told.seq, told.host, told.text): tuple(told.clock.get(actor, 0) for actor in actors)
        for told in vector_clocks(trace, sent=sent, hosts=frozenset(actors), until_us=until_us)
    }


def _lay(diagram: Diagram, told: Sequence[Event], counts: dict[tuple[int, str, str], tuple[int, ...]]) -> None:
    """Rows from the first event to the last: a new one for each moment, and for an actor's next event at one moment."""
    column = {actor: number for number, actor in enumerate(diagram.actors)}
    busy: set[str] = set()
    began: dict[tuple[int, str], int] = {}
    ended: dict[tuple[int, str], int] = {}
    for event in told:
        if not diagram.rows or diagram.rows[-1] != event.t_us or event.host in busy:
            diagram.rows.append(event.t_us)
            busy = set()
        busy.add(event.host)
        row = len(diagram.rows) - 1
        clock = counts.get((event.seq, event.host, event.text), ())
        diagram.dots.append(Dot(column[event.host], row, event, clock))
        if event.message is not None:
            key = event.message.seq, event.message.target
            (began if event.side == "send" else ended)[key] = row
    sent = [dot.event.message for dot in diagram.dots if dot.event.side == "send"]
    for message in (m for m in sent if m is not None):
        key = message.seq, message.target
        start = column[message.source]
        end_column = column.get(message.target, start + 1)
        diagram.arrows.append(
            Arrow(message, start, end_column, began[key], ended.get(key) if arrived(message) else None)
        )
