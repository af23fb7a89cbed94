"""A trace as columns for the player: what travelled, where, the objects' lives, alarms, faults, the map.

The result is plain data for `json.dumps`: lists of numbers that point into lists of texts. A column whose values are
all the same is that one value. Times are microseconds from the simulation's start; `start` columns hold differences to
the entry before.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

from dosim.geography import find_spot, land, routes
from dosim.trace import Trace
from dosim.trace.lives import Life, Stretch, lives
from dosim.trace.messages import OUTSIDE, Message, messages
from dosim.trace.words import exact
from dosim.views.figures import trace_of
from dosim.views.flows import spot_of
from dosim.views.player.telling import Roots, tellings
from dosim.views.player.thinning import thin_lives, thin_messages, thin_moments

#: The kinds of messages, in the order in which the page knows them.
KINDS: Final = ("request", "response", "call", "answer", "frame")
#: The states of an object, in the order in which the page knows them.
STATES: Final = ("starting", "running", "held", "idle", "hibernated", "evicted")
#: What an actor is, in the order of the columns of the page that is no map.
ROLES: Final = ("client", "worker", "object", "service")
#: At most so many messages are in the page.
MOST_MESSAGES: Final = 20_000
#: What an alarm does that is not set or cleared.
RINGS: Final = "rings"
#: At most so many alarms that rang, as many that were set, and as many faults.
MOST_MOMENTS: Final = 1_500
#: What the data should take together, for a page under 300 kB; what is told of requests gets what the rest leaves,
#: and never less than the second.
DATA_CHARACTERS: Final = 215_000
LEAST_TOLD_CHARACTERS: Final = 20_000


def player_data(source: object, *, title: str = "", most_messages: int = MOST_MESSAGES) -> dict[str, Any]:
    """What the player shows of a simulation or trace, as plain data.

    Of more than `most_messages` a sample of whole requests is shown, with whatever failed or was lost; `notes` says so,
    and what else is not the whole truth. Raises TypeError for another source, ValueError for `most_messages` under 1.
    """
    if isinstance(most_messages, bool) or not isinstance(most_messages, int) or most_messages < 1:
        raise ValueError(f"most_messages={most_messages!r} is no count: give a whole number from 1 on.")
    trace = trace_of(source)
    notes = _kept(trace)
    roots = Roots(trace)
    everything = messages(trace)
    shown = thin_messages(everything, roots, most_messages, notes)
    every_life = lives(trace)
    alive = thin_lives(every_life, notes)
    texts, ends = _Texts(), _Ends(alive, everything)
    numbered = list(enumerate(_alarms(trace)))
    rung, asked = ([entry for entry in numbered if (entry[1][2] == RINGS) is rings] for rings in (True, False))
    kept = thin_moments(rung, MOST_MOMENTS, "alarms that rang", notes)
    kept = kept + thin_moments(asked, MOST_MOMENTS, "alarms that were set or cleared", notes)
    alarms = [alarm for _, alarm in sorted(kept)]
    faults = thin_moments(_faults(trace), MOST_MOMENTS, "faults", notes)
    data: dict[str, Any] = {
        "version": 1,
        "title": title,
        "kinds": list(KINDS),
        "states": list(STATES),
        "roles": list(ROLES),
        "messages": _message_columns(shown, ends, texts, roots),
        "objects": [_object(life, ends, texts) for life in alive.values()],
        "alarms": _moment_columns(alarms, ends, texts),
        "faults": _moment_columns(faults, ends, texts),
    }
    data["span"] = _span(trace, everything, every_life)
    data["about"] = _nothing_kept(trace) or _about(everything, len(every_life), len(rung), data["span"], ends)
    data["map"] = _map() if ends.places else None
    left = DATA_CHARACTERS - len(json.dumps([data, ends.rows, texts.rows], separators=(",", ":")))
    data["told"] = tellings(trace, roots, shown, ends.actor, max(LEAST_TOLD_CHARACTERS, left), notes)
    data["notes"] = notes
    data["ends"], data["places"], data["texts"] = ends.rows, ends.places, texts.rows
    return data


def column(values: Sequence[int]) -> list[int] | int:
    """The values, or the one value that all of them have."""
    return values[0] if values and len(set(values)) == 1 else list(values)


def steps(values: Iterable[int]) -> list[int]:
    """The differences of each value to the one before, the first to zero."""
    return [b - a for a, b in pairwise([0, *values])]


class _Texts:
    """Texts that columns point to, each kept once; number 0 is no text."""

    def __init__(self) -> None:
        self.rows: list[str] = [""]
        self._known: dict[str, int] = {"": 0}

    def number(self, text: str) -> int:
        if text not in self._known:
            self._known[text] = len(self.rows)
            self.rows.append(text)
        return self._known[text]


class _Ends:
    """Actors at places: `rows` are [name, role, place], numbers of `ROLES` and of `places` (-1: nowhere)."""

    def __init__(self, alive: Mapping[str, Life], found: Sequence[Message]) -> None:
        self.rows: list[list[Any]] = []
        #: [name, colo, longitude, latitude]
        self.places: list[list[Any]] = []
        self._alive = alive
        self._clients = {m.source for m in found if m.kind == "request"} | {
            m.target for m in found if m.kind == "response"
        }
        self._called = {m.target for m in found if m.kind == "call"}
        self._numbers: dict[tuple[str, str], int] = {}
        self._spots: dict[str, int] = {}
        self._first: dict[str, int] = {}
        self._homes = {life.label: life.place for life in alive.values() if life.place}
        for m in found:
            for name, place in ((m.source, m.source_place), (m.target, m.target_place)):
                if place:
                    self._homes.setdefault(name, place)
        for life in alive.values():
            self.number(life.label, life.place)

    def number(self, actor: str, place: str) -> int:
        """The number of an actor at a place; an object, and whoever says no place, is where it was seen elsewhere."""
        if not place or actor in self._alive:
            place = self._homes.get(actor, place)
        key = (actor, place)
        if key not in self._numbers:
            self._numbers[key] = len(self.rows)
            self._first.setdefault(actor, len(self.rows))
            self.rows.append([actor, ROLES.index(self._role(actor)), self._place(place)])
        return self._numbers[key]

    def actor(self, actor: str) -> int:
        """The number of an actor wherever it was first seen; -1 for one that no message and no life names."""
        return self._first.get(actor, -1)

    def clients(self, found: Iterable[Message]) -> int:
        """How many clients sent or got one of these messages."""
        return sum(self._role(actor) == "client" for actor in {name for m in found for name in (m.source, m.target)})

    def _role(self, actor: str) -> str:
        if actor in self._alive:
            return "object"
        if actor == "worker" or actor.startswith("worker@") or actor == "edge":
            return "worker"
        if actor in self._clients or actor == OUTSIDE or actor not in self._called:
            return "client"
        return "service"

    def _place(self, place: str) -> int:
        spot = spot_of(place) if place else None
        if spot is None:
            return -1
        if spot.name not in self._spots:
            self._spots[spot.name] = len(self.places)
            self.places.append([spot.name, spot.colo, round(spot.longitude, 2), round(spot.latitude, 2)])
        return self._spots[spot.name]


def _kept(trace: Trace) -> list[str]:
    if len(trace) == trace.count:
        return []
    if not len(trace):
        return [f"The trace kept none of its {trace.count:,} records: run with retention='full' to see them."]
    return [f"The trace kept {len(trace):,} of {trace.count:,} records, so what came before is not shown."]


def _nothing_kept(trace: Trace) -> str:
    """That a trace kept nothing of what it was told; "" for any other."""
    return "Nothing was kept of what happened." if trace.count and not len(trace) else ""


def _span(trace: Trace, found: Sequence[Message], alive: Mapping[str, Life]) -> list[int]:
    """From the first thing to the last; what the sample leaves out counts too."""
    times = [t for m in found for t in (m.start_us, m.end_us)]
    times += [t for life in alive.values() for s in life.stretches for t in (s.start_us, s.end_us)]
    times += [raw[0] for raw in trace.raw]
    return [min(times), max(times)] if times else [0, 0]


def _about(
    found: Sequence[Message],
    objects: int,
    rung: int,
    span: Sequence[int],
    ends: _Ends,
) -> str:
    """What the run was, in a sentence or two."""
    if not found and not objects:
        return "Nothing happened in this trace."
    asked = sum(m.kind == "request" for m in found)
    counts = {"request": asked, "client": ends.clients(found), "object": objects, "message": len(found), "alarm": rung}
    said = [_counted(count, word) for word, count in counts.items() if count or word != "alarm"]
    lost, failed = sum(bool(m.lost) for m in found), sum(m.failed for m in found)
    bad = [f"{count:,} {word}" for count, word in ((lost, "lost"), (failed, "failed")) if count]
    troubled = f" Of the messages {' and '.join(bad)}." if bad else ""
    return f"{', '.join(said)} in {_long(span[1] - span[0])}.{troubled}"


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _long(us: int) -> str:
    """A duration that may be days: "10.25 s", "3 min 59 s", "1 h 02 min", "30 d 00 h"."""
    if us < 120_000_000:
        return exact(us)
    seconds = us // 1_000_000
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02} s"
    if seconds < 86_400:
        return f"{seconds // 3600} h {seconds // 60 % 60:02} min"
    return f"{seconds // 86_400} d {seconds // 3600 % 24:02} h"


def _message_columns(shown: Sequence[Message], ends: _Ends, texts: _Texts, roots: Roots) -> dict[str, Any]:
    return {
        "start": steps(m.start_us for m in shown),
        "took": column([m.end_us - m.start_us for m in shown]),
        "source": column([ends.number(m.source, m.source_place) for m in shown]),
        "target": column([ends.number(m.target, m.target_place) for m in shown]),
        "kind": column([KINDS.index(m.kind) for m in shown]),
        "label": column([texts.number(m.label) for m in shown]),
        "request": steps(roots.of(m.request) for m in shown),
        "lost": column([texts.number(m.lost) for m in shown]),
        "failed": column([int(m.failed) for m in shown]),
        "open": column([int(not m.lost and not m.end_seq and m.kind != "frame") for m in shown]),
    }


def _object(life: Life, ends: _Ends, texts: _Texts) -> dict[str, Any]:
    """One life: `end` is when its last stretch ends; every other ends where the next begins."""
    stretches = _joined(life.stretches)
    return {
        "actor": ends.number(life.label, life.place),
        "end": stretches[-1].end_us if stretches else 0,
        "start": steps(s.start_us for s in stretches),
        "state": column([STATES.index(s.state) for s in stretches]),
        "instance": column([s.instance for s in stretches]),
        "inside": column([s.inside for s in stretches]),
        "stored": column([-1 if s.stored_bytes is None else s.stored_bytes for s in stretches]),
        "sockets": column([s.sockets for s in stretches]),
        "why": column([texts.number(s.why) for s in stretches]),
    }


def _joined(stretches: Sequence[Stretch]) -> list[Stretch]:
    """The stretches in which something differs from the one before."""
    kept: list[Stretch] = []
    for s in stretches:
        joined = replace(kept[-1], end_us=s.end_us) if kept else s
        if kept and joined == replace(s, start_us=joined.start_us):
            kept[-1] = joined
        else:
            kept.append(s)
    return kept


def _alarms(trace: Trace) -> list[tuple[int, str, str]]:
    """(when, whose, what): an alarm "rings"; it is "set for T"; it is "cleared"."""
    found: list[tuple[int, str, str]] = []
    for t_us, _, kind, actor, _, _, detail in trace.raw:
        if kind == "call" and detail[1] == "alarm":
            found.append((t_us, str(detail[2]), RINGS))
        elif kind == "alarm_set":
            due_us = detail[0]
            found.append((t_us, actor, f"set for {due_us / 1e6:.3f} s" if isinstance(due_us, int) else "set"))
        elif kind == "alarm_cleared":
            found.append((t_us, actor, "cleared"))
    return _in_time(found)


def _in_time(found: list[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
    """Sorted by time, as the page looks them up; records are in the order in which they were told."""
    return sorted(found, key=lambda moment: moment[0])


def _faults(trace: Trace) -> list[tuple[int, str, str]]:
    """(when, whose, what) of each fault that the program caused, and of each instance that it cost."""
    found: list[tuple[int, str, str]] = []
    for t_us, _, kind, actor, _, _, detail in trace.raw:
        if kind == "fault":
            verb, what = str(detail[0]), str(detail[1] or "")
            found.append((t_us, what, f"{verb} {what}".strip()))
        elif kind == "crash":
            found.append((t_us, actor, f"instance {detail[0]} of {actor} crashed"))
        elif kind == "reset":
            found.append((t_us, actor, f"instance {detail[0]} of {actor} was reset"))
        elif kind == "cut_off":
            found.append((t_us, actor, f"{actor} was cut off"))
    return _in_time(found)


def _moment_columns(found: Sequence[tuple[int, str, str]], ends: _Ends, texts: _Texts) -> dict[str, Any]:
    return {
        "at": steps(t_us for t_us, _, _ in found),
        "actor": column([ends.actor(actor) for _, actor, _ in found]),
        "what": column([texts.number(what) for _, _, what in found]),
    }


def _map() -> dict[str, Any]:
    """The outline of the land and the backbone, in tenths of a degree; a ring is [x, y, then differences]."""
    return {
        "land": [_drawn(ring) for ring in land()],
        "routes": [
            [round(10 * x) for x in (a.longitude, a.latitude, b.longitude, b.latitude)]
            for start, end, _ in routes()
            for a, b in [(find_spot(start), find_spot(end))]
            if a is not None and b is not None
        ],
    }


def _drawn(ring: Sequence[tuple[float, float]]) -> list[int]:
    across = steps(round(10 * x) for x, _ in ring)
    up = steps(round(10 * y) for _, y in ring)
    return [number for pair in zip(across, up, strict=True) for number in pair]
