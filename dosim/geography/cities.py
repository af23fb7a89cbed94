"""Cities: where clients stand, where Cloudflare has colos, and where Durable Objects may live."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final

from dosim.geography import cities_africa_oceania, cities_americas, cities_asia, cities_europe


@dataclass(frozen=True, slots=True)
class City:
    """A place on the map, named or given by coordinates.

    `colo` is Cloudflare's code for its location there, or the airport's where `has_colo` is false; it is empty for a
    place given by coordinates. `hint` is the location hint whose region the city is in. `jurisdictions` lists those an
    object placed here would satisfy. `hosts_objects` says whether new objects are placed here.
    """

    name: str
    latitude: float
    longitude: float
    colo: str
    hint: str
    country: str
    continent: str = ""
    jurisdictions: tuple[str, ...] = ()
    hosts_objects: bool = False
    has_colo: bool = True

    def __hash__(self) -> int:
        """Depend on the coordinates alone, so that a set of cities iterates alike in every process."""
        return hash((self.latitude, self.longitude))

    def __str__(self) -> str:
        return self.name


#: What a caller may pass for a place: a city, its name or colo code, or (latitude, longitude) in degrees.
Place = City | str | tuple[float, float]


class UnknownCity(ValueError):
    """A name that no city bears; the message offers the nearest names."""


#: Colos where new objects were seen, of all those tried. Measured: where.durableobjects.live, snapshot of 2026-01-04.
#: None was seen in South America, Africa, the Middle East or South Asia: objects for those regions live elsewhere.
OBJECT_HOSTS: Final = frozenset(
    "AKL AMS ARN ATL BNE CDG DEN DFW EWR FRA HKG IAD ICN KIX LAX LHR LIS MAD MEL MIA MRS MXP NRT ORD PRG SEA SIN SJC "
    "SYD VIE WAW ZRH".split()
)

#: Members of the European Union among the countries here, ISO 3166 codes.
EU: Final = frozenset("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split())

#: Country to continent; the hint's continent holds for all countries not named here.
_CONTINENT_OF_COUNTRY: Final = {
    **dict.fromkeys("AM AZ CY GE KG KZ TR UZ".split(), "Asia"),
    **dict.fromkeys(("TT",), "North America"),
}
_CONTINENT_OF_HINT: Final = {
    "wnam": "North America",
    "enam": "North America",
    "sam": "South America",
    "weur": "Europe",
    "eeur": "Europe",
    "apac": "Asia",
    "apac-ne": "Asia",
    "apac-se": "Asia",
    "me": "Asia",
    "afr": "Africa",
    "oc": "Oceania",
}

#: Other names in use. Accents, case and punctuation need no entry: `normalise` drops them.
_ALIASES: Final = {
    "bengaluru": "Bangalore",
    "bombay": "Mumbai",
    "calcutta": "Kolkata",
    "cochin": "Kochi",
    "guam": "Hagåtña",
    "kiev": "Kyiv",
    "larnaca": "Nicosia",
    "madras": "Chennai",
    "milano": "Milan",
    "new delhi": "Delhi",
    "new york city": "New York",
    "newark": "New York",
    "nyc": "New York",
    "okinawa": "Naha",
    "quebec": "Quebec City",
    "rio": "Rio de Janeiro",
    "saigon": "Ho Chi Minh City",
    "saint petersburg": "St. Petersburg",
    "san jose ca": "San Jose",
    "santiago de chile": "Santiago",
    "st louis": "St. Louis",
    "washington": "Ashburn",
    "washington dc": "Ashburn",
}


def normalise(name: str) -> str:
    """Reduce a name to lower-case letters, digits and single spaces, without accents."""
    plain = unicodedata.normalize("NFKD", name.replace("ł", "l").replace("Ł", "L")).casefold()
    kept = "".join(letter if letter.isalnum() else " " for letter in plain if not unicodedata.combining(letter))
    return " ".join(kept.split())


def jurisdictions_of(country: str) -> tuple[str, ...]:
    """Jurisdictions an object in this country satisfies.

    Documented: `eu` is the European Union, `us` the United States. Assumed: every US colo that hosts objects is
    FedRAMP-compliant, and US territories are outside `us`.
    """
    if country in EU:
        return ("eu",)
    return ("us", "fedramp", "fedramp-high") if country == "US" else ()


@cache
def world_cities() -> Mapping[str, City]:
    """Every city by name, in alphabetical order."""
    found: dict[str, City] = {}
    for module in (cities_americas, cities_europe, cities_asia, cities_africa_oceania):
        for hint, rows in module.SITES.items():
            for name, latitude, longitude, colo, country in rows:
                found[name] = City(
                    name,
                    latitude,
                    longitude,
                    colo,
                    hint,
                    country,
                    _CONTINENT_OF_COUNTRY.get(country, _CONTINENT_OF_HINT[hint]),
                    jurisdictions_of(country),
                    colo in OBJECT_HOSTS,
                    name not in module.WITHOUT_COLO,
                )
    return MappingProxyType({name: found[name] for name in sorted(found)})


class Gazetteer:
    """Finds cities by name, other name or colo code."""

    def __init__(self, cities: Mapping[str, City]) -> None:
        self.cities = cities
        self._by_name = {normalise(name): city for name, city in cities.items()}
        self._by_colo = {city.colo: city for city in cities.values() if city.colo}

    def find(self, name: str) -> City:
        """Return the city called `name`.

        Raises UnknownCity, with the nearest names, if there is none.
        """
        city = self.cities.get(name) or self._by_colo.get(name)
        if city is None:
            plain = normalise(name)
            city = self._by_name.get(plain) or self.cities.get(_ALIASES.get(plain, ""))
        if city is None:
            raise UnknownCity(self._suggestion(name))
        return city

    def _suggestion(self, name: str) -> str:
        plain = normalise(name)
        near = [self._by_name[match].name for match in difflib.get_close_matches(plain, self._by_name, n=3)]
        guess = f": did you mean {' or '.join(near)}?" if near else f": none of the {len(self.cities)} is near it."
        return (
            f"unknown city {name!r}{guess} Coordinates work too: (latitude, longitude) in degrees. "
            "All names are in `network.cities`."
        )


@cache
def world_gazetteer() -> Gazetteer:
    """The index of every city's names: simulations share it."""
    return Gazetteer(world_cities())
