"""The network: cities, backbone routes, anycast entry, placement, jitter and cold starts."""

from __future__ import annotations

from dosim.geography.cities import City, Place, UnknownCity
from dosim.network.backbone import Link, great_circle_km
from dosim.network.constants import CONSTANTS, Constant
from dosim.network.network import Network
from dosim.network.placement import HINTS
from dosim.platform.facts import JURISDICTIONS

__all__ = [
    "CONSTANTS",
    "HINTS",
    "JURISDICTIONS",
    "City",
    "Constant",
    "Link",
    "Network",
    "Place",
    "UnknownCity",
    "great_circle_km",
]
