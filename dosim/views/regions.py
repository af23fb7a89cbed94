"""Which part of the world a map shows: a rectangle of degrees, chosen or fitted to what is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, radians
from typing import Final

from dosim.geography import Spot
from dosim.views.flows import Site

Region = str | tuple[float, float, float, float] | None

#: Degrees: what "world" shows, cut where nobody lives, between Alaska and Chukotka.
WORLD: Final = (-169.0, -57.0, 191.0, 80.0)
_LATITUDES: Final = (-60.0, 84.0)
#: Degrees of longitude: the narrowest map on which coasts still tell where it is; that of one place alone.
NARROWEST: Final = 44.0
ALONE: Final = 60.0
#: Degrees of longitude: the narrowest inset; a share of it left free round what it shows, for names.
_CLOSEST: Final = 22.0
_INSET_MARGIN: Final = 0.19
#: A share of the picture left free round what is used.
_MARGIN: Final = 0.12
#: Degrees of longitude and latitude: what is used within these is one region, and the map zooms to it unless told.
_ONE_REGION: Final = (90.0, 50.0)
#: Height of a zoomed map to its width.
_SHAPE: Final = 0.55


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
    def name(self) -> str:
        return "Map of the world" if self.wide >= WORLD[2] - WORLD[0] else "Map of a part of the world"

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


def chosen_view(region: Region, sites: Sequence[Site]) -> View:
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
    wide = max((east - west) / (1 - 2 * _MARGIN), ALONE if (west, south) == (east, north) else NARROWEST)
    wide = max(wide, (north - south) * stretch / (1 - 2 * _MARGIN) / _SHAPE)
    if wide >= 340:
        return View(*WORLD, 1.2)
    middle, high = (west + east) / 2, wide * _SHAPE / stretch
    bottom = (south + north - high) / 2
    bottom = max(_LATITUDES[0], min(bottom, _LATITUDES[1] - high))
    if middle - wide / 2 >= 180:
        middle -= 360
    return View(middle - wide / 2, bottom, middle + wide / 2, min(bottom + high, 90.0), stretch)


def framed(spots: Sequence[Spot], shape: float) -> View:
    """A close view round these points, as high as `shape` times its width, for an inset."""
    used = _bounds(spots)
    assert used is not None
    west, south, east, north = used
    stretch = _stretched(south, north)
    wide = max(
        (east - west) / (1 - 2 * _INSET_MARGIN), (north - south) * stretch / (1 - 2 * _INSET_MARGIN) / shape, _CLOSEST
    )
    middle, centre, high = (west + east) / 2, (south + north) / 2, wide * shape / stretch
    return View(middle - wide / 2, centre - high / 2, middle + wide / 2, centre + high / 2, stretch)


def _stretched(south: float, north: float) -> float:
    """How much a degree of latitude is longer than one of longitude in the middle of a view."""
    return 1 / max(0.35, cos(radians((south + north) / 2)))
