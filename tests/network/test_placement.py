"""Anycast entry, placement by hint and jurisdiction, first-access lookup."""

from __future__ import annotations

import pytest

from dosim.network import HINTS, JURISDICTIONS, Network
from dosim.network import constants as c


@pytest.fixture(scope="module")
def network() -> Network:
    return Network()


@pytest.mark.parametrize(
    ("place", "colo"),
    [
        ("Tokyo", "NRT"),
        ("Cheyenne", "DEN"),
        ("Canberra", "CBR"),
        ("Fujairah", "DXB"),
        ((48.9, 2.3), "CDG"),
        ((-33.0, -71.6), "SCL"),
        ("Shanghai", "FUK"),
    ],
)
def test_a_client_enters_at_the_nearest_colo(network, place, colo):
    """Anycast leads to the colo of the client's city, or to the nearest by delay; mainland China enters outside."""
    assert colo == network.entry(place).colo


def test_a_client_pays_the_last_mile_and_the_way(network):
    """From a client to its colo it is the last mile and, where its city has no colo, the way to the next."""
    assert c.LAST_MILE_US + c.SAME_COLO_US == network.client_us("Tokyo")
    assert c.LAST_MILE_US + network.one_way_us("Cheyenne", "Denver") == network.client_us("Cheyenne")


@pytest.mark.parametrize(
    ("entry", "colos"),
    [
        ("Tokyo", {"NRT"}),
        ("Frankfurt", {"FRA"}),
        ("São Paulo", {"MIA", "EWR"}),
        ("Johannesburg", {"LHR", "MAD", "LIS"}),
        ("Cape Town", {"LHR", "LIS"}),
        ("Dubai", {"SIN"}),
        ("Lagos", {"LIS"}),
        ("Perth", {"MEL", "SYD"}),
        ("Santiago", {"EWR", "IAD", "MIA"}),
    ],
)
def test_an_object_lives_near_its_first_request(network, entry, colos):
    """Without a hint the nearest hosting colo takes it: one of those seen from there (where.durableobjects.live)."""
    assert network.place(entry).colo in colos


@pytest.mark.parametrize("hint", HINTS)
@pytest.mark.parametrize("entry", ["Tokyo", "Johannesburg", "Chicago"])
def test_a_hint_leads_into_its_region_if_any_colo_there_hosts(network, hint, entry):
    """The object goes to a host of the hinted region, or near the region when it has none."""
    inside = [city for city in network.cities.values() if city.hosts_objects and city.hint.startswith(hint)]
    home = network.place(entry, hint)

    assert home.hosts_objects
    assert (home in inside) == bool(inside)


def test_a_region_without_hosts_is_served_from_nearby(network):
    """South America's objects live in Miami, Africa's in Lisbon, whoever asks first."""
    assert {"Miami"} == {network.place(entry, "sam").name for entry in ("Tokyo", "Oslo", "Lima")}
    assert {"Lisbon"} == {network.place(entry, "afr").name for entry in ("Tokyo", "Oslo", "Lima")}


def test_a_hint_takes_the_regions_colo_nearest_to_the_entry(network):
    """Inside the hinted region distance decides."""
    assert "Seattle" == network.place("Tokyo", "wnam").name
    assert "Auckland" == network.place("Wellington", "oc").name


@pytest.mark.parametrize("jurisdiction", JURISDICTIONS)
@pytest.mark.parametrize("hint", [None, *HINTS])
def test_a_jurisdiction_is_never_left(network, jurisdiction, hint):
    """Whatever the hint and the entry, the object stays inside its jurisdiction."""
    for entry in ("Singapore", "London", "Chicago"):
        assert jurisdiction in network.place(entry, hint, jurisdiction).jurisdictions


def test_a_jurisdiction_keeps_the_object_near(network):
    """Inside the jurisdiction distance decides: from London the European Union begins at Amsterdam or Paris."""
    assert network.place("London", jurisdiction="eu").name in {"Amsterdam", "Paris"}
    assert "GB" == network.place("London").country


def test_an_unknown_hint_or_jurisdiction_is_refused_with_the_list(network):
    """The error names the argument and all that would do."""
    with pytest.raises(ValueError, match="unknown location hint 'europe': use one of wnam, enam, sam, weur"):
        network.place("Oslo", "europe")
    with pytest.raises(ValueError, match="unknown jurisdiction 'uk': use one of eu, fedramp, fedramp-high, us"):
        network.place("Oslo", jurisdiction="uk")


def test_placement_is_the_same_in_every_network(network):
    """Two networks give the same places."""
    other = Network()

    assert [network.place(name) for name in network.cities] == [other.place(name) for name in other.cities]


def test_a_first_access_by_name_goes_around_the_world(network):
    """The lookup costs up to a few hundred milliseconds, as documented."""
    for entry in ("Tokyo", "Frankfurt", "Johannesburg", "Lima"):
        assert 100_000 < network.lookup_us(entry) < 500_000
