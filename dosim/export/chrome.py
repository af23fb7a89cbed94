"""Chrome Trace Event JSON, for Perfetto (ui.perfetto.dev) and chrome://tracing.

A process is an object, a Worker or a service; its thread "event loop" shows only what ran there, one turn at a time.
What may overlap (requests with their waits, frames in flight) is asynchronous. Arrows lead from the turn that sent to
the turn that received; counters show how many requests wait and how many are inside; instants are alarms, evictions,
crashes and what the program did to the world. Times are microseconds of simulated time, names are ASCII.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

from dosim.explain import Story
from dosim.export.sources import exported
from dosim.export.turns import Turn, Turns, lanes
from dosim.trace import Segment, Trace, partition
from dosim.trace.kinds import ONE_WAY
from dosim.trace.records import RawRecord
from dosim.trace.words import counted, last_line

Event = dict[str, object]

_CLIENTS: Final = "clients"
_WAITING: Final = frozenset(("one at a time", "input gate", "thread"))
#: Kinds of records that are shown as a moment.
_MOMENTS: Final = frozenset("fault lost evict crash reset warning task_failed commit_failed cut_off".split())


def to_chrome(source: object) -> dict[str, object]:
    """The kept records of a simulation or a trace as a Chrome Trace Event object, ready for `json.dump`.

    `otherData` says how many records there were and how many are kept. Raises TypeError for another source,
    ValueError for a trace that keeps nothing.
    """
    trace = exported(source)
    return {"traceEvents": list(_events(trace)), **_frame(trace)}


def chrome_text(source: object) -> Iterator[str]:
    """The same as text, in pieces: one event a line, so that files can be compared."""
    trace = exported(source)
    yield '{"traceEvents":[\n'
    for number, event in enumerate(_events(trace)):
        yield (",\n" if number else "") + json.dumps(event, separators=(",", ":"))
    yield "\n]," + json.dumps(_frame(trace), separators=(",", ":"))[1:] + "\n"


def _frame(trace: Trace) -> dict[str, object]:
    said = {"source": "dosim", "retention": trace.retention, "records": trace.count, "kept": len(trace)}
    return {"displayTimeUnit": "ms", "otherData": said}


def _events(trace: Trace) -> Iterator[Event]:
    return _Writer(trace).events()


class _Writer:
    """A trace, with the processes and threads that its actors become."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.story = Story(trace)
        self.turns = Turns(self.story)
        self._pids: dict[str, int] = {}
        for raw in trace.raw:
            actor = self._owner(raw)
            if actor:
                self._pids.setdefault(actor, len(self._pids) + 1)

    def _owner(self, raw: RawRecord) -> str:
        """The process that a record belongs to; "" for one that belongs to none, such as the edge's."""
        kind, actor = raw[2], raw[3]
        if kind == "edge":
            return ""
        return self._process(str(raw[6][2]) if kind == "call" else actor)

    def _process(self, actor: str) -> str:
        """A client's socket is "Tokyo 1": it belongs to the clients, as Tokyo does."""
        name, _, number = actor.rpartition(" ")
        clients = self.story.clients
        is_client = actor in clients or (number.isdigit() and name in clients)
        return _CLIENTS if is_client else actor

    def events(self) -> Iterator[Event]:
        threads = self._threads()
        yield from self._names(threads)
        yield from self._slices(threads)
        for request in self.story.records:
            yield from self._request(request)
        yield from self._frames()
        yield from self._counters()
        yield from self._instants()

    # -- processes and threads

    def _threads(self) -> list[tuple[int, int, str, list[Turn]]]:
        """(pid, tid, thread's name, its turns): event loops; of the clients, one thread each."""
        found: list[tuple[int, int, str, list[Turn]]] = []
        used: dict[int, int] = {}
        for actor, turns in self.turns.by_actor.items():
            process = self._process(actor)
            pid = self._pids[process]
            for number, lane in enumerate(lanes(turns)):
                used[pid] = used.get(pid, 0) + 1
                name = actor if process == _CLIENTS else "event loop"
                found.append((pid, used[pid], name + (f" {number + 1}" if number else ""), lane))
        return sorted(found, key=lambda thread: thread[:2])

    def _names(self, threads: Iterable[tuple[int, int, str, list[Turn]]]) -> Iterator[Event]:
        for actor, pid in self._pids.items():
            colo = self.story.colo(actor) if "@" not in actor else ""
            name = ascii_text(f"{actor} in {colo}" if colo else actor)
            yield {"ph": "M", "name": "process_name", "pid": pid, "args": {"name": name}}
        for pid, tid, name, _ in threads:
            yield {"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": ascii_text(name)}}

    # -- what ran, with arrows

    def _slices(self, threads: Iterable[tuple[int, int, str, list[Turn]]]) -> Iterator[Event]:
        leads: dict[int, list[tuple[int, str]]] = {}
        comes: dict[int, list[tuple[int, str]]] = {}
        for number, (cause, effect, kind) in enumerate(self.turns.links, 1):
            leads.setdefault(cause.seq, []).append((number, kind))
            comes.setdefault(effect.seq, []).append((number, kind))
        # causes before effects, also in one instant: an arrow that ends before it begins is dropped
        everywhere = [(turn.start_us, turn.seq, pid, tid, turn) for pid, tid, _, turns in threads for turn in turns]
        for _, _, pid, tid, turn in sorted(everywhere, key=lambda entry: entry[:2]):
            place: Event = {"ts": turn.start_us, "pid": pid, "tid": tid}
            args: Event = {"request": turn.request, "record": turn.seq}
            if turn.after:
                args["after"] = ascii_text(self.story.told(turn.after))
            name = ascii_text(self._turn_name(turn))
            yield {"ph": "X", "name": name, "cat": "turn", **place, "dur": turn.end_us - turn.start_us, "args": args}
            # right behind their slice: an arrow is bound to the slice that was opened last on its thread
            for number, kind in comes.get(turn.seq, ()):
                yield {"ph": "f", "bp": "e", "name": kind, "cat": "message", "id": number, **place}
            for number, kind in leads.get(turn.seq, ()):
                yield {"ph": "s", "name": kind, "cat": "message", "id": number, **place}

    def _turn_name(self, turn: Turn) -> str:
        if turn.kind == "frame":
            return "sends a frame"
        if turn.kind in ("response", "failed"):
            status = next((raw[6][0] for raw in self.story.records[turn.request] if raw[1] == turn.seq), "")
            return f"{status} to #{turn.request}" if turn.kind == "response" else f"#{turn.request} fails"
        return self._short(turn.request)

    def _short(self, request: int) -> str:
        """ "#4 increment" of a call, "#1 GET https://…" of a client's request."""
        head = self.story.records[request][0]
        if head[2] == "call":
            return f"#{request} {head[6][3] or head[6][1]}"
        return f"#{request} {self.story.what(request)}"

    # -- what may overlap

    def _request(self, request: int) -> Iterator[Event]:
        """A request's life on its own track: the whole, and inside it the stretches that it consists of."""
        records = self.story.records[request]
        head, end = records[0], self.story.answer(request)
        owner = self._owner(head)
        if not owner:  # its beginning is not kept, and what is kept is the edge's
            owner = next((name for name in map(self._owner, records) if name), "")
            if not owner:
                return
        parts = partition(records)
        start_us = head[0]
        last_us = self.story.last_us if end is None else end[0]
        end_us = max([start_us, last_us, *(part.end_us for part in parts[-1:])])
        track: Event = {"cat": "request", "id2": {"local": hex(request)}, "pid": self._pids[owner], "tid": 1}
        whole = ascii_text(self._short(request) if owner != _CLIENTS else self.story.name(request))
        args: Event = {"what": ascii_text(self.story.what(request))}
        if end is None:
            args["end"] = "it has not ended: the trace ends before"
        elif end[2] in ("failed", "throw", "turn_away"):
            args["error"] = ascii_text(last_line(end[6][0]))
        yield {"ph": "b", "name": whole, **track, "ts": start_us, "args": args}
        for part in parts:
            yield from self._part(part, track)
        yield {"ph": "e", "name": whole, **track, "ts": end_us}

    def _part(self, part: Segment, track: Event) -> Iterator[Event]:
        said: Event = {"detail": ascii_text(self.story.told(part.detail))} if part.detail else {}
        yield {"ph": "b", "name": part.state, **track, "ts": part.start_us, "args": said}
        yield {"ph": "e", "name": part.state, **track, "ts": part.end_us}

    def _frames(self) -> Iterator[Event]:
        """Frames of WebSockets in flight; the bytes are in `args`."""
        for t_us, seq, kind, actor, _, _, detail in self.trace.raw:
            if kind != "frame" or not isinstance(detail[3], int):
                continue
            track: Event = {
                "cat": "frame",
                "id2": {"local": hex(seq)},
                "pid": self._pids[self._process(actor)],
                "tid": 1,
            }
            name = ascii_text(f"frame of socket {detail[0]}: {detail[1]}")
            yield {"ph": "b", "name": name, **track, "ts": t_us, "args": {"size_bytes": detail[2]}}
            yield {"ph": "e", "name": name, **track, "ts": detail[3]}

    # -- how many

    def _counters(self) -> Iterator[Event]:
        """How many requests wait at an actor, and how many are inside, whenever that changes."""
        waiting: dict[str, dict[int, int]] = {}
        inside: dict[str, dict[int, int]] = {}
        for records in self.story.records.values():
            for part in partition(records):
                if part.state in _WAITING and part.actor in self._pids:
                    _count(waiting.setdefault(part.actor, {}), part.start_us, part.end_us)
        for actor, _, start_us, end_us in self.story.visits():
            _count(inside.setdefault(actor, {}), start_us, end_us)
        for actor, pid in self._pids.items():
            yield from _series("queue", "length", pid, waiting.get(actor, {}))
            yield from _series("inside", "requests", pid, inside.get(actor, {}))

    # -- moments

    def _instants(self) -> Iterator[Event]:
        for raw in self.trace.raw:
            told = self._moment(raw)
            if told:
                place: Event = {"ts": raw[0], "pid": self._pids[self._owner(raw)], "tid": 1}
                args: Event = {"record": raw[1]}
                yield {"ph": "i", "s": "p", "name": ascii_text(told), "cat": raw[2], **place, "args": args}

    def _moment(self, raw: RawRecord) -> str:
        """What an instant is called; "" for a record that is none."""
        kind, detail = raw[2], raw[6]
        if kind == "call" and detail[1] in ONE_WAY and detail[1] != "websocket":
            return str(detail[1])
        if kind not in _MOMENTS or not self._owner(raw):
            return ""
        if kind == "fault":
            return f"sim.{detail[0]}: {detail[1]}" if detail[1] else f"sim.{detail[0]}"
        if kind == "lost":
            return f"{detail[0]} of #{raw[4]} lost: {detail[1]}"
        if kind == "evict":
            sockets = int(str(detail[1] or 0))
            return f"hibernates with {counted(sockets, 'socket')}" if sockets else "evicted"
        said = {"crash": "crash", "reset": "reset", "cut_off": "cut off", "commit_failed": "commit fails"}.get(
            kind, kind
        )
        text = next((value for value in detail if isinstance(value, str)), "")
        return f"{said}: {last_line(text)}" if text else said


def _count(steps: dict[int, int], start_us: int, end_us: int | None) -> None:
    steps[start_us] = steps.get(start_us, 0) + 1
    if end_us is not None:
        steps[end_us] = steps.get(end_us, 0) - 1


def _series(name: str, what: str, pid: int, steps: dict[int, int]) -> Iterator[Event]:
    number = 0
    for t_us in sorted(steps):
        if steps[t_us]:
            number += steps[t_us]
            yield {"ph": "C", "name": name, "pid": pid, "ts": t_us, "args": {what: number}}


def ascii_text(text: str) -> str:
    """The text without what Perfetto would show as an escape: accents are dropped, other letters are told by number."""
    if text.isascii():
        return " ".join(text.split()) if "\n" in text else text
    plain = unicodedata.normalize("NFKD", text.replace("µ", "u").replace("→", "->").replace("…", "..."))
    kept = (letter for letter in plain if not unicodedata.combining(letter))
    return ascii_text("".join(letter if letter.isascii() else f"<U+{ord(letter):04X}>" for letter in kept))
