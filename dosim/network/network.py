"""The network of one simulation: places, routes, delays, entry and placement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import isfinite, log1p
from types import MappingProxyType
from typing import TYPE_CHECKING

from dosim.geography.cities import City, Gazetteer, Place, world_cities, world_gazetteer
from dosim.network import placement
from dosim.network.backbone import Link, fibre_us, great_circle_km, land_km, world_links
from dosim.network.constants import (
    ACCESS_CITIES,
    ACCESS_SPREAD,
    END_US,
    GLOBAL_LOOKUP_FACTOR,
    JITTER_FLOOR_US,
    JITTER_FRACTION,
    JITTER_SHAPE,
    LAND_DETOUR,
    LAST_MILE_US,
    METRO_KM,
    SAME_COLO_US,
)
from dosim.network.routing import Router, world_router
from dosim.platform.facts import DEFAULT_CITY
from dosim.trace.tables import html_table

if TYPE_CHECKING:
    import networkx as nx

#: Path delay up to which two places are one metro area, microseconds.
METRO_US = fibre_us(METRO_KM * LAND_DETOUR)


class Network:
    """Cities joined by a backbone; all delays one way in microseconds unless the name says otherwise.

    Each simulation has its own instance. `cities` and `links` replace the map of the world, for small worlds in tests;
    with `instant` every delay is 0 while placement stays as it is.
    """

    def __init__(
        self,
        *,
        cities: Mapping[str, City] | None = None,
        links: Iterable[Link] | None = None,
        instant: bool = False,
    ) -> None:
        self.cities: Mapping[str, City] = world_cities() if cities is None else MappingProxyType(dict(cities))
        self.links: tuple[Link, ...] = world_links() if links is None else tuple(links)
        self.instant = instant
        self._gazetteer = world_gazetteer() if cities is None else Gazetteer(self.cities)
        self._router = world_router() if cities is None and links is None else Router(self.cities, self.links)
        self._places: dict[Place, City] = {}
        self._access: dict[str, list[tuple[str, int]]] = {}
        self._entries: dict[str, City] = {}
        self._lookups: dict[str, int] = {}
        self._placed: dict[tuple[str, str | None, str | None], City] = {}
        self._one_way_us: dict[tuple[Place, Place], int] = {}
        self._cut: set[frozenset[str]] = set()

    def __repr__(self) -> str:
        return f"<Network {len(self.cities)} cities, {len(self.links)} links{', instant' if self.instant else ''}>"

    def _repr_html_(self) -> str:
        rows = [(c.name, c.colo, c.hint, c.country, "yes" if c.hosts_objects else "") for c in self.cities.values()]
        return html_table(("city", "colo", "location hint", "country", "objects may live there"), rows, repr(self))

    # Places.

    def city(self, place: Place) -> City:
        """Return the city for a name, a colo code, (latitude, longitude) or a City.

        Coordinates give an unnamed city joined to the nearest ones of the backbone. Raises UnknownCity for a name that
        no city bears and ValueError for coordinates off the globe.
        """
        try:
            known = self._places.get(place)
        except TypeError:
            known = None  # an unhashable argument: refused below, in words
        if known is None:
            known = self._resolve(place)
            self._places[place] = self._places[known.name] = self._places[known] = known
        return known

    def _resolve(self, place: object) -> City:
        if isinstance(place, City):
            if self.cities.get(place.name) != place:
                self._attach(place)
            return place
        if isinstance(place, str):
            return self._gazetteer.find(place)
        if isinstance(place, tuple) and len(place) == 2 and all(_is_number(part) for part in place):
            return self._from_coordinates(float(place[0]), float(place[1]))
        raise ValueError(f"{place!r} is no place: pass a city's name, its colo code, or (latitude, longitude).")

    def _from_coordinates(self, latitude: float, longitude: float) -> City:
        if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
            raise ValueError(
                f"({latitude}, {longitude}) is not on the globe: latitude goes first and runs from -90 to 90, "
                "longitude from -180 to 180, both in degrees."
            )
        here = City(f"({latitude}, {longitude})", latitude, longitude, "", "", "", has_colo=False)
        near = self.cities[self._attach(here)]
        return replace(here, hint=near.hint, country=near.country, continent=near.continent)

    def _attach(self, here: City) -> str:
        """Join a place to the backbone; return the name of the nearest city."""
        near = sorted((great_circle_km(here, city), city.name) for city in self.cities.values())[:ACCESS_CITIES]
        reach_km = near[0][0] * ACCESS_SPREAD
        self._access[here.name] = [
            (name, fibre_us(land_km(here, self.cities[name]))) for distance_km, name in near if distance_km <= reach_km
        ]
        return near[0][1]

    @property
    def default(self) -> City:
        """The city of whatever says nothing of its place: Ashburn, or the first city of a map without it."""
        return self.cities.get(DEFAULT_CITY) or next(iter(self.cities.values()))

    # Delays.

    def one_way_us(self, a: Place, b: Place) -> int:
        """Base delay from `a` to `b`, without jitter, the same in both directions.

        Raises UnknownCity or ValueError as `city` does, and ValueError if no route joins the two.
        """
        try:
            return self._one_way_us[a, b]
        except (KeyError, TypeError):
            return self._measure(a, b)

    def _measure(self, a: Place, b: Place) -> int:
        here, there = self.city(a), self.city(b)
        delay_us = 0 if self.instant else self._base_us(here.name, there.name)
        for pair in ((a, b), (b, a), (here.name, there.name), (there.name, here.name)):
            self._one_way_us[pair] = delay_us
        return delay_us

    def _base_us(self, a: str, b: str) -> int:
        if a == b:
            return SAME_COLO_US
        way_us = self._way(a, b)[0]
        return way_us + (SAME_COLO_US if way_us <= METRO_US else END_US)

    def _way(self, a: str, b: str) -> tuple[int, str, str]:
        """Delay of the best path, and the backbone cities where it begins and ends."""
        ways = [
            (first_us + self._router.tree(first).delay_us[last] + last_us, first, last)
            for first, first_us in self._access.get(a, [(a, 0)])
            for last, last_us in self._access.get(b, [(b, 0)])
            if last in self._router.tree(first).delay_us
        ]
        if not ways:
            raise ValueError(f"no route joins {a} and {b} in this network.")
        return min(ways)

    def delay_us(self, a: Place, b: Place, u: float) -> int:
        """Delay of one message: the base and jitter, drawn with `u`, uniform in [0, 1).

        Monotone in `u`; at 0 there is no jitter. Raises ValueError for `u` outside.
        """
        try:  # once per message: names hash in C and keep their hash, cities do not
            base_us = self._one_way_us[a.name, b.name]  # type: ignore[union-attr]
        except (AttributeError, KeyError):
            base_us = self.one_way_us(a, b)
        if not 0 <= u < 1:
            raise ValueError(f"u must be in [0, 1), not {u!r}: it is the caller's uniform draw.")
        if self.instant:
            return 0
        return base_us + int((JITTER_FLOOR_US + JITTER_FRACTION * base_us) * (-log1p(-u)) ** JITTER_SHAPE)

    def round_trip_ms(self, a: Place, b: Place) -> float:
        """Base round trip between two places, milliseconds, without jitter."""
        return 2 * self.one_way_us(a, b) / 1000

    def access_us(self, place: Place) -> int:
        """A client's last mile: from its home or office to its city, before any long-haul route."""
        self.city(place)
        return 0 if self.instant else LAST_MILE_US

    def client_us(self, place: Place) -> int:
        """From a client to the colo it enters at: last mile and way."""
        return self.access_us(place) + self.one_way_us(place, self.entry(place))

    def lookup_us(self, colo: Place) -> int:
        """Time of the check that a first access by name makes, both ways; `newUniqueId` skips it."""
        name = self.city(colo).name
        if name not in self._lookups:
            farthest_us = max((self.one_way_us(name, host.name) for host in self._hosts()), default=0)
            self._lookups[name] = round(2 * farthest_us * GLOBAL_LOOKUP_FACTOR)
        return self._lookups[name]

    def path(self, a: Place, b: Place) -> tuple[str, ...]:
        """Names of the cities on the way from `a` to `b`, both included."""
        start, end = self.city(a).name, self.city(b).name
        if start == end:
            return (start,)
        first, last = sorted((start, end))
        _, enters, leaves = self._way(first, last)
        inner = self._router.tree(enters).path(leaves)
        before = () if first == enters else (first,)
        after = () if last == leaves else (last,)
        names = (*before, *inner, *after)
        return names if first == start else names[::-1]

    # Entry and placement.

    def entry(self, place: Place) -> City:
        """The colo where a client enters (anycast): its own city's, or the nearest by delay."""
        city = self.city(place)
        known = self._entries.get(city.name)
        if known is None:
            known = self._entries[city.name] = self._nearest_colo(city)
        return known

    def entry_avoiding(self, place: Place, avoid: Sequence[str]) -> City:
        """As `entry`, when the colos of these cities are down."""
        return self._nearest_colo(self.city(place), avoid)

    def _nearest_colo(self, city: City, avoid: Sequence[str] = ()) -> City:
        if city.has_colo and city.name not in avoid:
            return city
        colos = [other for other in self.cities.values() if other.has_colo and other.name not in avoid]
        return min(colos, key=lambda colo: (self._way(city.name, colo.name)[0], colo.name))

    def place(
        self, entry: Place, hint: str | None = None, jurisdiction: str | None = None, avoid: Sequence[str] = ()
    ) -> City:
        """Where a new object lives whose first request entered at `entry`, but in none of `avoid`; see `placement`.

        Raises ValueError for an unknown hint or jurisdiction, with the list of those there are.
        """
        key = (self.city(entry).name, hint, jurisdiction)
        if avoid:
            hosts = [city for city in self._hosts() if city.name not in avoid]
            return placement.choose(hosts, *key, self.cities, self._distance_us)
        home = self._placed.get(key)
        if home is None:
            home = placement.choose(self._hosts(), *key, self.cities, self._distance_us)
            self._placed[key] = home
        return home

    def _hosts(self) -> list[City]:
        return [city for city in self.cities.values() if city.hosts_objects]

    def _distance_us(self, a: str, b: str) -> int:
        return 0 if a == b else self._way(a, b)[0]

    # Cables that are cut.

    def cut(self, a: Place, b: Place) -> None:
        """Cut the cables between two neighbours on the backbone: routes go around them.

        Raises ValueError when none joins the two, with the neighbours of `a`.
        """
        pair = self._neighbours(a, b)
        self._cut.add(pair)
        self._reroute()

    def mend(self, a: Place, b: Place) -> None:
        """Undo `cut`. Raises ValueError when no cable joins the two."""
        self._cut.discard(self._neighbours(a, b))
        self._reroute()

    @property
    def cuts(self) -> frozenset[frozenset[str]]:
        """The pairs of neighbours whose cables are cut now."""
        return frozenset(self._cut)

    def with_cuts(self, cuts: Iterable[frozenset[str]]) -> Network:
        """Another network of the same cities and cables, of which these are cut."""
        twin = Network(cities=self.cities, links=self.links, instant=self.instant)
        twin._cut.update(cuts)
        twin._reroute()
        return twin

    def joined(self, a: Place, b: Place) -> bool:
        """Whether any way is left from `a` to `b`."""
        if not self._cut:
            return True
        try:
            self.one_way_us(a, b)
        except ValueError:
            return False
        return True

    def _neighbours(self, a: Place, b: Place) -> frozenset[str]:
        start, end = self.city(a).name, self.city(b).name
        beside = sorted(
            {name for link in self.links if start in (link.a, link.b) for name in (link.a, link.b)} - {start}
        )
        if end not in beside:
            raise ValueError(
                f"no cable joins {start} and {end}: the neighbours of {start} are {', '.join(beside) or 'none'}."
            )
        return frozenset((start, end))

    def _reroute(self) -> None:
        left = [link for link in self.links if frozenset((link.a, link.b)) not in self._cut]
        self._router = Router(self.cities, left)
        self._one_way_us.clear()
        self._lookups.clear()

    # Analysis.

    @property
    def graph(self) -> nx.Graph[str]:
        """The backbone as a new networkx graph, for analysis and drawing: changing it changes nothing here.

        Nodes are city names with latitude, longitude, colo, hint, country; edges carry length_km, delay_us, medium,
        systems.
        """
        import networkx as nx

        graph: nx.Graph[str] = nx.Graph()
        for name, city in self.cities.items():
            graph.add_node(
                name,
                latitude=city.latitude,
                longitude=city.longitude,
                colo=city.colo,
                hint=city.hint,
                country=city.country,
            )
        for link in self.links:
            graph.add_edge(
                link.a,
                link.b,
                length_km=link.length_km,
                delay_us=link.delay_us,
                medium=link.medium,
                systems=link.systems,
            )
        return graph


def _is_number(part: object) -> bool:
    return isinstance(part, (int, float)) and not isinstance(part, bool) and isfinite(part)
