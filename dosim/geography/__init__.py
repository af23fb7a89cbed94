"""Where things are: cities and colos, the routes between them, the outline of the land. Data, for network and maps."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise

from dosim.geography import backbone_americas, backbone_asia_pacific, backbone_europe_africa
from dosim.geography.cities import City, Place, UnknownCity, world_cities

__all__ = ["City", "Place", "Spot", "UnknownCity", "find_spot", "land", "routes", "world_cities"]


@dataclass(frozen=True, slots=True)
class Spot:
    """A point of the map, degrees, with the names that a trace may call it by."""

    name: str
    colo: str
    latitude: float
    longitude: float


@cache
def _spots() -> dict[str, Spot]:
    by_name: dict[str, Spot] = {}
    for city in world_cities().values():
        spot = Spot(city.name, city.colo, city.latitude, city.longitude)
        by_name.setdefault(city.name, spot)
        if city.colo:
            by_name.setdefault(city.colo, spot)
    return by_name


def find_spot(place: str) -> Spot | None:
    """Where a city's name or a colo's code is; None for a place that the map does not know."""
    return _spots().get(place)


def land() -> list[list[tuple[float, float]]]:
    """Rings of (longitude, latitude), degrees: the outline of the land, simplified. Source: in `land.json`."""
    data = json.loads(files(__name__).joinpath("land.json").read_text("utf-8"))
    return [[(x, y) for x, y in ring] for ring in data["rings"]]


def routes() -> list[tuple[str, str, str]]:
    """Every link of the backbone as (city, city, "land" or "sea")."""
    found: list[tuple[str, str, str]] = []
    for module in (backbone_americas, backbone_europe_africa, backbone_asia_pacific):
        found += [(a, b, "land") for chain in module.LAND for a, b in pairwise(chain)]
        found += [(cable[0], cable[1], "sea") for cable in module.SEA]
    found += [(cable[0], cable[1], "sea") for cable in backbone_europe_africa.RED_SEA]
    return found
