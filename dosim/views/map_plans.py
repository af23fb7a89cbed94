"""What a map is made of, in inches from its lower left corner, and its words; `maps` and `map_svgs` draw it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from math import atan2, cos, hypot, sin, sqrt
from typing import Final

from dosim.geography import Spot, land, routes, world_cities
from dosim.trace.words import counted, cut, stretch
from dosim.views.figures import trace_of
from dosim.views.flows import Flow, Ground, Site, read_ground
from dosim.views.frames import EMPTY, check_moment, check_window
from dosim.views.labels import Box, Placed, Wanted, place
from dosim.views.regions import Region, View, chosen_view
from dosim.views.scales import kept_note

#: More lines and names than these cannot be read.
MOST_FLOWS: Final = 80
MOST_NAMES: Final = 40
#: Inches: a shorter line has no room for an arrow head; a line of a name.
_HEADLESS_IN: Final = 0.4
NAME_IN: Final = 0.135
#: Points: an object's square, how far a client's dot moves to its corner.
SQUARE_PT: Final = 13
CORNER_PT: Final = 8
_NO_NETWORK: Final = (
    "This simulation has no network: nothing is anywhere, and every message takes no time."
    ' Make it with network="earth", the default, to see it on a map.'
)

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Ink:
    """How a kind of flow is drawn: colour, dash in widths of the line (none: solid); its words in the legend."""

    colour: str
    dash: tuple[float, ...]
    words: str


INKS: Final[dict[str, Ink]] = {
    "request": Ink("#0072B2", (4, 1.6), "requests of clients"),
    "call": Ink("#D55E00", (), "calls"),
    "frame": Ink("#009E73", (1, 1.3), "frames of WebSockets"),
}
OBJECT: Final = "#E69F00"
CLIENT: Final = "#0072B2"


@dataclass(slots=True)
class MapPlan:
    """What a map shows: the places and flows, the rectangle of the world, notes, and all of it in words.

    `empty` says why there is nothing to draw, "" if there is.
    """

    ground: Ground
    view: View
    at_us: int | None
    notes: list[str]
    alt: str
    empty: str

    def atlas(self, width: float) -> Atlas:
        """The map, so many inches wide."""
        most_sent = max((site.sent for site in self.ground.sites.values()), default=0)
        return Atlas(self.view, width / self.view.wide, most_sent)


def plan_map(
    source: object,
    region: Region = None,
    at_us: int | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
    title: str = "",
) -> MapPlan:
    """Read a map. Raises TypeError for a source that is no trace and ValueError that names the argument and the fix."""
    trace = trace_of(source)
    check_window(start_us, end_us)
    check_moment("at_us", at_us)
    if at_us is not None and (start_us is not None or end_us is not None):
        raise ValueError("at_us is one moment, start_us and end_us are a stretch: give one or the other.")
    ground = read_ground(trace, start_us, end_us, at_us)
    view = chosen_view(region, list(ground.sites.values()))
    missing = kept_note(trace)
    notes = [missing, " ".join(_notes(ground, at_us))]
    if not ground.sites and (not len(trace) or ground.nowhere):
        empty = f"{_NO_NETWORK if len(trace) else EMPTY} {missing}".strip()
        return MapPlan(ground, view, at_us, notes, f"{title}: {empty}" if title else empty, empty)
    return MapPlan(ground, view, at_us, notes, _alt(ground, title or view.name, at_us, missing), "")


# -- where


@dataclass(frozen=True, slots=True)
class Track:
    """A flow's line on the map, `wide` points; `told` whether what was lost on it is marked here."""

    flow: Flow
    curve: Curve
    wide: float
    told: bool = True

    @property
    def has_head(self) -> bool:
        return self.curve.length > _HEADLESS_IN

    def head(self) -> list[Point]:
        """The triangle that says where to."""
        size = 0.05 + 0.02 * self.wide
        (x, y), (bx, by) = self.curve.at(0.58), self.curve.at(0.56)
        turn = atan2(y - by, x - bx)
        corners = [(size, 0.0), (-0.6 * size, 0.62 * size), (-0.6 * size, -0.62 * size)]
        return [(x + a * cos(turn) - b * sin(turn), y + a * sin(turn) + b * cos(turn)) for a, b in corners]

    def crosses(self) -> Iterable[tuple[float, float, int]]:
        """Where something was lost, and how much: a call nearer to its caller, an answer nearer to where it came
        from."""
        for along, count in ((0.34, self.flow.lost), (0.78, self.flow.lost_back)):
            if count and self.told:
                x, y = self.curve.at(along)
                if self.flow.start == self.flow.end:
                    x, y = x + 0.17, y - (0.13 if along < 0.5 else 0.27)  # beside its place
                yield x, y, count


@dataclass(frozen=True, slots=True)
class Name:
    """A place's name and who lives there, in the box where it came to stand."""

    site: Site
    lines: list[str]
    wanted: Wanted
    placed: Placed

    @property
    def left_of(self) -> bool:
        """Whether it stands left of its place, its right end towards it."""
        return self.placed.box.right < self.wanted.x


@dataclass(frozen=True, slots=True)
class Atlas:
    """The map in inches: `scale` is inches for a degree of longitude."""

    view: View
    scale: float
    most_sent: int

    @property
    def width(self) -> float:
        return self.view.wide * self.scale

    @property
    def height(self) -> float:
        return self.view.high * self.scale

    def at(self, longitude: float, latitude: float) -> Point:
        """Where a point is."""
        return (longitude - self.view.west) * self.scale, (latitude - self.view.south) * self.view.stretch * self.scale

    def spot(self, spot: Spot) -> Point:
        return self.at(self.view.longitude(spot.longitude), spot.latitude)

    def sites(self, ground: Ground) -> list[Site]:
        """Those that are in view."""
        return [site for site in ground.sites.values() if self._holds(*self.spot(site.spot))]

    def _holds(self, x: float, y: float) -> bool:
        return 0 <= x <= self.width and 0 <= y <= self.height

    def tracks(self, ground: Ground) -> list[Track]:
        """The line of every flow, of one that leaves the picture at one side two."""
        most = max((max(flow.count, len(flow.under_way)) for flow in ground.flows), default=1)
        between: dict[frozenset[str], int] = {}
        found = []
        for flow in ground.flows[:MOST_FLOWS]:
            pair = frozenset((flow.start, flow.end))
            nth = between.get(pair, 0)
            between[pair] = nth + 1
            start, end = ground.sites[flow.start].spot, ground.sites[flow.end].spot
            wide = 0.9 + 2.6 * sqrt(max(flow.count, len(flow.under_way)) / max(most, 8))
            found += [Track(flow, Curve.between(a, b, nth, start, end), wide) for a, b in self._copies(start, end)]
        return found

    def _copies(self, start: Spot, end: Spot) -> list[tuple[Point, Point]]:
        """Both ends of a line that goes the shorter way round; twice if it leaves the picture at one side."""
        x0 = self.view.longitude(start.longitude)
        x1 = end.longitude + 360 * round((x0 - end.longitude) / 360)
        return [
            (self.at(x0 + turn, start.latitude), self.at(x1 + turn, end.latitude))
            for turn in (-360.0, 0.0, 360.0)
            if min(x0, x1) + turn < self.view.east and max(x0, x1) + turn > self.view.west
        ]

    def radius_pt(self, site: Site) -> float:
        """Half the size of a client's dot, points: larger for more requests, beside the busiest city."""
        return 2.4 + 4.2 * sqrt(site.sent / max(self.most_sent, 10)) if site.sent else 2.0

    def _radius_in(self, site: Site) -> float:
        return max(self.radius_pt(site) + 2, 8 if site.objects else 0) / 72

    def names(self, sites: Sequence[Site], tracks: Sequence[Track]) -> list[Name]:
        """The names of places, the busiest first: off each other, off marks and if possible off lines."""
        shown = sorted(sites, key=lambda site: (site.weight, site.spot.name), reverse=True)
        named = shown[:MOST_NAMES]
        taken = [_square(*self.spot(site.spot), self._radius_in(site)) for site in shown[MOST_NAMES:]]
        points: list[Point] = []
        for track in tracks:
            points += [point for point in track.curve.points(0.09) if self._holds(*point)]
            taken += [Box(x - 0.09, y - 0.09, x + 0.48, y + 0.09) for x, y, _ in track.crosses()]
            taken += [_square(*track.curve.at(gone), 0.05) for gone, _ in track.flow.under_way]
        whole = Box(0.06, 0.06, self.width - 0.06, self.height - 0.06)
        wanted = [self._wanted(site) for site in named]
        placed = place(wanted, whole, taken, points)
        return [
            Name(site, _lines(site), label, where) for site, label, where in zip(named, wanted, placed, strict=True)
        ]

    def _wanted(self, site: Site) -> Wanted:
        lines = _lines(site)
        wide = max(len(line) * (0.066 if number == 0 else 0.056) for number, line in enumerate(lines)) + 0.06
        return Wanted(*self.spot(site.spot), self._radius_in(site), wide, 0.03 + NAME_IN * len(lines))


@dataclass(frozen=True, slots=True)
class Curve:
    """A line that bends: start, bend, end, inches."""

    start: Point
    bend: Point
    end: Point

    @classmethod
    def between(cls, a: Point, b: Point, nth: int, start: Spot, end: Spot) -> Curve:
        """A curve towards the nearer pole, as great circles go; further out for each one before it on this way."""
        across, up = -(b[1] - a[1]), b[0] - a[0]
        towards = 1 if start.latitude + end.latitude >= 0 else -1
        side = towards if up > 0 or (up == 0 and across > 0) else -towards
        out = side * (0.14 + 0.1 * nth)
        return cls(a, ((a[0] + b[0]) / 2 + out * across, (a[1] + b[1]) / 2 + out * up), b)

    def at(self, along: float) -> Point:
        """The point at a share of the way."""
        p, q, r = (1 - along) ** 2, 2 * along * (1 - along), along**2
        return (
            p * self.start[0] + q * self.bend[0] + r * self.end[0],
            p * self.start[1] + q * self.bend[1] + r * self.end[1],
        )

    @property
    def length(self) -> float:
        """From end to end, straight."""
        return hypot(self.end[0] - self.start[0], self.end[1] - self.start[1])

    def points(self, apart: float) -> list[Point]:
        """Points along the line, so many inches apart, of a very long one further."""
        steps = min(400, int(self.length / apart))
        return [self.at(step / steps) for step in range(1, steps)]


def _square(x: float, y: float, radius: float) -> Box:
    return Box(x - radius, y - radius, x + radius, y + radius)


# -- the ground


@dataclass(frozen=True, slots=True)
class Relief:
    """What every map of a view has: land as rings, coasts and the backbone as lines, inches."""

    land: tuple[tuple[Point, ...], ...]
    coast: tuple[tuple[Point, ...], ...]
    backbone: tuple[tuple[Point, Point], ...]


@lru_cache(maxsize=8)
def relief(view: View, scale: float) -> Relief:
    """The ground of a view, `scale` inches a degree of longitude; what does not reach into it is left out."""
    atlas = Atlas(view, scale, 0)
    turns = [turn for turn in (-360.0, 0.0, 360.0) if -180 + turn < view.east and 180 + turn > view.west]
    rings, coast, lines = [], [], []
    for turn in turns:
        for ring in _rings():
            if _reaches(view, ring, turn):
                placed = tuple(atlas.at(x + turn, y) for x, y in ring)
                rings.append(placed)
                coast += _coast(ring, placed)
        for a, b in _links():
            if _reaches(view, (a, b), turn):
                lines.append((atlas.at(a[0] + turn, a[1]), atlas.at(b[0] + turn, b[1])))
    return Relief(tuple(rings), tuple(coast), tuple(lines))


@cache
def _rings() -> tuple[tuple[Point, ...], ...]:
    return tuple(tuple(ring) for ring in land())


@cache
def _links() -> tuple[tuple[Point, Point], ...]:
    """The backbone's links, degrees, each the shorter way round."""
    cities = world_cities()
    found = []
    for start, end, _ in routes():
        a, b = cities[start], cities[end]
        there = b.longitude + 360 * round((a.longitude - b.longitude) / 360)
        found.append(((a.longitude, a.latitude), (there, b.latitude)))
    return tuple(found)


def _reaches(view: View, points: Sequence[Point], turn: float) -> bool:
    xs, ys = [x + turn for x, _ in points], [y for _, y in points]
    across = min(xs) <= view.east and max(xs) >= view.west
    return across and min(ys) <= view.north and max(ys) >= view.south


def _coast(ring: Sequence[Point], placed: Sequence[Point]) -> list[tuple[Point, ...]]:
    """A ring's outline in pieces without the seam at 180 degrees, which is no coast."""
    pieces: list[list[Point]] = [[]]
    for at, (x, _) in enumerate(ring):
        after = (at + 1) % len(ring)
        if abs(x) >= 179.9 and abs(ring[after][0]) >= 179.9:
            pieces.append([])
            continue
        if not pieces[-1]:
            pieces[-1].append(placed[at])
        pieces[-1].append(placed[after])
    return [tuple(piece) for piece in pieces if piece]


# -- words


@dataclass(frozen=True, slots=True)
class Key:
    """A row of the legend: what it explains ("objects", "asleep", "clients", "worker", a kind of flow, "under way",
    "answer", "lost" or "backbone"), and its words."""

    what: str
    words: str


def keys(plan: MapPlan) -> list[Key]:
    """The legend, for what is in the picture."""
    sites, flows = plan.ground.sites.values(), plan.ground.flows
    when = "in memory then" if plan.at_us is not None else "in memory at the end"
    under_way = [back for flow in flows for _, back in flow.under_way]
    rows = [
        (any(site.awake for site in sites), "objects", "objects: how many live here"),
        (any(site.objects and not site.awake for site in sites), "asleep", f"objects, none {when}"),
        (any(site.sent for site in sites), "clients", "clients, larger for more requests"),
        (any(site.worker and not site.objects for site in sites), "worker", "its colo runs the Worker"),
        *((any(flow.kind == kind for flow in flows), kind, ink.words) for kind, ink in INKS.items()),
        (bool(under_way), "under way", "under way"),
        (any(under_way), "answer", "answer under way"),
        (plan.ground.lost > 0, "lost", "lost on its way"),
        (True, "backbone", "backbone"),
    ]
    return [Key(what, words) for there, what, words in rows if there]


def _lines(site: Site) -> list[str]:
    """A site's name, and below it who lives there."""
    spot = site.spot
    name = f"{spot.name} ({spot.colo})" if spot.colo and (site.worker or site.objects) else spot.name
    if not site.objects:
        return [name]
    return [name, cut(site.objects[0], 34) if len(site.objects) == 1 else counted(len(site.objects), "object")]


def _notes(ground: Ground, at_us: int | None) -> list[str]:
    notes = []
    if at_us is None and any(flow.kind != "frame" for flow in ground.flows):
        notes.append(
            "Lines are wider the more went that way; answers go back along them, and only lost ones are marked."
        )
    if at_us is not None:
        under_way = sum(len(flow.under_way) for flow in ground.flows)
        notes.append(f"At {stretch(at_us)}: {counted(under_way, 'message')} under way between places.")
    if ground.inside and at_us is None:
        notes.append(f"{ground.inside:,} {'message' if ground.inside == 1 else 'messages'} stayed inside one city.")
    if len(ground.flows) > MOST_FLOWS:
        notes.append(f"The {MOST_FLOWS} busiest of {len(ground.flows)} lines are drawn.")
    if len(ground.sites) > MOST_NAMES:
        notes.append(f"{MOST_NAMES} of {len(ground.sites)} places are named.")
    if ground.unknown:
        names = ", ".join(ground.unknown[:6]) + (", …" if len(ground.unknown) > 6 else "")
        notes.append(f"Not on this map: {names}.")
    if ground.nowhere:
        notes.append(f"{counted(ground.nowhere, 'message')} came from and went to no place: without a network.")
    return notes


def site_told(site: Site) -> str:
    """Who lives at a place, in a sentence; "" for nobody."""
    if not site.objects:
        return ""
    names = ", ".join(site.objects[:5]) + (f" and {len(site.objects) - 5} more" if site.objects[5:] else "")
    asleep = "" if site.awake else " (none in memory)"
    return f"In {site.spot.name} ({site.spot.colo}) live {names}{asleep}."


def flow_told(flow: Flow) -> str:
    """How much went from where to where, in a sentence."""
    lost = f", {flow.lost + flow.lost_back} lost" if flow.lost or flow.lost_back else ""
    way = f"{flow.start} to {flow.end}" if flow.start != flow.end else f"Inside {flow.start}"
    under_way = f", {len(flow.under_way)} under way" if flow.under_way else ""
    return f"{way}: {counted(flow.count, flow.kind)}{lost}{under_way}."


def _alt(ground: Ground, title: str, at_us: int | None, missing: str) -> str:
    """The map in words."""
    when = f" at {stretch(at_us)}" if at_us is not None else ""
    lines = [f"{title}{when}.", *filter(None, map(site_told, ground.sites.values()))]
    clients = [f"{site.spot.name} {site.sent}" for site in ground.sites.values() if site.sent]
    if clients:
        lines.append(f"Requests of clients: {', '.join(clients)}.")
    lines += map(flow_told, ground.flows[:MOST_FLOWS])
    return "\n".join([*lines, missing] if missing else lines)
