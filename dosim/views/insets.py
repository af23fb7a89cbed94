"""A map and what is on it, with an inset that shows Europe larger where its names would crowd the world."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from dosim.views.flows import Ground, Site
from dosim.views.labels import Box
from dosim.views.map_plans import Atlas, MapPlan, Name, Track
from dosim.views.regions import WORLD, framed

#: Degrees: west, south, east, north of what is Europe here.
EUROPE: Final = (-12.0, 34.0, 33.0, 62.0)
#: So many places make an inset worthwhile.
_LEAST: Final = 3
#: Degrees of the map of the world that nearly nobody uses, the southern Pacific: where the inset stands.
_FREE: Final = (-167.0, -55.0, -86.0, -3.0)
#: Inches: a map is at least so wide that its inset can be read.
_WIDE_ENOUGH_IN: Final = 8.0


@dataclass(frozen=True, slots=True)
class Plate:
    """A map's places, lines and names, inches; `box` is where it stands on the map that it is an inset of."""

    atlas: Atlas
    sites: list[Site]
    tracks: list[Track]
    names: list[Name]
    box: Box = field(default=Box(0.0, 0.0, 0.0, 0.0))


@dataclass(frozen=True, slots=True)
class Spread:
    """The map, and the inset if there is one, with the `frame` on the map round what it shows."""

    whole: Plate
    inset: Plate | None = None
    frame: Box | None = None

    def notes(self, plan: MapPlan) -> list[str]:
        """What stands at the foot of the picture."""
        note = "What is framed in Europe is drawn larger at the lower left." if self.inset is not None else ""
        *before, last = plan.notes
        return [*before, f"{last} {note}".strip()]


def spread(plan: MapPlan, width: float) -> Spread:
    """The map, so many inches wide: with an inset of Europe if three of its places are in use and their names do not
    stand beside them, and nothing else needs the room."""
    whole = _plate(plan.atlas(width), plan.ground)
    close = [site for site in whole.sites if _is_european(site)]
    if width < _WIDE_ENOUGH_IN or plan.view.wide < WORLD[2] - WORLD[0] or len(close) < _LEAST:
        return Spread(whole)
    box = _box(whole.atlas)
    far = sum(name.placed.far for name in whole.names if _is_european(name.site))
    if not far or not _is_free(box, whole):
        return Spread(whole)
    wide, high = box.right - box.left, box.top - box.bottom
    view = framed([site.spot for site in close], high / wide)
    atlas = Atlas(view, wide / view.wide, whole.atlas.most_sent)
    shown = {site.spot.name for site in atlas.sites(plan.ground)}
    inset = replace(_plate(atlas, plan.ground, losses_of=shown), box=box)
    if sum(name.placed.far for name in inset.names) >= far:
        return Spread(whole)  # it would be as crowded
    whole = _without(whole, shown)
    west, south = whole.atlas.at(view.west, view.south)
    east, north = whole.atlas.at(view.east, view.north)
    return Spread(whole, inset, Box(west, south, east, north))


def _plate(atlas: Atlas, ground: Ground, losses_of: set[str] | None = None) -> Plate:
    tracks = atlas.tracks(ground)
    if losses_of is not None:
        tracks = [replace(t, told={t.flow.start, t.flow.end} <= losses_of) for t in tracks]
    sites = atlas.sites(ground)
    return Plate(atlas, sites, tracks, atlas.names(sites, tracks))


def _without(whole: Plate, shown: set[str]) -> Plate:
    """The map without the names and losses that the inset shows."""
    tracks = [replace(t, told=not {t.flow.start, t.flow.end} <= shown) for t in whole.tracks]
    sites = [site for site in whole.sites if site.spot.name not in shown]
    return replace(whole, tracks=tracks, names=whole.atlas.names(sites, tracks))


def _is_european(site: Site) -> bool:
    west, south, east, north = EUROPE
    return west <= site.spot.longitude <= east and south <= site.spot.latitude <= north


def _box(atlas: Atlas) -> Box:
    west, south, east, north = _FREE
    return Box(*atlas.at(west, south), *atlas.at(east, north))


def _is_free(box: Box, whole: Plate) -> bool:
    """Whether no place, no name and no line is where the inset would stand."""
    names = [name.placed.box for name in whole.names if not _is_european(name.site)]
    points = [whole.atlas.spot(site.spot) for site in whole.sites]
    points += [point for track in whole.tracks for point in track.curve.points(0.09)]
    return not any(box.meets(name) for name in names) and not any(box.holds(*point) for point in points)
