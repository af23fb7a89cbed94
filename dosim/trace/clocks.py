"""Vector clocks: which event can have influenced which, told from the trace alone.

Every actor counts its own events. What it sends carries all it knows; who receives takes the larger of each count, then
counts its own. So one event came before another exactly when its clock is nowhere larger; if neither is, nothing that
either did can have influenced the other, whatever the wall clock says (Fidge 1988, Mattern 1989).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from dosim.trace.kinds import ONE_WAY
from dosim.trace.messages import Message, messages
from dosim.trace.records import RawRecord, Trace
from dosim.trace.words import counted, last_line

_NAMED: Final = {"crash": "crashes", "alarm_set": "sets its alarm", "alarm_cleared": "clears its alarm"}
#: Kinds of records that tell of something inside one actor.
_INSIDE: Final = frozenset(("construct", "call", "commit", "commit_failed", "evict", "reset", "log", *_NAMED))


@dataclass(frozen=True, slots=True)
class Event:
    """Something that one actor did or met: it sent or received a message, or something happened inside it.

    `side` is "send", "receive" or "" (inside). `kind` is the record's, or the message's. `seq` is the record's number;
    of a frame's arrival, which has no record, that of its sending. `text` is short: "sends GET /", "commits 1 write".
    """

    t_us: int
    seq: int
    host: str
    side: str
    kind: str
    text: str
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class Clocked:
    """An event with its vector clock: for every actor that it may have heard of, how many events of that one.

    `seq` and `text` are as in `Event`; `host` is a client's name, "worker@NRT", an object's label or a service's name.
    """

    seq: int
    host: str
    clock: dict[str, int]
    text: str


def vector_clocks(
    trace: Trace,
    *,
    sent: list[Message] | None = None,
    hosts: Collection[str] | None = None,
    until_us: int | None = None,
) -> list[Clocked]:
    """Every event of the kept records with its clock, causes before their effects, at one time in order of records.

    Of a large trace less can be asked for: the counts of some `hosts` alone, in the clocks of their own events; events
    up to a moment. `sent`: the trace's messages, if known already.
    """
    known: dict[str, dict[str, int]] = {}
    carried: dict[tuple[int, str], dict[str, int]] = {}
    told: list[Clocked] = []
    for event in events(trace, sent, until_us):
        counted_here = hosts is None or event.host in hosts
        clock = dict(known.get(event.host, ()))
        message = event.message
        if event.side == "receive" and message is not None:
            for host, count in carried.pop(_key(message), {}).items():
                if count > clock.get(host, 0):
                    clock[host] = count
        if counted_here:
            clock[event.host] = clock.get(event.host, 0) + 1
        known[event.host] = clock
        if event.side == "send" and message is not None and not message.lost:
            carried[_key(message)] = clock
        if counted_here:
            told.append(Clocked(event.seq, event.host, clock, event.text))
    return told


def _key(message: Message) -> tuple[int, str]:
    """What tells a message from all others: the record of its sending, and who it goes to."""
    return message.seq, message.target


def events(trace: Trace, sent: list[Message] | None = None, until_us: int | None = None) -> list[Event]:
    """The events of the kept records, causes before their effects, up to a moment if one is given.

    `sent`: the trace's messages, if known already, or those that are wanted.
    """
    found: list[tuple[int, int, int, Event]] = []
    for message in messages(trace) if sent is None else sent:
        if until_us is None or message.start_us <= until_us:
            found.append((message.start_us, message.seq, 0, _sending(message)))
            if arrived(message) and (until_us is None or message.end_us <= until_us):
                end_seq = message.end_seq or message.seq
                found.append((message.end_us, end_seq, 1, _receiving(message, end_seq)))
    for raw in trace.raw:
        if raw[2] in _INSIDE and (until_us is None or raw[0] <= until_us):
            text = _inside(raw)
            if text:
                found.append((raw[0], raw[1], 0, Event(raw[0], raw[1], _host(raw), "", raw[2], text)))
    found.sort(key=lambda entry: entry[:3])
    return [entry[3] for entry in found]


def arrived(message: Message) -> bool:
    """Whether a message came: it is not lost, and not under way when the trace ends. A frame's coming has no record."""
    return not message.lost and bool(message.end_seq or message.kind == "frame")


def _sending(message: Message) -> Event:
    lost = f" (lost: {message.lost})" if message.lost else ""
    text = f"sends {_named(message)}{lost}"
    return Event(message.start_us, message.seq, message.source, "send", message.kind, text, message)


def _receiving(message: Message, end_seq: int) -> Event:
    return Event(
        message.end_us, end_seq, message.target, "receive", message.kind, f"receives {_named(message)}", message
    )


def _named(message: Message) -> str:
    """A message for people: "GET /", "answer to increment", "200"."""
    if message.kind == "answer":
        return f"{'error' if message.failed else 'answer'} to {message.label}"
    return message.label


def _host(raw: RawRecord) -> str:
    return str(raw[6][2]) if raw[2] == "call" else raw[3]


def _inside(raw: RawRecord) -> str:
    """What a record says of one actor alone; "" for a record that is no event of an actor."""
    kind, detail = raw[2], raw[6]
    if kind == "construct":
        return f"starts instance {detail[0]}"
    if kind == "call":
        return f"{detail[3] or detail[1]} begins" if detail[1] in ONE_WAY else ""
    if kind == "commit":
        return f"commits {counted(int(str(detail[0])), 'write')}"
    if kind == "commit_failed":
        return "its commit fails"
    if kind == "evict":
        sockets = int(str(detail[1] or 0))
        return f"hibernates with {counted(sockets, 'socket')}" if sockets else "leaves memory"
    if kind == "reset":
        return f"is reset: {last_line(detail[1])}"
    if kind == "log":
        return f"logs {last_line(detail[1])}"
    return _NAMED.get(kind, "")
