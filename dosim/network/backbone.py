"""The backbone: links between cities, with their lengths and delays.

A land link is as long as the great circle between its cities times one detour factor; a cable has a length of its own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from dosim.geography import backbone_americas, backbone_asia_pacific, backbone_europe_africa
from dosim.geography.cities import City, world_cities
from dosim.network.constants import EARTH_RADIUS_KM, FIBRE_US_PER_KM, HOP_US, LAND_DETOUR, PATH_SLACK, RED_SEA_DETOUR


@dataclass(frozen=True, slots=True)
class Link:
    """One long-haul route between two cities; it works alike in both directions."""

    a: str
    b: str
    length_km: float
    medium: Literal["land", "sea"]
    systems: str = ""

    @property
    def delay_us(self) -> int:
        """One-way delay, microseconds, the switching at one end included."""
        return fibre_us(self.length_km) + HOP_US


def fibre_us(length_km: float) -> int:
    """One-way delay of a route of that length, microseconds."""
    return round(length_km * FIBRE_US_PER_KM * PATH_SLACK)


def great_circle_km(a: City, b: City) -> float:
    """Distance over the Earth's surface, kilometres."""
    latitude_a, latitude_b = math.radians(a.latitude), math.radians(b.latitude)
    half_dlat = (latitude_b - latitude_a) / 2
    half_dlon = math.radians(b.longitude - a.longitude) / 2
    haversine = math.sin(half_dlat) ** 2 + math.cos(latitude_a) * math.cos(latitude_b) * math.sin(half_dlon) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(1.0, haversine)))


def land_km(a: City, b: City) -> float:
    """Length of a land route between two cities, kilometres."""
    return great_circle_km(a, b) * LAND_DETOUR


@cache
def world_links() -> tuple[Link, ...]:
    """Every link of the backbone, in the order of the data."""
    cities = world_cities()
    links: list[Link] = []
    for module in (backbone_americas, backbone_europe_africa, backbone_asia_pacific):
        for chain in module.LAND:
            links += (_land(cities, a, b) for a, b in itertools.pairwise(chain))
        links += (Link(a, b, length_km, "sea", systems) for a, b, length_km, systems in module.SEA)
    for a, b, length_km, red_sea_km, systems in backbone_europe_africa.RED_SEA:
        links.append(Link(a, b, length_km + red_sea_km * (RED_SEA_DETOUR - 1), "sea", systems))
    return tuple(links)


def _land(cities: Mapping[str, City], a: str, b: str) -> Link:
    return Link(a, b, land_km(cities[a], cities[b]), "land")
