"""The map: cities, their names and regions."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from dosim.geography.cities import OBJECT_HOSTS, normalise
from dosim.network import HINTS, City, Network, UnknownCity


@pytest.fixture(scope="module")
def network() -> Network:
    return Network()


def test_at_least_150_colos_over_all_inhabited_continents(network):
    """There are over 150 cities with a Cloudflare colo, and many on each continent."""
    colos = Counter(city.continent for city in network.cities.values() if city.has_colo)

    assert sum(colos.values()) >= 150
    assert set(colos) == {"Africa", "Asia", "Europe", "North America", "Oceania", "South America"}
    assert min(colos.values()) >= 12


def test_every_city_is_complete(network):
    """Each city has a name, coordinates on the globe, a code of its own, a known hint and a country."""
    codes = [city.colo for city in network.cities.values()]

    assert len(set(codes)) == len(codes)
    for name, city in network.cities.items():
        assert city.name == name
        assert -90 <= city.latitude <= 90
        assert -180 <= city.longitude <= 180
        assert len(city.colo) == 3
        assert city.colo.isupper()
        assert city.hint in HINTS
        assert len(city.country) == 2


def test_every_hint_has_cities_and_its_hub_is_one_of_them(network):
    """Each location hint names a region of the map; its stand-in city lies inside."""
    for hint, hub in HINTS.items():
        assert network.cities[hub].hint.startswith(hint)


def test_objects_live_where_they_were_seen(network):
    """Every colo of the measured list is on the map, and no other hosts objects."""
    assert {city.colo for city in network.cities.values() if city.hosts_objects} == OBJECT_HOSTS
    assert all(city.has_colo for city in network.cities.values() if city.hosts_objects)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("Tokyo", "Tokyo"),
        ("tokyo", "Tokyo"),
        ("NRT", "Tokyo"),
        ("Sao Paulo", "São Paulo"),
        ("Queretaro", "Querétaro"),
        ("Bogota", "Bogotá"),
        ("Wroclaw", "Wrocław"),
        ("Gavle", "Gävle"),
        ("new  delhi", "Delhi"),
        ("Bengaluru", "Bangalore"),
        ("Québec", "Quebec City"),
        ("st louis", "St. Louis"),
        ("San Jose", "San Jose"),
        ("San Jose Costa Rica", "San José, Costa Rica"),
    ],
)
def test_names_are_found_without_accents_case_or_punctuation(network, given, name):
    """A city answers to its name in plain letters, to its colo code and to its other common names."""
    assert name == network.city(given).name


def test_no_two_cities_share_a_plain_name(network):
    """Dropping accents and case confuses no two cities."""
    assert len({normalise(name) for name in network.cities}) == len(network.cities)


def test_an_unknown_city_is_refused_with_the_nearest_names(network):
    """A misspelt name raises an error that offers the right one and says that coordinates work."""
    with pytest.raises(UnknownCity, match=r"unknown city 'Tokio': did you mean Tokyo\?") as refused:
        network.city("Tokio")

    assert "(latitude, longitude)" in str(refused.value)
    assert isinstance(refused.value, ValueError)


def test_a_name_like_no_other_is_refused_too(network):
    """Without any near name the error still says what to do."""
    with pytest.raises(UnknownCity, match=r"unknown city 'Xyzzyqqq': none of the \d+ is near it"):
        network.city("Xyzzyqqq")


@pytest.mark.parametrize(
    "place", [(95.0, 10.0), (10.0, 190.0), (float("nan"), 0.0), (1.0,), ("1", "2"), 7, None, [1, 2]]
)
def test_what_is_no_place_is_refused(network, place):
    """Coordinates off the globe and values of other types raise ValueError in words."""
    with pytest.raises(ValueError, match=r"latitude|no place"):
        network.city(place)


def test_coordinates_give_a_city_without_colo(network):
    """A place between cities takes the nearest one's region, has no colo, and keeps its coordinates."""
    alps = network.city((36.2, 137.9))

    assert (36.2, 137.9) == (alps.latitude, alps.longitude)
    assert ("apac-ne", "JP", "Asia") == (alps.hint, alps.country, alps.continent)
    assert not alps.has_colo
    assert not alps.hosts_objects
    assert alps == network.city(alps.name)


def test_a_city_of_ones_own_joins_the_backbone(network):
    """A City that is not on the map is joined to the nearest ones."""
    base = City("Base", -77.85, 166.67, "", "oc", "NZ", has_colo=False)

    assert "Wellington" in network.path(base, "Auckland")


def test_cities_iterate_alike_under_any_hash_seed():
    """A set of cities is iterated in one order in every process."""
    program = "from dosim.network import Network; print([c.name for c in set(Network().cities.values())])"
    orders = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert 1 == len(orders)
