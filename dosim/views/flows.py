"""The map as data: what is where, and how much went from where to where, without any drawing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from dosim.geography import Spot, find_spot
from dosim.trace import Message, Trace, lives, messages

#: An unnamed client's place, as traces have it: "(35.0, 139.0)".
_COORDINATES: Final = re.compile(r"\((-?[\d.]+), (-?[\d.]+)\)")
#: Kind of a message -> the kind of flow it belongs to, and whether it goes back along it.
_FLOWS: Final = {
    "request": ("request", False),
    "response": ("request", True),
    "call": ("call", False),
    "answer": ("call", True),
    "frame": ("frame", False),
}


@dataclass(slots=True)
class Site:
    """A point of the map with what is there: requests that clients sent, whether a Worker ran, objects by label.

    `awake` names the objects that are in memory (at the moment that was asked for, or at the end).
    """

    spot: Spot
    sent: int = 0
    worker: bool = False
    objects: list[str] = field(default_factory=list)
    awake: list[str] = field(default_factory=list)

    @property
    def weight(self) -> tuple[int, int]:
        """How much it wants a label: objects first, then requests."""
        return len(self.objects), self.sent


@dataclass(slots=True)
class Flow:
    """Messages of one kind ("request", "call", "frame") from one point to another, both by the spot's name.

    `count` counts them one way; answers go back the same way and are not counted. `lost` and `lost_back` count those
    that never came. `under_way` holds how far each is, 0 to 1 from `start` to `end`, and whether it is an answer, when
    a moment was asked for.
    """

    start: str
    end: str
    kind: str
    count: int = 0
    lost: int = 0
    lost_back: int = 0
    under_way: list[tuple[float, bool]] = field(default_factory=list)


@dataclass(slots=True)
class Ground:
    """All of a map: `inside` counts messages that did not leave their place, `unknown` names places it does not know,
    `nowhere` counts messages without any place."""

    sites: dict[str, Site] = field(default_factory=dict)
    flows: list[Flow] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    inside: int = 0
    nowhere: int = 0

    @property
    def lost(self) -> int:
        return sum(flow.lost + flow.lost_back for flow in self.flows)

    def site(self, place: str) -> Site | None:
        """The site of a place's name or colo code, made when first asked for; None if the map does not know it."""
        spot = spot_of(place)
        if spot is None:
            if place and place not in self.unknown:
                self.unknown.append(place)
            return None
        return self.sites.setdefault(spot.name, Site(spot))


def spot_of(place: str) -> Spot | None:
    """Where a city, a colo or coordinates as text are; None for what the map does not know."""
    known = find_spot(place)
    match = None if known is not None else _COORDINATES.fullmatch(place)
    return Spot(place, "", float(match[1]), float(match[2])) if match else known


def read_ground(
    trace: Trace, start_us: int | None = None, end_us: int | None = None, at_us: int | None = None
) -> Ground:
    """What is where and what went where, of the messages under way in a stretch of time, or at one moment."""
    ground = Ground()
    first_us = start_us if at_us is None else at_us
    last_us = end_us if at_us is None else at_us
    _settle(ground, trace, last_us)
    _join(ground, _within(messages(trace), first_us, last_us), at_us)
    return ground


def _within(sent: Iterable[Message], first_us: int | None, last_us: int | None) -> Iterable[Message]:
    for message in sent:
        if (first_us is None or message.end_us >= first_us) and (last_us is None or message.start_us <= last_us):
            yield message


def _settle(ground: Ground, trace: Trace, last_us: int | None) -> None:
    """Objects go where they live, with who is in memory at the last moment."""
    for label, life in lives(trace).items():
        begun = [s for s in life.stretches if last_us is None or s.start_us <= last_us]
        site = ground.site(life.place) if begun else None
        if site is not None:
            site.objects.append(label)
            if begun[-1].in_memory:
                site.awake.append(label)


def _join(ground: Ground, sent: Iterable[Message], at_us: int | None) -> None:
    flows: dict[tuple[str, str, str], Flow] = {}
    sites: dict[str, Site | None] = {}  # by place: a trace may have a million messages and has few places
    for message in sent:
        kind, back = _FLOWS[message.kind]
        for place in (message.source_place, message.target_place):
            if place not in sites:
                sites[place] = ground.site(place)
        source, target = sites[message.source_place], sites[message.target_place]
        if not message.source_place and not message.target_place:
            ground.nowhere += 1
        if kind == "request" and not back and source is not None:
            source.sent += 1
            if target is not None:
                target.worker = True
        if source is None or target is None:
            continue
        if source is target:
            ground.inside += 1
            if not message.lost:
                continue
        start, end = (target, source) if back else (source, target)
        key = start.spot.name, end.spot.name, kind
        flow = flows.get(key)
        if flow is None:
            flow = flows[key] = Flow(*key)
        _count(flow, message, back, at_us)
    ground.flows = sorted(flows.values(), key=lambda flow: -flow.count)


def _count(flow: Flow, message: Message, back: bool, at_us: int | None) -> None:
    flow.count += not back
    flow.lost += bool(message.lost) and not back
    flow.lost_back += bool(message.lost) and back
    if at_us is not None and not message.lost:
        gone = (at_us - message.start_us) / max(1, message.end_us - message.start_us)
        flow.under_way.append((1 - gone if back else gone, back))
