"""Mermaid sequence diagrams: who told whom what, as text that GitHub, JupyterLab and the book draw.

For a handful of requests. An arrow stands where its message arrived, so that the order at the receiver is the true one;
a lost message stands where it was sent, and its arrow ends in a cross.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from dosim.explain import Story
from dosim.export.sources import exported
from dosim.trace import Message, Segment, messages, partition
from dosim.trace.kinds import ONE_WAY
from dosim.trace.records import RawRecord
from dosim.trace.words import counted, exact, last_line
from dosim.views.figures import checked_requests

#: Messages in a diagram: more than this are hard to read, and from some hundred on Mermaid refuses the text.
MOST_MESSAGES: Final = 50

#: Notes, alarms, crashes: so many for each message. And letters in a label.
_EVENTS_FOR_A_MESSAGE: Final = 2
_MOST_LETTERS: Final = 120

_QUIET: Final = frozenset(("crash", "evict", "hibernate", "reset"))
_WAITS: Final = {"one at a time": "waited {} in line", "input gate": "waited {} at the input gate"}
_PLAIN: Final = frozenset(" .,/()'_=*+-!?")


@dataclass(frozen=True, slots=True)
class _Item:
    """A piece of the diagram: when, by which record, in which order of one record, and what it is."""

    t_us: int
    seq: int
    order: int
    message: Message | None = None
    #: A note over this actor, "" for one over everybody.
    over: str = ""
    text: str = ""
    #: A request that enters or leaves this actor.
    opens: tuple[str, int] | None = None
    closes: tuple[str, int] | None = None


def to_mermaid(source: object, *, requests: Iterable[object] | None = None, most: int = MOST_MESSAGES) -> str:
    """The messages of a simulation or a trace as a Mermaid `sequenceDiagram`, with notes.

    `requests`: numbers, or what `client.fetch()` returned; only these with the calls they caused. `most`: how many
    messages at most; a note tells how many were left out. Raises TypeError for another source, ValueError for a request
    that the trace does not have, for `most` below 1 and for a trace that keeps nothing.
    """
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise ValueError(f"most={most!r}: a diagram needs at least one message, give a whole number from 1 on.")
    trace = exported(source)
    story = Story(trace)
    family = None if requests is None else _family(story, requests)
    arrows = _arrows(m for m in messages(trace) if family is None or m.request in family)
    items = sorted([*arrows, *_events(story, family), *_waits(story, family)], key=_order)
    shown, left_out = _first(items, most)
    notes = []
    if len(trace) < trace.count:
        notes.append(f"only {counted(len(trace), 'record')} of {trace.count} are kept ({trace.retention})")
    if left_out:
        sent = counted(sum(item.message is not None for item in left_out), "more message")
        others = counted(sum(bool(item.text) for item in left_out), "other event")
        notes.append(f"{sent} and {others}, from {exact(left_out[0].t_us)} on, are left out")
    return _Diagram(story, shown).text(notes)


def _order(item: _Item) -> tuple[int, int, int]:
    return item.t_us, item.seq, item.order


def _first(items: list[_Item], most: int) -> tuple[list[_Item], list[_Item]]:
    """As much from the beginning as has `most` messages and twice as many other events, and the rest."""
    sent = others = 0
    for at, item in enumerate(items):
        sent += item.message is not None
        others += item.message is None
        if sent > most or others > _EVENTS_FOR_A_MESSAGE * most:
            return items[:at], items[at:]
    return items, []


def _family(story: Story, requests: Iterable[object]) -> set[int]:
    found: set[int] = set()
    for request in checked_requests(requests) or ():
        number = getattr(request, "request", request)
        if not isinstance(number, int) or number not in story.records:
            known = counted(len(story.records), "request")
            raise ValueError(f"requests: {request!r} is no request of this trace, which has {known}.")
        found.update(story.family(number))
    return found


def _place(message: Message) -> tuple[int, int]:
    """Where its arrow stands: where it arrived; a lost one, where it was sent."""
    return (message.start_us, message.seq) if message.lost else (message.end_us, message.end_seq or message.seq)


def _arrows(shown: Iterable[Message]) -> Iterable[_Item]:
    for message in shown:
        t_us, seq = _place(message)
        there = not message.lost and bool(message.request)
        opens = (message.target, message.request) if there and message.kind in ("request", "call") else None
        closes = (message.source, message.request) if message.kind in ("response", "answer") else None
        yield _Item(t_us, seq, 1, message, opens=opens, closes=closes)


def _events(story: Story, family: set[int] | None) -> Iterable[_Item]:
    """Alarms and other events with their stay in the object, evictions and crashes, what the program did."""
    events: set[int] = set()
    for raw in story.trace.raw:
        t_us, seq, kind, actor, request, _, detail = raw
        if family is not None and request and request not in family:
            continue
        if kind == "call" and detail[1] in ONE_WAY:
            events.add(request)
            yield _Item(t_us, seq, 1, over=str(detail[2]), text=str(detail[3] or detail[1]), opens=(actor, request))
        elif kind in ("return", "throw", "turn_away", "cut_off") and request in events:
            text = f"{kind.replace('_', ' ')}: {last_line(detail[0])}" if kind in ("throw", "turn_away") else ""
            yield _Item(t_us, seq, 1, over=actor, text=text, closes=(actor, request))
        else:
            over, text = _told(raw)
            if text and (family is None or over):
                yield _Item(t_us, seq, 0, over=over, text=text)


def _told(raw: RawRecord) -> tuple[str, str]:
    """(actor, words) of a record that is worth a note."""
    kind, actor, detail = raw[2], raw[3], raw[6]
    if kind == "evict":
        sockets = int(str(detail[1] or 0))
        return actor, f"hibernates with {counted(sockets, 'socket')}" if sockets else "leaves memory"
    if kind == "crash":
        return actor, "crash"
    if kind == "reset":
        return actor, f"reset: {last_line(detail[1])}"
    if kind == "fault" and detail[0] not in _QUIET:
        return "", f"sim.{detail[0]}: {detail[1]}" if detail[1] else f"sim.{detail[0]}"
    return "", ""


def _waits(story: Story, family: set[int] | None) -> Iterable[_Item]:
    """Notes about gates: who waited how long, and for whom."""
    for request, records in story.records.items():
        if family is not None and request not in family:
            continue
        for part in partition(records):
            text = _waited(story, part)
            if text:
                seq = next((raw[1] for raw in records if raw[0] >= part.end_us), records[-1][1])
                yield _Item(part.end_us, seq, 0, over=part.actor, text=text)


def _waited(story: Story, part: Segment) -> str:
    if part.state in _WAITS:
        held = f", held by {story.told(part.detail)}" if part.detail else ""
        return f"#{part.request} {_WAITS[part.state].format(exact(part.duration_us))}{held}"
    if part.state == "output gate":
        return f"the answer to #{part.request} waited {exact(part.duration_us)} in the output gate"
    return ""


class _Diagram:
    """Participants, and lines in order, with every activation ended once."""

    def __init__(self, story: Story, items: list[_Item]) -> None:
        self.story = story
        self.items = items
        self.ids: dict[str, str] = {}
        for item in items:
            for actor in (item.message.source, item.message.target) if item.message is not None else ():
                self.ids.setdefault(actor, f"P{len(self.ids) + 1}")
        for item in items:  # an object that nobody sends a message to, but that an alarm wakes
            if item.opens is not None:
                self.ids.setdefault(item.opens[0], f"P{len(self.ids) + 1}")
        self.inside: dict[str, list[int]] = {}

    def text(self, notes: Iterable[str]) -> str:
        lines = ["sequenceDiagram", "  autonumber"]
        for actor, name in self.ids.items():
            colo = self.story.colo(actor) if "@" not in actor and actor not in self.story.clients else ""
            what = "actor" if actor in self.story.clients else "participant"
            lines.append(f"  {what} {name} as {mermaid_text(f'{actor} in {colo}' if colo else actor)}")
        for item in self.items:
            lines += self._item(item)
        for actor, requests in self.inside.items():
            lines += [f"  deactivate {self.ids[actor]}"] * len(requests)
        for note in notes:
            lines += self._note("", note)
        if not self.ids:
            lines += ["  participant P1 as the outside", *self._note("", "no message is kept")]
        return "\n".join(lines) + "\n"

    def _item(self, item: _Item) -> list[str]:
        lines: list[str] = []
        if item.message is not None:
            lines.append(self._arrow(item.message))
        elif item.text:
            lines += self._note(item.over, item.text)
        if item.opens is not None and item.opens[0] in self.ids:
            actor, request = item.opens
            self.inside.setdefault(actor, []).append(request)
            lines.append(f"  activate {self.ids[actor]}")
        if item.closes is not None and item.closes[1] in self.inside.get(item.closes[0], ()):
            actor, request = item.closes
            self.inside[actor].remove(request)
            lines.append(f"  deactivate {self.ids[actor]}")
        return lines

    def _arrow(self, message: Message) -> str:
        arrow = "->>" if message.kind in ("request", "call") else "-->>"
        if message.kind == "frame":
            arrow = "-)"
        if message.lost:
            arrow = "-x" if message.kind in ("request", "call", "frame") else "--x"
        label = message.label
        if message.kind == "answer":
            label = f"{'error of' if message.failed else 'answer to'} {label}"
        number = f" #{message.request}" if message.request else ""
        took = f"lost, {message.lost}" if message.lost else exact(message.duration_us)
        return f"  {self.ids[message.source]}{arrow}{self.ids[message.target]}: " + mermaid_text(
            f"{label}{number} ({took})"
        )

    def _note(self, over: str, text: str) -> list[str]:
        names = list(self.ids.values()) or ["P1"]
        if over and over not in self.ids:
            return []
        where = self.ids[over] if over else ",".join(dict.fromkeys((names[0], names[-1])))
        return [f"  Note over {where}: {mermaid_text(text)}"]


def mermaid_text(text: str) -> str:
    """The text as Mermaid draws it letter by letter: everything that could mean something to it is a code."""
    plain = " ".join(text.split())
    words = (plain if len(plain) <= _MOST_LETTERS else plain[: _MOST_LETTERS - 1] + "…").split(" ")
    return " ".join("#101;" + _coded(word[1:]) if word.lower() == "end" else _coded(word) for word in words)


def _coded(word: str) -> str:
    return "".join(letter if letter.isalnum() or letter in _PLAIN else f"#{ord(letter)};" for letter in word)
