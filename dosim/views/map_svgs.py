"""`world_map_svg`: the map as light SVG, for live use; pointing at a line or a place tells it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from dosim.views.flows import Site
from dosim.views.insets import Plate, spread
from dosim.views.labels import Box, nearest
from dosim.views.map_plans import (
    CLIENT,
    CORNER_PT,
    INKS,
    NAME_IN,
    OBJECT,
    SQUARE_PT,
    Atlas,
    Key,
    Name,
    Point,
    Track,
    flow_told,
    keys,
    plan_map,
    relief,
    site_told,
)
from dosim.views.regions import Region, View
from dosim.views.style import ON_BRIGHT
from dosim.views.svg import FAINT, INK, LANE, PAPER, Page, check_tall, number, said
from dosim.views.svg_marks import (
    NOTE,
    PT_PX,
    PX,
    empty_page,
    legend,
    line_colour,
    mark,
    noted,
    words,
    wrapped,
)

#: Pixels above the map.
_TOP: Final = 30
#: Names have a seam of paper, so that they can be read on lines.
_HALO: Final = f'paint-order="stroke" stroke="{PAPER}" stroke-width="3" stroke-linejoin="round"'


def world_map_svg(
    source: object,
    *,
    region: Region = None,
    at_us: int | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
    width: int = 640,
    dark: bool | None = None,
    title: str = "",
) -> str:
    """The map of a simulation or trace as SVG text, without matplotlib: see `dosim.views.world_map`.

    `width` is in pixels. dark: None follows the page that shows it. Raises TypeError for a source that is no trace and
    ValueError that names the argument and the fix.
    """
    check_tall(width, dark, title)
    plan = plan_map(source, region, at_us, start_us, end_us, title)
    heading = title or plan.view.name
    if plan.empty:
        return empty_page(heading, plan.alt, plan.empty, width=width, dark=dark)
    whole = spread(plan, width / PX)
    atlas = whole.whole.atlas
    notes = wrapped(whole.notes(plan), width)
    high = round(atlas.height * PX)
    shown = keys(plan)
    rows, legend_high = legend([key.words for key in shown], [_key(key) for key in shown], width, _TOP + high + 4)
    foot = _TOP + high + 8 + legend_high
    page = Page(heading, plan.alt, width=width, height=round(foot + NOTE * len(notes) + 6), dark=dark)
    page.put(_chart(whole.whole, 0, _TOP))
    if whole.inset is not None and whole.frame is not None:
        box, frame = whole.inset.box, whole.frame
        page.put(_rect(frame, atlas, fill="none", opacity=0.7))
        page.put(_rect(box, atlas, fill=PAPER, opacity=1))
        page.put(_chart(whole.inset, box.left * PX, _TOP + (atlas.height - box.top) * PX))
        page.put(_rect(box, atlas, fill="none", opacity=0.8))
    for row in rows:
        page.put(row)
    page.put(noted(notes, foot))
    return str(page)


def _chart(plate: Plate, x: float, y: float) -> str:
    """A map, cut off where it ends, whose upper left corner is there."""
    atlas, pen = plate.atlas, _Pen(plate.atlas)
    parts = [
        _relief(atlas.view, atlas.scale),
        *map(pen.track, plate.tracks),
        *map(pen.site, plate.sites),
        pen.losses(plate.tracks),
        pen.names(plate.names),
    ]
    size = f'width="{number(atlas.width * PX)}" height="{number(atlas.height * PX)}"'
    return f'<svg x="{number(x)}" y="{number(y)}" {size} overflow="hidden">{"".join(parts)}</svg>'


def _rect(box: Box, atlas: Atlas, *, fill: str, opacity: float) -> str:
    place = f'x="{number(box.left * PX)}" y="{number(_TOP + (atlas.height - box.top) * PX)}"'
    size = f'width="{number((box.right - box.left) * PX)}" height="{number((box.top - box.bottom) * PX)}"'
    return f'<rect {place} {size} fill="{fill}" stroke="{INK}" opacity="{opacity}"/>'


@lru_cache(maxsize=8)
def _relief(view: View, scale: float) -> str:
    """Land, coasts and the backbone: the same for every map of a view."""
    ground, high = relief(view, scale), view.high * scale
    coasts = set(ground.coast)
    whole = [ring for ring in ground.land if (*ring, ring[0]) in coasts]
    cut = [ring for ring in ground.land if (*ring, ring[0]) not in coasts]
    closed = {(*ring, ring[0]) for ring in whole}
    rest = [piece for piece in ground.coast if piece not in closed]
    edge = f'stroke="{FAINT}" stroke-width=".9"'
    paths = [f'<path d="{_path(whole, high)}" fill="{LANE}" {edge}/>']
    if cut:
        paths.append(f'<path d="{_path(cut, high)}" fill="{LANE}"/>')
    if rest:
        paths.append(f'<path d="{_path(rest, high, "")}" fill="none" {edge}/>')
    faint = f'fill="none" stroke="{FAINT}" stroke-width=".6" opacity=".8"'
    return "".join([*paths, f'<path d="{_path(ground.backbone, high, "")}" {faint}/>'])


def _path(lines: Iterable[Sequence[Point]], high: float, end: str = "z") -> str:
    """Lines in inches as one path in pixels, in steps of tenths from point to point, which is shorter."""
    said_path: list[str] = []
    for line in lines:
        tenths = [(round(x * PX * 10), round((high - y) * PX * 10)) for x, y in line]
        (x, y), *others = tenths
        said_path.append(f"M{_tenths(x)} {_tenths(y)}")
        steps = []
        for to_x, to_y in others:
            if (to_x, to_y) != (x, y):
                steps.append(f"{_tenths(to_x - x)} {_tenths(to_y - y)}".replace(" -", "-"))
                x, y = to_x, to_y
        said_path.append(f"l{' '.join(steps)}{end}" if steps else "")
    return "".join(said_path)


def _tenths(value: int) -> str:
    return f"{value / 10:g}"


class _Pen:
    """Draws a map's parts, in pixels from its upper left corner."""

    def __init__(self, atlas: Atlas) -> None:
        self._atlas = atlas

    def _at(self, point: Point) -> tuple[float, float]:
        return point[0] * PX, (self._atlas.height - point[1]) * PX

    def _pair(self, point: Point) -> str:
        x, y = self._at(point)
        return f"{number(x)} {number(y)}"

    def track(self, track: Track) -> str:
        """A line with its arrow head and what is under way on it."""
        ink, curve = INKS[track.flow.kind], track.curve
        colour, wide = line_colour(ink.colour), track.wide * PT_PX
        dash = f' stroke-dasharray="{" ".join(number(part * wide) for part in ink.dash)}"' if ink.dash else ""
        path = f"M{self._pair(curve.start)}Q{self._pair(curve.bend)} {self._pair(curve.end)}"
        style = f'fill="none" stroke="{colour}" stroke-width="{number(wide)}" opacity=".9"{dash}'
        parts = [f'<path d="{path}" {style}/>']
        if track.has_head:
            corners = "L".join(self._pair(corner) for corner in track.head())
            parts.append(f'<path d="M{corners}z" fill="{colour}" stroke="{PAPER}" stroke-width=".8"/>')
        for gone, back in track.flow.under_way:
            fill, edge = (PAPER, colour) if back else (colour, PAPER)
            parts.append(mark("o", *self._at(curve.at(gone)), 9, fill=fill, edge=edge, wide=1.9 if back else 1.0))
        return f"<g><title>{said(flow_told(track.flow))}</title>{''.join(parts)}</g>"

    def losses(self, tracks: Iterable[Track]) -> str:
        """A cross and a count wherever something was lost."""
        found = []
        for track in tracks:
            for x, y, count in track.crosses():
                px, py = self._at((x, y))
                found.append(mark("X", px, py, 11, fill=INK, edge=PAPER))
                found.append(words(px + 9, py + 3.5, f"{count} lost"))
        return f'<g font-size="9.6" {_HALO}>{"".join(found)}</g>' if found else ""

    def site(self, site: Site) -> str:
        """A dot for clients (larger for more requests), a ring for a Worker's colo, a square for objects."""
        x, y = self._at(self._atlas.spot(site.spot))
        size = 2 * self._atlas.radius_pt(site) * PT_PX
        corner = CORNER_PT * PT_PX if site.sent and site.objects else 0.0
        parts = []
        if site.worker and not site.objects:
            parts.append(mark("o", x, y, size + 4 * PT_PX, fill="none", edge=INK, wide=1.3))
        if site.sent:
            parts.append(mark("o", x - corner, y - corner, size, fill=line_colour(CLIENT), edge=PAPER))
        elif not site.objects:
            parts.append(mark("o", x, y, 5.3, fill=INK))
        if site.objects:
            fill, ink = (OBJECT, ON_BRIGHT) if site.awake else (PAPER, INK)
            parts.append(mark("s", x, y, SQUARE_PT * PT_PX, fill=fill, edge=INK, wide=1.3))
            count = len(site.objects)
            text = f"{count}" if count < 1000 else "…"
            parts.append(f'<g font-weight="600">{words(x, y + 4, text, anchor="middle", colour=ink)}</g>')
        told = site_told(site) or site.spot.name
        sent = f" {site.sent} of its clients' requests." if site.sent else ""
        return f"<g><title>{said(told + sent)}</title>{''.join(parts)}</g>"

    def names(self, names: Iterable[Name]) -> str:
        return f'<g font-size="9.6" {_HALO}>{"".join(map(self._name, names))}</g>'

    def _name(self, name: Name) -> str:
        box, wanted = name.placed.box, name.wanted
        parts = []
        if name.placed.far:
            x, y = nearest(box, wanted.x, wanted.y)
            path = f"M{self._pair((wanted.x, wanted.y))}L{self._pair((x, y))}"
            parts.append(f'<path d="{path}" stroke="{INK}" stroke-width=".8" opacity=".7"/>')
        x = box.right - 0.03 if name.left_of else box.left + 0.03
        for at, line in enumerate(name.lines):
            px, py = self._at((x, box.top - NAME_IN * (at + 1) + 0.02))
            text = words(px, py, line, anchor="end" if name.left_of else "")
            parts.append(f'<g font-size="10.9" font-weight="600">{text}</g>' if at == 0 else text)
        return "".join(parts)


def _key(key: Key) -> str:
    """A mark of the legend."""
    ink = INKS.get(key.what)
    if ink is not None or key.what == "backbone":
        colour, wide = (line_colour(ink.colour), 2.9) if ink is not None else (FAINT, 1.2)
        parts = ink.dash if ink is not None else ()
        dash = f' stroke-dasharray="{" ".join(number(part * wide) for part in parts)}"' if parts else ""
        return f'<path d="M-10 0h20" stroke="{colour}" stroke-width="{wide}"{dash}/>'
    shape, fill, edge, size = {
        "objects": ("s", OBJECT, INK, 10.5),
        "asleep": ("s", PAPER, INK, 10.5),
        "clients": ("o", line_colour(CLIENT), "", 9.5),
        "worker": ("o", "none", INK, 10.5),
        "under way": ("o", INK, "", 9.5),
        "answer": ("o", PAPER, INK, 9.5),
        "lost": ("X", INK, "", 10.5),
    }[key.what]
    return mark(shape, 0, 0, size, fill=fill, edge=edge, wide=1.3)
