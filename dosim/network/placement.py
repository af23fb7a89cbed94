"""Where a new Durable Object lives.

Without a hint: in the colo that hosts objects and is nearest to where the first request entered. With a location hint:
in the nearest such colo of the hint's region or, if the region has none, in the one nearest to that region, as
documented ("a data center selected to minimize latency from the hinted location"). With a jurisdiction: only inside
it, whatever the hint, since hints are a best effort and jurisdictions are not. An object never moves afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Final

from dosim.geography.cities import City
from dosim.platform.facts import JURISDICTIONS

#: Location hints, and the city that stands for the region when none of its colos hosts objects. The hints are
#: documented (developers.cloudflare.com/durable-objects/reference/data-location; `apac-ne` and `apac-se` since
#: 2026-06-19), the cities are assumed.
HINTS: Final[dict[str, str]] = {
    "wnam": "San Francisco",
    "enam": "Ashburn",
    "sam": "São Paulo",
    "weur": "Frankfurt",
    "eeur": "Warsaw",
    "apac": "Singapore",
    "apac-ne": "Tokyo",
    "apac-se": "Singapore",
    "oc": "Sydney",
    "afr": "Johannesburg",
    "me": "Dubai",
}


def in_region(city: City, hint: str) -> bool:
    """Whether the city is in the hint's region; `apac` includes its sub-regions."""
    return city.hint == hint or (hint == "apac" and city.hint.startswith("apac-"))


def check_hint(hint: str) -> None:
    """Raise ValueError, with the list of hints, if `hint` is none of them."""
    if hint not in HINTS:
        raise ValueError(f"unknown location hint {hint!r}: use one of {', '.join(HINTS)}.")


def check_jurisdiction(jurisdiction: str) -> None:
    """Raise ValueError, with the list of jurisdictions, if `jurisdiction` is none of them."""
    if jurisdiction not in JURISDICTIONS:
        raise ValueError(f"unknown jurisdiction {jurisdiction!r}: use one of {', '.join(JURISDICTIONS)}.")


def choose(
    hosts: Iterable[City],
    entry: str,
    hint: str | None,
    jurisdiction: str | None,
    known: Container[str],
    distance_us: Callable[[str, str], int],
) -> City:
    """Pick the colo of a new object among `hosts`; `known` are the names on the map; equal distances go by name.

    Raises ValueError if the hint or the jurisdiction is unknown, or if no host satisfies the jurisdiction.
    """
    allowed = list(hosts)
    if hint is not None:
        check_hint(hint)
    if jurisdiction is not None:
        check_jurisdiction(jurisdiction)
        allowed = [city for city in allowed if jurisdiction in city.jurisdictions]
    if not allowed:
        raise ValueError(f"no city of this network hosts objects (jurisdiction: {jurisdiction or 'any'}).")
    near = entry
    if hint is not None:
        hinted = [city for city in allowed if in_region(city, hint)]
        if hinted:
            allowed = hinted
        elif HINTS[hint] in known:
            near = HINTS[hint]
    return min(allowed, key=lambda city: (distance_us(near, city.name), city.name))
