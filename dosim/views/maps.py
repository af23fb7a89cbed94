"""`world_map`: where objects live and clients stand, and what went between them, on the map of the world.

Lines are messages of one kind from one place to another, as wide as they are many, each kind with its own colour and
dash; answers go back the same way and are not drawn. A cross marks what was lost. `figure.alt` tells it in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import atan2, ceil, cos, hypot, radians, sin, sqrt
from typing import TYPE_CHECKING, Any, Final

from dosim.geography import Spot, land, routes, world_cities
from dosim.trace.words import counted, stretch
from dosim.views.figures import check_look, new_figure, theme_of, trace_of
from dosim.views.flows import Flow, Ground, Site, read_ground
from dosim.views.frames import (
    EMPTY,
    NOTE_IN,
    TITLE_IN,
    check_moment,
    check_window,
    empty_figure,
    on,
    wrapped,
    write_notes,
    write_title,
)
from dosim.views.labels import Box, Placed, Wanted, nearest, place
from dosim.views.scales import kept_note
from dosim.views.style import Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Region = str | tuple[float, float, float, float] | None

#: Degrees: what "world" shows, cut where nobody lives, between Alaska and Chukotka.
WORLD: Final = (-169.0, -57.0, 191.0, 80.0)
_LATITUDES: Final = (-60.0, 84.0)
#: Degrees: the narrowest map that still shows where it is; a share of the picture left free round what is used.
_NARROWEST: Final = 26.0
_MARGIN: Final = 0.12
#: Degrees of longitude and latitude: what is used within these is one region, and the map zooms to it unless told.
_ONE_REGION: Final = (90.0, 50.0)
#: Height of a zoomed map to its width.
_SHAPE: Final = 0.55
#: More lines and names than these cannot be read.
MOST_FLOWS: Final = 80
MOST_NAMES: Final = 40
_LEGEND_IN: Final = 0.21
#: Inches: a shorter line has no room for an arrow head.
_HEADLESS_IN: Final = 0.4
_NO_NETWORK: Final = (
    "This simulation has no network: nothing is anywhere, and every message takes no time."
    ' Make it with network="earth", the default, to see it on a map.'
)
_BOX: Final = {"boxstyle": "round,pad=0.1", "edgecolor": "none", "alpha": 0.72}


@dataclass(frozen=True, slots=True)
class Ink:
    """How a kind of flow is drawn, and its words in the legend."""

    colour: str
    dash: Any
    words: str


INKS: Final[dict[str, Ink]] = {
    "request": Ink("#0072B2", (0, (4, 1.6)), "requests of clients"),
    "call": Ink("#D55E00", "-", "calls"),
    "frame": Ink("#009E73", (0, (1, 1.3)), "frames of WebSockets"),
}
_OBJECT: Final = "#E69F00"
_CLIENT: Final = "#0072B2"


def world_map(
    source: object,
    *,
    region: Region = None,
    at_us: int | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
    width: float = 11.0,
    dark: bool = False,
    title: str = "",
) -> Figure:
    """A map of a simulation or trace: objects, clients, Workers, and the messages between them.

    region: "world", "fit" (what is used), or degrees (west, south, east, north), where west > east goes across the
    Pacific; unless told, "fit" when all is in one part of the world. start_us, end_us: messages of this stretch;
    at_us: what was under way and who was in memory at this moment. `width` is in inches. Raises TypeError for a source
    that is no trace and ValueError that names the argument and the fix.
    """
    trace = trace_of(source)
    check_look(width, "map", 5, title=title, dark=dark)
    check_window(start_us, end_us)
    check_moment("at_us", at_us)
    if at_us is not None and (start_us is not None or end_us is not None):
        raise ValueError("at_us is one moment, start_us and end_us are a stretch: give one or the other.")
    theme = theme_of(dark)
    ground = read_ground(trace, start_us, end_us, at_us)
    view = _view(region, list(ground.sites.values()))
    missing = kept_note(trace)
    if not ground.sites and (not len(trace) or ground.nowhere):
        text = f"{_NO_NETWORK if len(trace) else EMPTY} {missing}".strip()
        return empty_figure(text, width=width, dark=dark, title=title, what="map", theme=theme)
    notes = wrapped([missing, *_notes(ground, at_us)], width)
    head_in = TITLE_IN if title else 0.0
    handles = _handles(ground, at_us, theme)
    rows = _rows(handles, width)
    foot_in = _LEGEND_IN * rows + NOTE_IN * len(notes) + 0.16
    body_in = width * view.high / view.wide
    figure = new_figure(width, head_in + body_in + foot_in, dark=dark, what="map")
    write_title(figure, title, theme)
    height = figure.get_size_inches()[1]
    axes = figure.add_axes((0, foot_in / height, 1, body_in / height))
    chart = _Chart(axes, view, width / view.wide, theme, max((site.sent for site in ground.sites.values()), default=0))
    chart.draw(ground)
    _legend(figure, handles, rows, (foot_in - 0.05) / height, theme)
    write_notes(figure, notes, theme)
    figure.alt = _alt(ground, title, at_us, missing)
    drawing: Figure = figure
    return drawing


# -- which part of the world


@dataclass(frozen=True, slots=True)
class View:
    """A rectangle of the map: degrees of longitude from `west` to `east` (beyond 180 across the Pacific), latitudes,
    and how much a degree of latitude is stretched."""

    west: float
    south: float
    east: float
    north: float
    stretch: float

    @property
    def wide(self) -> float:
        return self.east - self.west

    @property
    def high(self) -> float:
        return (self.north - self.south) * self.stretch

    def longitude(self, longitude: float) -> float:
        """The longitude, or the same one turn on, that lies in or nearest to the view."""
        middle = (self.west + self.east) / 2
        return longitude + 360 * round((middle - longitude) / 360)


def _view(region: Region, sites: Sequence[Site]) -> View:
    """The rectangle to draw. Raises ValueError for a region that is none."""
    if isinstance(region, tuple | list):
        return _given(region)
    if region not in (None, "fit", "world"):
        raise ValueError(f'region={region!r}: use "world", "fit", or degrees (west, south, east, north).')
    used = _bounds([site.spot for site in sites])
    if region == "world" or used is None:
        return View(*WORLD, 1.2)
    west, south, east, north = used
    small = east - west <= _ONE_REGION[0] and north - south <= _ONE_REGION[1]
    if region is None and not small:
        return View(*WORLD, 1.2)
    return _fitted(west, south, east, north)


def _given(region: Sequence[float]) -> View:
    numbers = [n for n in region if isinstance(n, int | float) and not isinstance(n, bool)]
    if len(region) != 4 or len(numbers) != 4:
        raise ValueError(f"region={region!r}: give four numbers, degrees (west, south, east, north).")
    west, south, east, north = numbers
    if west > east and abs(west) <= 180:
        east += 360
    if not (-180 <= west < east <= west + 360) or not (-90 <= south < north <= 90):
        raise ValueError(
            f"region={region!r} is no part of the globe: west and east run from -180 to 180, south must be below north,"
            " both from -90 to 90; west above east goes across the Pacific."
        )
    return View(west, south, east, north, _stretched(south, north))


def _bounds(spots: Sequence[Spot]) -> tuple[float, float, float, float] | None:
    """The smallest rectangle round these points, going over the Pacific where that is shorter; None without points."""
    if not spots:
        return None
    turns = sorted({spot.longitude for spot in spots})
    gaps = [(after - before, after) for before, after in pairwise(turns)]
    gap, west = max([*gaps, (turns[0] + 360 - turns[-1], turns[0])])
    latitudes = [spot.latitude for spot in spots]
    return west, min(latitudes), west + 360 - gap, max(latitudes)


def _fitted(west: float, south: float, east: float, north: float) -> View:
    """A view round a rectangle, with a margin, in the shape of a picture."""
    stretch = _stretched(south, north)
    wide = max((east - west) / (1 - 2 * _MARGIN), _NARROWEST)
    wide = max(wide, (north - south) * stretch / (1 - 2 * _MARGIN) / _SHAPE)
    if wide >= 340:
        return View(*WORLD, 1.2)
    middle, high = (west + east) / 2, wide * _SHAPE / stretch
    bottom = (south + north - high) / 2
    bottom = max(_LATITUDES[0], min(bottom, _LATITUDES[1] - high))
    if middle - wide / 2 >= 180:
        middle -= 360
    return View(middle - wide / 2, bottom, middle + wide / 2, min(bottom + high, 90.0), stretch)


def _stretched(south: float, north: float) -> float:
    """How much a degree of latitude is longer than one of longitude in the middle of a view."""
    return 1 / max(0.35, cos(radians((south + north) / 2)))


# -- drawing


@dataclass(slots=True)
class _Chart:
    """The map under the pen: `scale` is inches for a degree of longitude. Everything is drawn in inches."""

    axes: Any
    view: View
    scale: float
    theme: Theme
    most_sent: int

    def at(self, longitude: float, latitude: float) -> tuple[float, float]:
        """Where a point is, inches from the lower left corner."""
        return (longitude - self.view.west) * self.scale, (latitude - self.view.south) * self.view.stretch * self.scale

    def spot(self, spot: Spot) -> tuple[float, float]:
        return self.at(self.view.longitude(spot.longitude), spot.latitude)

    @property
    def whole(self) -> Box:
        return Box(0.06, 0.06, self.view.wide * self.scale - 0.06, self.view.high * self.scale - 0.06)

    def draw(self, ground: Ground) -> None:
        self.axes.set_xlim(0, self.view.wide * self.scale)
        self.axes.set_ylim(0, self.view.high * self.scale)
        self.axes.set_axis_off()
        self._land()
        self._backbone()
        points, boxes = self._flows(ground)
        sites = [site for site in ground.sites.values() if self._in_view(site)]
        for site in sites:
            self._site(site)
        self._names(sites, points, boxes)

    def _in_view(self, site: Site) -> bool:
        x, y = self.spot(site.spot)
        return 0 <= x <= self.view.wide * self.scale and 0 <= y <= self.view.high * self.scale

    def _turns(self) -> Iterable[float]:
        """How far copies of the world have to be shifted so that they fill the view, degrees."""
        return (turn for turn in (-360.0, 0.0, 360.0) if -180 + turn < self.view.east and 180 + turn > self.view.west)

    def _land(self) -> None:
        from matplotlib.collections import LineCollection, PolyCollection

        rings = [[self.at(x + turn, y) for x, y in ring] for turn in self._turns() for ring in land()]
        coast = [
            [self.at(a[0] + turn, a[1]), self.at(b[0] + turn, b[1])]
            for turn in self._turns()
            for ring in land()
            for a, b in zip(ring, [*ring[1:], ring[0]], strict=True)
            if abs(a[0]) < 179.9 or abs(b[0]) < 179.9  # the seam is no coast
        ]
        self.axes.add_collection(
            PolyCollection(rings, facecolors=self.theme.object_lane, edgecolors="none", zorder=0), autolim=False
        )
        self.axes.add_collection(
            LineCollection(coast, colors=self.theme.faint, linewidths=0.7, zorder=0.5), autolim=False
        )

    def _backbone(self) -> None:
        from matplotlib.collections import LineCollection

        cities = world_cities()
        lines: list[list[tuple[float, float]]] = []
        for start, end, _ in routes():
            a, b = cities[start], cities[end]
            there = b.longitude + 360 * round((a.longitude - b.longitude) / 360)  # the shorter way round
            lines += [
                [self.at(a.longitude + turn, a.latitude), self.at(there + turn, b.latitude)] for turn in self._turns()
            ]
        self.axes.add_collection(
            LineCollection(lines, colors=self.theme.faint, linewidths=0.45, alpha=0.8, zorder=0.7), autolim=False
        )

    def _flows(self, ground: Ground) -> tuple[list[tuple[float, float]], list[Box]]:
        """Every line with its arrow head and crosses; returns points and boxes that names keep off."""
        most = max((max(flow.count, len(flow.under_way)) for flow in ground.flows), default=1)
        between: dict[frozenset[str], int] = {}
        points: list[tuple[float, float]] = []
        boxes: list[Box] = []
        for flow in ground.flows[:MOST_FLOWS]:
            pair = frozenset((flow.start, flow.end))
            nth = between.get(pair, 0)
            between[pair] = nth + 1
            start, end = ground.sites[flow.start].spot, ground.sites[flow.end].spot
            copies = self._copies(start, end)
            for curve in (_Curve.between(a, b, nth, start, end) for a, b in copies):
                self._line(flow, curve, most)
                points += curve.points(0.09)
                boxes += self._crosses(flow, curve)
                boxes += [_mark_box(*curve.at(gone), 0.05) for gone, _ in flow.under_way]
        return points, boxes

    def _copies(self, start: Spot, end: Spot) -> list[tuple[tuple[float, float], tuple[float, float]]]:
        """Both ends of a line that goes the shorter way round; twice if it leaves the picture at one side."""
        x0 = self.view.longitude(start.longitude)
        x1 = end.longitude + 360 * round((x0 - end.longitude) / 360)
        return [
            (self.at(x0 + turn, start.latitude), self.at(x1 + turn, end.latitude))
            for turn in (-360.0, 0.0, 360.0)
            if min(x0, x1) + turn < self.view.east and max(x0, x1) + turn > self.view.west
        ]

    def _line(self, flow: Flow, curve: _Curve, most: int) -> None:
        ink = INKS[flow.kind]
        colour = on(self.theme, ink.colour)
        wide = 0.9 + 2.6 * sqrt(max(flow.count, len(flow.under_way)) / max(most, 8))
        line = [curve.at(step / 40) for step in range(41)]
        xs, ys = [x for x, _ in line], [y for _, y in line]
        style = {"solid_capstyle": "round", "dash_capstyle": "butt", "zorder": 2, "alpha": 0.9}
        (drawn,) = self.axes.plot(xs, ys, color=colour, linewidth=wide, linestyle=ink.dash, **style)
        drawn.set_label(f"{flow.kind}: {flow.start} to {flow.end}")
        if curve.length > _HEADLESS_IN:
            self._head(curve, 0.58, 0.05 + 0.02 * wide, colour)
        for gone, back in flow.under_way:
            face, edge = (self.theme.paper, colour) if back else (colour, self.theme.paper)
            x, y = curve.at(gone)
            style = {"markerfacecolor": face, "markeredgecolor": edge, "markeredgewidth": 1.4 if back else 0.8}
            self.axes.plot(x, y, "o", markersize=7, zorder=4, **style)

    def _head(self, curve: _Curve, along: float, size: float, colour: str) -> None:
        """A triangle that says where to."""
        (x, y), (bx, by) = curve.at(along), curve.at(along - 0.02)
        turn = atan2(y - by, x - bx)
        corners = [(size, 0.0), (-0.6 * size, 0.62 * size), (-0.6 * size, -0.62 * size)]
        turned = [(x + a * cos(turn) - b * sin(turn), y + a * sin(turn) + b * cos(turn)) for a, b in corners]
        self.axes.fill(
            [a for a, _ in turned],
            [b for _, b in turned],
            facecolor=colour,
            edgecolor=self.theme.paper,
            linewidth=0.6,
            zorder=3,
        )

    def _crosses(self, flow: Flow, curve: _Curve) -> Iterable[Box]:
        """A cross with its count where something was lost: a call nearer to its caller, an answer nearer to where it
        came from. The boxes that they cover."""
        for along, count in ((0.34, flow.lost), (0.78, flow.lost_back)):
            if not count:
                continue
            x, y = curve.at(along)
            if flow.start == flow.end:
                x, y = x + 0.17, y - (0.13 if along < 0.5 else 0.27)  # beside its place
            style = {"markeredgecolor": self.theme.paper, "markeredgewidth": 0.9, "zorder": 6}
            self.axes.plot(x, y, marker="X", markersize=9, color=self.theme.ink, **style)
            box = {**_BOX, "facecolor": self.theme.paper}
            style = {"fontsize": 7.2, "va": "center", "color": self.theme.ink, "bbox": box, "zorder": 6}
            self.axes.text(x + 0.1, y, f"{count} lost", **style)
            yield Box(x - 0.09, y - 0.09, x + 0.48, y + 0.09)

    def _radius_pt(self, site: Site) -> float:
        """Half the size of a client's dot, points: larger for more requests, beside the busiest city."""
        return 2.4 + 4.2 * sqrt(site.sent / max(self.most_sent, 10)) if site.sent else 2.0

    def _radius_in(self, site: Site) -> float:
        return max(self._radius_pt(site) + 2, 8 if site.objects else 0) / 72

    def _site(self, site: Site) -> None:
        """A dot for clients (larger for more requests), a ring for a Worker's colo, a square for objects."""
        x, y = self.spot(site.spot)
        paper, ink = self.theme.paper, self.theme.ink
        if site.worker and not site.objects:
            self.axes.plot(
                x,
                y,
                "o",
                markersize=2 * self._radius_pt(site) + 4,
                markerfacecolor="none",
                markeredgecolor=ink,
                zorder=4.5,
            )
        if site.sent and site.objects:
            x, y = x - 8 / 72, y + 8 / 72  # at the square's corner
        if site.sent:
            style = {"color": on(self.theme, _CLIENT), "markeredgecolor": paper, "markeredgewidth": 0.8, "zorder": 5}
            self.axes.plot(x, y, "o", markersize=2 * self._radius_pt(site), **style)
        elif not site.objects:
            self.axes.plot(x, y, "o", markersize=4, color=ink, zorder=5)
        x, y = self.spot(site.spot)
        if site.objects:
            filled = bool(site.awake)
            style = {"markeredgecolor": ink, "markeredgewidth": 1.0, "zorder": 5.5}
            self.axes.plot(x, y, "s", markersize=13, markerfacecolor=_OBJECT if filled else paper, **style)
            style = {"ha": "center", "va": "center_baseline", "fontsize": 8, "fontweight": "bold", "zorder": 5.6}
            count = len(site.objects)
            self.axes.text(x, y, f"{count}" if count < 1000 else "…", color="#1A1A1A" if filled else ink, **style)

    def _names(self, sites: Sequence[Site], points: Sequence[tuple[float, float]], boxes: Sequence[Box]) -> None:
        shown = sorted(sites, key=lambda site: (site.weight, site.spot.name), reverse=True)
        named = shown[:MOST_NAMES]
        taken = [*boxes, *(_mark_box(*self.spot(site.spot), self._radius_in(site)) for site in shown[MOST_NAMES:])]
        wanted = [self._wanted(site) for site in named]
        for site, label, placed in zip(named, wanted, place(wanted, self.whole, taken, points), strict=True):
            self._name(site, label, placed)

    def _wanted(self, site: Site) -> Wanted:
        lines = _lines(site)
        wide = max(len(line) * (0.066 if number == 0 else 0.056) for number, line in enumerate(lines)) + 0.06
        return Wanted(*self.spot(site.spot), self._radius_in(site), wide, 0.03 + 0.135 * len(lines))

    def _name(self, site: Site, label: Wanted, placed: Placed) -> None:
        box = placed.box
        if placed.far:
            x, y, _ = nearest(box, label.x, label.y)
            self.axes.plot([label.x, x], [label.y, y], color=self.theme.ink, linewidth=0.6, alpha=0.7, zorder=4)
        lines = _lines(site)
        left_of = box.right < label.x
        x = box.right - 0.03 if left_of else box.left + 0.03
        style = {"ha": "right" if left_of else "left", "va": "top", "color": self.theme.ink, "zorder": 7}
        halo = {**_BOX, "facecolor": self.theme.paper}
        for number, line in enumerate(lines):
            y = box.top - 0.015 - 0.135 * number
            size, weight = (8.2, "bold") if number == 0 else (7.2, "normal")
            self.axes.text(x, y, line, fontsize=size, fontweight=weight, bbox=halo, parse_math=False, **style)


@dataclass(frozen=True, slots=True)
class _Curve:
    """A line that bends: start, bend, end, inches."""

    start: tuple[float, float]
    bend: tuple[float, float]
    end: tuple[float, float]

    @classmethod
    def between(cls, a: tuple[float, float], b: tuple[float, float], nth: int, start: Spot, end: Spot) -> _Curve:
        """A curve towards the nearer pole, as great circles go; further out for each one before it on this way."""
        across, up = -(b[1] - a[1]), b[0] - a[0]
        towards = 1 if start.latitude + end.latitude >= 0 else -1
        side = towards if up > 0 or (up == 0 and across > 0) else -towards
        out = side * (0.14 + 0.1 * nth)
        return cls(a, ((a[0] + b[0]) / 2 + out * across, (a[1] + b[1]) / 2 + out * up), b)

    def at(self, along: float) -> tuple[float, float]:
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

    def points(self, apart: float) -> list[tuple[float, float]]:
        """Points along the line, so many inches apart, of a very long one further."""
        steps = min(400, int(self.length / apart))
        return [self.at(step / steps) for step in range(1, steps)]


def _mark_box(x: float, y: float, radius: float) -> Box:
    return Box(x - radius, y - radius, x + radius, y + radius)


# -- words


def _lines(site: Site) -> list[str]:
    """A site's name, and below it who lives there."""
    spot = site.spot
    name = f"{spot.name} ({spot.colo})" if spot.colo and (site.worker or site.objects) else spot.name
    if not site.objects:
        return [name]
    return [name, _short(site.objects[0]) if len(site.objects) == 1 else counted(len(site.objects), "object")]


def _short(label: str) -> str:
    return label if len(label) <= 34 else f"{label[:33]}…"


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
    return [" ".join(notes)]


def _handles(ground: Ground, at_us: int | None, theme: Theme) -> list[Any]:
    """Entries of the legend, for what is in the picture."""
    from matplotlib.lines import Line2D

    def mark(marker: str, face: str, words: str, edge: str = "", size: float = 7) -> Any:
        style: dict[str, Any] = {"linestyle": "", "markersize": size, "markeredgecolor": edge or face}
        return Line2D([], [], marker=marker, markerfacecolor=face, label=words, **style)

    sites = ground.sites.values()
    handles: list[Any] = []
    if any(site.awake for site in sites):
        handles.append(mark("s", _OBJECT, "objects: how many live here", theme.ink, 8))
    if any(site.objects and not site.awake for site in sites):
        when = "in memory then" if at_us is not None else "in memory at the end"
        handles.append(mark("s", theme.paper, f"objects, none {when}", theme.ink, 8))
    if any(site.sent for site in sites):
        handles.append(mark("o", on(theme, _CLIENT), "clients, larger for more requests"))
    if any(site.worker and not site.objects for site in sites):
        handles.append(mark("o", "none", "its colo runs the Worker", theme.ink, 8))
    for kind, ink in INKS.items():
        if any(flow.kind == kind for flow in ground.flows):
            handles.append(
                Line2D([], [], color=on(theme, ink.colour), linestyle=ink.dash, linewidth=2.2, label=ink.words)
            )
    if any(flow.under_way for flow in ground.flows):
        handles.append(mark("o", theme.ink, "under way", theme.paper))
    if any(back for flow in ground.flows for _, back in flow.under_way):
        handles.append(mark("o", theme.paper, "answer under way", theme.ink))
    if ground.lost:
        handles.append(mark("X", theme.ink, "lost on its way", size=8))
    handles.append(Line2D([], [], color=theme.faint, linewidth=0.9, label="backbone"))
    return handles


def _rows(handles: Sequence[Any], width: float) -> int:
    """How many rows a legend takes in a picture of some width."""
    return ceil(sum(0.5 + 0.06 * len(handle.get_label()) for handle in handles) / width)


def _legend(figure: Any, handles: Sequence[Any], rows: int, top: float, theme: Theme) -> None:
    style: dict[str, Any] = {"frameon": False, "fontsize": 7.8, "labelcolor": theme.ink, "handlelength": 1.9}
    columns = ceil(len(handles) / rows)
    style.update(columnspacing=1.1, borderpad=0.2, loc="upper left", bbox_to_anchor=(0.004, top))
    figure.legend(handles=handles, ncols=columns, **style)


def _alt(ground: Ground, title: str, at_us: int | None, missing: str) -> str:
    """The map in words."""
    when = f" at {stretch(at_us)}" if at_us is not None else ""
    lines = [f"{title or 'Map of the world'}{when}."]
    for site in ground.sites.values():
        if site.objects:
            names = ", ".join(site.objects[:5]) + (f" and {len(site.objects) - 5} more" if site.objects[5:] else "")
            asleep = "" if site.awake else " (none in memory)"
            lines.append(f"In {site.spot.name} ({site.spot.colo}) live {names}{asleep}.")
    clients = [f"{site.spot.name} {site.sent}" for site in ground.sites.values() if site.sent]
    if clients:
        lines.append(f"Requests of clients: {', '.join(clients)}.")
    for flow in ground.flows[:MOST_FLOWS]:
        lost = f", {flow.lost + flow.lost_back} lost" if flow.lost or flow.lost_back else ""
        way = f"{flow.start} to {flow.end}" if flow.start != flow.end else f"Inside {flow.start}"
        under_way = f", {len(flow.under_way)} under way" if flow.under_way else ""
        lines.append(f"{way}: {counted(flow.count, flow.kind)}{lost}{under_way}.")
    return "\n".join([*lines, missing] if missing else lines)
